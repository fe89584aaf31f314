#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "laminar/core/graph.hpp"
#include "laminar/core/tape.hpp"
#include "laminar/core/tensor.hpp"

/// What layers and operations are checked on: tensors and small graphs that are the same on every run, and ways to
/// compare results.
namespace laminar::layers::checks {

/// Standard normal numbers times `scale`, a function of the seed, the row and the column only. A float32 tensor holds
/// the rounded values of the float64 one.
core::Tensor random_tensor(core::Index rows, core::Index cols, core::DType dtype, std::uint64_t seed, double scale = 1);

/// A tape context with a pool of its own and seed 7.
core::TapeContext context(core::DType dtype, bool training = false, core::SourceExchange* exchange = nullptr);

/// All elements in row-major order.
std::vector<double> values_of(const core::Tensor& a);

/// Euclidean norm over all elements; 0 for an empty tensor.
double norm(const core::Tensor& a);

/// |a - b| / max(|a|, |b|) in the Euclidean norm; 0 if both are 0, infinite if the shapes differ.
double relative_difference(const core::Tensor& a, const core::Tensor& b);

/// `edges` random pairs of different vertices, both directions, without duplicates.
core::Graph undirected_random(core::Index vertices, core::Index edges, std::uint64_t seed);

/// `edges` random pairs source -> target, no duplicates, no self-loops; with weights in (0, 2) if asked for.
core::Graph directed_random(core::Index vertices, core::Index edges, bool weighted, std::uint64_t seed);

/// Directed and weighted: random edges, and vertex 0 reads from and is read by every other vertex.
core::Graph directed_weighted_hub(core::Index vertices, core::Index edges, std::uint64_t seed);

/// An undirected cycle.
core::Graph ring(core::Index vertices);

/// Vertex 0 joined to all others, undirected.
core::Graph star(core::Index vertices);

/// The undirected 4-neighbour grid.
core::Graph grid(core::Index width, core::Index height);

struct NamedGraph {
  std::string name;
  core::Graph graph;
};

/// Small graphs that between them hold every shape an aggregation can meet: undirected, directed, weighted with a hub,
/// isolated vertices, self-loops, parallel edges, a single vertex with and without a self-loop, no edges, star, ring,
/// grid.
const std::vector<NamedGraph>& test_graphs();

}  // namespace laminar::layers::checks
