#!/usr/bin/env python3
"""One row of scripts/bench_network.sh: FILE.json of laminar-train, graph, rate, mode, bytes on the wire, target."""

import json
import math
import statistics
import sys

LOWER_IS_BETTER = {"mse"}


def seconds_to(epochs, target, lower):
    """Epochs and evaluations until the validation metric is as good as the target; NaN if it never is."""
    ms = 0.0
    for e in epochs:
        ms += e["epoch_ms"] + e.get("evaluation_ms", 0.0)
        value = e.get("val_metric")
        if value is not None and (value <= target if lower else value >= target):
            return ms / 1e3
    return math.nan


def main():
    path, graph, rate, mode, wire, target = sys.argv[1:7]
    with open(path, encoding="utf-8") as f:
        result = json.load(f)
    run = result["runs"][0]
    epochs = run["epochs"]
    warm = epochs[1:] or epochs
    # All that was counted, evaluation and other included: it is what the wire has carried.
    counted = 0
    for e in epochs:
        causes = e.get("bytes_by_cause", {})
        counted += sum(causes.values()) if causes else e["bytes"]
    ratio = int(wire) / counted if counted else math.nan
    metric = result.get("summary", {}).get("metric", "")
    reached = "-"
    if target:
        s = seconds_to(epochs, float(target), metric in LOWER_IS_BETTER)
        reached = "never" if math.isnan(s) else f"{s:.2f}"
    median = statistics.median(e["epoch_ms"] for e in warm)
    size = statistics.median(e["bytes"] for e in warm)
    print(
        f"{graph:<10} {rate:>5}  {mode:<9}  {median:9.1f}  {int(size):12d}  {int(wire) / 1e6:12.2f}  {ratio:7.3f}"
        f"  {reached:>9}  {run['val_metric']:.4f}"
    )


if __name__ == "__main__":
    main()
