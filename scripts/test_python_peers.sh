#!/usr/bin/env bash
# The Python package's tests beside the frameworks that it converts from, each in a virtual environment of its own, which
# is made where it is missing: PyTorch Geometric with the newest PyTorch, and the last DGL that has a wheel for
# processors with the PyTorch that it was made for.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<TEXT
Usage: scripts/test_python_peers.sh [pyg] [dgl]

Runs python/tests in virtual environments with PyTorch Geometric and NetworkX (pyg) and with DGL and NetworkX (dgl; needs
Python 3.8 to 3.12); both without arguments. The environments are made in build/python_peers, or in
LAMINAR_PYTHON_PEERS_DIR, the first time: some 2 GB are downloaded.
TEXT
}

peers=${LAMINAR_PYTHON_PEERS_DIR:-$root/build/python_peers}

# make_environment NAME PACKAGE...: makes $peers/NAME unless it is there.
make_environment() {
  local name=$1 folder=$peers/$1
  shift
  [[ ! -e $folder/ready ]] || return 0
  printf 'test_python_peers: installing %s into %s\n' "$*" "$folder" >&2
  mkdir -p "$peers"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet "$@"
  touch "$folder/ready"
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
  case "$name" in
    pyg) make_environment pyg torch torch_geometric networkx numpy scipy h5py ;;
    dgl) make_environment dgl torch==2.2.1 dgl==2.1.0 torchdata==0.7.1 'numpy<2' pydantic pyyaml pandas networkx scipy h5py ;;
  esac
  run_tests "$name"
done
