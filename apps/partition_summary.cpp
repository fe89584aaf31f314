#include "laminar/apps/partition_summary.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/progress.hpp"
#include "laminar/partition/predicted_traffic.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using partition::PartitionMetrics;
using partition::PartMetrics;

std::string line(std::string_view what, std::string_view value) { return fmt::format("  {:<20} {}\n", what, value); }

Index received(const PartitionMetrics& m, const PartMetrics& p) {
  return m.directed ? p.receive_in + p.receive_out : p.receive_in;
}

Index sent(const PartitionMetrics& m, const PartMetrics& p) { return m.directed ? p.send_in + p.send_out : p.send_in; }

/// "6 012 rows, 1.37 x the mean, part 3".
template <class Volume>
std::string busiest(const PartitionMetrics& m, Volume&& volume) {
  const auto top = std::max_element(m.parts.begin(), m.parts.end(),
                                    [&](const auto& a, const auto& b) { return volume(m, a) < volume(m, b); });
  const double mean = static_cast<double>(m.total_volume) / static_cast<double>(m.num_parts);
  const Index most = volume(m, *top);
  return fmt::format("{} rows{}, part {}", count_text(most),
                     mean > 0 ? fmt::format(", {:.2f} x the mean", static_cast<double>(most) / mean) : "",
                     top - m.parts.begin());
}

std::string parts_table(const PartitionMetrics& m) {
  std::string text = fmt::format("  {:>4} {:>11} {:>12} {:>11} {:>11} {:>11} {:>10} {:>10}\n", "part", "vertices",
                                 "in-edges", "receives", "sends", "halo", "neighbours", "components");
  for (std::size_t p = 0; p < m.parts.size(); ++p) {
    const PartMetrics& x = m.parts[p];
    text += fmt::format("  {:>4} {:>11} {:>12} {:>11} {:>11} {:>11} {:>10} {:>10}\n", p, count_text(x.vertices),
                        count_text(x.in_edges), count_text(received(m, x)), count_text(sent(m, x)), count_text(x.halo),
                        x.neighbour_parts, m.max_components > 0 ? fmt::format("{}", x.components) : "-");
  }
  return text;
}

/// What a training sends with one device a part, beside a pipeline of as many stages.
std::string traffic_text(const PartitionMetrics& m, Index width) {
  const auto one = partition::predict_traffic(m, 1, m.num_parts, width);
  const double layer_bytes = one.graph_parallel_floats * sizeof(float);
  const double pipeline_bytes = one.pipeline_floats * sizeof(float);
  std::string text = fmt::format("graph parallel {} a layer, pipeline of {} stages {}", bytes_text(layer_bytes),
                                 m.num_parts, bytes_text(pipeline_bytes));
  if (layer_bytes > 0 && pipeline_bytes > 0) {
    text += fmt::format(", equal at {:.1f} layers", pipeline_bytes / layer_bytes);
  }
  return text;
}

}  // namespace

std::string metrics_text(const PartitionMetrics& m, Index width, Index most_parts) {
  const auto n = static_cast<double>(std::max<Index>(m.num_vertices, 1));
  Index halo = 0;
  for (const PartMetrics& p : m.parts) halo = std::max(halo, p.halo);
  std::string text = line("edges cut", count_text(m.edge_cut));
  std::string total =
      fmt::format("{} rows, {:.3f} a vertex", count_text(m.total_volume), static_cast<double>(m.total_volume) / n);
  if (m.directed) total += fmt::format(" (h_in {}, h_out {})", count_text(m.h_in), count_text(m.h_out));
  text += line("total volume", total);
  if (m.num_parts > 1) {
    text += line("largest received", busiest(m, received));
    text += line("largest sent", busiest(m, sent));
    text += line("in bytes", fmt::format("{} in all, {} received by the busiest part (rows of {} float32 values)",
                                         bytes_text(partition::volume_bytes(m.total_volume, width)),
                                         bytes_text(partition::volume_bytes(m.max_receive_volume, width)), width));
    text += line("sent an epoch", traffic_text(m, width));
  }
  text += line("replication factor", fmt::format("{:.3f}, largest halo {}", m.replication_factor, count_text(halo)));
  const std::string components =
      m.max_components > 0 ? fmt::format(", {} connected components", m.max_components) : std::string();
  text += line("at most, of a part", fmt::format("{} neighbour parts{}", m.max_neighbour_parts, components));
  text += line("largest / mean", fmt::format("vertices {:.3f}, edges {:.3f}, training vertices {:.3f}, memory {:.3f}",
                                             m.vertex_balance, m.edge_balance, m.train_balance, m.memory_balance));
  if (m.num_parts > 1 && m.num_parts <= most_parts) text += parts_table(m);
  return text;
}

std::string partition_result_line(std::string_view strategy, const PartitionMetrics& m, double seconds,
                                  double peak_rss_mib) {
  std::string text = fmt::format(
      "RESULT strategy={} parts={} edge_cut={} total_volume={} max_receive_volume={} max_send_volume={} "
      "vertex_balance={:.6f} edge_balance={:.6f} seconds={:.3f} peak_rss_mib={:.1f}",
      strategy, m.num_parts, m.edge_cut, m.total_volume, m.max_receive_volume, m.max_send_volume, m.vertex_balance,
      m.edge_balance, seconds, peak_rss_mib);
  if (m.directed) text += fmt::format(" h_in={} h_out={}", m.h_in, m.h_out);
  return text;
}

nlohmann::ordered_json to_json(const PartitionMetrics& m) {
  nlohmann::ordered_json j = {{"parts", m.num_parts},
                              {"edge_cut", m.edge_cut},
                              {"total_volume", m.total_volume},
                              {"max_receive_volume", m.max_receive_volume},
                              {"max_send_volume", m.max_send_volume},
                              {"h_in", m.h_in},
                              {"h_out", m.h_out},
                              {"replication_factor", m.replication_factor},
                              {"max_neighbour_parts", m.max_neighbour_parts},
                              {"max_components", m.max_components},
                              {"vertex_balance", m.vertex_balance},
                              {"edge_balance", m.edge_balance},
                              {"train_balance", m.train_balance},
                              {"memory_balance", m.memory_balance},
                              {"by_part", nlohmann::ordered_json::array()}};
  for (const PartMetrics& p : m.parts) {
    j["by_part"].push_back({{"vertices", p.vertices},
                            {"in_edges", p.in_edges},
                            {"train", p.train},
                            {"receive_in", p.receive_in},
                            {"receive_out", p.receive_out},
                            {"send_in", p.send_in},
                            {"send_out", p.send_out},
                            {"halo", p.halo},
                            {"neighbour_parts", p.neighbour_parts},
                            {"components", p.components},
                            {"memory_bytes", p.memory_bytes}});
  }
  return j;
}

}  // namespace laminar::apps
