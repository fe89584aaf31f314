// Generators that know no classes of their own.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/random.hpp"
#include "laminar/datasets/generated_data.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

namespace {

constexpr Index kGrain = 1024;

constexpr std::array kGenerators = {
    Generator{"sbm", "communities: classes with more edges inside; --vertices --degree --classes --homophily --power",
              generate_sbm},
    Generator{"rmat", "a skewed graph as of Graph500; --vertices (rounded up to a power of 2) --degree --classes",
              generate_rmat},
    Generator{"grid", "a rectangle of vertices with 4 or 8 neighbours; --vertices --degree 4|8 --classes",
              generate_grid},
    Generator{"ring", "a circle of vertices with degree/2 neighbours on both sides; --vertices --degree --classes",
              generate_ring},
    Generator{"ba", "preferential attachment, degree/2 edges a new vertex; --vertices --degree --classes", generate_ba},
};

/// degree / 2 as a whole number of 1 or more.
Index half_degree(const GeneratorOptions& o, std::string_view name) {
  const auto half = static_cast<Index>(std::llround(o.degree / 2));
  if (static_cast<double>(2 * half) != o.degree || half < 1) {
    throw UsageError(fmt::format("--from {}: --degree {}: expected an even number of 2 or more", name, o.degree));
  }
  return half;
}

void add(EdgeTable& edges, Index u, Index v) {
  edges.source.push_back(static_cast<VertexId>(u));
  edges.target.push_back(static_cast<VertexId>(v));
}

}  // namespace

std::span<const Generator> generators() { return kGenerators; }

const Generator* find_generator(std::string_view name) {
  const auto found =
      std::find_if(kGenerators.begin(), kGenerators.end(), [&](const auto& g) { return g.name == name; });
  return found == kGenerators.end() ? nullptr : found;
}

ImportResult generate_rmat(const GeneratorOptions& options) {
  check(options, "rmat");
  GeneratorOptions o = options;
  o.vertices = static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(options.vertices)));
  check(o, "rmat");
  const int bits = std::countr_zero(static_cast<std::uint64_t>(o.vertices));
  const auto count = static_cast<Index>(std::llround(static_cast<double>(o.vertices) * o.degree / 2));
  const core::RandomKey key = core::random_key(o.seed, "rmat");
  EdgeTable edges;
  edges.source.resize(static_cast<std::size_t>(count));
  edges.target.resize(static_cast<std::size_t>(count));
  core::parallel_for(count, kGrain, [&](Index begin, Index end) {
    for (Index e = begin; e < end; ++e) {
      VertexId u = 0;
      VertexId v = 0;
      for (int bit = 0; bit < bits; ++bit) {
        const double r =
            core::random_uniform(key, static_cast<std::uint64_t>(e) * 32 + static_cast<std::uint64_t>(bit));
        u = 2 * u + (r >= 0.76 ? 1 : 0);
        v = 2 * v + ((r >= 0.57 && r < 0.76) || r >= 0.95 ? 1 : 0);
      }
      edges.source[e] = u;
      edges.target[e] = v;
    }
  });
  EdgeTable kept;
  for (Index e = 0; e < count; ++e) {
    if (edges.source[e] != edges.target[e]) add(kept, edges.source[e], edges.target[e]);
  }
  return finish(o, "rmat", std::move(kept), {});
}

ImportResult generate_grid(const GeneratorOptions& o) {
  check(o, "grid");
  if (o.degree != 4 && o.degree != 8) {
    throw UsageError(fmt::format("--from grid: --degree {}: expected 4 or 8", o.degree));
  }
  const auto width = static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(o.vertices))));
  EdgeTable edges;
  for (Index v = 0; v < o.vertices; ++v) {
    const bool last = v % width == width - 1;
    const auto join = [&](Index u) {
      if (u < o.vertices) add(edges, v, u);
    };
    if (!last) join(v + 1);
    join(v + width);
    if (o.degree == 8 && !last) join(v + width + 1);
    if (o.degree == 8 && v % width != 0) join(v + width - 1);
  }
  return finish(o, "grid", std::move(edges), {});
}

ImportResult generate_ring(const GeneratorOptions& o) {
  check(o, "ring");
  const Index half = half_degree(o, "ring");
  EdgeTable edges;
  for (Index v = 0; v < o.vertices; ++v) {
    for (Index k = 1; k <= half; ++k) add(edges, v, (v + k) % o.vertices);
  }
  return finish(o, "ring", std::move(edges), {});
}

ImportResult generate_ba(const GeneratorOptions& o) {
  check(o, "ba");
  const Index half = half_degree(o, "ba");
  const core::RandomKey key = core::random_key(o.seed, "ba");
  // Each edge's two ends, one behind the other: a place drawn uniformly is a vertex drawn by its degree.
  std::vector<VertexId> ends;
  ends.reserve(static_cast<std::size_t>(2 * half * o.vertices));
  EdgeTable edges;
  const auto join = [&](Index u, VertexId v) {
    ends.push_back(static_cast<VertexId>(u));
    ends.push_back(v);
    add(edges, u, v);
  };
  // The first half + 1 vertices are a clique, so that each has neighbours enough to be chosen.
  for (Index u = 1; u <= std::min(half, o.vertices - 1); ++u) {
    for (Index v = 0; v < u; ++v) join(u, static_cast<VertexId>(v));
  }
  std::uint64_t draws = 0;
  for (Index u = half + 1; u < o.vertices; ++u) {
    const auto before = static_cast<Index>(ends.size());
    std::vector<VertexId> chosen;
    while (static_cast<Index>(chosen.size()) < half) {
      const VertexId v = ends[core::random_below(key, draws++, before)];
      if (std::find(chosen.begin(), chosen.end(), v) == chosen.end()) chosen.push_back(v);
    }
    for (const VertexId v : chosen) join(u, v);
  }
  return finish(o, "ba", std::move(edges), {});
}

}  // namespace laminar::datasets
