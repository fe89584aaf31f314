"""Reads, writes and converts the HDF5 graph files that Laminar trains on.

>>> import laminar_graph
>>> graph = laminar_graph.read("cora.h5")
>>> graph.num_vertices, graph.num_edges
(2708, 10556)
"""

from .dgl_graph import from_dgl
from .errors import LaminarFormatError
from .graph import Graph, Partition, Split
from .io import read, validate, write
from .networkx_graph import from_networkx
from .planetoid import read_planetoid
from .pyg import from_pyg, to_pyg
from .scipy_matrix import from_scipy

__all__ = [
    "Graph",
    "LaminarFormatError",
    "Partition",
    "Split",
    "from_dgl",
    "from_networkx",
    "from_pyg",
    "from_scipy",
    "read",
    "read_planetoid",
    "to_pyg",
    "validate",
    "write",
]
