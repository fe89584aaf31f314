#!/usr/bin/env bash
# Runs METIS, KaMinPar and Mt-KaHyPar, as they come in their Python wheels, on graph files, and puts what they find into
# the tables of laminar-partition-bench beside Laminar's strategies. Documented in docs/partition_bench.md.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

parts=8
seeds=3
threads=2
imbalance=0.03
strategies=laminar,metis,metis_vol
tools=pymetis-cut,pymetis-vol,kaminpar,mtkahypar-quality
out=$root/build/compare
venv=${LAMINAR_COMPARE_VENV:-$root/build/compare/venv}
bin=$root/build/release/bin
extra=()
graphs=()

usage() {
  cat <<TEXT
Usage: scripts/compare_partitioners.sh [OPTIONS] GRAPH.h5...

Makes a Python environment with the wheels mtkahypar, pymetis and kaminpar (once, in $venv;
LAMINAR_COMPARE_VENV names another place), runs them on each graph, and compares.

  --parts K,...        numbers of parts ($parts)
  --seeds N            runs of every tool and strategy ($seeds)
  --threads N          threads of those that can use several ($threads)
  --imbalance X        a part may hold (1 + X) times its share of the vertices ($imbalance)
  --tools NAME,...     of pymetis-cut, pymetis-vol, kaminpar, kaminpar-strong, mtkahypar-default, mtkahypar-quality
                       ($tools)
  --strategies NAME,.. Laminar's strategies to run beside them ($strategies)
  --out DIR            assignments, and for each graph a page and a JSON file ($out)
  --bin DIR            where Laminar's executables are ($bin)
  -- OPTIONS           what follows is passed on to laminar-partition-bench
TEXT
}

while [[ $# -gt 0 ]]; do
  case $1 in
    --parts | --seeds | --threads | --imbalance | --strategies | --tools | --out | --bin)
      [[ $# -ge 2 ]] || fail "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    --)
      shift
      extra=("$@")
      break
      ;;
    -*) usage >&2; exit 2 ;;
    *) graphs+=("$1") ;;
  esac
  shift
done
[[ ${#graphs[@]} -gt 0 ]] || { usage >&2; exit 2; }
[[ -x $bin/laminar-partition-bench ]] || fail "$bin/laminar-partition-bench is not there; build first, or name --bin DIR"
for graph in "${graphs[@]}"; do
  [[ -f $graph ]] || fail "$graph: there is no such file"
  [[ $graph == *.h5 || $graph == *.hdf5 ]] || fail "$graph: expected a graph file (.h5); laminar-convert makes one"
done

mkdir -p "$out"
if [[ ! -x $venv/bin/python ]] || ! "$venv/bin/python" -c 'import h5py, kaminpar, mtkahypar, numpy, pymetis' 2>/dev/null; then
  echo "Python environment: $venv"
  python3 -m venv "$venv" || fail "no Python environment; install python3-venv"
  "$venv/bin/pip" install --quiet h5py numpy kaminpar==3.7.3 mtkahypar==1.7.post1 pymetis==2025.2.2 || fail "the wheels can't be installed (see above)"
fi
"$venv/bin/pip" list 2>/dev/null | grep -iE '^(kaminpar|mtkahypar|pymetis) ' | tr -s ' ' | paste -sd ',' | sed 's/,/, /g'

IFS=, read -ra parts_list <<<"$parts"
IFS=, read -ra tool_list <<<"$tools"
for graph in "${graphs[@]}"; do
  name=$(basename "${graph%.*}")
  compared=()
  for k in "${parts_list[@]}"; do
    for tool in "${tool_list[@]}"; do
      for ((seed = 1; seed <= seeds; ++seed)); do
        file=$out/$name.$tool.$k.$seed.txt
        printf '%s: %s, %s parts, seed %s\n' "$name" "$tool" "$k" "$seed" >&2
        # Some of the tools print while they work.
        if ! "$venv/bin/python" "$root/scripts/compare_partitioners.py" "$graph" "$tool" "$k" "$seed" "$threads" \
          "$imbalance" "$file" >"$out/$name.$tool.log" 2>&1; then
          tail -n 3 "$out/$name.$tool.log" >&2
          fail "$tool failed on $graph; leave it out with --tools"
        fi
        compared+=("$tool=$file")
      done
    done
  done
  "$bin/laminar-partition-bench" "$graph" --parts "$parts" --seeds "$seeds" --threads "$threads" \
    --imbalance "$imbalance" --strategies "$strategies" --compare "$(IFS=,; echo "${compared[*]}")" \
    --report "$out/$name.html" --json "$out/$name.json" "${extra[@]}"
done
