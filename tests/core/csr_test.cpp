#include "laminar/core/csr.hpp"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"

using namespace laminar;
using namespace laminar::core;

namespace {

std::string error_of(Index rows, Index cols, const std::vector<EdgeId>& offsets, const std::vector<std::int32_t>& c) {
  try {
    check_csr("thing", rows, cols, offsets, c);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a transpose lists columns with rows ascending") {
  // Row 0: columns 2, 0; row 1: none; row 2: 2, 2, 1. Column 3 stays empty.
  const std::vector<EdgeId> offsets = {0, 2, 2, 5};
  const std::vector<std::int32_t> columns = {2, 0, 2, 2, 1};
  const CsrTranspose t = transpose_csr(4, offsets, columns);
  CHECK(t.offsets == std::vector<EdgeId>{0, 1, 2, 5, 5});
  CHECK(t.rows == std::vector<std::int32_t>{0, 2, 0, 2, 2});
  CHECK(t.positions == std::vector<EdgeId>{1, 4, 0, 2, 3});
}

TEST_CASE("blocks of rows transposed side by side give what one gives, hubs and empty rows among them") {
  for (const Index cols : {Index{1}, Index{7}, Index{9000}, Index{400'000}}) {
    CAPTURE(cols);
    std::vector<EdgeId> offsets = {0};
    std::vector<std::int32_t> columns;
    std::uint32_t state = 7;
    for (Index r = 0; r < 20'000; ++r) {
      const Index degree = r == 0 || r == 12'345 ? 60'000 : r % 3 == 0 ? 0 : r % 17;
      for (Index i = 0; i < degree; ++i) {
        state = state * 1664525U + 1013904223U;
        // Small columns often.
        const auto u = static_cast<double>(state) * 0x1p-32;
        columns.push_back(static_cast<std::int32_t>(u * u * static_cast<double>(cols)));
      }
      offsets.push_back(static_cast<EdgeId>(columns.size()));
    }
    std::vector<std::vector<std::pair<std::int32_t, EdgeId>>> expected(static_cast<std::size_t>(cols));
    for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
      for (EdgeId e = offsets[r]; e < offsets[r + 1]; ++e) {
        expected[static_cast<std::size_t>(columns[e])].emplace_back(static_cast<std::int32_t>(r), e);
      }
    }
    const CsrTranspose t = transpose_csr(cols, offsets, columns);
    REQUIRE(t.offsets.size() == static_cast<std::size_t>(cols) + 1);
    CHECK(t.offsets.front() == 0);
    bool same = true;
    for (Index c = 0; c < cols; ++c) {
      const auto& entries = expected[static_cast<std::size_t>(c)];
      REQUIRE(t.offsets[c + 1] - t.offsets[c] == static_cast<EdgeId>(entries.size()));
      for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto at = static_cast<std::size_t>(t.offsets[c]) + i;
        same = same && t.rows[at] == entries[i].first && t.positions[at] == entries[i].second;
      }
    }
    CHECK(same);
  }
}

TEST_CASE("a transpose of nothing is empty") {
  CHECK(transpose_csr(0, std::vector<EdgeId>{0}, {}).offsets == std::vector<EdgeId>{0});
  CHECK(transpose_csr(3, std::vector<EdgeId>{0, 0}, {}).offsets == std::vector<EdgeId>{0, 0, 0, 0});
}

TEST_CASE("check_csr says what is wrong") {
  CHECK(error_of(2, 3, {0, 1, 3}, {2, 0, 1}).empty());
  CHECK(error_of(0, 0, {0}, {}).empty());
  CHECK(error_of(2, 3, {0, 1}, {2}).find("2 offsets for 2 rows") != std::string::npos);
  CHECK(error_of(0, 3, {}, {}).find("[thing]") != std::string::npos);
  CHECK(error_of(-1, 3, {}, {}).find("[-1, 3]") != std::string::npos);
  CHECK(error_of(0, -1, {0}, {}).find("[0, -1]") != std::string::npos);
  CHECK(error_of(1, 3, {1, 1}, {2}).find("start at 1") != std::string::npos);
  CHECK(error_of(3, 3, {0, 2, 1, 3}, {0, 1, 2}).find("from 2 to 1 at row 1") != std::string::npos);
  CHECK(error_of(2, 3, {0, 1, 2}, {0, 1, 2}).find("end at 2") != std::string::npos);
  CHECK(error_of(2, 3, {0, 1, 4}, {0, 1, 2}).find("end at 4") != std::string::npos);
  CHECK(error_of(2, 3, {0, 1, 2}, {0, 3}).find("entry 1 is 3") != std::string::npos);
  CHECK(error_of(2, 3, {0, 1, 2}, {-1, 0}).find("entry 0 is -1") != std::string::npos);
}
