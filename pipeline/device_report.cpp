#include "laminar/pipeline/device_report.hpp"

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {
namespace {

// Counts of bytes are whole numbers far below 2^53, so that doubles hold everything.
constexpr std::size_t kMemoryNumbers = core::kNumMemoryPurposes + 1;
constexpr std::size_t kSpanNumbers = 8;

}  // namespace

std::string pack(const DeviceReport& report) {
  std::vector<double> numbers;
  numbers.reserve(kMemoryNumbers + 1 + kSpanNumbers * (report.spans.size() + report.recomputed.size()));
  for (const std::size_t bytes : report.memory.peak_bytes) numbers.push_back(static_cast<double>(bytes));
  numbers.push_back(static_cast<double>(report.memory.peak_bytes_total));
  numbers.push_back(static_cast<double>(report.spans.size()));
  for (const auto* spans : {&report.spans, &report.recomputed}) {
    for (const StepSpan& s : *spans) {
      numbers.insert(numbers.end(), {static_cast<double>(s.step.kind), static_cast<double>(s.step.chunk),
                                     static_cast<double>(s.step.layer_begin), static_cast<double>(s.step.layer_end),
                                     s.begin_ms, s.end_ms, s.wait_ms, s.send_ms});
    }
  }
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(double)};
}

DeviceReport unpack_report(const std::string& text) {
  std::vector<double> numbers(text.size() / sizeof(double));
  if (text.size() % sizeof(double) != 0 || numbers.size() < kMemoryNumbers + 1 ||
      (numbers.size() - kMemoryNumbers - 1) % kSpanNumbers != 0) {
    throw Error(fmt::format("[device_report] {} bytes are no report of a device", text.size()));
  }
  std::memcpy(numbers.data(), text.data(), text.size());
  DeviceReport report;
  std::size_t at = 0;
  for (std::size_t& bytes : report.memory.peak_bytes) bytes = static_cast<std::size_t>(numbers[at++]);
  report.memory.peak_bytes_total = static_cast<std::size_t>(numbers[at++]);
  const double num_spans = numbers[at++];
  while (at < numbers.size()) {
    StepSpan s;
    const double kind = numbers[at];
    if (!(kind >= 0 && kind <= static_cast<double>(Step::Kind::kBackwardRest))) {
      throw Error(fmt::format("[device_report] there is no step of kind {}", kind));
    }
    s.step.kind = static_cast<Step::Kind>(static_cast<int>(kind));
    s.step.chunk = static_cast<Index>(numbers[at + 1]);
    s.step.layer_begin = static_cast<Index>(numbers[at + 2]);
    s.step.layer_end = static_cast<Index>(numbers[at + 3]);
    s.begin_ms = numbers[at + 4];
    s.end_ms = numbers[at + 5];
    s.wait_ms = numbers[at + 6];
    s.send_ms = numbers[at + 7];
    (static_cast<double>(report.spans.size()) < num_spans ? report.spans : report.recomputed).push_back(s);
    at += kSpanNumbers;
  }
  return report;
}

}  // namespace laminar::pipeline
