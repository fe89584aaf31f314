#!/usr/bin/env bash
# Trains what docs/reproduce.md shows and prints one RESULT line each.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'TEXT'
Usage: scripts/reproduce.sh [--data FOLDER] [--preset NAME] [NAME...]

Trains the networks of docs/reproduce.md on published graphs and prints their RESULT lines; all of them, or those named:
  cora-gcn cora-gat cora-sage cora-gcnii cora-appnp minesweeper-gcn minesweeper-sage minesweeper-gat

  --data FOLDER   holds datasets/planetoid/ind.cora.* and datasets/heterophilous/minesweeper.npz as their authors
                  publish them (default: the environment variable LAMINAR_TEST_DATA)
  --preset NAME   build to use (default release)

Graphs, JSON results and logs go to out/reproduce/. cora-gcnii takes about half an hour on 2 cores, the minesweeper nets
some minutes each, the others less than a minute.
TEXT
}

data=${LAMINAR_TEST_DATA:-}
preset=release
names=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --data | --preset)
      [[ $# -ge 2 ]] || { usage >&2; exit 2; }
      if [[ $1 == --data ]]; then data=$2; else preset=$2; fi
      shift 2
      ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) names+=("$1"); shift ;;
  esac
done
[[ ${#names[@]} -gt 0 ]] || names=(cora-gcn cora-gat cora-sage cora-gcnii cora-appnp minesweeper-gcn minesweeper-sage minesweeper-gat)
[[ -n $data ]] || fail "say where the graphs are: --data FOLDER, or LAMINAR_TEST_DATA (see --help)"
[[ -d $data/datasets ]] || fail "$data has no folder datasets/ (see --help)"

options_of() {
  case "$1" in
    cora-gcn) echo "--layer gcn --hidden 16 --dropout .5 --input-dropout .5 --weight-decay 5e-4 --normalize-features --epochs 200 --runs 10" ;;
    cora-gat) echo "--layer gat --hidden 64 --gat.heads 8 --gat.attention_dropout .6 --dropout .6 --input-dropout .6 --activation elu --lr .005 --weight-decay 5e-4 --normalize-features --epochs 400 --patience 100 --runs 10" ;;
    cora-sage) echo "--layer sage --hidden 64 --dropout .8 --input-dropout .8 --weight-decay 5e-3 --normalize-features --epochs 200 --runs 10" ;;
    cora-gcnii) echo "--layer gcnii --layers 64 --hidden 64 --gcnii.alpha .1 --gcnii.lambda .5 --dropout .6 --input-dropout .6 --lr .01 --weight-decay-conv .01 --weight-decay-dense 5e-4 --normalize-features --select loss --epochs 1500 --patience 100 --runs 10" ;;
    cora-appnp) echo "--layer appnp --layers 10 --hidden 64 --appnp.alpha .1 --dropout .5 --input-dropout .5 --weight-decay 5e-4 --normalize-features --epochs 200 --runs 10" ;;
    minesweeper-gcn) echo "--layer gcn --residual --layers 5 --hidden 64 --dropout .2 --activation gelu --lr .003 --epochs 300 --eval-every 5 --metric roc-auc --split all" ;;
    minesweeper-sage) echo "--layer sage --residual --layers 5 --hidden 64 --dropout .2 --activation gelu --lr .003 --epochs 300 --eval-every 5 --metric roc-auc --split all" ;;
    minesweeper-gat) echo "--layer gat --residual --layers 5 --hidden 64 --gat.heads 8 --dropout .2 --activation gelu --lr .003 --epochs 300 --eval-every 5 --metric roc-auc --split all" ;;
    *) return 1 ;;
  esac
}
for name in "${names[@]}"; do
  options_of "$name" >/dev/null || fail "'$name' is not known (see --help)"
done

cd "$root"
scripts/install_dependencies.sh
mkdir -p out/reproduce
log=out/reproduce/build.log
if ! configure_and_build "$preset" "$(default_jobs)" laminar_convert laminar_train >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  fail "the build failed; see $log"
fi
bin=build/$preset/bin

make_graph() {
  local graph=out/reproduce/$1.h5
  [[ -f $graph ]] && return
  case "$1" in
    cora) PYTHONPATH=python "$(python_with_h5py)" -m laminar_graph planetoid "$data/datasets/planetoid" cora "$graph" ;;
    minesweeper) "$bin/laminar-convert" --from npz "$data/datasets/heterophilous/minesweeper.npz" --out "$graph" ;;
  esac
}

for name in "${names[@]}"; do
  graph=${name%%-*}
  make_graph "$graph" >&2
  read -r -a options <<<"$(options_of "$name")"
  printf '%s  ' "$name"
  "$bin/laminar-train" "out/reproduce/$graph.h5" "${options[@]}" --json "out/reproduce/$name.json" \
    2>"out/reproduce/$name.log" | grep '^RESULT '
done
