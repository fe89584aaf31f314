"""From DGL. dgl is not imported: its graphs tell all that is needed; torch is, as their data are its tensors."""

from __future__ import annotations

from types import SimpleNamespace

from .errors import LaminarFormatError
from .graph import Graph
from .pyg import from_pyg
from .schema import SETS


def from_dgl(
    graph,
    *,
    features="feat",
    labels="label",
    weight=("weight", "w"),
    edge_features="feat",
    name=None,
    directed=None,
    task=None,
) -> Graph:
    """A Graph from a homogeneous dgl.DGLGraph.

    features, labels: names in graph.ndata; None, or a name that isn't there: none. Splits are ndata's train_mask, val_mask
    and test_mask, [N] or [N, k] (numbers other than 0 count as True).
    weight, edge_features: names in graph.edata; of several names the first that is there.
    directed, task: as in from_pyg(); an undirected graph holds both directions of every edge, as DGL's datasets do.

    Throws LaminarFormatError if the graph has several kinds of vertices or edges, or the parts don't fit; ImportError if
    torch is not installed.
    """
    where = name if name is not None else "graph"
    if len(graph.ntypes) != 1 or len(graph.etypes) != 1:
        text = f"are {graph.ntypes} and {graph.etypes}, expected one kind each; see dgl.to_homogeneous()"
        raise LaminarFormatError(where, "kinds of vertices and edges", text)
    sources, targets = graph.edges(order="eid")
    import torch

    def find(data, names):
        for key in (names,) if isinstance(names, str) else names or ():
            if key in data:
                return data[key]
        return None

    masks = {f"{s}_mask": find(graph.ndata, f"{s}_mask") for s in SETS}
    data = SimpleNamespace(
        edge_index=torch.stack([sources, targets]),
        num_nodes=graph.num_nodes(),
        x=find(graph.ndata, features),
        y=find(graph.ndata, labels),
        edge_weight=find(graph.edata, weight),
        edge_attr=find(graph.edata, edge_features),
        provenance="converted from a DGL graph",
        **{key: None if mask is None else mask != 0 for key, mask in masks.items()},
    )
    return from_pyg(data, name=name, directed=directed, task=task)
