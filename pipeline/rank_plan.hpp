#pragma once

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/plan.hpp"
#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// Whether a rank can do with its part of the graph's structure: it is cut into parts, and nothing that is asked for
/// (pairs, --init virgo, --stage-cut measured, DistributionOptions::whole_structure) wants all of it.
bool holds_part_only(const layers::ModelOptions& model, const TrainOptions& options);

/// The plan of make_plan(), bit for bit, with a cut that holds the part of rank `rank` only; all ranks call it. Parts
/// that are given, or that can be told without looking at edges, every rank works out by itself; otherwise, and where
/// there are chunks to cut, rank 0 does so on the whole graph, lets go of it, and sends the others what came out.
/// Throws UsageError, on all ranks, if there are not as many as devices, and what make_plan() throws.
Plan make_rank_plan(const layers::ModelOptions& model, const core::DatasetSchema& schema, const core::Dataset& data,
                    const TrainOptions& options, Transport& rank);

/// Throws UsageError if there are not as many ranks as devices.
void check_num_ranks(const Topology& topology, const Transport& rank);

}  // namespace laminar::pipeline
