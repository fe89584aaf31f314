#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "laminar/datasets/importer.hpp"

namespace laminar::datasets {

/// Settings of generated graphs; a generator uses those that its summary names.
struct GeneratorOptions {
  core::Index vertices = 10'000;
  /// Mean degree, counting undirected edges at both ends.
  double degree = 10;
  core::Index classes = 10;
  /// Share of edges within a class (sbm).
  double homophily = 0.7;
  /// Exponent of the power law of expected degrees, above 2; 0: all alike (sbm).
  double power = 0;
  /// Columns; 0 = none.
  core::Index feature_dim = 32;
  /// Standard deviation of each feature around its class's centre, whose norm is 1.
  double noise = 1;
  std::uint64_t seed = 1;
};

struct Generator {
  std::string_view name;
  std::string_view summary;
  ImportResult (*run)(const GeneratorOptions& options);
};

/// sbm, rmat, grid, ring, ba. Each makes an undirected graph without self-loops and repeated edges, classes as labels
/// and features x_v = centre of v's class + noise * standard normal numbers, the centres being random directions of
/// norm
/// 1. The same options give the same bits on any number of threads. Throws UsageError for options that can't be meant.
std::span<const Generator> generators();
/// Null if there is none of that name.
const Generator* find_generator(std::string_view name);

/// A stochastic block model with corrected degrees (Karrer and Newman, "Stochastic blockmodels and community structure
/// in networks", Phys. Rev. E 83, 2011). round(N degree / 2) edges are drawn: one end u with probability proportional
/// to w_u, the other end likewise, with probability `homophily` among the vertices of u's class and else among all
/// others; loops and repeated edges are drawn again. w_v = 1, or with `power` p = (1 - r)^(-1 / (p - 1)), r uniform,
/// the Pareto law of which degrees get the exponent p, cut off at sqrt(N degree). Classes are drawn uniformly.
ImportResult generate_sbm(const GeneratorOptions& options);
/// The recursive matrix of Graph500 (Chakrabarti, Zhan and Faloutsos, "R-MAT", 2004): quadrants .57, .19, .19, .05; the
/// number of vertices is rounded up to a power of two; round(N degree / 2) edges are drawn, and what repeats is left
/// out.
ImportResult generate_rmat(const GeneratorOptions& options);
/// A rectangle of N vertices, as square as it can be, the last row perhaps shorter; neighbours are the 4 next ones
/// (degree 4) or 8 (degree 8).
ImportResult generate_grid(const GeneratorOptions& options);
/// A circle of N vertices, each with its degree / 2 next ones on both sides.
ImportResult generate_ring(const GeneratorOptions& options);
/// Preferential attachment (Barabasi and Albert, 1999; drawn as in Batagelj and Brandes, "Efficient generation of large
/// random networks", 2005): each new vertex brings degree / 2 edges to earlier ones, chosen in proportion to their
/// degree.
ImportResult generate_ba(const GeneratorOptions& options);

}  // namespace laminar::datasets
