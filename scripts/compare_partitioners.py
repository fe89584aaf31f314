"""Runs one partitioner of another project on a graph file; compare_partitioners.sh calls it, a process a run.

Usage: compare_partitioners.py GRAPH.h5 TOOL PARTS SEED THREADS IMBALANCE OUT

Writes one part number a line, below a comment with the seconds that the tool took (reading the graph and making its
data structure not counted) and the peak memory of this process.
"""

import resource
import sys
import tempfile
import time

import h5py
import numpy as np


class Adjacency:
    """Both directions of every edge, each once, without self-loops."""

    def __init__(self, path):
        with h5py.File(path) as file:
            group = file["graph"]
            offsets = group["indptr"][:].astype(np.int64)
            sources = group["indices"][:].astype(np.int64)
            self.directed = bool(file.attrs["directed"])
        self.vertices = len(offsets) - 1
        targets = np.repeat(np.arange(self.vertices), np.diff(offsets))
        self.in_edges = self._lists(targets, sources)
        self.out_edges = self._lists(sources, targets) if self.directed else self.in_edges
        self.offsets, self.neighbours = (
            self._lists(np.concatenate([targets, sources]), np.concatenate([sources, targets]))
            if self.directed
            else self.in_edges
        )

    def _lists(self, rows, columns):
        keys = np.unique((rows * self.vertices + columns)[rows != columns])
        rows, columns = np.divmod(keys, self.vertices)
        return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=self.vertices))]), columns

    def nets(self):
        """Closed neighbourhoods: with them, connectivity - 1 is the communication volume."""
        for offsets, columns in [self.in_edges, self.out_edges][: 2 if self.directed else 1]:
            for v in range(self.vertices):
                others = columns[offsets[v] : offsets[v + 1]]
                if len(others) > 0:
                    yield [v, *others.tolist()]


def run_metis(graph, parts, seed, imbalance, objective):
    import pymetis

    options = pymetis.Options(
        seed=seed, objtype=objective, ufactor=max(1, round(1000 * imbalance))
    )
    offsets = graph.offsets.astype(np.int32)
    neighbours = graph.neighbours.astype(np.int32)
    start = time.perf_counter()
    # Up to 8 parts it would else bisect, which knows no volume.
    result = pymetis.part_graph(parts, xadj=offsets, adjncy=neighbours, options=options, recursive=False)
    return time.perf_counter() - start, result[1]


def run_kaminpar(graph, parts, seed, threads, imbalance, context):
    import kaminpar

    with tempfile.NamedTemporaryFile("w", suffix=".graph") as file:
        file.write(f"{graph.vertices} {len(graph.neighbours) // 2}\n")
        for v in range(graph.vertices):
            row = graph.neighbours[graph.offsets[v] : graph.offsets[v + 1]] + 1
            file.write(" ".join(map(str, row)) + "\n")
        file.flush()
        loaded = kaminpar.load_graph(file.name, kaminpar.GraphFileFormat.METIS)
    kaminpar.reseed(seed)
    tool = kaminpar.KaMinPar(threads, context)
    start = time.perf_counter()
    result = tool.compute_partition(loaded, parts, imbalance)
    return time.perf_counter() - start, result


def run_mtkahypar(graph, parts, seed, threads, imbalance, preset):
    import mtkahypar

    tool = mtkahypar.initialize(threads)
    mtkahypar.set_seed(seed)
    context = tool.context_from_preset(preset)
    context.set_partitioning_parameters(parts, imbalance, mtkahypar.Objective.KM1)
    context.logging = False
    nets = list(graph.nets())
    hypergraph = tool.create_hypergraph(context, graph.vertices, len(nets), nets)
    start = time.perf_counter()
    result = hypergraph.partition(context)
    return time.perf_counter() - start, result.get_partition()


def run(tool, graph, parts, seed, threads, imbalance):
    if tool.startswith("pymetis"):
        import pymetis

        objective = pymetis.ObjType.VOL if tool == "pymetis-vol" else pymetis.ObjType.CUT
        return run_metis(graph, parts, seed, imbalance, objective)
    if tool.startswith("kaminpar"):
        import kaminpar

        context = kaminpar.strong_context() if tool == "kaminpar-strong" else kaminpar.default_context()
        return run_kaminpar(graph, parts, seed, threads, imbalance, context)
    if tool.startswith("mtkahypar"):
        import mtkahypar

        preset = mtkahypar.PresetType.QUALITY if tool == "mtkahypar-quality" else mtkahypar.PresetType.DEFAULT
        return run_mtkahypar(graph, parts, seed, threads, imbalance, preset)
    sys.exit(f"compare_partitioners.py: no tool '{tool}'")


def main():
    if len(sys.argv) != 8:
        sys.exit(__doc__)
    path, tool, parts, seed, threads, imbalance, out = sys.argv[1:]
    graph = Adjacency(path)
    seconds, assignment = run(tool, graph, int(parts), int(seed), int(threads), float(imbalance))
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with open(out, "w", encoding="ascii") as file:
        file.write(f"# seconds={seconds:.6f} peak_rss_mib={peak_mib:.1f} tool={tool} seed={seed}\n")
        file.writelines(f"{part}\n" for part in assignment)


main()
