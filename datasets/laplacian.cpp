// Eigenvectors by the implicitly restarted Lanczos method of the Spectra library (Lehoucq and Sorensen, "Deflation
// techniques for an implicitly restarted Arnoldi iteration", 1996), applied to (I + D^-1/2 A D^-1/2) / 2, whose largest
// eigenvalues are the smallest of the Laplacian. The start vector is Spectra's own, which is always the same.
#include "laminar/datasets/laplacian.hpp"

#include <algorithm>
#include <cmath>

#include <Spectra/SymEigsSolver.h>
#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/datasets/edge_table.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;

namespace {

core::Graph undirected(const core::Graph& graph) {
  EdgeTable edges;
  for (Index v = 0; v < graph.num_vertices(); ++v) {
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      edges.source.push_back(graph.in_sources()[e]);
      edges.target.push_back(static_cast<core::VertexId>(v));
    }
  }
  return *build_graph(graph.num_vertices(), std::move(edges), /*directed=*/false).graph;
}

/// y = (x + D^-1/2 A D^-1/2 x) / 2, a row at a time.
class Product {
 public:
  using Scalar = double;
  explicit Product(const core::Graph& graph) : graph_(graph), scale_(static_cast<std::size_t>(graph.num_vertices())) {
    for (Index v = 0; v < graph.num_vertices(); ++v) {
      const auto degree = static_cast<double>(graph.in_degree(static_cast<core::VertexId>(v)));
      scale_[v] = degree > 0 ? 1 / std::sqrt(degree) : 0;
    }
  }
  Eigen::Index rows() const { return graph_.num_vertices(); }
  Eigen::Index cols() const { return graph_.num_vertices(); }
  void perform_op(const double* x, double* y) const {
    const auto offsets = graph_.in_offsets();
    const auto sources = graph_.in_sources();
    core::parallel_for_rows(offsets, 0, graph_.num_vertices(), [&](Index begin, Index end) {
      for (Index v = begin; v < end; ++v) {
        double sum = 0;
        for (EdgeId e = offsets[v]; e < offsets[v + 1]; ++e) sum += scale_[sources[e]] * x[sources[e]];
        y[v] = (x[v] + scale_[v] * sum) / 2;
      }
    });
  }

 private:
  const core::Graph& graph_;
  std::vector<double> scale_;
};

}  // namespace

std::vector<std::vector<double>> laplacian_eigenvectors(const core::Graph& graph, Index count,
                                                        const std::string& where) {
  const Index n = graph.num_vertices();
  if (count < 1 || count >= n - 1) {
    throw Error(fmt::format("{}: {} eigenvectors of the Laplacian were asked for; expected 1 to {} for {} vertices",
                            where, count, std::max<Index>(1, n - 2), n));
  }
  constexpr Index kMostRestarts = 1000;
  constexpr double kTolerance = 1e-8;
  const core::Graph both = graph.directed() ? undirected(graph) : graph;
  Product product(both);
  Spectra::SymEigsSolver<Product> solver(product, count + 1, std::min(n, std::max<Index>(2 * count + 3, 20)));
  solver.init();
  const Index found = solver.compute(Spectra::SortRule::LargestAlge, kMostRestarts, kTolerance);
  if (found < count + 1) {
    throw Error(
        fmt::format("{}: only {} of {} eigenvectors of the Laplacian were found; ask for fewer (--features-dim)", where,
                    found, count + 1));
  }
  const Eigen::MatrixXd vectors = solver.eigenvectors();
  std::vector<std::vector<double>> result(static_cast<std::size_t>(count));
  for (Index c = 0; c < count; ++c) {
    const auto column = vectors.col(c + 1);
    Eigen::Index at = 0;
    column.cwiseAbs().maxCoeff(&at);
    const double scale = std::sqrt(static_cast<double>(n)) / column.norm() * (column[at] < 0 ? -1 : 1);
    result[c].resize(static_cast<std::size_t>(n));
    for (Index v = 0; v < n; ++v) result[c][v] = scale * column[v];
  }
  return result;
}

}  // namespace laminar::datasets
