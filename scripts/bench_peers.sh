#!/usr/bin/env bash
# Laminar beside PyTorch Geometric and DGL on one machine: the same nets on the same graphs. Documented in docs/benchmarking.md.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

with_sparse=false
words=()
for word in "$@"; do
  case "$word" in
    -h | --help) exec python3 "$root/scripts/bench_peers.py" --help ;;
    --with-sparse) with_sparse=true ;;
    *) words+=("$word") ;;
  esac
done
# A framework without its environment is left out.
for name in pyg dgl; do
  peer_environment "$name" || true
done
if "$with_sparse"; then peer_sparse || true; fi

# The build made last, unless --bin says another (the later one wins).
exec python3 "$root/scripts/bench_peers.py" --peers "$peers" --bin "$(newest_laminar_train)" --out "$root/out/bench_peers" "${words[@]}"
