#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "laminar/core/metrics.hpp"
#include "laminar/pipeline/statistics.hpp"

/// Text and numbers for people, safe to stand in an HTML page. Every function is thread-safe and throws nothing.
namespace laminar::apps {

/// `text` so that HTML shows it as it is, in an attribute too: & < > " ' become entities. Control characters other than
/// tabs and line ends, and bytes that are no UTF-8, become U+FFFD.
std::string escape(std::string_view text);

/// A script element that holds JSON for the page's script; nothing in `json` can end it early.
std::string json_script(std::string_view json);

/// "1,234,567".
std::string format_count(std::int64_t n);
/// "512 B", "1.50 KiB", "12.3 MiB": three significant digits.
std::string format_bytes(std::uint64_t bytes);
/// "350 µs", "1.24 ms", "12.3 s", "3 min 20 s", "2 h 05 min". A dash unless finite.
std::string format_ms(double ms);
/// Up to `digits` significant digits, without an exponent where that reads better. A dash unless finite.
std::string format_number(double x, int digits = 4);
/// A share as "81.52 %". A dash unless finite.
std::string format_percent(double share, int decimals = 2);

/// "accuracy", "macro F1", "ROC AUC", "MSE", "Hits@10", ...
std::string_view readable_name(core::Metric metric);
/// "81.52 %", or "0.0123" for what is no share. A dash unless finite.
std::string format_metric(core::Metric metric, double value);
/// "81.52 ± 0.43 %", or "0.0123 ± 0.0011".
std::string format_metric(core::Metric metric, const pipeline::Spread& spread);

/// The first letter in upper case.
std::string capitalised(std::string_view text);

}  // namespace laminar::apps
