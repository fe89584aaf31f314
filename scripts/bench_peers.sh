#!/usr/bin/env bash
# Laminar beside PyTorch Geometric and DGL on one machine: the same nets on the same graphs. Documented in docs/benchmarking.md.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The environments' folder, with one for each framework, as no version of PyTorch suits both.
peers=${LAMINAR_PEERS_DIR:-$root/build/peers}

# make_environment NAME PACKAGE...: makes $peers/NAME unless it is there; says why if it can't.
make_environment() {
  local name=$1 folder=$peers/$1
  shift
  [[ ! -e $folder/ready ]] || return 0
  printf '%s: installing %s into %s\n' "$(basename "$0")" "$*" "$folder" >&2
  mkdir -p "$peers"
  if python3 -m venv "$folder" >"$peers/$name.log" 2>&1 && "$folder/bin/pip" install "$@" >>"$peers/$name.log" 2>&1; then
    touch "$folder/ready"
  else
    printf '%s: %s is left out; see %s\n' "$(basename "$0")" "$name" "$peers/$name.log" >&2
  fi
}

for word in "$@"; do
  [[ $word != -h && $word != --help ]] || exec python3 "$root/scripts/bench_peers.py" --help
done
make_environment pyg torch torch_geometric h5py numpy
# The last DGL with a wheel for processors, and what it was made for; it needs Python 3.8 to 3.12.
make_environment dgl torch==2.2.1 dgl==2.1.0 torchdata==0.7.1 'numpy<2' pydantic pyyaml pandas h5py

# The build made last, unless --bin says another (the later one wins).
exec python3 "$root/scripts/bench_peers.py" --peers "$peers" --bin "$(newest_laminar_train)" --out "$root/out/bench_peers" "$@"
