#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "laminar/partition/metrics.hpp"

namespace laminar::apps {

/// A block of text for people: cut, volumes in rows and in bytes of `width` float32 values, balances, and a line for
/// each part if there are at most `most_parts`.
std::string metrics_text(const partition::PartitionMetrics& metrics, core::Index width, core::Index most_parts);

/// The last line of laminar-partition, without a line break: "RESULT strategy=... parts=8 edge_cut=... ...". On a
/// directed graph h_in and h_out are added at its end.
std::string partition_result_line(std::string_view strategy, const partition::PartitionMetrics& metrics, double seconds,
                                  double peak_rss_mib);

/// All of it for programs; volumes in rows, memory in bytes.
nlohmann::ordered_json to_json(const partition::PartitionMetrics& metrics);

}  // namespace laminar::apps
