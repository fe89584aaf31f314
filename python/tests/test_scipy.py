"""Conversion from SciPy's sparse matrices."""

import numpy as np
import scipy.sparse as sp

import laminar_graph as lg
from support import FileCase, assert_same, path_graph, rich_graph


class FromScipy(FileCase):
    def test_rows_are_sources(self):
        matrix = sp.csr_matrix(np.array([[0, 2.5, 0], [0, 0, 1], [0, 0, 4]]))
        graph = lg.from_scipy(matrix, features=np.eye(3), labels=[0, 1, -1], names=["a", "b", "c"], name="m")
        self.assertTrue(graph.directed)
        self.assertEqual(graph.indptr.tolist(), [0, 0, 1, 3])
        self.assertEqual(graph.indices.tolist(), [0, 1, 2])
        self.assertEqual(graph.weights.tolist(), [2.5, 1, 4])
        self.assertEqual(self.round_trip(graph).names, ["a", "b", "c"])
        turned = lg.from_scipy(matrix, rows="targets")
        self.assertEqual(turned.indptr.tolist(), [0, 1, 2, 3])

    def test_in_csr_comes_back(self):
        for graph in (path_graph(), rich_graph()):
            back = lg.from_scipy(
                graph.in_csr(),
                rows="targets",
                features=graph.features,
                labels=graph.labels,
                classes=graph.classes,
                names=graph.names,
                splits=graph.splits,
                name=graph.name,
                provenance=graph.provenance or None,
                edge_features=graph.edge_features,
            )
            back.partitions = graph.partitions
            back.provenance = graph.provenance
            self.assertEqual(back.directed, graph.directed)
            assert_same(self, self.round_trip(back), self.round_trip(graph))

    def test_undirected_if_symmetric_with_its_values(self):
        for kind in (sp.coo_matrix, sp.csr_matrix, sp.csc_matrix, sp.lil_matrix, sp.csr_array):
            self.assertFalse(lg.from_scipy(kind(np.array([[0, 3], [3, 0]]))).directed)
            self.assertTrue(lg.from_scipy(kind(np.array([[0, 3], [2, 0]]))).directed)
        self.assertFalse(lg.from_scipy(sp.csr_matrix(np.array([[0, 3], [2, 0]])), weighted=False).directed)
        self.assertFalse(lg.from_scipy(sp.csr_matrix(np.ones((2, 2)))).weighted)
        self.assertTrue(lg.from_scipy(sp.csr_matrix(np.ones((2, 2))), weighted=True).weighted)

    def test_refuses(self):
        with self.assertRaisesRegex(lg.LaminarFormatError, r"has the shape \[2, 3\]"):
            lg.from_scipy(sp.csr_matrix((2, 3)))
        with self.assertRaisesRegex(lg.LaminarFormatError, "is ndarray, expected a SciPy sparse matrix"):
            lg.from_scipy(np.eye(2))
        with self.assertRaisesRegex(ValueError, "rows is 'columns'"):
            lg.from_scipy(sp.eye(2), rows="columns")
        with self.assertRaisesRegex(lg.LaminarFormatError, "undirected"):
            lg.from_scipy(sp.csr_matrix(np.array([[0, 1], [0, 0]])), directed=False)
