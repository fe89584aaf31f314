#include "laminar/datasets/generated_data.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/random.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

core::Tensor features_of(const GeneratorOptions& o, Index n, const std::vector<std::int32_t>& classes) {
  const Index cols = o.feature_dim;
  const core::RandomKey centre_key = core::random_key(o.seed, "centres");
  std::vector<double> centres(static_cast<std::size_t>(o.classes * cols));
  for (Index c = 0; c < o.classes; ++c) {
    double square = 0;
    for (Index k = 0; k < cols; ++k) {
      const double value = core::random_normal(centre_key, static_cast<std::uint64_t>(c * cols + k));
      centres[c * cols + k] = value;
      square += value * value;
    }
    for (Index k = 0; k < cols; ++k) centres[c * cols + k] /= std::sqrt(square);
  }
  const core::RandomKey noise_key = core::random_key(o.seed, "noise");
  core::Tensor features(n, cols, core::DType::kFloat32);
  core::parallel_for(n, core::row_grain(cols), [&](Index begin, Index end) {
    for (Index v = begin; v < end; ++v) {
      const double* const centre = centres.data() + classes[v] * cols;
      float* const row = features.data<float>() + v * cols;
      for (Index k = 0; k < cols; ++k) {
        const double z = core::random_normal(noise_key, static_cast<std::uint64_t>(v * cols + k));
        row[k] = static_cast<float>(centre[k] + o.noise * z);
      }
    }
  });
  return features;
}

}  // namespace

void check(const GeneratorOptions& o, std::string_view name) {
  const auto refuse = [&](std::string_view option, auto value, std::string_view expected) {
    throw UsageError(fmt::format("--from {}: --{} {}: expected {}", name, option, value, expected));
  };
  const auto n = static_cast<double>(o.vertices);
  if (o.vertices < 4 || o.vertices > std::numeric_limits<VertexId>::max())
    refuse("vertices", o.vertices, "4 to 2^31 - 1");
  if (!(o.degree > 0 && o.degree <= n - 1)) refuse("degree", o.degree, "a number above 0, below --vertices");
  if (o.classes < 1 || o.classes > o.vertices) refuse("classes", o.classes, "1 to --vertices");
  if (!(o.homophily >= 0 && o.homophily <= 1)) refuse("homophily", o.homophily, "0 to 1");
  if (!(o.power == 0 || (o.power > 2 && o.power < 100))) refuse("power", o.power, "0 or an exponent above 2");
  if (o.feature_dim < 0 || o.feature_dim > (1 << 20)) refuse("features-dim", o.feature_dim, "0 to 2^20");
  if (!(o.noise >= 0 && o.noise < 1e6)) refuse("noise", o.noise, "0 or more");
}

std::vector<std::int32_t> classes_by_distance(const core::Graph& graph, Index classes, std::uint64_t seed) {
  const Index n = graph.num_vertices();
  std::vector<std::int32_t> of(static_cast<std::size_t>(n), -1);
  std::vector<VertexId> queue;
  const core::RandomKey key = core::random_key(seed, "class seeds");
  for (std::uint64_t i = 0; static_cast<Index>(queue.size()) < classes; ++i) {
    const auto v = static_cast<VertexId>(core::random_below(key, i, n));
    if (of[v] >= 0) continue;
    of[v] = static_cast<std::int32_t>(queue.size());
    queue.push_back(v);
  }
  // Level by level, so that a vertex hears of all its neighbours of the level before: the smallest class wins.
  for (std::size_t begin = 0; begin < queue.size();) {
    const std::size_t end = queue.size();
    for (std::size_t i = begin; i < end; ++i) {
      const VertexId u = queue[i];
      for (EdgeId e = graph.in_offsets()[u]; e < graph.in_offsets()[u + 1]; ++e) {
        const VertexId v = graph.in_sources()[e];
        if (of[v] >= 0) continue;
        of[v] = std::numeric_limits<std::int32_t>::max();
        queue.push_back(v);
      }
    }
    std::vector<std::int32_t> chosen;
    for (std::size_t i = end; i < queue.size(); ++i) {
      std::int32_t smallest = std::numeric_limits<std::int32_t>::max();
      for (EdgeId e = graph.in_offsets()[queue[i]]; e < graph.in_offsets()[queue[i] + 1]; ++e) {
        const std::int32_t c = of[graph.in_sources()[e]];
        if (c >= 0) smallest = std::min(smallest, c);
      }
      chosen.push_back(smallest);
    }
    for (std::size_t i = end; i < queue.size(); ++i) of[queue[i]] = chosen[i - end];
    begin = end;
  }
  const core::RandomKey rest = core::random_key(seed, "classes");
  for (Index v = 0; v < n; ++v) {
    if (of[v] < 0) of[v] = static_cast<std::int32_t>(core::random_below(rest, static_cast<std::uint64_t>(v), classes));
  }
  return of;
}

ImportResult finish(const GeneratorOptions& o, std::string_view name, EdgeTable edges,
                    std::vector<std::int32_t> classes) {
  ImportResult result;
  GraphData& data = result.data;
  data.name = name;
  data.graph = build_graph(o.vertices, std::move(edges), /*directed=*/false).graph;
  if (classes.empty()) classes = classes_by_distance(*data.graph, o.classes, o.seed);
  if (o.feature_dim > 0) data.features = features_of(o, o.vertices, classes);
  data.labels.task = core::Task::kClassification;
  data.labels.num_outputs = o.classes;
  data.labels.classes = std::move(classes);
  data.provenance = fmt::format(
      "generated: {} with vertices {}, degree {}, classes {}, homophily {}, power {}, feature "
      "columns {}, noise {}, seed {}",
      name, o.vertices, o.degree, o.classes, o.homophily, o.power, o.feature_dim, o.noise, o.seed);
  check(data, name);
  return result;
}

}  // namespace laminar::datasets
