"""Laminar beside PyTorch Geometric and DGL; called by bench_peers.sh, which see."""

import argparse
import json
import math
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys

WORKER = pathlib.Path(__file__).resolve().parent / "bench_peers_worker.py"
MODELS = {"gcn": ["--layers", "3"], "sage": ["--layers", "3"], "gin": ["--layers", "3"],
          "gat": ["--layers", "3", "--gat.heads", "8"], "gcnii": ["--layers", "16"]}
# Environment of each framework; Laminar has none.
FRAMEWORKS = {"laminar": None, "pyg": "pyg", "pyg-csr": "pyg", "pyg-compile": "pyg", "dgl": "dgl"}
SBM = ["--from", "sbm", "--vertices", "170000", "--degree", "14.12", "--classes", "40", "--features-dim", "128"]
SEED = 1


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench_peers.sh",
        description="Trains the same nets on the same graph with Laminar, PyTorch Geometric (edges, torch's CSR matrices, "
        "torch.compile) and DGL: Adam, float32, whole graph, hidden width 128; gcn, sage (mean), gin and gat (8 heads) with 3 "
        "layers, gcnii with 16. First all start from Laminar's weights without dropout, and one whose losses of the first "
        "epochs differ by more than 1e-3 of Laminar's is not timed. Then they take turns. Prints and saves table.md and "
        "results.json: times of an epoch without evaluation, by the clock and of all cores together (which says more on a "
        "machine with other work), the largest resident memory, and the time to a validation accuracy. What is in the output "
        "folder is not run again. The environments are made in build/peers, or LAMINAR_PEERS_DIR; which build of PyTorch they "
        "get, the configuration of pip decides.")
    parser.add_argument("graphs", nargs="+", metavar="GRAPH[=ACC]",
                        help="a graph file, or sbm: a block model of 170 000 vertices and 1.2 million edges, made by "
                        "laminar-convert; ACC: the validation accuracy to time (default 98 %% of the best that Laminar "
                        "reaches in the same epochs)")
    parser.add_argument("--models", default=",".join(MODELS), metavar="NAME,...", help="default: all")
    parser.add_argument("--frameworks", default=",".join(FRAMEWORKS), metavar="NAME,...", help="default: all")
    parser.add_argument("--repeats", type=int, metavar="N", help="trainings of each (default 5)")
    parser.add_argument("--epochs", type=int, metavar="N", help="that are timed in a training (default 30)")
    parser.add_argument("--warmup", type=int, default=3, metavar="N", help="epochs before them (default 3)")
    parser.add_argument("--check-epochs", type=int, default=3, metavar="N", help="whose losses must agree (default 3)")
    parser.add_argument("--dropout", type=float, default=0.5, metavar="RATE", help="between layers while it is timed (default .5)")
    parser.add_argument("--input-dropout", type=float, default=0, metavar="RATE",
                        help="of the features while it is timed (default 0); more forbids adding them up along the edges once only")
    parser.add_argument("--lr", type=float, default=0.01, metavar="X", help="learning rate (default .01)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N", help="default: one a core")
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
        setattr(args, option, names)
    if "laminar" not in args.frameworks:
        args.frameworks.insert(0, "laminar")
    missing = {n for n in args.frameworks if FRAMEWORKS[n] and not (args.peers / FRAMEWORKS[n] / "bin/python").exists()}
    args.frameworks = [n for n in args.frameworks if n not in missing]
    return args


def cached(file, request, make):
    """What an earlier run of the same request left in `file`, or what `make` returns; a failure is remembered too."""
    if file.exists():
        known = json.loads(file.read_text())
        if known["request"] == request:
            return known
    try:
        result = make()
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        result = {"error": str(error)}
    result["request"] = request
    file.write_text(json.dumps(result))
    return result


def run(command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        raise RuntimeError(lines[-1][:200])
    return done


class Case:
    """One model on one graph."""

    def __init__(self, args, graph, split, classes, model):
        self.args, self.graph, self.split, self.classes, self.model = args, graph, split, classes, model
        self.folder = args.out / f"{graph.stem}-{model}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.layers = int(MODELS[model][1])
        self.weights = self.folder / "weights.ckpt"

    def laminar(self, epochs, dropouts, evaluate, lr, *more):
        file = self.folder / "laminar.json"
        run([self.args.bin, self.graph, "--split", self.split, "--layer", self.model, *MODELS[self.model], "--hidden", 128,
             "--dropout", dropouts[0], "--input-dropout", dropouts[1], "--lr", lr, "--epochs", epochs, "--eval-every", 1 if evaluate else epochs, "--seed", SEED,
             "--threads", self.args.threads, "--quiet", "--json", file, *more])
        full = json.loads(file.read_text())
        records = full["runs"][0]["epochs"]
        return {"loss": [r["loss"] for r in records], "epoch_ms": [r["epoch_ms"] for r in records],
                "val": [r["val_metric"] for r in records] if evaluate else [],
                "evaluation_ms": [r["evaluation_ms"] for r in records] if evaluate else [],
                "peak_mib": full["summary"]["peak_rss_mib"], "versions": {"laminar": full["version"]}}

    def cpu_ms(self):
        """Of an epoch of Laminar: what more epochs cost more, as it does not tell processor time itself."""

        def cpu(epochs):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.laminar(epochs, (self.args.dropout, self.args.input_dropout), False, self.args.lr)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

        few = self.args.warmup
        return (cpu(few + self.args.epochs) - cpu(few)) / self.args.epochs

    def peer(self, framework, epochs, dropouts, evaluate):
        request, result = self.folder / "request.json", self.folder / "result.json"
        request.write_text(json.dumps({
            "framework": framework, "model": self.model, "graph": str(self.graph), "split": self.split, "classes": self.classes,
            "checkpoint": str(self.weights), "hidden": 128, "layers": self.layers, "dropout": dropouts[0],
            "input_dropout": dropouts[1], "lr": self.args.lr, "epochs": epochs, "threads": self.args.threads, "evaluate": evaluate, "seed": SEED}))
        python = self.args.peers / FRAMEWORKS[framework] / "bin/python"
        run([python, "-W", "ignore", WORKER, request, result], timeout=3600,
            env={**os.environ, "OMP_NUM_THREADS": str(self.args.threads), "DGLBACKEND": "pytorch"})
        return json.loads(result.read_text())

    def train(self, name, framework, epochs, dropouts, evaluate):
        request = [epochs, *dropouts, evaluate, self.args.lr, self.args.threads, str(self.args.bin.resolve())]
        make = ((lambda: self.laminar(epochs, dropouts, evaluate, self.args.lr)) if framework == "laminar"
                else (lambda: self.peer(framework, epochs, dropouts, evaluate)))
        result = cached(self.folder / f"{framework}-{name}.json", request, make)
        said = result.get("error") or f"{statistics.median(result['epoch_ms']):.1f} ms an epoch, loss {result['loss'][-1]:.5f}"
        print(f"{self.graph.stem} {self.model} {framework} {name}: {said}", file=sys.stderr, flush=True)
        return result

    def export_weights(self):
        # A step of Adam at such a rate changes no float32.
        if not self.weights.exists():
            self.laminar(1, (0, 0), False, 1e-30, "--checkpoint", self.weights)

    def differences(self):
        """By framework, how far the losses are from Laminar's at most, or why there is nothing to compare."""
        epochs = self.args.check_epochs
        ours = self.train("check", "laminar", epochs, (0, 0), False)["loss"]
        found = {}
        for framework in self.args.frameworks[1:]:
            result = self.train("check", framework, epochs, (0, 0), False)
            found[framework] = result.get("error") or max(abs(a - b) / abs(b) for a, b in zip(result["loss"], ours))
        return found


def seconds_to(result, target):
    """Training and evaluation until the validation accuracy was there; NaN if it never was."""
    passed = 0
    for val, epoch_ms, evaluation_ms in zip(result["val"], result["epoch_ms"], result["evaluation_ms"]):
        passed += (epoch_ms + evaluation_ms) / 1e3
        if val >= target:
            return passed
    return math.nan


def measure(case, target):
    """A row for each framework."""
    case.export_weights()
    args = case.args
    rows = {name: {"framework": name, "loss_difference": None if name == "laminar" else 0, "note": ""} for name in args.frameworks}
    for name, difference in case.differences().items():
        if isinstance(difference, str):
            rows[name]["note"] = difference
        else:
            rows[name]["loss_difference"] = difference
            if not difference <= 1e-3:
                rows[name]["note"] = f"not timed: losses differ by {difference:.1g}"
    runs = {name: [] for name in rows if not rows[name]["note"]}
    for repeat in range(args.repeats):
        for name in list(runs):
            result = case.train(f"run{repeat}", name, args.warmup + args.epochs, (args.dropout, args.input_dropout), True)
            if "error" in result:
                rows[name]["note"] = result["error"]
                del runs[name]
            else:
                runs[name].append(result)
    if target is None:
        target = 0.98 * max(max(r["val"]) for r in runs["laminar"])
    for name, results in runs.items():
        epochs = [statistics.median(r["epoch_ms"][args.warmup:]) for r in results]
        cpu_ms = (statistics.median(case.cpu_ms() for _ in results) if name == "laminar" else
                  statistics.median(ms for r in results for ms in r["cpu_ms"][args.warmup:]))
        reached = [seconds_to(r, target) for r in results]
        rows[name] |= {"epoch_ms": statistics.median(epochs), "epoch_ms_min": min(epochs), "epoch_ms_max": max(epochs),
                       "cpu_ms": cpu_ms, "peak_mib": statistics.median(r["peak_mib"] for r in results),
                       "loaded_mib": results[0].get("loaded_mib"), "target": target, "versions": results[0]["versions"],
                       "target_s": statistics.median(reached) if not any(map(math.isnan, reached)) else None}
    return {"graph": case.graph.stem, "model": case.model, "rows": list(rows.values())}


def cells(row, ours):
    if row["note"]:
        return [row["framework"], row["note"], "", "", "", "", "", ""]
    difference = row["loss_difference"]
    return [row["framework"], f"{row['epoch_ms']:.1f} ({row['epoch_ms_min']:.1f} to {row['epoch_ms_max']:.1f})",
            f"{row['epoch_ms'] / ours['epoch_ms']:.1f}", f"{row['cpu_ms']:.1f}", f"{row['cpu_ms'] / ours['cpu_ms']:.1f}", f"{row['peak_mib']:.0f}",
            "never" if row["target_s"] is None else f"{row['target_s']:.2f}", "" if difference is None else f"{difference:.0e}"]


def table(results):
    lines = []
    for result in results:
        rows = result["rows"]
        target = next((row["target"] for row in rows if "target" in row), math.nan)
        lines += [f"### {result['graph']}, {result['model']}", "",
                  "| | ms an epoch, median (range of runs) | x Laminar's | CPU ms an epoch | x Laminar's | peak MiB | "
                  f"s to {100 * target:.1f} % val. accuracy | losses differ by |", "|---|---|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(cells(row, rows[0])) + " |" for row in rows] + [""]
    return "\n".join(lines)


def main():
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    results = []
    for word in args.graphs:
        name, _, target = word.partition("=")
        graph = pathlib.Path(name)
        if name == "sbm":
            graph = args.out / "sbm.h5"
            if not graph.exists():
                run([args.bin.parent / "laminar-convert", *SBM, "--out", graph])
        probe = args.out / "probe.json"
        run([args.bin, graph, "--layers", 1, "--epochs", 1, "--json", probe, "--quiet"])
        dataset = json.loads(probe.read_text())["dataset"]
        for model in args.models:
            case = Case(args, graph, dataset["splits"][0], dataset["outputs"], model)
            results.append(measure(case, float(target) if target else None))
            text = table(results)
            (args.out / "table.md").write_text(text)
            settings = {k: str(v) if isinstance(v, pathlib.Path) else v for k, v in vars(args).items()}
            (args.out / "results.json").write_text(json.dumps(
                {"settings": settings, "machine": {"processor": platform.processor() or platform.machine(),
                                                   "cores": os.cpu_count()}, "results": results}, indent=1))
    print(table(results))


try:
    main()
except (RuntimeError, OSError) as error:
    raise SystemExit(f"bench_peers.sh: {error}") from None
