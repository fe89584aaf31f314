"""Accuracy of training with history beside exact training; called by compare_history.sh, which see."""

import argparse
import concurrent.futures
import pathlib
import statistics

import trainings

COLOURS = ["#555555", "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e"]


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/compare_history.sh",
        usage="%(prog)s [OPTIONS] GRAPH.h5 [-- OPTIONS OF laminar-train]",
        description="Trains a net exactly (Adam with beta1 .9 and .5) and with history, a run for each split of the graph "
        "or, where it has one, for each seed; all with the same cosine learning rate. Prints test metrics at the epoch "
        "that was best on the validation set, and how history differs from exact training (beta1 .5) in points, paired by "
        "run, with the standard error; draws the mean validation curves. Runs that are already in the output folder are "
        "not made again, so an interrupted comparison goes on.")
    parser.add_argument("graph", type=pathlib.Path, metavar="GRAPH.h5")
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="splits, or seeds (default 10)")
    parser.add_argument("--chunks", default="16,32", metavar="K,...", help="of history, each compared (default 16,32)")
    parser.add_argument("--epochs", type=int, default=300, metavar="N", help="of each run (default 300)")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=OPTIONS",
                        help='one more way to train, e.g. "int8=--chunks 16 --stages 4 --compress int8"; may be repeated')
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at once, a thread each (default 1)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER", help="where results go (default out/history)")
    parser.add_argument("--bin", type=pathlib.Path, metavar="FILE", help="laminar-train (default: of the newest build)")
    return trainings.parse_with_model(parser)


def train(args, model, folder, variant, options, run, split):
    words = [args.bin, args.graph, "--seed", run, "--split", split, "--epochs", args.epochs, "--threads", 1, "--quiet",
             "--lr-schedule", "cosine", *model, *options]
    return trainings.trained(words, folder / f"{variant}-{run}.json")["runs"][0]


def draw(curves, title, file):
    """Mean validation metric over epochs, a line a variant."""
    width, height, left, bottom = 760, 400, 60, 40
    lowest = min(min(c) for c in curves.values())
    highest = max(max(c) for c in curves.values())
    span = (highest - lowest) or 1
    epochs = max(len(c) for c in curves.values())

    def place(epoch, value):
        x = left + (width - left - 20) * epoch / max(epochs - 1, 1)
        return f"{x:.1f},{height - bottom - (height - bottom - 30) * (value - lowest) / span:.1f}"

    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/><text x="{left}" y="18">{title}</text>']
    for tick in range(5):
        value = lowest + span * tick / 4
        y = float(place(0, value).split(",")[1])
        lines.append(f'<line x1="{left}" x2="{width - 20}" y1="{y}" y2="{y}" stroke="#ddd"/>'
                     f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{100 * value:.1f}</text>')
    lines.append(f'<text x="{width - 20}" y="{height - 12}" text-anchor="end">epoch {epochs}</text>')
    for i, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        points = " ".join(place(e, v) for e, v in enumerate(curve))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
                     f'<text x="{left + 8 + 130 * i}" y="{height - 12}" fill="{colour}">{name}</text>')
    file.write_text("\n".join(lines + ["</svg>\n"]))


def main():
    args, model = arguments()
    variants = {"exact-b.9": ["--mode", "single", "--beta1", ".9"], "exact-b.5": ["--mode", "single", "--beta1", ".5"]}
    for chunks in args.chunks.split(","):
        variants[f"history-{chunks}"] = ["--mode", "pipeline", "--stages", "1", "--chunks", chunks]
    for extra in args.also:
        name, _, options = extra.partition("=")
        variants[name] = ["--mode", "pipeline", *options.split()]
    name = args.graph.stem + "".join(f"_{word.lstrip('-')}" for word in model)
    folder = args.out / name.replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    splits = trainings.splits_of(args.bin, args.graph)
    runs = [(1 + r, splits[r % len(splits)]) for r in range(args.runs)]

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        work = {(variant, run): pool.submit(train, args, model, folder, variant, options, run, split)
                for run, split in runs for variant, options in variants.items()}
        results = {v: [work[v, run].result() for run, _ in runs] for v in variants}
    exact = [100 * r["test_metric"] for r in results["exact-b.5"]]
    print(f"{args.graph.stem} {' '.join(model)}: {args.epochs} epochs, {args.runs} runs")
    print(f"{'training':<14} {'test':>7} {'+-':>5}   {'beside exact-b.5':>16} {'+-':>5}  {'last epoch':>10}  {'ms/epoch':>9}")
    for variant, all_runs in results.items():
        test = [100 * r["test_metric"] for r in all_runs]
        mean, error = trainings.mean_and_error(test)
        gain, gain_error = trainings.mean_and_error([t - e for t, e in zip(test, exact)])
        last = statistics.mean(100 * r["epochs"][-1]["test_metric"] for r in all_runs)
        epoch_ms = statistics.median(r["epoch_ms"] for r in all_runs)
        print(f"{variant:<14} {mean:7.2f} {error:5.2f}   {gain:+16.2f} {gain_error:5.2f}  {last:10.2f}  {epoch_ms:9.1f}")
    curves = {v: [statistics.mean(values) for values in zip(*([e["val_metric"] for e in r["epochs"]] for r in all_runs))]
              for v, all_runs in results.items()}
    draw(curves, f"{name}: mean validation metric, %", folder / "curves.svg")
    print(f"curves: {folder / 'curves.svg'}")


if __name__ == "__main__":
    main()
