#!/usr/bin/env bash
# Trains what docs/reproduce.md shows and prints one RESULT line each.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'TEXT'
Usage: scripts/reproduce.sh [--data FOLDER] [--preset NAME] [NAME...]
       scripts/reproduce.sh [--data FOLDER] [--preset NAME] plugins [OPTIONS] GRAPH...

Trains the networks of docs/reproduce.md on published graphs and prints their RESULT lines; all of them, or those named:
  cora-gcn cora-gat cora-sage cora-gcnii cora-appnp minesweeper-gcn minesweeper-sage minesweeper-gat
  cora-link debian-link (which vertices an edge joins)

With plugins it trains gcn, sage and the layers of layers/plugins/ and prints a table with standard errors. A GRAPH is
squirrel, chameleon, minesweeper, debian or a graph file. OPTIONS: --splits N (default 10), --epochs N (default 150), --layers
NAME,..., --threads N; `plugins --help` says more.

  --data FOLDER   holds datasets/planetoid/ind.cora.* and datasets/heterophilous/minesweeper.npz as their authors
                  publish them, and beside minesweeper.npz squirrel.npz and chameleon.npz of the same authors (default:
                  the environment variable LAMINAR_TEST_DATA)
  --preset NAME   build to use (default release)

Graphs, JSON results and logs go to out/reproduce/. cora-gcnii takes about half an hour on 2 cores, the minesweeper nets
some minutes each, debian-link about three, the others less than a minute. Debian's graph is made of the package lists of
this system, so its figures are those of the day.
TEXT
}

data=${LAMINAR_TEST_DATA:-}
preset=release
names=()
plugins=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --data | --preset)
      [[ $# -ge 2 ]] || { usage >&2; exit 2; }
      if [[ $1 == --data ]]; then data=$2; else preset=$2; fi
      shift 2
      ;;
    -h | --help) usage; exit 0 ;;
    plugins) shift; plugins=("$@"); names=(plugins); break ;;
    -*) usage >&2; exit 2 ;;
    *) names+=("$1"); shift ;;
  esac
done
[[ ${#names[@]} -gt 0 ]] || names=(cora-gcn cora-gat cora-sage cora-gcnii cora-appnp minesweeper-gcn minesweeper-sage minesweeper-gat cora-link debian-link)
if [[ ${names[0]} == plugins ]]; then
  for i in "${!plugins[@]}"; do
    word=${plugins[i]}
    [[ $word != *.h5 ]] || plugins[i]=$(realpath -- "$word")
    [[ $word != -h && $word != --help ]] || exec python3 "$root/scripts/compare_plugins.py" --help
  done
  [[ ${#plugins[@]} -gt 0 ]] || { usage >&2; exit 2; }
fi
# Debian's graph is made of this system's own package lists.
if [[ ${names[*]} != debian-link ]]; then
  [[ -n $data ]] || fail "say where the graphs are: --data FOLDER, or LAMINAR_TEST_DATA (see --help)"
  [[ -d $data/datasets ]] || fail "$data has no folder datasets/ (see --help)"
fi

options_of() {
  case "$1" in
    cora-gcn) echo "--layer gcn --hidden 16 --dropout .5 --input-dropout .5 --weight-decay 5e-4 --normalize-features --epochs 200 --runs 10" ;;
    cora-gat) echo "--layer gat --hidden 64 --gat.heads 8 --gat.attention_dropout .6 --dropout .6 --input-dropout .6 --activation elu --lr .005 --weight-decay 5e-4 --normalize-features --epochs 400 --patience 100 --runs 10" ;;
    cora-sage) echo "--layer sage --hidden 64 --dropout .8 --input-dropout .8 --weight-decay 5e-3 --normalize-features --epochs 200 --runs 10" ;;
    cora-gcnii) echo "--layer gcnii --layers 64 --hidden 64 --gcnii.alpha .1 --gcnii.lambda .5 --dropout .6 --input-dropout .6 --lr .01 --weight-decay-conv .01 --weight-decay-dense 5e-4 --normalize-features --select loss --epochs 1500 --patience 100 --runs 10" ;;
    cora-appnp) echo "--layer appnp --layers 10 --hidden 64 --appnp.alpha .1 --dropout .5 --input-dropout .5 --weight-decay 5e-4 --normalize-features --epochs 200 --runs 10" ;;
    cora-link) echo "--task link --layer gcn --hidden 128 --dropout .5 --lr .01 --epochs 200 --runs 5 --link-baselines" ;;
    debian-link) echo "--task link --layer sage --hidden 64 --decoder mlp --dropout .2 --lr .01 --epochs 60 --eval-every 10 --runs 5 --link-baselines" ;;
    minesweeper-gcn) echo "--layer gcn --residual --layers 5 --hidden 64 --dropout .2 --activation gelu --lr .003 --epochs 300 --eval-every 5 --metric roc-auc --split all" ;;
    minesweeper-sage) echo "--layer sage --residual --layers 5 --hidden 64 --dropout .2 --activation gelu --lr .003 --epochs 300 --eval-every 5 --metric roc-auc --split all" ;;
    minesweeper-gat) echo "--layer gat --residual --layers 5 --hidden 64 --gat.heads 8 --dropout .2 --activation gelu --lr .003 --epochs 300 --eval-every 5 --metric roc-auc --split all" ;;
    *) return 1 ;;
  esac
}
for name in "${names[@]}"; do
  [[ $name == plugins ]] || options_of "$name" >/dev/null || fail "'$name' is not known (see --help)"
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
    debian) "$bin/laminar-convert" --from debian --out "$graph" ;;
    *) "$bin/laminar-convert" --from npz "$data/datasets/heterophilous/$1.npz" --out "$graph" ;;
  esac
}

if [[ ${names[0]} == plugins ]]; then
  words=()
  for word in "${plugins[@]}"; do
    case "$word" in
      squirrel | chameleon | minesweeper | debian) make_graph "$word" >&2; words+=("out/reproduce/$word.h5") ;;
      *) words+=("$word") ;;
    esac
  done
  exec python3 scripts/compare_plugins.py --bin "$bin/laminar-train" --out out/reproduce/plugins "${words[@]}"
fi

for name in "${names[@]}"; do
  graph=${name%%-*}
  make_graph "$graph" >&2
  read -r -a options <<<"$(options_of "$name")"
  printf '%s  ' "$name"
  "$bin/laminar-train" "out/reproduce/$graph.h5" "${options[@]}" --json "out/reproduce/$name.json" \
    2>"out/reproduce/$name.log" | grep '^RESULT '
done
