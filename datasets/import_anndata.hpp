#pragma once

#include <filesystem>

#include "laminar/datasets/importer.hpp"

namespace laminar::datasets {

/// An annotated matrix of AnnData (.h5ad; Virshup et al., 2021; encodings of anndata 0.7 and later) as a graph:
///   - vertices: the observations, named by the index of `obs`;
///   - edges: `obsp/connectivities`, or the only matrix in `obsp` (csr_matrix): row = destination, as in graph files;
///   the
///     values are weights. Undirected if the matrix is symmetric, values included;
///   - features: `X`, dense or csr_matrix;
///   - labels: the first categorical column of `obs` among cell_type, celltype, label, labels, class, leiden, louvain,
///     clusters and cluster, or the only categorical one; without any, none;
///   - splits: a categorical column `split` of `obs` with train, val (valid, validation) and test.
/// Throws Error, naming file and object, for whatever is missing, of another encoding or damaged.
ImportResult import_anndata(const std::filesystem::path& path, const ImportOptions& options);

/// Whether the file is one by its name, which ends in .h5ad.
bool is_anndata(const std::filesystem::path& path);

}  // namespace laminar::datasets
