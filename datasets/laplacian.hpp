#pragma once

#include <string>
#include <vector>

#include "laminar/core/graph.hpp"

// Internal to datasets/.
namespace laminar::datasets {

/// Eigenvectors 2 to `count` + 1, by ascending eigenvalue, of the symmetric normalised Laplacian; see
/// MadeFeatures::kLaplacian. [count][N]. Throws Error, prefixed with `where`, unless 1 <= count < N - 1, or if they are
/// not found.
std::vector<std::vector<double>> laplacian_eigenvectors(const core::Graph& graph, core::Index count,
                                                        const std::string& where);

}  // namespace laminar::datasets
