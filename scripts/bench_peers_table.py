"""results.json and table.md of bench_peers.py."""

import json

COLUMNS = ["", "ms an epoch, median (range of runs)", "x Laminar's", "CPU ms an epoch", "x Laminar's", "peak MiB",
           "s to {target:.1f} % val. accuracy", "losses differ by"]


def save(folder, result, machine):
    """Puts a result beside those that are there already: rows of the same graph, model and settings are replaced, all
    else stays. Returns all."""
    file = folder / "results.json"
    results = json.loads(file.read_text())["results"] if file.exists() else []
    identity = lambda r: (r["graph"], r["model"], r["settings"])
    for known in results:
        if identity(known) == identity(result):
            rows = {row["framework"]: row for row in known["rows"]} | {row["framework"]: row for row in result["rows"]}
            known["rows"] = list(rows.values())
            known["machine"] = machine
            break
    else:
        results.append({**result, "machine": machine})
    file.write_text(json.dumps({"results": results}, indent=1))
    (folder / "table.md").write_text(table(results))
    return results


def cells(row, ours):
    name = row["framework"]
    if row["note"]:
        return [name, row["note"], *[""] * 6]
    reached = f"{row['target_s']:.2f}" if row["target_s"] is not None else "never"
    if "sampled" in row:
        if row["target_s"] is None:
            reached = f"{100 * row['best']:.1f} % in {row['sampled_s']:.0f}"
        epochs = f"{row['sampled']}: {row['sampled_epochs']} epochs of {row['sampled_epoch_ms']:.0f}, not compared"
        return [name, epochs, "", "", "", f"{row['peak_mib']:.0f}", reached, "not compared"]
    difference = row.get("loss_difference")
    return [name, f"{row['epoch_ms']:.1f} ({row['epoch_ms_min']:.1f} to {row['epoch_ms_max']:.1f})",
            f"{row['epoch_ms'] / ours['epoch_ms']:.1f}", f"{row['cpu_ms']:.1f}", f"{row['cpu_ms'] / ours['cpu_ms']:.1f}",
            f"{row['peak_mib']:.0f}", reached, "" if difference is None else f"{difference:.0e}"]


def table(results):
    lines = []
    for result in results:
        rows, s = result["rows"], result["settings"]
        ours = next(row for row in rows if row["framework"] == "laminar")
        columns = [column.format(target=100 * ours["target"]) for column in COLUMNS]
        lines += [f"### {result['graph']}, {result['model']}, input dropout {s['input_dropout']:g}", "",
                  f"{s['threads']} threads; {s['repeats']} trainings of {s['epochs']} epochs after {s['warmup']}; dropout "
                  f"{s['dropout']:g}, learning rate {s['lr']:g}.", "",
                  "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        lines += ["| " + " | ".join(cells(row, ours)) + " |" for row in rows] + [""]
    return "\n".join(lines)
