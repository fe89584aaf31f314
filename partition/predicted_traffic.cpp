#include "laminar/partition/predicted_traffic.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace laminar::partition {

PredictedTraffic predict_traffic(const PartitionMetrics& metrics, const TrafficModel& model) {
  const auto sum = [](std::span<const Index> widths) {
    return static_cast<double>(std::accumulate(widths.begin(), widths.end(), Index{0}));
  };
  const double halos = static_cast<double>(metrics.h_in + metrics.h_out) * sum(model.aggregation_widths);
  const double reduce = 2.0 * static_cast<double>(metrics.num_parts - 1) * static_cast<double>(model.parameters);
  PredictedTraffic result;
  result.graph_parallel_floats = halos + reduce;
  result.pipeline_floats = 2.0 * static_cast<double>(metrics.num_vertices) * sum(model.boundary_widths);
  result.hybrid_floats = result.graph_parallel_floats + result.pipeline_floats;
  return result;
}

PredictedTraffic predict_traffic(const PartitionMetrics& metrics, Index aggregations, Index stages, Index width,
                                 Index parameters) {
  const std::vector<Index> inside(static_cast<std::size_t>(std::max<Index>(aggregations, 0)), width);
  const std::vector<Index> between(static_cast<std::size_t>(std::max<Index>(stages - 1, 0)), width);
  return predict_traffic(metrics, {inside, between, parameters});
}

}  // namespace laminar::partition
