#include "laminar/pipeline/vertex_order.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "laminar/core/names.hpp"
#include "laminar/partition/adjacency.hpp"
#include "laminar/partition/community_order.hpp"
#include "laminar/partition/gather_locality.hpp"
#include "laminar/partition/orderings.hpp"

namespace laminar::pipeline {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"auto", "file", "rcm", "community"};

// What a core keeps of a table: a second-level cache. The same on all machines, as an order changes the bits of
// results.
constexpr std::size_t kCacheBytes = std::size_t{2} << 20;
// A smaller table is read fast in any order.
constexpr std::size_t kSmallTableBytes = 16 * kCacheBytes;
// Epochs within which an order must pay.
constexpr Index kPayingEpochs = 5;
// What ordering and renumbering take, in what a sum over neighbours gains if all its reads become ones of rows that
// were read shortly before. On a block model of 170 000 vertices and 2.4 million edges, rows of 512 bytes, two threads,
// 450 to 800 ms (variants of the order) against 60 ms (18 ms for 31 % of the reads).
constexpr double kOrderingSums = 12;

Index rows_in_cache(std::size_t row_bytes) {
  return static_cast<Index>(std::max<std::size_t>(kCacheBytes / std::max<std::size_t>(row_bytes, 1), 16));
}

std::vector<core::VertexId> order_by(VertexOrder order, const core::Graph& graph, std::size_t row_bytes) {
  if (order == VertexOrder::kRcm) {
    return partition::reverse_cuthill_mckee_order(partition::symmetric_adjacency(graph));
  }
  return partition::community_order(graph, rows_in_cache(row_bytes));
}

std::vector<Index> rank_of(const std::vector<core::VertexId>& order) {
  std::vector<Index> rank(order.size());
  for (std::size_t at = 0; at < order.size(); ++at) rank[order[at]] = static_cast<Index>(at);
  return rank;
}

}  // namespace

std::string_view name_of(VertexOrder order) { return kNames[static_cast<std::size_t>(order)]; }

VertexOrder vertex_order_from_name(std::string_view name) {
  return core::detail::from_name<VertexOrder>("the order of vertices", kNames, name);
}

bool order_reads_edges(VertexOrder asked, Index num_vertices, const VertexOrderInput& input) {
  if (asked != VertexOrder::kAuto) return asked != VertexOrder::kFile;
  return static_cast<double>(num_vertices) * static_cast<double>(input.row_bytes) >=
         static_cast<double>(kSmallTableBytes);
}

VertexOrderDecision decide_vertex_order(VertexOrder asked, const core::Graph& graph, const VertexOrderInput& input) {
  const auto as_in_file = [](std::string why) { return VertexOrderDecision{VertexOrder::kFile, std::move(why), {}}; };
  if (asked == VertexOrder::kFile) return as_in_file("file, as asked");
  if (asked != VertexOrder::kAuto) {
    return {asked, fmt::format("{}, as asked", name_of(asked)), rank_of(order_by(asked, graph, input.row_bytes))};
  }
  const auto table_bytes = static_cast<double>(graph.num_vertices()) * static_cast<double>(input.row_bytes);
  if (!order_reads_edges(asked, graph.num_vertices(), input)) {
    return as_in_file(fmt::format("file, as {:.3g} MiB of rows are read fast in any order",
                                  table_bytes / static_cast<double>(std::size_t{1} << 20)));
  }
  // One forward and one backward a layer. The share of reads that an order must win:
  const auto sums = static_cast<double>(2 * input.layers * std::min(input.epochs, kPayingEpochs));
  const double least_gain = kOrderingSums / std::max(sums, 1.0);
  const Index rows = rows_in_cache(input.row_bytes);
  const double in_file = partition::gather_reuse(graph, {}, rows);
  const std::string of_file =
      fmt::format("{:.0f} % of the rows that sums read were read shortly before", 100 * in_file);
  if (in_file + least_gain > 1) {
    return as_in_file(fmt::format("file, where {}: no other could pay within {} epochs", of_file, kPayingEpochs));
  }
  const std::vector<core::VertexId> order = order_by(VertexOrder::kCommunity, graph, input.row_bytes);
  const double ordered = partition::gather_reuse(graph, order, rows);
  if (ordered < in_file + least_gain) {
    return as_in_file(fmt::format("file, where {}, {:.0f} % by communities: too little to pay within {} epochs",
                                  of_file, 100 * ordered, kPayingEpochs));
  }
  return {VertexOrder::kCommunity,
          fmt::format("community, as in the file's order {}, {:.0f} % in this", of_file, 100 * ordered),
          rank_of(order)};
}

}  // namespace laminar::pipeline
