"""The trainings of bench_peers.py: one net on one graph, in Laminar and in the frameworks beside it, each kept in a file."""

import hashlib
import json
import os
import pathlib
import re
import resource
import signal
import statistics
import subprocess
import sys

WORKER = pathlib.Path(__file__).resolve().parent / "bench_peers_worker.py"
# Layer, number of layers, width, and what else laminar-train is told.
MODELS = {"gcn": ("gcn", 3, 128, []), "gcn-256": ("gcn", 3, 256, []), "sage": ("sage", 3, 128, []), "gin": ("gin", 3, 128, []),
          "gat": ("gat", 3, 128, ["--gat.heads", "8"]), "gcnii": ("gcnii", 16, 128, [])}
# What each variant of Laminar is told.
LAMINAR = {"laminar": [], "laminar-bf16": ["--precision", "bf16"], "laminar-recompute": ["--recompute", "always"]}
# The environment of each of the others, and the module that it can't do without.
PEERS = {"pyg": ("pyg", "torch_geometric"), "pyg-compile": ("pyg", "torch_geometric"), "pyg-csr": ("pyg", "torch_geometric"),
         "pyg-csr-compile": ("pyg", "torch_geometric"), "pyg-sparse": ("pyg", "torch_sparse"),
         "pyg-sparse-compile": ("pyg", "torch_sparse"), "dgl": ("dgl", "dgl"), "pyg-sampled": ("pyg", "torch_sparse")}
FRAMEWORKS = [*LAMINAR, *PEERS]
SAMPLED = "pyg-sampled"
SEED = 1


def environment(threads):
    """Of every training, Laminar's too: as many threads, and nothing that binds those of one library elsewhere."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("KMP_", "GOMP_", "OMP_", "MKL_", "TORCHINDUCTOR_"))}
    return {**kept, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "TORCHINDUCTOR_COMPILE_THREADS": str(threads),
            "DGLBACKEND": "pytorch"}


def limit_memory():
    """An allocation beyond the machine's memory fails with its message, before the kernel ends one process or another."""
    bytes_there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    resource.setrlimit(resource.RLIMIT_DATA, (bytes_there * 9 // 10,) * 2)


def reason(stderr, code):
    """The line of an error that says most, as a table can hold it."""
    if code < 0:
        return f"ended by signal {-code}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or [f"exit code {code}"]
    errors = [line for line in lines if re.match(r"([\w.]*(Error|Exception|Unsupported)|laminar-\w+):? ", line)]
    return (errors or lines)[-1][:160].replace("|", "/")


def run(command, limit_s=None, **options):
    """Runs a command, and ends it with all that it started when the time is over. RuntimeError says why it failed."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True, **options)
    try:
        _, stderr = process.communicate(timeout=limit_s)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise RuntimeError(f"not done within {limit_s:g} s") from None
        raise
    if process.returncode != 0:
        raise RuntimeError(reason(stderr, process.returncode))


def cached(file, request, make):
    """What an earlier run of the same request left in `file`, or what `make` returns; a failure is remembered too."""
    if file.exists():
        known = json.loads(file.read_text())
        if known["request"] == request:
            return known
    try:
        result = make()
    except RuntimeError as error:
        result = {"error": str(error)}
    result["request"] = request
    file.write_text(json.dumps(result))
    return result


def build_of(binary):
    """Names a build: which file, and when it or one of its libraries was made."""
    binary = binary.resolve()
    files = [binary, *binary.parent.parent.glob("lib/*.so*")]
    return [str(binary), max(f.stat().st_mtime_ns for f in files)]


class Case:
    """One model on one graph, with one rate of dropout of the features."""

    def __init__(self, args, graph, split, classes, model, input_dropout):
        self.args, self.graph, self.split, self.classes, self.model = args, graph, split, classes, model
        self.input_dropout = input_dropout
        self.layer, self.layers, self.hidden, self.options = MODELS[model]
        self.folder = args.out / f"{graph.stem}-{model}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.weights = self.folder / "weights.ckpt"
        self.build = build_of(args.bin)

    def settings(self):
        """What figures that stand in one table have in common."""
        args = self.args
        return {"threads": args.threads, "repeats": args.repeats, "epochs": args.epochs, "warmup": args.warmup, "lr": args.lr,
                "dropout": args.dropout, "input_dropout": self.input_dropout}

    def laminar(self, variant, epochs, dropouts, evaluate, lr, *more):
        file = self.folder / "laminar.json"
        run([self.args.bin, self.graph, "--split", self.split, "--layer", self.layer, "--layers", self.layers, *self.options,
             "--hidden", self.hidden, "--dropout", dropouts[0], "--input-dropout", dropouts[1], "--lr", lr, "--epochs", epochs,
             "--eval-every", 1 if evaluate else epochs, "--seed", SEED, "--threads", self.args.threads, *LAMINAR[variant], "--quiet",
             "--json", file, *more], env=environment(self.args.threads))
        full = json.loads(file.read_text())
        records = full["runs"][0]["epochs"]
        return {"loss": [r["loss"] for r in records], "epoch_ms": [r["epoch_ms"] for r in records],
                "val": [r["val_metric"] for r in records] if evaluate else [],
                "evaluation_ms": [r["evaluation_ms"] for r in records] if evaluate else [],
                "peak_mib": full["summary"]["peak_rss_mib"], "versions": {"laminar": full["version"]}}

    def laminar_cpu_ms(self, variant, repeat):
        """Of an epoch of Laminar: what more epochs cost more, as it does not tell processor time itself."""

        def cpu(epochs):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.laminar(variant, epochs, (self.args.dropout, self.input_dropout), False, self.args.lr)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

        few = self.args.warmup
        request = [self.settings(), self.build]
        result = cached(self.file(variant, f"cpu{repeat}"), request,
                        lambda: {"cpu_ms": (cpu(few + self.args.epochs) - cpu(few)) / self.args.epochs})
        return result.get("cpu_ms")

    def peer(self, framework, epochs, dropouts, evaluate, limit_s, more):
        request, result = self.folder / "request.json", self.folder / "result.json"
        request.write_text(json.dumps({
            "framework": framework, "model": self.layer, "graph": str(self.graph), "split": self.split, "classes": self.classes,
            "checkpoint": str(self.weights), "hidden": self.hidden, "layers": self.layers, "dropout": dropouts[0],
            "input_dropout": dropouts[1], "lr": self.args.lr, "epochs": epochs, "threads": self.args.threads, "evaluate": evaluate,
            "seed": SEED, **more}))
        python = self.args.peers / PEERS[framework][0] / "bin/python"
        run([python, "-W", "ignore", WORKER, request, result], limit_s, env=environment(self.args.threads), preexec_fn=limit_memory)
        return json.loads(result.read_text())

    def file(self, framework, name):
        rate = f"-input{self.input_dropout:g}" if self.input_dropout and name != "check" else ""
        return self.folder / f"{framework}-{name}{rate}.json"

    def train(self, name, framework, epochs, dropouts, evaluate, **more):
        """A training of one framework, or what is known of it. Those that compile have less time in the check, where they do so."""
        args = self.args
        limit_s = args.compile_limit if name == "check" and framework.endswith("-compile") else args.limit
        request = [epochs, *dropouts, evaluate, args.lr, args.threads, more]
        if framework in LAMINAR:
            request += self.build
            make = lambda: self.laminar(framework, epochs, dropouts, evaluate, args.lr)
        else:
            request += [hashlib.sha256(self.weights.read_bytes()).hexdigest(), limit_s]
            make = lambda: self.peer(framework, epochs, dropouts, evaluate, limit_s, more)
        result = cached(self.file(framework, name), request, make)
        said = result.get("error") or f"{statistics.median(result['epoch_ms']):.1f} ms an epoch, loss {result['loss'][-1]:.5f}"
        print(f"{self.graph.stem} {self.model} {framework} {name}: {said}", file=sys.stderr, flush=True)
        return result

    def sample(self, repeat, target):
        """Training in batches with sampled neighbours, until it is as good as `target`."""
        args = self.args
        return self.train(f"run{repeat}", SAMPLED, args.sampled_epochs, (args.dropout, self.input_dropout), True,
                          batch=args.batch, fan_out=args.fan_out, target=target, limit_s=args.limit / 2)

    def export_weights(self):
        """Those that all start from, as this build draws them."""
        # A step of Adam at such a rate changes no float32.
        made = lambda: self.laminar("laminar", 1, (0, 0), False, 1e-30, "--checkpoint", self.weights)
        if not self.weights.exists():
            (self.folder / "weights.json").unlink(missing_ok=True)
        if why := cached(self.folder / "weights.json", self.build, made).get("error"):
            raise RuntimeError(why)

    def differences(self, frameworks):
        """By framework, how far the losses are from Laminar's at most, or why there is nothing to compare."""
        epochs = self.args.check_epochs
        ours = self.train("check", "laminar", epochs, (0, 0), False)
        if "error" in ours:
            raise RuntimeError(ours["error"])
        found = {}
        for framework in frameworks:
            result = self.train("check", framework, epochs, (0, 0), False)
            found[framework] = result.get("error") or max(abs(a - b) / abs(b) for a, b in zip(result["loss"], ours["loss"]))
        return found
