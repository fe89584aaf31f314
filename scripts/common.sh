# shellcheck shell=bash
# What the scripts share; sourced, with `set -euo pipefail` on.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Processors this process may run on.
default_jobs() { nproc 2>/dev/null || echo 2; }

# configure_and_build PRESET JOBS [TARGET...]: builds into build/PRESET, with ccache and lld where they are there.
configure_and_build() {
  local preset=$1 jobs=$2
  shift 2
  local options=()
  if command -v ccache >/dev/null; then
    options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  if command -v ld.lld >/dev/null; then
    options+=(-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld -DCMAKE_SHARED_LINKER_FLAGS=-fuse-ld=lld)
  fi
  cmake --preset "$preset" "${options[@]}"
  cmake --build --preset "$preset" --parallel "$jobs" ${1:+--target "$@"}
}

# laminar-train of the build made last, or the one on the path. Not of one with sanitizers, which is many times slower.
newest_laminar_train() {
  local newest
  newest=$(find "$root"/build -path '*/bin/laminar-train' ! -path '*/[at]san/*' -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -1 | cut -d' ' -f2)
  printf '%s\n' "${newest:-laminar-train}"
}

# project_files PATTERN...: the project's own C++ files, one a line, relative to the root.
project_files() {
  local names=() pattern
  for pattern in "$@"; do names+=(-o -name "$pattern"); done
  (cd "$root" && find core layers partition datasets pipeline apps tests -type f \( "${names[@]:1}" \) | sort)
}

# An interpreter that has numpy, scipy and h5py: the system's before whichever is first on the path.
python_with_h5py() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import h5py, numpy, scipy' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  fail "no python3 with numpy, scipy and h5py; install python3-numpy python3-scipy python3-h5py"
}

# Virtual environments of the frameworks that are compared with and converted from, one for each, as no version of
# PyTorch suits both.
peers=${LAMINAR_PEERS_DIR:-$root/build/peers}

# peer_environment pyg|dgl: makes $peers/NAME, or adds what it lacks. Says why if it can't, and is false then.
peer_environment() {
  local name=$1 folder=$peers/$1 packages modules
  case "$name" in
    pyg)
      packages=(torch torch_geometric)
      modules='torch, torch_geometric'
      ;;
    dgl)
      # The last one with a wheel for processors, and what it was made for; it needs Python 3.8 to 3.12.
      packages=(torch==2.2.1 dgl==2.1.0 torchdata==0.7.1 'numpy<2' pydantic pyyaml pandas)
      modules='torch, dgl'
      ;;
    *) fail "there is no environment '$name'" ;;
  esac
  packages+=(h5py networkx numpy scipy)
  modules+=', h5py, networkx, numpy, scipy'
  "$folder/bin/python" -c "import $modules" >/dev/null 2>&1 && return
  printf '%s: installing %s into %s\n' "$(basename "$0")" "${packages[*]}" "$folder" >&2
  mkdir -p "$peers"
  {
    { [[ -x $folder/bin/pip ]] || python3 -m venv "$folder"; } && "$folder/bin/pip" install "${packages[@]}" &&
      "$folder/bin/python" -c "import $modules"
  } >"$peers/$name.log" 2>&1 && return
  printf '%s: no environment for %s; see %s\n' "$(basename "$0")" "$name" "$peers/$name.log" >&2
  return 1
}

# peer_sparse: adds torch-scatter and torch-sparse to $peers/pyg, built from source, one file at a time: some minutes each. Says
# why if it can't, and is false then.
peer_sparse() {
  local python=$peers/pyg/bin/python
  "$python" -c 'import torch_sparse' >/dev/null 2>&1 && return
  printf '%s: building torch-scatter and torch-sparse into %s\n' "$(basename "$0")" "$peers/pyg" >&2
  # They import torch while they are built, and torch-sparse imports torch-scatter once it is there.
  local install=(env FORCE_ONLY_CPU=1 MAX_JOBS=1 "$python" -m pip install --no-build-isolation)
  {
    "$python" -m pip install setuptools wheel && "${install[@]}" torch-scatter && "${install[@]}" torch-sparse &&
      "$python" -c 'import torch_sparse'
  } >"$peers/pyg-sparse.log" 2>&1 && return
  printf '%s: no torch-sparse; see %s\n' "$(basename "$0")" "$peers/pyg-sparse.log" >&2
  return 1
}
