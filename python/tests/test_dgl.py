"""Conversion from DGL, with the real thing; skipped where it is not installed."""

import unittest

import laminar_graph as lg
from support import FileCase

try:
    import dgl
    import torch
except Exception as error:  # DGL fails in several ways where its libraries don't fit torch's
    dgl, missing = None, str(error)
else:
    missing = ""


@unittest.skipIf(dgl is None, f"DGL is not installed: {missing}")
class FromDgl(FileCase):
    def graph(self):
        g = dgl.graph((torch.tensor([2, 0, 1, 0]), torch.tensor([0, 1, 2, 2])), num_nodes=3)
        g.ndata["feat"] = torch.tensor([[1.0, 2], [3, 4], [5, 6]])
        g.ndata["label"] = torch.tensor([0, 1, 0])
        for i, name in enumerate(("train_mask", "val_mask", "test_mask")):
            g.ndata[name] = torch.eye(3, dtype=torch.uint8)[i]
        g.edata["w"] = torch.tensor([1.0, 2, 3, 4])
        return g

    def test_all_parts(self):
        graph = lg.from_dgl(self.graph(), name="dgl")
        self.assertTrue(graph.directed)
        self.assertEqual(graph.indptr.tolist(), [0, 1, 2, 4])
        self.assertEqual(graph.indices.tolist(), [2, 0, 0, 1])
        self.assertEqual(graph.weights.tolist(), [1, 2, 4, 3])
        self.assertEqual(graph.features.tolist(), [[1, 2], [3, 4], [5, 6]])
        self.assertEqual(graph.labels.tolist(), [0, 1, 0])
        self.assertEqual(graph.splits["0"].val.tolist(), [1])
        self.assertIsNone(graph.edge_features)
        self.assertEqual(self.round_trip(graph).num_edges, 4)

    def test_other_names_and_undirected(self):
        g = dgl.to_bidirected(dgl.graph(([0, 1], [1, 2])))
        g.ndata["h"] = torch.ones(3, 2)
        g.edata["feat"] = torch.ones(4, 5)
        graph = lg.from_dgl(g, features="h", labels=None)
        self.assertFalse(graph.directed)
        self.assertEqual(graph.features.shape, (3, 2))
        self.assertEqual(graph.edge_features.shape, (4, 5))
        self.assertIsNone(graph.labels)

    def test_refuses_several_kinds(self):
        g = dgl.heterograph({("a", "to", "b"): ([0], [1]), ("b", "of", "a"): ([0], [0])})
        with self.assertRaisesRegex(lg.LaminarFormatError, "expected one kind each; see dgl.to_homogeneous"):
            lg.from_dgl(g)
