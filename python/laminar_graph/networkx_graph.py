"""From NetworkX. NetworkX itself is not imported: its graphs tell all that is needed."""

from __future__ import annotations

import numpy as np

from .errors import LaminarFormatError
from .graph import Graph
from .schema import normalise


def from_networkx(
    graph, *, features=None, labels=None, weight="weight", edge_features=None, name=None, provenance=None, **others
) -> Graph:
    """A Graph from a networkx.Graph, DiGraph, MultiGraph or MultiDiGraph.

    Vertices are the nodes in the graph's order; str(node) becomes their name, unless nodes are 0, 1, 2, ... in order.
    features:      a node attribute that holds numbers or a vector, or a list of attributes that hold a number each.
    labels:        a node attribute: integers are classes (-1 or missing: unknown), text names classes (ascending),
                   floats are regression targets.
    weight:        an edge attribute; edges without it weigh 1; no weights if no edge has it, or with None.
    edge_features: as features, of edges.
    others:        fields of Graph: splits, classes, num_classes.

    Throws LaminarFormatError naming the attribute and the first node or edge that lacks it or has something else.
    """
    where = name if name is not None else str(getattr(graph, "name", "") or "graph")
    nodes = list(graph.nodes)
    if not nodes:
        raise LaminarFormatError(where, "nodes", "there are none, expected 1 or more")
    place = {node: i for i, node in enumerate(nodes)}
    edges = list(graph.edges(data=True))
    sources = np.fromiter((place[u] for u, _, _ in edges), np.int64, len(edges))
    targets = np.fromiter((place[v] for _, v, _ in edges), np.int64, len(edges))
    attributes = [data for _, _, data in edges]
    weights = None
    if weight is not None and any(weight in data for data in attributes):
        weights = _numbers([data.get(weight, 1) for data in attributes], where, weight, edges)
    edge_columns = _table(attributes, edge_features, where, edges)
    directed = bool(graph.is_directed())
    multi = bool(graph.is_multigraph())
    if multi and not directed:
        # Parallel edges stay: each is listed in both directions here, and none merged.
        back = sources != targets
        sources, targets = np.concatenate([sources, targets[back]]), np.concatenate([targets, sources[back]])
        weights = None if weights is None else np.concatenate([weights, weights[back]])
        edge_columns = None if edge_columns is None else np.concatenate([edge_columns, edge_columns[back]])
    node_data = [graph.nodes[node] for node in nodes]
    classes, names_of_classes = _labels(node_data, labels, where, nodes)
    if names_of_classes is not None:
        others.setdefault("classes", names_of_classes)
    result = Graph.from_edges(
        len(nodes),
        sources,
        targets,
        directed=directed or multi,
        weights=weights,
        edge_features=edge_columns,
        features=_table(node_data, features, where, nodes),
        labels=classes,
        names=None if nodes == list(range(len(nodes))) else [str(node) for node in nodes],
        name="" if where == "graph" else where,
        provenance=provenance or "converted from a NetworkX graph",
        **others,
    )
    result.directed = directed
    return normalise(result, where)


def _numbers(values, where: str, attribute: str, elements) -> np.ndarray:
    """float32 [elements] or [elements, columns]."""
    width = None
    for element, value in zip(elements, values):
        try:
            row = np.asarray(value, dtype=np.float32)
        except (TypeError, ValueError):
            row = None
        if row is None or row.ndim > 1 or (width is not None and row.shape != width):
            text = f"is {value!r} at {_shown(element)}, expected {'a number' if not width else f'{width[0]} numbers'}"
            raise LaminarFormatError(where, attribute, text)
        width = row.shape
    return np.asarray(values, dtype=np.float32)


def _table(data, attributes, where: str, elements):
    if attributes is None:
        return None
    names = [attributes] if isinstance(attributes, str) else list(attributes)
    columns = []
    for attribute in names:
        for element, values in zip(elements, data):
            if attribute not in values:
                raise LaminarFormatError(where, attribute, f"is missing at {_shown(element)}")
        column = _numbers([values[attribute] for values in data], where, attribute, elements)
        columns.append(column.reshape(len(data), -1))
    return np.concatenate(columns, axis=1) if columns else None


def _labels(data, attribute, where: str, nodes):
    if attribute is None:
        return None, None
    values = [d.get(attribute) for d in data]
    known = [v for v in values if v is not None]
    if not known:
        raise LaminarFormatError(where, attribute, "is at no node, expected labels")
    if all(isinstance(v, str) for v in known):
        classes = sorted(set(known))
        place = {c: i for i, c in enumerate(classes)}
        return np.array([-1 if v is None else place[v] for v in values], np.int64), classes
    if all(isinstance(v, (bool, int, np.integer)) for v in known):
        return np.array([-1 if v is None else int(v) for v in values], np.int64), None
    for node, value in zip(nodes, values):
        if value is None:
            raise LaminarFormatError(where, attribute, f"is missing at {_shown(node)}, expected a number at every node")
    return _numbers(values, where, attribute, nodes), None


def _shown(element) -> str:
    if isinstance(element, tuple) and len(element) == 3 and isinstance(element[2], dict):
        return f"edge {element[0]!r} - {element[1]!r}"
    return f"node {element!r}"
