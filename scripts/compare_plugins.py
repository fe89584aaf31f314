"""What the layers of layers/plugins/ reach beside gcn and sage; called by reproduce.sh, which see."""

import argparse
import pathlib

import trainings

PLUGINS = pathlib.Path(__file__).resolve().parent.parent / "layers" / "plugins"
RESIDUAL = ["--residual", "--activation", "gelu", "--layers", "3"]
# Those that keep an initial representation, or only propagate, have no residual blocks; gpr_gnn has 10 steps, as in its paper.
NETS = {
    "gcn": RESIDUAL,
    "sage": RESIDUAL,
    "dir_gnn": RESIDUAL,
    "tide": RESIDUAL,
    "gated_gcn": RESIDUAL,
    "pna_no_scalers": RESIDUAL,
    "fa_conv": ["--layers", "3"],
    "gpr_gnn": ["--layers", "10"],
}
SETTINGS = {"a": ["--lr", "0.01", "--dropout", "0.5"], "b": ["--lr", "0.003", "--dropout", "0.2"]}
METRICS = {"minesweeper": ["--metric", "roc-auc"]}


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/reproduce.sh plugins",
        description="Trains gcn, sage and the layers of layers/plugins/ with each of two settings (learning rate and "
        "dropout; a: .01 and .5, b: .003 and .2), the same for all layers, on the first split, and with the one that does better "
        "on its validation set a run for each split or, where a graph has one, for each seed. Prints the means of the test "
        "metrics with their standard errors as a table. Runs that are already in the output folder are not made again.")
    parser.add_argument("graphs", nargs="+", type=pathlib.Path, metavar="GRAPH.h5")
    parser.add_argument("--splits", type=int, default=10, metavar="N", help="splits, or seeds (default 10)")
    parser.add_argument("--epochs", type=int, default=150, metavar="N", help="of each run (default 150)")
    parser.add_argument("--layers", default=",".join(NETS), metavar="NAME,...", help="those to train (default all)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of a run (default 1)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER", help="where results go (default out/reproduce/plugins)")
    parser.add_argument("--bin", type=pathlib.Path, metavar="FILE", help="laminar-train (default: of the build)")
    args = parser.parse_args()
    args.layers = args.layers.split(",")
    if unknown := [name for name in args.layers if name not in NETS]:
        parser.error(f"--layers: {unknown[0]} is not one of {', '.join(NETS)}")
    return args


def train(args, graph, layer, setting, run, split):
    plugin = PLUGINS / f"{layer}.hpp"
    words = [args.bin, graph, "--layer", layer, *(["--plugin", plugin] if plugin.exists() else []), *NETS[layer],
             "--hidden", 64, *SETTINGS[setting], *METRICS.get(graph.stem, []), "--epochs", args.epochs,
             "--lr-schedule", "cosine", "--eval-every", 5, "--seed", run, "--split", split, "--threads", args.threads,
             "--quiet"]
    return trainings.trained(words, args.out / f"{graph.stem}-{layer}-{setting}-{args.epochs}-{run}.json")


def cell(args, graph, layer, splits):
    """The setting that is better on the first split's validation set, and the test metrics, in percent, of all runs."""

    def result(setting, run):
        split = splits[run - 1] if len(splits) > 1 else splits[0]
        return train(args, graph, layer, setting, run, split)["runs"][0]

    setting = max(SETTINGS, key=lambda s: result(s, 1)["val_metric"])
    return setting, [100 * result(setting, run)["test_metric"] for run in range(1, args.splits + 1)]


def main():
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    splits = {graph: trainings.splits_of(args.bin, graph) for graph in args.graphs}
    for graph, found in splits.items():
        if 1 < len(found) < args.splits:
            raise SystemExit(f"{graph} has {len(found)} splits, fewer than --splits {args.splits}")
    texts = {layer: [f"`{layer}`"] for layer in args.layers}
    for graph in args.graphs:
        for layer in args.layers:
            setting, tests = cell(args, graph, layer, splits[graph])
            mean, error = trainings.mean_and_error(tests)
            texts[layer].append(f"{mean:.1f} ± {error:.1f} {setting}" if len(tests) > 1 else f"{mean:.1f} {setting}")
    lines = ["| layer | " + " | ".join(graph.stem for graph in args.graphs) + " |", "|---" * (len(args.graphs) + 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in texts.values()]
    table = "\n".join(lines) + "\n"
    (args.out / "table.md").write_text(table)
    print(table, end="")


main()
