"""Bytes that graph parallelism sends beside those of the pipeline; called by compare_traffic.sh, which see."""

import argparse
import pathlib
import statistics

import trainings

CHUNKS = 32


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/compare_traffic.sh",
        usage="%(prog)s [OPTIONS] GRAPH.h5 [-- OPTIONS OF laminar-train]",
        description="Trains one epoch in the pipeline and with graph parallelism and prints the bytes that the ledger counts, "
        "weights included and evaluation not: the median over seeds, which differ by the partition, its range, and "
        "how many times more than the pipeline's it is.")
    parser.add_argument("graph", type=pathlib.Path, metavar="GRAPH.h5")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="partitions to try (default 10)")
    parser.add_argument("--devices", default="4,8", metavar="N,...", help="each compared (default 4,8)")
    parser.add_argument("--partitions", default="metis,metis_vol,laminar", metavar="NAME,...",
                        help="strategies of graph parallelism (default metis,metis_vol,laminar)")
    parser.add_argument("--compress", default="native", metavar="CODEC,...",
                        help="native, bf16, int8; each compared (default native)")
    parser.add_argument("--bin", type=pathlib.Path, metavar="FILE", help="laminar-train (default: of the newest build)")
    return trainings.parse_with_model(parser)


def bytes_of(args, model, options, seed):
    out = trainings.run([args.bin, args.graph, "--seed", seed, "--epochs", 1, "--eval-every", 2, "--quiet", *model, *options])
    result = dict(pair.split("=", 1) for pair in out.split("RESULT ", 1)[1].split())
    return int(result["bytes_per_epoch"])


def main():
    args, model = arguments()
    print(f"{args.graph.stem} {' '.join(model)}: MB an epoch, {args.seeds} seeds")
    print(f"{'devices':>7} {'traffic':<8} {'mode':<18} {'median':>8}  {'range':>16}  {'x pipeline':>10}")
    for devices in args.devices.split(","):
        for codec in args.compress.split(","):
            # What a pipeline sends depends on no partition.
            pipeline = bytes_of(args, model, ["--mode", "pipeline", "--stages", devices, "--chunks", CHUNKS,
                                              "--compress", codec], 1)
            print(f"{devices:>7} {codec:<8} {'pipeline':<18} {pipeline / 1e6:8.2f}", flush=True)
            for partition in args.partitions.split(","):
                sent = [bytes_of(args, model, ["--mode", "graph", "--partitions", devices, "--partition", partition,
                                               "--compress", codec], seed) for seed in range(1, args.seeds + 1)]
                median = statistics.median(sent)
                spread = f"{min(sent) / 1e6:.2f} - {max(sent) / 1e6:.2f}"
                print(f"{devices:>7} {codec:<8} {'graph, ' + partition:<18} {median / 1e6:8.2f}  {spread:>16}  "
                      f"{median / pipeline:10.2f}", flush=True)


if __name__ == "__main__":
    main()
