#!/usr/bin/env bash
# The Python package's tests beside the frameworks that it converts from, each in a virtual environment of its own, which
# is made where it is missing and is also that of bench_peers.sh.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<TEXT
Usage: scripts/test_python_peers.sh [pyg] [dgl]

Runs python/tests in virtual environments with PyTorch Geometric and NetworkX (pyg) and with DGL and NetworkX (dgl; needs
Python 3.8 to 3.12); both without arguments. The environments are made in build/peers, or in LAMINAR_PEERS_DIR, the first
time, by this script or by bench_peers.sh: some 2 GB are downloaded.
TEXT
}

run_tests() {
  printf 'test_python_peers: %s\n' "$1"
  PYTHONPATH=$root/python PYTHONDONTWRITEBYTECODE=1 "$peers/$1/bin/python" -m unittest discover \
    --start-directory "$root/python/tests"
}

names=()
for word in "$@"; do
  case "$word" in
    pyg | dgl) names+=("$word") ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
[[ ${#names[@]} -gt 0 ]] || names=(pyg dgl)
for name in "${names[@]}"; do
  peer_environment "$name" || exit 1
  run_tests "$name"
done
