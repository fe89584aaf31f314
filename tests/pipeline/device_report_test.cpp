#include "laminar/pipeline/device_report.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {

TEST_CASE("a device's report travels as a text") {
  DeviceReport report;
  report.memory.peak_bytes = {1, 2, 3, 4, 5, 6, std::size_t{7} << 40};
  report.memory.peak_bytes_total = std::size_t{8} << 40;
  report.spans = {{{Step::Kind::kForward, 3, 0, 4}, 0.125, 1.5, 0.25, 0.0625},
                  {{Step::Kind::kBackwardRest, 0, 7, 8}, 1.5, 2.75, 0, 1e-9}};
  report.recomputed = {{{Step::Kind::kForward, 1, 2, 3}, 1.75, 2, 0, 0}};
  const std::string text = pack(report);
  const DeviceReport back = unpack_report(text);
  CHECK(back.memory.peak_bytes == report.memory.peak_bytes);
  CHECK(back.memory.peak_bytes_total == report.memory.peak_bytes_total);
  REQUIRE(back.spans.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(back.spans[i].step == report.spans[i].step);
    CHECK(back.spans[i].begin_ms == report.spans[i].begin_ms);
    CHECK(back.spans[i].end_ms == report.spans[i].end_ms);
    CHECK(back.spans[i].wait_ms == report.spans[i].wait_ms);
    CHECK(back.spans[i].send_ms == report.spans[i].send_ms);
  }
  REQUIRE(back.recomputed.size() == 1);
  CHECK(back.recomputed[0].step == report.recomputed[0].step);
  CHECK(back.recomputed[0].begin_ms == 1.75);
  CHECK(unpack_report(pack({})).spans.empty());
}

TEST_CASE("what is no report is refused") {
  const std::string text = pack({{{{Step::Kind::kRead, 1, 2, 3}, 0, 1, 0, 0}}, {}, {}});
  for (const std::size_t length : {std::size_t{0}, std::size_t{8}, text.size() - 8, text.size() - 1}) {
    CAPTURE(length);
    CHECK_THROWS_AS(unpack_report(text.substr(0, length)), Error);
  }
  DeviceReport odd;
  odd.spans = {{{static_cast<Step::Kind>(17), 0, 0, 1}, 0, 1, 0, 0}};
  CHECK_THROWS_AS(unpack_report(pack(odd)), Error);
}

}  // namespace laminar::pipeline
