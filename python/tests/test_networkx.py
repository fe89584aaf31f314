"""Conversion from NetworkX; skipped where it is not installed."""

import unittest


import laminar_graph as lg
from support import FileCase

try:
    import networkx as nx
except ImportError as error:
    nx, missing = None, str(error)
else:
    missing = ""


@unittest.skipIf(nx is None, f"NetworkX is not installed: {missing}")
class FromNetworkx(FileCase):
    def test_directed_with_names_weights_features_and_labels(self):
        g = nx.DiGraph(name="people")
        g.add_node("ann", x=[1, 2], age=30, job="cook")
        g.add_node("zoë", x=[3, 4], age=40)
        g.add_node(7, x=[5, 6], age=50, job="baker")
        g.add_edge("ann", "zoë", weight=2.5, since=1999)
        g.add_edge("zoë", 7, since=2001)
        graph = lg.from_networkx(g, features="x", labels="job", edge_features=["since"])
        self.assertEqual(graph.name, "people")
        self.assertTrue(graph.directed)
        self.assertEqual(graph.names, ["ann", "zoë", "7"])
        self.assertEqual(graph.indices.tolist(), [0, 1])
        self.assertEqual(graph.weights.tolist(), [2.5, 1])
        self.assertEqual(graph.edge_features.tolist(), [[1999], [2001]])
        self.assertEqual(graph.features.tolist(), [[1, 2], [3, 4], [5, 6]])
        self.assertEqual(graph.classes, ["baker", "cook"])
        self.assertEqual(graph.labels.tolist(), [1, -1, 0])
        both = lg.from_networkx(g, features=["age", "x"], labels="age")
        self.assertEqual(both.features[1].tolist(), [40, 3, 4])
        self.assertEqual(both.labels.tolist(), [30, 40, 50])
        self.assertEqual(self.round_trip(graph).names, graph.names)

    def test_undirected_and_multigraphs(self):
        graph = lg.from_networkx(nx.karate_club_graph(), labels="club")
        self.assertEqual((graph.num_vertices, graph.num_edges, graph.directed), (34, 156, False))
        self.assertIsNone(graph.names)
        self.assertEqual(len(graph.classes), 2)
        multi = nx.MultiGraph()
        multi.add_edges_from([(0, 1, {"weight": 1}), (0, 1, {"weight": 5}), (1, 1, {"weight": 2})])
        graph = lg.from_networkx(multi)
        self.assertEqual(graph.num_edges, 5)
        self.assertFalse(graph.directed)
        self.assertEqual(sorted(graph.weights.tolist()), [1, 1, 2, 5, 5])
        self.assertFalse(lg.from_networkx(nx.path_graph(3)).weighted)

    def test_refuses(self):
        with self.assertRaisesRegex(lg.LaminarFormatError, "there are none"):
            lg.from_networkx(nx.Graph())
        g = nx.path_graph(2)
        with self.assertRaisesRegex(lg.LaminarFormatError, "x: is missing at node 0"):
            lg.from_networkx(g, features="x")
        with self.assertRaisesRegex(lg.LaminarFormatError, "is at no node"):
            lg.from_networkx(g, labels="y")
        g.nodes[0]["x"], g.nodes[1]["x"] = [1, 2], [1]
        with self.assertRaisesRegex(lg.LaminarFormatError, r"is \[1\] at node 1, expected 2 numbers"):
            lg.from_networkx(g, features="x")
        g.edges[0, 1]["weight"] = "heavy"
        with self.assertRaisesRegex(lg.LaminarFormatError, "is 'heavy' at edge 0 - 1"):
            lg.from_networkx(g)
        del g.edges[0, 1]["weight"]
        g.nodes[0]["y"] = 0.5
        with self.assertRaisesRegex(lg.LaminarFormatError, "is missing at node 1, expected a number at every node"):
            lg.from_networkx(g, labels="y")
