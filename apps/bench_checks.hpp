#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "laminar/core/block.hpp"
#include "laminar/core/tensor.hpp"

/// Plain serial loops in float64 that the results of benchmarked kernels are compared with, for a few rows.
namespace laminar::apps {

/// A few of n rows: the first, the last and some between.
std::vector<core::Index> sampled_rows(core::Index n);

/// Throws Error, naming `kernel`, unless row r of `result` is near expected(r) for all of `rows`: within 1e-4 of the
/// row's largest element, or of `scale` where that is larger.
void check_rows(std::string_view kernel, const core::Tensor& result, std::span<const core::Index> rows,
                const std::function<std::vector<double>(core::Index)>& expected, double scale = 0);

/// Row r as numbers.
std::vector<double> row_of(const core::Tensor& x, core::Index r);

/// Row r of A x, and row j of A^T g by looking at all entries of A.
std::vector<double> plain_sum(const core::Adjacency& a, const core::Tensor& x, core::Index r);
std::vector<double> plain_transposed_sum(const core::Adjacency& a, const core::Tensor& g, core::Index j);
/// Row r of the maxima over x's rows.
std::vector<double> plain_max(const core::Adjacency& a, const core::Tensor& x, core::Index r);
/// Row j of the maxima's gradient: an element of g goes to the first entry of its row that has the largest element.
std::vector<double> plain_max_gradient(const core::Adjacency& a, const core::Tensor& x, const core::Tensor& g,
                                       core::Index j);

/// GAT's attention in core/aggregation.hpp's form with z of all rows, a for sources and b for targets.
struct PlainAttention {
  const core::Adjacency& a;
  const core::Tensor& z;
  const core::Tensor& of_source;
  const core::Tensor& of_target;
  core::Index heads = 1;
  double slope = 0.2;

  std::vector<double> row(core::Index r) const;
  /// Row j of dz, for a block whose rows are its sources.
  std::vector<double> gradient(const core::Tensor& g, core::Index j) const;

 private:
  /// Coefficients of row r by entry, of head h, and the slope at each entry's logit.
  struct Coefficients {
    std::vector<double> alpha;
    std::vector<double> slopes;
  };
  Coefficients coefficients(core::Index r, core::Index h) const;
  /// What row r's attention says of dz of the row at entry e, and dt of row r, of head h.
  double logit_gradient(const core::Tensor& g, core::Index r, core::Index h, core::Index e,
                        const Coefficients& c) const;
};

}  // namespace laminar::apps
