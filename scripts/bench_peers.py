"""Laminar beside PyTorch Geometric and DGL; called by bench_peers.sh, which see."""

import argparse
import json
import math
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys

import bench_peers_table
from bench_peers_case import FRAMEWORKS, LAMINAR, MODELS, PEERS, SAMPLED, Case, run

# How far losses may be from Laminar's, of those that are not computed in float32 throughout.
BOUNDS = {"laminar-bf16": 2e-2}
POWER = "2.5"
SBM = ["--from", "sbm", "--vertices", "170000", "--degree", "14.12", "--classes", "40", "--features-dim", "128", "--power", POWER]


def rates(text):
    return [float(word) for word in text.split(",")]


def arguments():
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        prog="scripts/bench_peers.sh",
        description="Trains the same nets on the same graph with Laminar, PyTorch Geometric and DGL: Adam, float32, whole graph, hidden "
        "width 128; gcn (gcn-256: width 256), sage (mean), gin and gat (8 heads) with 3 layers, gcnii with 16. First all start "
        "from Laminar's weights without dropout, and one whose losses of the first epochs differ by more than 1e-3 of Laminar's is not "
        "timed (laminar-bf16: 2e-2). Then they take turns. Prints and saves table.md and results.json: times of an epoch "
        "without evaluation, by the clock and of all cores together (which says more on a machine with other work), the largest "
        "resident memory, and the time to a validation accuracy; pyg-sampled, which trains in batches, has only the last two. "
        "Trainings that are in the output folder are not made again, and what other settings gave stays in the table. The environments "
        "are made in build/peers, or LAMINAR_PEERS_DIR; which build of PyTorch they get, the configuration of pip decides.",
        epilog="bench_peers.sh --with-sparse builds torch-scatter and torch-sparse from source (some 6 minutes each) into the environment "
        "of PyTorch Geometric, for pyg-sparse, pyg-sparse-compile and pyg-sampled.")
    parser.add_argument("graphs", nargs="+", metavar="GRAPH[=ACC]",
                        help="a graph file, or sbm: a block model of 170 000 vertices, 1.2 million edges and skewed degrees, made by "
                        "laminar-convert; ACC: the validation accuracy to time (default 98 %% of the best that Laminar reaches in the "
                        "same epochs)")
    parser.add_argument("--models", default=",".join(MODELS), metavar="NAME,...", help="default: all")
    parser.add_argument("--frameworks", default=",".join(FRAMEWORKS), metavar="NAME,...", help=f"of {', '.join(FRAMEWORKS)} (default all)")
    parser.add_argument("--repeats", type=int, metavar="N", help="trainings of each (default 5)")
    parser.add_argument("--epochs", type=int, metavar="N", help="that are timed in a training (default 30)")
    parser.add_argument("--warmup", type=int, default=3, metavar="N", help="epochs before them (default 3)")
    parser.add_argument("--check-epochs", type=int, default=3, metavar="N", help="whose losses must agree (default 3)")
    parser.add_argument("--dropout", type=float, default=0.5, metavar="RATE", help="between layers while it is timed (default .5)")
    parser.add_argument("--input-dropout", type=rates, default=[0], metavar="RATE,...",
                        help="of the features while it is timed, one table each (default 0); more than 0 forbids adding features up along "
                        "the edges once only")
    parser.add_argument("--lr", type=float, default=0.01, metavar="X", help="learning rate (default .01)")
    parser.add_argument("--threads", type=int, default=cores, metavar="N", help="of each, on the same N cores (default: one a core)")
    parser.add_argument("--fan-out", type=lambda text: [int(n) for n in text.split(",")], default=[15, 10, 5], metavar="N,...",
                        help="pyg-sampled: neighbours drawn of a vertex, by layer from the output on (default 15,10,5)")
    parser.add_argument("--batch", type=int, default=1024, metavar="N", help="pyg-sampled: training vertices in a batch (default 1024)")
    parser.add_argument("--sampled-epochs", type=int, default=30, metavar="N",
                        help="pyg-sampled: at most, each with an exact evaluation (default 30)")
    parser.add_argument("--sampled-repeats", type=int, default=1, metavar="N", help="pyg-sampled: trainings (default 1)")
    parser.add_argument("--compile-limit", type=float, default=600, metavar="S",
                        help="seconds for torch.compile and the epochs that are compared (default 600)")
    parser.add_argument("--limit", type=float, default=3600, metavar="S",
                        help="seconds for any other training; pyg-sampled stops after half of it (default 3600)")
    parser.add_argument("--quick", action="store_true", help="2 repeats of 10 epochs, unless they are given")
    parser.add_argument("--bin", type=pathlib.Path, metavar="FILE", help="laminar-train (default: of the newest build)")
    parser.add_argument("--peers", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER", help="where results go (default out/bench_peers)")
    args = parser.parse_args()
    args.repeats = args.repeats or (2 if args.quick else 5)
    args.epochs = args.epochs or (10 if args.quick else 30)
    for option, known in (("models", MODELS), ("frameworks", FRAMEWORKS)):
        names = getattr(args, option).split(",")
        if unknown := [n for n in names if n not in known]:
            parser.error(f"--{option}: {unknown[0]} is not one of {', '.join(known)}")
        # All else is compared with Laminar, and what is not compared comes last.
        setattr(args, option, [n for n in known if n in names or n == "laminar"])
    if not 1 <= args.threads <= cores:
        parser.error(f"--threads: {args.threads} is not one of the 1 to {cores} cores there are")
    # Everything that is started from here on has the same cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:args.threads])
    return args


def absent(args):
    """By framework, why it can't run here."""
    why = {}
    for name in set(args.frameworks) & set(PEERS):
        environment, module = PEERS[name]
        python = args.peers / environment / "bin/python"
        if not python.exists() or subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode != 0:
            hint = "see bench_peers.sh --with-sparse" if module == "torch_sparse" else f"see {environment}.log of the environments"
            why[name] = f"left out: no {module.replace('_', '-')} here; {hint}"
    return why


def seconds_to(result, target):
    """Training and evaluation until the validation accuracy was there; NaN if it never was."""
    passed = 0
    for val, epoch_ms, evaluation_ms in zip(result["val"], result["epoch_ms"], result["evaluation_ms"]):
        passed += (epoch_ms + evaluation_ms) / 1e3
        if val >= target:
            return passed
    return math.nan


def median_seconds_to(results, target):
    """None if one of them never was there."""
    reached = [seconds_to(r, target) for r in results]
    return statistics.median(reached) if not any(map(math.isnan, reached)) else None


def timed(case, name, results, target):
    warmup = case.args.warmup
    epochs = [statistics.median(r["epoch_ms"][warmup:]) for r in results]
    cpu_ms = ([case.laminar_cpu_ms(name, repeat) for repeat in range(len(results))] if name in LAMINAR else
              [ms for r in results for ms in r["cpu_ms"][warmup:]])
    return {"epoch_ms": statistics.median(epochs), "epoch_ms_min": min(epochs), "epoch_ms_max": max(epochs),
            "cpu_ms": statistics.median(cpu_ms), "peak_mib": statistics.median(r["peak_mib"] for r in results),
            "loaded_mib": results[0].get("loaded_mib"), "target": target, "target_s": median_seconds_to(results, target),
            "versions": results[0]["versions"]}


def sampled(case, target):
    """The row of what trains in batches: neither its losses nor its epochs are the others'."""
    results = [case.sample(repeat, target) for repeat in range(case.args.sampled_repeats)]
    if why := next((r["error"] for r in results if "error" in r), None):
        return {"note": why}
    passed = statistics.median((sum(r["epoch_ms"]) + sum(r["evaluation_ms"])) / 1e3 for r in results)
    return {"sampled": f"batches of {case.args.batch}, {'-'.join(map(str, case.args.fan_out))} neighbours",
            "sampled_epochs": len(results[0]["val"]), "sampled_s": passed, "best": max(max(r["val"]) for r in results),
            "sampled_epoch_ms": statistics.median(ms for r in results for ms in r["epoch_ms"]),
            "peak_mib": statistics.median(r["peak_mib"] for r in results), "target": target,
            "target_s": median_seconds_to(results, target), "versions": results[0]["versions"]}


def measure(case, target, why_absent):
    """A row for each framework."""
    case.export_weights()
    args = case.args
    rows = {name: {"framework": name, "note": why_absent.get(name, "")} for name in args.frameworks}
    compared = [name for name in rows if name not in ("laminar", SAMPLED) and not rows[name]["note"]]
    for name, difference in case.differences(compared).items():
        if isinstance(difference, str):
            rows[name]["note"] = difference
        else:
            rows[name]["loss_difference"] = difference
            if not difference <= BOUNDS.get(name, 1e-3):
                rows[name]["note"] = f"not timed: losses differ by {difference:.1g}"
    runs = {name: [] for name in rows if name != SAMPLED and not rows[name]["note"]}
    for repeat in range(args.repeats):
        for name in list(runs):
            result = case.train(f"run{repeat}", name, args.warmup + args.epochs, (args.dropout, case.input_dropout), True)
            if "error" in result:
                rows[name]["note"] = result["error"]
                del runs[name]
            else:
                runs[name].append(result)
    if "laminar" not in runs:
        raise RuntimeError(rows["laminar"]["note"])
    asked = target
    if target is None:
        target = 0.98 * max(max(r["val"]) for r in runs["laminar"])
    for name, results in runs.items():
        rows[name] |= timed(case, name, results, target)
    if SAMPLED in rows and not rows[SAMPLED]["note"]:
        rows[SAMPLED] |= sampled(case, target)
    return {"graph": case.graph.stem, "model": case.model, "settings": {**case.settings(), "target": asked},
            "rows": list(rows.values())}


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1) if found else os.uname().machine


def main():
    args = arguments()
    why_absent = absent(args)
    args.out.mkdir(parents=True, exist_ok=True)
    for word in args.graphs:
        name, _, target = word.partition("=")
        graph = pathlib.Path(name)
        if name == "sbm":
            graph = args.out / f"sbm-power{POWER}.h5"
            if not graph.exists():
                run([args.bin.parent / "laminar-convert", *SBM, "--out", graph])
        probe = args.out / "probe.json"
        run([args.bin, graph, "--layers", 1, "--epochs", 1, "--json", probe, "--quiet"])
        dataset = json.loads(probe.read_text())["dataset"]
        for model in args.models:
            for rate in args.input_dropout:
                case = Case(args, graph, dataset["splits"][0], dataset["outputs"], model, rate)
                result = measure(case, float(target) if target else None, why_absent)
                everything = bench_peers_table.save(args.out, result, {"processor": processor(), "cores": os.cpu_count()})
    print(bench_peers_table.table(everything))


# Ends what runs, too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
try:
    main()
except (RuntimeError, OSError) as error:
    raise SystemExit(f"bench_peers.sh: {error}") from None
