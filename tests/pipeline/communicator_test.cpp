#include <algorithm>
#include <array>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/pipeline/devices.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::pipeline;
using core::DType;
using core::Index;
using core::Tensor;
using testing::random_tensor;
using testing::run_communicators;
using testing::same_bits;

namespace {

constexpr Tag kState = {.kind = Tag::Kind::kState, .item = 1, .chunk = 2, .layer = 3};

/// The value that device `rank` brings to bucket `bucket`.
Tensor share(Index rank, Index numbers, DType dtype, std::uint64_t bucket = 0) {
  return random_tensor(1, numbers, dtype, 100 * bucket + static_cast<std::uint64_t>(rank));
}

/// Their sum in the order of the group.
Tensor total(std::span<const Index> group, Index numbers, DType dtype, std::uint64_t bucket = 0) {
  Tensor sum = share(group[0], numbers, dtype, bucket);
  for (std::size_t i = 1; i < group.size(); ++i) {
    const Tensor x = share(group[i], numbers, dtype, bucket);
    core::dispatch(dtype, [&]<class T>(T) {
      for (Index k = 0; k < numbers; ++k) sum.data<T>()[k] += x.data<T>()[k];
    });
  }
  return sum;
}

std::vector<Index> first(Index size) {
  std::vector<Index> group(static_cast<std::size_t>(size));
  std::iota(group.begin(), group.end(), Index{0});
  return group;
}

}  // namespace

TEST_CASE("tensors arrive as they were sent, and every byte is counted once, at the sender") {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (const auto& [rows, cols] : {std::pair<Index, Index>{0, 5}, {3, 0}, {1, 1}, {17, 33}}) {
      const Tensor sent = random_tensor(rows, cols, dtype, 3);
      run_communicators(2, [&](Communicator& c) {
        if (c.rank() == 0) {
          c.send(1, kState, sent, Cause::kStageForward);
          CHECK(c.ledger()[Cause::kStageForward] == sent.bytes());
          CHECK(c.ledger()[Cause::kFraming] == kFramingBytes);
          CHECK(c.ledger().training_bytes() == sent.bytes() + kFramingBytes);
          c.send(1, kState, sent, Cause::kEvaluation);
          CHECK(c.ledger()[Cause::kEvaluation] == sent.bytes() + kFramingBytes);
          CHECK(c.ledger().training_bytes() == sent.bytes() + kFramingBytes);
        } else {
          for (const Cause cause : {Cause::kStageForward, Cause::kEvaluation}) {
            Tensor got = Tensor::zeros(rows, cols, dtype);
            c.receive(0, kState, got, cause);
            CHECK(same_bits(got, sent));
          }
          CHECK(c.ledger().training_bytes() == 0);
        }
      });
    }
  }
}

TEST_CASE("a message of another shape is refused") {
  CHECK_THROWS_WITH_AS(run_communicators(2,
                                         [](Communicator& c) {
                                           Tensor t = Tensor::zeros(2, c.rank() == 0 ? 3 : 4, DType::kFloat32);
                                           if (c.rank() == 0) c.send(1, kState, t, Cause::kStageForward);
                                           if (c.rank() == 1) c.receive(0, kState, t, Cause::kStageForward);
                                         }),
                       "[communicator] device 1 got 24 bytes from device 0 (state 1 of chunk 2, layer 3), expected 32: "
                       "the two disagree on its shape",
                       Error);
}

TEST_CASE("an all-reduce adds in the order of the group, to the bit and to the byte") {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (const Index size : {1, 2, 3, 4}) {
      for (const Index numbers : {0, 1, 7, 1001}) {
        const Tensor expected = total(first(size), numbers, dtype);
        std::array<Ledger, 4> ledgers;
        run_communicators(size, [&](Communicator& c) {
          const Tensor mine = share(c.rank(), numbers, dtype);
          c.begin_all_reduce(first(size), 0, {mine}, Cause::kWeights);
          c.finish_all_reduces();
          CHECK(same_bits(mine, expected));
          ledgers[static_cast<std::size_t>(c.rank())] = c.ledger();
        });
        Ledger all;
        for (const Ledger& ledger : ledgers) all += ledger;
        CHECK(all[Cause::kWeights] == 2 * (size - 1) * numbers * core::size_of(dtype));
        // A message a non-empty segment and device that sends or gets it.
        CHECK(all[Cause::kFraming] == 2 * (size - 1) * std::min(size, numbers) * kFramingBytes);
      }
    }
  }
}

TEST_CASE("a bucket of several tensors is one buffer") {
  const std::vector<std::pair<Index, Index>> shapes = {{3, 5}, {0, 4}, {1, 1}, {7, 2}, {1, 40}};
  const Index numbers = 15 + 0 + 1 + 14 + 40;
  const Tensor expected = total(first(3), numbers, DType::kFloat32);
  run_communicators(3, [&](Communicator& c) {
    const Tensor flat = share(c.rank(), numbers, DType::kFloat32);
    std::vector<Tensor> tensors;
    Index offset = 0;
    for (const auto& [rows, cols] : shapes) {
      Tensor t(rows, cols, DType::kFloat32);
      std::copy_n(flat.data<float>() + offset, t.size(), t.data<float>());
      offset += t.size();
      tensors.push_back(t);
    }
    c.begin_all_reduce(first(3), 0, tensors, Cause::kWeights);
    c.finish_all_reduces();
    offset = 0;
    for (const Tensor& t : tensors) {
      CHECK(std::equal(t.data<float>(), t.data<float>() + t.size(), expected.data<float>() + offset));
      offset += t.size();
    }
  });
}

TEST_CASE("groups can be subsets, several all-reduces go on at once, and messages pass between") {
  const std::vector<Index> even = {0, 2};
  const std::vector<Index> odd = {1, 3};
  run_communicators(4, [&](Communicator& c) {
    const auto& group = c.rank() % 2 == 0 ? even : odd;
    for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
      std::vector<Tensor> mine;
      for (std::int32_t bucket = 0; bucket < 4; ++bucket) {
        mine.push_back(share(c.rank(), 100 + bucket, DType::kFloat32, 10 * epoch + static_cast<std::uint64_t>(bucket)));
        c.begin_all_reduce(bucket == 3 ? first(4) : group, bucket, {mine.back()}, Cause::kWeights);
        c.progress();
      }
      // A ring: each waits for a message while others may wait for its sums.
      Tensor token = Tensor::from(1, 1, std::array{static_cast<double>(c.rank())});
      if (c.rank() != 0) c.receive(c.rank() - 1, kState, token, Cause::kStageForward);
      if (c.rank() == 3) c.finish_all_reduces();
      c.send((c.rank() + 1) % 4, kState, token, Cause::kStageForward);
      if (c.rank() == 0) c.receive(3, kState, token, Cause::kStageForward);
      c.finish_all_reduces();
      for (std::int32_t bucket = 0; bucket < 4; ++bucket) {
        const auto& members = bucket == 3 ? first(4) : group;
        CHECK(
            same_bits(mine[static_cast<std::size_t>(bucket)],
                      total(members, 100 + bucket, DType::kFloat32, 10 * epoch + static_cast<std::uint64_t>(bucket))));
      }
    }
  });
}

TEST_CASE("all-reduces that can't be meant are refused") {
  run_communicators(1, [](Communicator& c) {
    const std::vector<Index> descending = {1, 0};
    const std::vector<Index> others = {1};
    const std::vector<Index> none;
    for (const auto& group : {descending, others, none}) {
      CHECK_THROWS_WITH_AS(c.begin_all_reduce(group, 0, {}, Cause::kWeights), doctest::Contains("ascending group"),
                           Error);
    }
    CHECK_THROWS_WITH_AS(
        c.begin_all_reduce(first(1), 0, {Tensor::zeros(1, 1, DType::kFloat32), Tensor::zeros(1, 1, DType::kFloat64)},
                           Cause::kWeights),
        doctest::Contains("found f32 and f64"), Error);
  });
  run_communicators(2, [](Communicator& c) {
    const Tensor t = Tensor::zeros(1, 8, DType::kFloat32);
    if (c.rank() == 0) {
      c.begin_all_reduce(first(2), 7, {t}, Cause::kWeights);
      CHECK_THROWS_WITH_AS(c.begin_all_reduce(first(2), 7, {t}, Cause::kWeights), doctest::Contains("bucket 7"), Error);
      c.sum({});
      c.finish_all_reduces();
    } else {
      c.sum({});
      c.begin_all_reduce(first(2), 7, {t}, Cause::kWeights);
      c.finish_all_reduces();
    }
  });
}

TEST_CASE("sums, texts and comparisons reach every device") {
  run_communicators(3, [](Communicator& c) {
    const auto r = static_cast<double>(c.rank());
    CHECK(c.sum(std::array{0.1 + r, 5.0}) == std::vector<double>{((0.1) + (0.1 + 1)) + (0.1 + 2), 15.0});
    CHECK(c.sum({}).empty());
    CHECK(c.gather_text("text " + std::to_string(c.rank())) == std::vector<std::string>{"text 0", "text 1", "text 2"});
    CHECK(c.broadcast_text(c.rank() == 0 ? "from 0" : "ignored") == "from 0");
    CHECK(c.ledger().training_bytes() == 0);
    // Of two numbers and of none: up or down; two texts of 6; rank 0's text.
    const std::uint64_t sums = c.rank() == 0 ? 2 * (16 + 2 * kFramingBytes) : 16 + 2 * kFramingBytes;
    const std::uint64_t texts = 2 * (6 + kFramingBytes) + (c.rank() == 0 ? 2 * (6 + kFramingBytes) : 0);
    CHECK(c.ledger()[Cause::kOther] == sums + texts);
    verify_same(c, "--layers", "32");
    CHECK_THROWS_WITH_AS(verify_same(c, "--layers", c.rank() == 2 ? "16" : "32"),
                         "--layers is not the same on all devices: device 0 has '32', device 2 has '16'", Error);
  });
  CHECK_THROWS_WITH_AS(run_communicators(2, [](Communicator& c) { c.sum(std::vector<double>(1 + c.rank())); }),
                       doctest::Contains("[sum] device 0 brings 1 numbers and device 1 brings 2"), Error);
}

TEST_CASE("one device alone waits for nobody") {
  run_communicators(1, [](Communicator& c) {
    CHECK(c.sum(std::array{2.0}) == std::vector<double>{2.0});
    CHECK(c.gather_text("a") == std::vector<std::string>{"a"});
    CHECK(c.broadcast_text("b") == "b");
    c.finish_all_reduces();
    CHECK(c.wait_ms() == 0);
  });
}

TEST_CASE("ledgers add up, and tell what was sent since") {
  Ledger a;
  a.add(Cause::kWeights, 10);
  a.add(Cause::kEvaluation, 5);
  const Ledger earlier = a;
  a.add(Cause::kWeights, 7);
  a.add(Cause::kOther, 1);
  CHECK(a.training_bytes() == 17);
  const Ledger since = a - earlier;
  CHECK(since[Cause::kWeights] == 7);
  CHECK(since.messages[static_cast<std::size_t>(Cause::kWeights)] == 1);
  CHECK(since[Cause::kEvaluation] == 0);
  Ledger sum = earlier;
  sum += since;
  CHECK(sum.bytes == a.bytes);
  CHECK(sum.messages == a.messages);
  CHECK(name_of(Cause::kStageForward) == "stage_forward");
  CHECK(name_of(Cause::kOther) == "other");
}
