"""What the comparing scripts share: trainings by laminar-train, kept from run to run."""

import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile


def parse_with_model(parser):
    """The parser's arguments, and the words behind `--`, which are laminar-train's."""
    own, model = sys.argv[1:], []
    if "--" in own:
        model = own[own.index("--") + 1:]
        own = own[:own.index("--")]
    return parser.parse_args(own), model


def run(words):
    """What a command prints; ends the script with its error if it fails."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(str(word) for word in words)}: {done.stderr.strip()}")
    return done.stdout


def trained(words, file):
    """The JSON of a training, from `file` or made now: laminar-train with these words. One that is stopped leaves none."""
    if not file.exists():
        part = file.with_name(file.name + ".part")
        out = run([*words, "--json", part])
        # What was stopped by a signal has written what it had, too.
        if json.loads(part.read_text())["runs"][0]["ending"] == "interrupted":
            raise SystemExit(f"{file.stem}: interrupted")
        part.rename(file)
        print(f"{file.stem}: {out.strip().splitlines()[-1]}", file=sys.stderr, flush=True)
    return json.loads(file.read_text())


def splits_of(laminar_train, graph):
    """Names of the graph's splits, found by a training of one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        probe = pathlib.Path(folder) / "probe.json"
        run([laminar_train, graph, "--layers", "1", "--epochs", "1", "--json", probe, "--quiet"])
        return json.loads(probe.read_text())["dataset"]["splits"]


def mean_and_error(values):
    """The mean and its standard error (NaN of a single value)."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return statistics.mean(values), error
