#include "laminar/pipeline/codec.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/transport.hpp"
#include "laminar/tests/pipeline/devices.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::pipeline;
using core::DType;
using core::Index;
using core::RandomKey;
using core::Tensor;
using testing::random_tensor;
using testing::same_bits;
using testing::values_of;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr RandomKey kKey = {1, 2};

Packing packing_of(Codec codec, const Tensor& t) { return {codec, t.dtype(), t.size(), t.cols()}; }

Bytes packed(Codec codec, const Tensor& t, RandomKey key = kKey) {
  Bytes message(packing_of(codec, t).bytes());
  pack(packing_of(codec, t), key, t.raw(), message.data());
  return message;
}

/// What a receiver sees of t.
Tensor received(Codec codec, const Tensor& t, RandomKey key = kKey) {
  const Bytes message = packed(codec, t, key);
  Tensor got = t.clone();
  got.fill(-77);
  unpack(packing_of(codec, t), message.data(), got.raw());
  return got;
}

double largest_of_row(const Tensor& t, Index r) {
  double largest = 0;
  for (Index c = 0; c < t.cols(); ++c) largest = std::max(largest, std::abs(t.at(r, c)));
  return largest;
}

}  // namespace

TEST_CASE("codecs have names") {
  for (const Codec codec : {Codec::kNative, Codec::kBfloat16, Codec::kInt8}) {
    CHECK(codec_from_name(name_of(codec)) == codec);
  }
  CHECK_THROWS_WITH_AS(codec_from_name("fp4"), "codec 'fp4' is not known; use one of native, bf16, int8", UsageError);
}

TEST_CASE("messages have the documented sizes") {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const Packing native{Codec::kNative, dtype, 33, 10};
    CHECK(native.bytes() == 33 * core::size_of(dtype));
    CHECK(Packing{Codec::kBfloat16, dtype, 33, 10}.bytes() == 66);
    const Packing small{Codec::kInt8, dtype, 33, 10};
    CHECK(small.scale_bytes() == 16);
    CHECK(small.payload_bytes() == 33);
    CHECK(Packing{Codec::kInt8, dtype, 0, 0}.bytes() == 0);
    CHECK(Packing{Codec::kInt8, dtype, 0, 5}.bytes() == 0);
  }
}

TEST_CASE("native numbers and empty tensors pass unchanged") {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const Tensor t = random_tensor(5, 9, dtype, 1);
    CHECK(same_bits(received(Codec::kNative, t), t));
    for (const Codec codec : {Codec::kNative, Codec::kBfloat16, Codec::kInt8}) {
      CHECK(packed(codec, Tensor(0, 4, dtype)).empty());
      CHECK(packed(codec, Tensor(4, 0, dtype)).empty());
      CHECK(received(codec, Tensor(4, 0, dtype)).rows() == 4);
    }
  }
}

TEST_CASE("bfloat16 rounds to nearest, ties to even") {
  // 1 + 2^-7 is the next number after 1; halfway goes to the even one of its neighbours.
  const double ulp = 1.0 / 128;
  const std::vector<double> in = {1,    1 + 0.5 * ulp, 1 + 1.5 * ulp, 1 + 0.51 * ulp, 1 + 0.49 * ulp, -1 - 1.5 * ulp,
                                  0.0,  -0.0,          3e38,          3.4e38,         kInfinity,      -kInfinity,
                                  1e-45};
  const std::vector<double> expected = {1, 1,         1 + 2 * ulp, 1 + ulp,    1, -1 - 2 * ulp, 0.0, -0.0,
                                        0, kInfinity, kInfinity,   -kInfinity, 0};
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const Tensor got = received(Codec::kBfloat16, Tensor::from(1, static_cast<Index>(in.size()), in, dtype));
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (i == 8) {
        CHECK(std::abs(got.at(0, 8) / 3e38 - 1) <= ulp / 2);
      } else {
        CHECK(got.at(0, static_cast<Index>(i)) == expected[i]);
      }
    }
    CHECK(std::signbit(got.at(0, 7)));
  }
  // All payloads of NaN stay NaN, also those that rounding would carry over.
  for (const std::uint32_t bits : {0x7f800001U, 0x7fffffffU, 0xffffffffU, 0x7fc00000U, 0xff80ffffU}) {
    Tensor t(1, 1, DType::kFloat32);
    *t.data<float>() = std::bit_cast<float>(bits);
    CHECK(std::isnan(received(Codec::kBfloat16, t).at(0, 0)));
  }
  const Tensor many = random_tensor(100, 37, DType::kFloat32, 4, 1e3);
  const Tensor got = received(Codec::kBfloat16, many);
  for (Index i = 0; i < many.rows(); ++i) {
    for (Index c = 0; c < many.cols(); ++c) {
      CHECK(std::abs(got.at(i, c) - many.at(i, c)) <= std::abs(many.at(i, c)) / 256);
    }
  }
  CHECK(same_bits(received(Codec::kBfloat16, got), got));
}

TEST_CASE("int8 misses by less than a step of its row, and keeps zeros, integers and signs") {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (const auto& [rows, cols] : {std::pair<Index, Index>{1, 1}, {3, 7}, {20, 64}, {300, 65}, {2, 1000}}) {
      Tensor t = random_tensor(rows, cols, dtype, 9, 5);
      for (Index r = 0; r < rows; ++r) t.set(r, r % cols, 0);
      const Tensor got = received(Codec::kInt8, t);
      for (Index r = 0; r < rows; ++r) {
        const double step = largest_of_row(t, r) / 127 * (1 + 1e-5);
        for (Index c = 0; c < cols; ++c) {
          CHECK(std::abs(got.at(r, c) - t.at(r, c)) <= step);
          if (t.at(r, c) == 0) CHECK(got.at(r, c) == 0);
        }
      }
    }
    std::vector<double> integers(255);
    std::iota(integers.begin(), integers.end(), -127.0);
    const Tensor exact = Tensor::from(1, 255, integers, dtype);
    for (std::uint32_t k = 0; k < 20; ++k) CHECK(same_bits(received(Codec::kInt8, exact, {k, 0}), exact));
  }
}

TEST_CASE("int8 meets a number on average") {
  const Tensor t = random_tensor(4, 50, DType::kFloat32, 5);
  constexpr int kTimes = 4000;
  std::vector<double> sum(200);
  for (std::uint32_t k = 0; k < kTimes; ++k) {
    const auto got = values_of(received(Codec::kInt8, t, {k, 7}));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += got[i];
  }
  const auto exact = values_of(t);
  double total_error = 0;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const double step = largest_of_row(t, static_cast<Index>(i) / 50) / 127;
    const double error = (sum[i] / kTimes - exact[i]) / step;
    // A rounding's standard deviation is at most half a step.
    CHECK(std::abs(error) < 5 * 0.5 / std::sqrt(kTimes));
    total_error += error;
  }
  CHECK(std::abs(total_error / 200) < 5 * 0.5 / std::sqrt(kTimes * 200.0));
}

TEST_CASE("int8: same key, same bits, on any number of threads; other keys and rows round otherwise") {
  const Tensor row = random_tensor(1, 64, DType::kFloat32, 5);
  Tensor t(3000, 64, DType::kFloat32);
  for (Index r = 0; r < t.rows(); ++r) t.slice_rows(r, r + 1).copy_from(row);
  Bytes one;
  core::Arena(1).execute([&] { one = packed(Codec::kInt8, t); });
  core::Arena(3).execute([&] { CHECK(packed(Codec::kInt8, t) == one); });
  CHECK(packed(Codec::kInt8, t, {3, 2}) != one);
  const Tensor got = received(Codec::kInt8, t);
  CHECK_FALSE(same_bits(got.slice_rows(0, 1).clone(), got.slice_rows(1, 2).clone()));
}

TEST_CASE("int8: extreme rows don't spoil others") {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const Tensor wide = Tensor::from(
      8, 3, std::vector<double>{0,     0, 0,     1,    kNaN,  2, 1, kInfinity, 2,  -kInfinity, 0,      0,
                                1e-40, 0, 1e-41, 1e38, -3e38, 2, 5, 0.25,      -5, -0.0,       -1e-30, 1e-30});
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const Tensor t = wide.to(dtype);
    const Tensor got = received(Codec::kInt8, t);
    for (const Index zero : {0, 4}) {
      for (Index c = 0; c < 3; ++c) CHECK(got.at(zero, c) == 0);
    }
    for (const Index broken : {1, 2, 3}) {
      for (Index c = 0; c < 3; ++c) CHECK(std::isnan(got.at(broken, c)));
    }
    for (const Index fine : {5, 6, 7}) {
      for (Index c = 0; c < 3; ++c) {
        CHECK(std::abs(got.at(fine, c) - t.at(fine, c)) <= largest_of_row(t, fine) / 127 * (1 + 1e-5));
      }
    }
  }
  const Tensor beyond = Tensor::from(2, 2, std::vector<double>{1e300, 1, 1e-300, 1e-301});
  const Tensor got = received(Codec::kInt8, beyond);
  CHECK(std::isnan(got.at(0, 1)));
  CHECK(got.at(1, 0) == 0);
}

TEST_CASE("compressed messages: counted as documented, the same bits in every run") {
  CompressionOptions compression;
  compression.stage = Codec::kInt8;
  compression.halo = Codec::kBfloat16;
  compression.seed = 5;
  const Tensor t = random_tensor(10, 70, DType::kFloat32, 2);
  std::vector<std::vector<Tensor>> runs(2);
  for (auto& got : runs) {
    testing::run_communicators(
        2,
        [&](Communicator& c) {
          for (const Index epoch : {3, 3, 4}) {
            c.begin_epoch(epoch);
            for (const Cause cause : {Cause::kStageForward, Cause::kStageForward, Cause::kHaloBackward,
                                      Cause::kEvaluation, Cause::kWeights}) {
              if (c.rank() == 0) {
                c.send(1, {}, t, cause);
              } else {
                got.emplace_back(10, 70, DType::kFloat32);
                c.receive(0, {}, got.back(), cause);
              }
            }
          }
          if (c.rank() == 0) {
            CHECK(c.ledger()[Cause::kStageForward] == 3 * 2 * 700);
            CHECK(c.ledger()[Cause::kHaloBackward] == 3 * 700 * 2);
            CHECK(c.ledger()[Cause::kEvaluation] == 3 * (700 * 4 + kFramingBytes));
            CHECK(c.ledger()[Cause::kWeights] == 3 * 700 * 4);
            CHECK(c.ledger()[Cause::kFraming] == 3 * (4 * kFramingBytes + 2 * 10 * 4));
          }
        },
        compression);
  }
  for (std::size_t i = 0; i < runs[0].size(); ++i) CHECK(same_bits(runs[0][i], runs[1][i]));
  const auto& got = runs[0];
  // Two messages of an epoch and two epochs round differently; the same epoch again does not.
  CHECK_FALSE(same_bits(got[0], got[1]));
  CHECK(same_bits(got[0], got[5]));
  CHECK_FALSE(same_bits(got[0], got[10]));
  CHECK(same_bits(got[3], t));
  CHECK(same_bits(got[4], t));
}

TEST_CASE("compressed all-reduces: all devices get the same bits, near the sum, and the ledger knows the bytes") {
  for (const Codec codec : {Codec::kBfloat16, Codec::kInt8}) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      for (const Index numbers : {0, 1, 7, 2000}) {
        CompressionOptions compression;
        compression.weights = codec;
        std::vector<Tensor> shares;
        for (std::uint64_t r = 0; r < 3; ++r) shares.push_back(random_tensor(1, numbers, dtype, r));
        std::vector<Tensor> got(3);
        std::vector<Ledger> ledgers(3);
        testing::run_communicators(
            3,
            [&](Communicator& c) {
              const auto r = static_cast<std::size_t>(c.rank());
              got[r] = shares[r].clone();
              c.begin_all_reduce(std::array<Index, 3>{0, 1, 2}, 0, {got[r]}, Cause::kWeights);
              c.finish_all_reduces();
              ledgers[r] = c.ledger();
            },
            compression);
        CHECK(same_bits(got[0], got[1]));
        CHECK(same_bits(got[0], got[2]));
        double worst = 0;
        for (Index i = 0; i < numbers; ++i) {
          double exact = 0;
          for (const Tensor& share : shares) exact += share.at(0, i);
          worst = std::max(worst, std::abs(got[0].at(0, i) - exact));
        }
        // Steps of rows with numbers up to about 4, two contributions and the sum rounded.
        CHECK(worst < 3 * 6.0 / 127);
        const std::uint64_t all =
            ledgers[0][Cause::kWeights] + ledgers[1][Cause::kWeights] + ledgers[2][Cause::kWeights];
        CHECK(all == 4 * static_cast<std::uint64_t>(numbers) * (codec == Codec::kInt8 ? 1 : 2));
      }
    }
  }
}

TEST_CASE("error feedback: what rounding loses comes later, across a resume too") {
  CompressionOptions compression;
  compression.weights = Codec::kInt8;
  constexpr Index kNumbers = 600;
  constexpr int kEpochs = 40;
  const std::array<Index, 2> group = {0, 1};
  const auto gradient = [](Index rank) {
    return random_tensor(1, kNumbers, DType::kFloat64, static_cast<std::uint64_t>(rank));
  };
  std::vector<double> exact(kNumbers);
  for (const Index r : group) {
    for (Index i = 0; i < kNumbers; ++i) exact[static_cast<std::size_t>(i)] += kEpochs * gradient(r).at(0, i);
  }
  std::vector<double> whole;
  for (const bool resumed : {false, true}) {
    std::vector<double> sum(kNumbers);
    std::array<std::map<std::int32_t, Tensor>, 2> saved;
    const auto train = [&](Index begin, Index end) {
      testing::run_communicators(
          2,
          [&, begin, end](Communicator& c) {
            c.restore_feedback(saved[static_cast<std::size_t>(c.rank())]);
            for (Index epoch = begin; epoch < end; ++epoch) {
              c.begin_epoch(epoch);
              const Tensor g = gradient(c.rank());
              c.begin_all_reduce(group, 0, {g}, Cause::kWeights);
              c.finish_all_reduces();
              if (c.rank() == 0) {
                for (Index i = 0; i < kNumbers; ++i) sum[static_cast<std::size_t>(i)] += g.at(0, i);
              }
            }
            saved[static_cast<std::size_t>(c.rank())] = c.feedback();
          },
          compression);
    };
    if (resumed) {
      train(0, 13);
      train(13, kEpochs);
      CHECK(sum == whole);
    } else {
      train(0, kEpochs);
      whole = sum;
    }
    // Not the errors of 40 epochs, but what the last ones kept back: a step for a contribution and one for the sum.
    double worst = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) worst = std::max(worst, std::abs(sum[i] - exact[i]));
    CHECK(worst < 2 * 8.0 / 127);
  }
}

TEST_CASE("error feedback survives a diverged epoch") {
  CompressionOptions compression;
  compression.weights = Codec::kInt8;
  testing::run_communicators(
      2,
      [&](Communicator& c) {
        const std::array<Index, 2> group = {0, 1};
        for (const double value : {1.0, kInfinity, 1.0}) {
          const Tensor g = Tensor::from(1, 4, std::vector<double>(4, value), DType::kFloat32);
          c.begin_all_reduce(group, 0, {g}, Cause::kWeights);
          c.finish_all_reduces();
          CHECK(std::isfinite(g.at(0, 0)) == std::isfinite(value));
        }
      },
      compression);
}
