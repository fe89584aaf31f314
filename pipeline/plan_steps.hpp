#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "laminar/partition/partition.hpp"
#include "laminar/pipeline/plan.hpp"

// What make_plan() and make_rank_plan() consist of. Internal to pipeline/.
namespace laminar::pipeline {

/// Where vertices go, in the file's order.
struct Assignment {
  partition::Partition parts;
  partition::Partition chunks;
  /// Within a slice vertices stand in this order; empty: in the file's.
  std::vector<Index> rank;
  /// With one chunk, and why; see Plan.
  VertexOrder order = VertexOrder::kFile;
  std::string order_why;
};

/// [c][s]: chunk c reads rows of chunk s.
using ChunkReads = std::vector<std::vector<bool>>;

/// What does not depend on the graph. Throws as make_plan().
Plan begin_plan(const layers::ModelOptions& model, const core::DatasetSchema& schema, const TrainOptions& options);

/// Whether assign() looks at the edges; if not, any graph of as many vertices will do.
bool needs_edges_to_assign(const layers::ModelOptions& model, const core::DatasetSchema& schema,
                           const TrainOptions& options);

/// Parts, and chunks and the order as the options ask for; adds to `remarks`. Throws as make_plan().
Assignment assign(const core::Graph& graph, const layers::ModelOptions& model, const core::DatasetSchema& schema,
                  const TrainOptions& options, std::vector<std::string>& remarks);

/// The two chunks of Plan::overlaps.
partition::Partition border_chunks(std::span<const std::uint8_t> on_border);

/// What the rows that are there read.
ChunkReads chunk_reads(const CutGraph& cut);

/// The schedule, when the graph is cut; `reads`, of all rows of the graph, is called where chunks wait for each other.
void end_plan(Plan& plan, const layers::ModelOptions& model, const TrainOptions& options,
              const std::function<ChunkReads()>& reads);

}  // namespace laminar::pipeline
