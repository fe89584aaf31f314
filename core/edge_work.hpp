#pragma once

#include <string_view>

#include "laminar/core/block.hpp"
#include "laminar/core/work_log.hpp"

/// What aggregations tell a WorkLog.
namespace laminar::core {

/// Rows [begin, end) of `y` from the block's in-edges, `read` numbers of a source row an edge.
inline Work in_edge_work(WorkKind kind, std::string_view op, const Adjacency& a, Index begin, Index end,
                         const Tensor& y, Index read, double flops_per_number = 2) {
  const auto offsets = std::span(a.offsets).subspan(begin, end - begin + 1);
  return gather_work(kind, op, y.dtype(), {offsets, a.sources, a.num_sources, read}, y.cols(), flops_per_number);
}

/// Source rows [begin, end) of a gradient as wide as `dy` from the block's out-edges, `read` numbers of a row an edge.
inline Work out_edge_work(WorkKind kind, std::string_view op, const Adjacency& a, Index begin, Index end,
                          const Tensor& dy, Index read, double flops_per_number = 2) {
  const auto offsets = std::span(a.transposed.offsets).subspan(begin, end - begin + 1);
  return gather_work(kind, op, dy.dtype(), {offsets, a.transposed.rows, a.num_rows, read}, dy.cols(), flops_per_number);
}

}  // namespace laminar::core
