#include "laminar/pipeline/tensor_bytes.hpp"

#include <cstring>
#include <limits>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::DType;
using core::NamedTensor;
using pipeline::Bytes;

namespace {

std::vector<NamedTensor> samples() {
  return {{"layers.0.weight", random_tensor(3, 4, DType::kFloat32, 1)},
          {"", random_tensor(1, 1, DType::kFloat64, 2)},
          {"no rows", core::Tensor(0, 5, DType::kFloat64)},
          {"no columns", core::Tensor(2, 0, DType::kFloat32)},
          {std::string("with a \0 and \n", 14), random_tensor(2, 3, DType::kFloat64, 3)}};
}

/// The n-th of the four numbers before the first tensor's name: length of the name, rows, columns, dtype.
Bytes with_number(std::size_t n, std::int64_t value) {
  Bytes bytes = pipeline::pack(samples());
  std::memcpy(bytes.data() + n * sizeof value, &value, sizeof value);
  return bytes;
}

}  // namespace

TEST_CASE("tensors come back bit for bit, with their names, in order") {
  const std::vector<NamedTensor> sent = samples();
  const std::vector<NamedTensor> got = pipeline::unpack(pipeline::pack(sent));
  REQUIRE(got.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    CHECK(got[i].name == sent[i].name);
    CHECK(same_bits(got[i].value, sent[i].value));
  }
  CHECK(pipeline::unpack(pipeline::pack({})).empty());
}

TEST_CASE("a message that is cut short is refused, wherever it is cut") {
  const std::vector<NamedTensor> sent = samples();
  std::vector<std::size_t> ends{0};
  for (const NamedTensor& t : sent) ends.push_back(ends.back() + pipeline::pack({t}).size());
  const Bytes whole = pipeline::pack(sent);
  REQUIRE(ends.back() == whole.size());
  std::size_t next_end = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    if (size == ends[next_end]) {
      CHECK(pipeline::unpack(cut).size() == next_end);
      ++next_end;
    } else {
      CHECK_THROWS_WITH_AS(pipeline::unpack(cut), doctest::Contains("[unpack]"), Error);
    }
  }
}

TEST_CASE("sizes that can't be are refused before memory is asked for") {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  for (const std::size_t n : {0U, 1U, 2U, 3U}) {
    CAPTURE(n);
    for (const std::int64_t value : {std::int64_t{-1}, kHuge, kHuge / 2 + 1, std::int64_t{1} << 40}) {
      CAPTURE(value);
      CHECK_THROWS_WITH_AS(pipeline::unpack(with_number(n, value)), doctest::Contains("[unpack]"), Error);
    }
  }
  CHECK_THROWS_AS(pipeline::unpack(with_number(3, 2)), Error);
}
