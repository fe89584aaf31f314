#include "laminar/pipeline/stage_cut.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {
namespace {

// What an element costs beside a multiply-add of a dense product, which is as fast as a core gets: one of a gathered
// row waits for the cache, one of a row passes through activation, dropout and sums. As measured with 64 columns on a
// graph whose rows fit the second-level cache; what varies by machine is far less than the factor.
constexpr double kGathered = 6;
constexpr double kRowWise = 300;

double aggregated_width(const layers::Model& model, Index layer) {
  return static_cast<double>(std::min(model.options().hidden, model.width_after(layer)));
}

}  // namespace

std::vector<double> layer_costs(const layers::Model& model, const core::DatasetSchema& schema) {
  const Index layers = model.num_layers();
  std::vector<double> costs(static_cast<std::size_t>(layers), 0);
  const auto rows = static_cast<double>(schema.num_vertices);
  const auto edges = static_cast<double>(schema.num_edges);
  for (std::size_t i = 0; i < model.parameters().size(); ++i) {
    const core::Tensor& weight = model.parameters()[i]->value;
    const Index declared = model.layer_of(static_cast<Index>(i));
    const bool encodes = model.is_of_encoder(static_cast<Index>(i));
    const Index layer = declared >= 0 ? declared : encodes ? 0 : layers - 1;
    // A matrix whose rows are the input features meets only the stored entries.
    const bool on_features = weight.rows() == schema.num_features && layer == 0 && schema.sparse_features;
    costs[layer] += on_features
                        ? kGathered * static_cast<double>(schema.feature_entries) * static_cast<double>(weight.cols())
                        : rows * static_cast<double>(weight.size());
  }
  for (Index l = 0; l < layers; ++l) {
    costs[l] += (kGathered * (edges + rows) + kRowWise * rows) * aggregated_width(model, l);
  }
  return costs;
}

double row_cost(const layers::ModelOptions& options, const core::DatasetSchema& schema) {
  const layers::Model model(options, schema);
  const std::vector<double> costs = layer_costs(model, schema);
  double width = 0;
  for (Index l = 0; l < model.num_layers(); ++l) width += aggregated_width(model, l);
  const double an_edge = kGathered * width;
  const double of_edges = an_edge * static_cast<double>(schema.num_edges);
  const double of_rows = std::accumulate(costs.begin(), costs.end(), 0.0) - of_edges;
  return of_rows / (an_edge * static_cast<double>(std::max<Index>(schema.num_vertices, 1)));
}

std::vector<Index> cut_stages(std::span<const double> costs, Index stages, const StageCut& cut) {
  const auto layers = static_cast<Index>(costs.size());
  if (stages > layers) {
    throw UsageError(
        fmt::format("--stages is {}, but the model has {} layers; a stage has at least one", stages, layers));
  }
  std::vector<Index> places{0};
  if (!cut.at.empty()) {
    if (static_cast<Index>(cut.at.size()) != stages - 1) {
      throw UsageError(fmt::format("--stage-cut {}: {} places for {} stages, expected {}", fmt::join(cut.at, ","),
                                   cut.at.size(), stages, stages - 1));
    }
    for (const Index place : cut.at) {
      if (place <= places.back() || place >= layers) {
        throw UsageError(
            fmt::format("--stage-cut {}: expected ascending layers from 1 to {}", fmt::join(cut.at, ","), layers - 1));
      }
      places.push_back(place);
    }
    places.push_back(layers);
    return places;
  }
  if (cut.even) {
    for (Index s = 1; s <= stages; ++s) places.push_back(layers * s / stages);
    return places;
  }
  // best[s][l]: the lowest possible largest cost of cutting layers l.. into s stages.
  const auto n = static_cast<std::size_t>(layers);
  std::vector<double> sum(n + 1, 0);
  for (std::size_t l = 0; l < n; ++l) sum[l + 1] = sum[l] + costs[l];
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> best(static_cast<std::size_t>(stages) + 1, std::vector<double>(n + 1, kInfinity));
  best[0][n] = 0;
  for (std::size_t s = 1; s < best.size(); ++s) {
    for (std::size_t l = 0; l < n; ++l) {
      for (std::size_t end = l + 1; end <= n; ++end) {
        best[s][l] = std::min(best[s][l], std::max(sum[end] - sum[l], best[s - 1][end]));
      }
    }
  }
  for (Index s = stages - 1; s >= 0; --s) {
    const auto from = static_cast<std::size_t>(places.back());
    // What is best for the layers that are left: one costly layer before them must not excuse an uneven rest.
    const double bound = best[static_cast<std::size_t>(s) + 1][from] * (1 + 1e-12);
    std::size_t end = n;
    while (end > from + 1 && !(sum[end] - sum[from] <= bound && best[static_cast<std::size_t>(s)][end] <= bound)) --end;
    places.push_back(static_cast<Index>(end));
  }
  return places;
}

}  // namespace laminar::pipeline
