#!/usr/bin/env python3
"""One row of scripts/bench_network.sh, from what laminar-train --json wrote.

Arguments: the file of a run and of its first epochs alone, graph, rate, mode, the bytes that the network interfaces
sent in the one and not in the other, the TCP segments that were sent again likewise, and the target or nothing.
"""

import json
import math
import statistics
import sys

LOWER_IS_BETTER = {"mse"}
# What a full segment is on Ethernet, as an interface counts it; few that are sent again are shorter.
SEGMENT_BYTES = 1514


def seconds_to(epochs, target, lower):
    """Epochs and evaluations until the validation metric is as good as the target; NaN if it never is."""
    ms = 0.0
    for e in epochs:
        ms += e["epoch_ms"] + e.get("evaluation_ms", 0.0)
        value = e.get("val_metric")
        if value is not None and (value <= target if lower else value >= target):
            return ms / 1e3
    return math.nan


def counted_bytes(epochs):
    """All that the ledger has, evaluation and the rest included: it is what the wire has carried."""
    return sum(sum(e["bytes_by_cause"].values()) for e in epochs)


def main():
    path, short, graph, rate, mode, wire, again, target = sys.argv[1:9]
    with open(path, encoding="utf-8") as f:
        result = json.load(f)
    run = result["runs"][0]
    epochs = run["epochs"]
    warm = epochs[1:] or epochs
    with open(short, encoding="utf-8") as f:
        first = json.load(f)["runs"][0]["epochs"]
    counted = counted_bytes(epochs) - counted_bytes(first)
    ratio = int(wire) / counted if counted else math.nan
    metric = result.get("summary", {}).get("metric", "")
    reached = "-"
    if target:
        s = seconds_to(epochs, float(target), metric in LOWER_IS_BETTER)
        reached = "never" if math.isnan(s) else f"{s:.2f}"
    median = statistics.median(e["epoch_ms"] for e in warm)
    size = statistics.median(e["bytes"] for e in warm)
    print(
        f"{graph:<10} {rate:>5}  {mode:<9}  {median:9.1f}  {int(size):12d}  {int(wire) / 1e6:12.2f}"
        f"  {max(0, int(again)) * SEGMENT_BYTES / 1e6:9.2f}  {ratio:7.3f}  {reached:>9}  {run['val_metric']:.4f}"
    )


if __name__ == "__main__":
    main()
