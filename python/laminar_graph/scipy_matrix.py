"""From SciPy's sparse matrices."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from .errors import LaminarFormatError
from .graph import Graph
from .schema import normalise


def from_scipy(adjacency, *, directed=None, rows="sources", weighted=None, name="", provenance=None, **others) -> Graph:
    """A Graph from a square SciPy sparse matrix or array, in any format.

    rows:     "sources": adjacency[i, j] is the edge i -> j, as in scipy.sparse.csgraph; "targets": j -> i, as
              Graph.in_csr() gives it.
    directed: None: undirected exactly if the matrix is symmetric, values included.
    weighted: None: the values are weights unless all are 1; True; False.
    others:   fields of Graph: features, labels, classes, names, splits, edge_features (by stored entry, in COO order).

    Entries of one place stay parallel edges. Explicit zeros are edges of weight 0.
    Throws LaminarFormatError if the parts don't fit, ValueError for another `rows`.
    """
    where = name or "adjacency"
    if rows not in ("sources", "targets"):
        raise ValueError(f"rows is {rows!r}, expected 'sources' or 'targets'")
    if not sp.issparse(adjacency):
        raise LaminarFormatError(where, "adjacency", f"is {type(adjacency).__name__}, expected a SciPy sparse matrix")
    if len(adjacency.shape) != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise LaminarFormatError(where, "adjacency", f"has the shape {list(adjacency.shape)}, expected [N, N]")
    coo = adjacency.tocoo()
    sources, targets = (coo.row, coo.col) if rows == "sources" else (coo.col, coo.row)
    values = coo.data.astype(np.float32)
    if weighted is None:
        weighted = bool(len(values) and not np.all(values == 1))
    if directed is None:
        directed = not _symmetric(sources, targets, values if weighted else None, coo.shape[0])
    # All edges are listed already: nothing is mirrored or merged.
    graph = Graph.from_edges(
        coo.shape[0],
        sources,
        targets,
        directed=True,
        weights=values if weighted else None,
        name=name,
        provenance=provenance or "converted from a SciPy sparse matrix",
        **others,
    )
    graph.directed = directed
    return normalise(graph, where)


def _symmetric(sources, targets, values, n: int) -> bool:
    one = sources.astype(np.int64) * n + targets
    other = targets.astype(np.int64) * n + sources
    if values is None:
        return np.array_equal(np.sort(one), np.sort(other))
    a, b = np.lexsort((values, one)), np.lexsort((values, other))
    return np.array_equal(one[a], other[b]) and np.array_equal(values[a], values[b])
