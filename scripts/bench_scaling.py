"""Epochs of R-MAT graphs of growing size beside the machine's limits; called by bench_scaling.sh, which see."""

import argparse
import json
import pathlib

import trainings


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench_scaling.sh",
        usage="%(prog)s [OPTIONS] [-- OPTIONS OF laminar-bench epoch]",
        description="Makes R-MAT graphs of 2^FROM to 2^TO vertices of one mean degree, runs laminar-bench epoch on each and prints "
        "the median epoch, the sum of its limits, their ratio beside that of the first size, and how many times faster "
        "the last number of threads is than the first. What is in the output folder is not run again.")
    parser.add_argument("--from", dest="least", type=int, default=16, metavar="N", help="log2 of the fewest vertices (default 16)")
    parser.add_argument("--to", dest="most", type=int, default=20, metavar="N", help="log2 of the most vertices (default 20)")
    parser.add_argument("--degree", type=float, default=16, metavar="X", help="edges drawn a vertex, both ends counted (default 16)")
    parser.add_argument("--width", type=int, default=128, metavar="N", help="features and hidden width (default 128)")
    parser.add_argument("--classes", type=int, default=10, metavar="N", help="outputs (default 10)")
    parser.add_argument("--threads", default="1,2", metavar="N,...", help="each measured (default 1,2)")
    parser.add_argument("--epochs", type=int, default=5, metavar="N", help="epochs that are timed (default 5)")
    parser.add_argument("--bin", type=pathlib.Path, metavar="FOLDER", help="of laminar-bench and laminar-convert (default: the newest build's)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER", help="for graphs and figures (default out/bench_scaling)")
    return trainings.parse_with_model(parser)


def made_graph(args, log2):
    graph = args.out / f"rmat-{log2}-{args.degree:g}-{args.width}-{args.classes}.h5"
    if not graph.exists():
        # It writes beside and renames.
        trainings.run([args.bin / "laminar-convert", "--from", "rmat", "--vertices", 1 << log2, "--degree", args.degree,
                       "--classes", args.classes, "--features-dim", args.width, "--compression", 0, "--out", graph])
    return graph


def measured(args, model, graph, threads):
    words = "_".join(model).replace("--", "").replace("/", "_") or "default"
    file = args.out / f"{graph.stem}_{words}_{threads}_{args.epochs}.json"
    if not file.exists():
        trainings.run([args.bin / "laminar-bench", "epoch", graph, "--hidden", args.width, "--epochs", args.epochs,
                       "--warmup", 1, "--threads", threads, "--json", file, *model])
    return json.loads(file.read_text())


def main():
    args, model = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    threads = [int(t) for t in args.threads.split(",")]
    print(f"R-MAT, degree {args.degree:g}, width {args.width}, {' '.join(model) or 'defaults of laminar-bench'}")
    print(f"{'vertices':>9} {'threads':>7} {'epoch ms':>10} {'limit ms':>10} {'x limit':>8} {'x first':>8} {'speed-up':>8}")
    first = {}
    for log2 in range(args.least, args.most + 1):
        graph = made_graph(args, log2)
        one = None
        for t in threads:
            j = measured(args, model, graph, t)
            base = first.setdefault(t, j["ratio"])
            speedup = f"{one / j['epoch_ms']:8.2f}" if one else f"{'':>8}"
            one = one or j["epoch_ms"]
            print(f"{f'2^{log2}':>9} {t:>7} {j['epoch_ms']:10.1f} {j['limit_ms']:10.1f} {j['ratio']:8.2f} "
                  f"{j['ratio'] / base:8.2f} {speedup}", flush=True)


if __name__ == "__main__":
    main()
