#pragma once

#include <cstdint>
#include <vector>

#include "laminar/datasets/edge_table.hpp"
#include "laminar/datasets/generators.hpp"

// Internal to datasets/: what all generators share.
namespace laminar::datasets {

/// Throws UsageError unless all settings are in range; `name` is the generator's.
void check(const GeneratorOptions& options, std::string_view name);

/// Classes for graphs whose generator knows none: `classes` different vertices are drawn, and each vertex gets the
/// class of the nearest one (of equally near ones the smallest class); those that none reaches get a random one.
std::vector<std::int32_t> classes_by_distance(const core::Graph& graph, core::Index classes, std::uint64_t seed);

/// Graph, classes and features as a dataset.
ImportResult finish(const GeneratorOptions& options, std::string_view name, EdgeTable edges,
                    std::vector<std::int32_t> classes);

}  // namespace laminar::datasets
