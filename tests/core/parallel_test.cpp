#include "laminar/core/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"

using namespace laminar;
using namespace laminar::core;

namespace {

using Pieces = std::set<std::pair<Index, Index>>;

template <class F>
Pieces pieces_of(F&& loop) {
  Pieces pieces;
  std::mutex mutex;
  loop([&](Index begin, Index end) {
    const std::lock_guard lock(mutex);
    CHECK(pieces.insert({begin, end}).second);
  });
  return pieces;
}

void check_cover(const Pieces& pieces, Index begin, Index end) {
  Index at = begin;
  for (const auto& [b, e] : pieces) {
    CHECK(b == at);
    CHECK(e > b);
    at = e;
  }
  CHECK(at == end);
}

}  // namespace

TEST_CASE("parallel_for covers the range once, in pieces by size alone") {
  for (const Index n : {0, 1, 7, 8, 9, 1000}) {
    const auto loop = [&](auto body) { parallel_for(n, 8, body); };
    const Pieces pieces = pieces_of(loop);
    check_cover(pieces, 0, n);
    for (const auto& [b, e] : pieces) {
      CHECK(b % 8 == 0);
      CHECK(e - b <= 8);
    }
    for (const int threads : {1, 2, 4}) {
      Arena arena(threads);
      arena.execute([&] { CHECK(pieces_of(loop) == pieces); });
    }
  }
}

TEST_CASE("parallel_for_rows cuts by cost and by nothing else") {
  // Rows with no entries, rows with a few, and hubs that cost more than a piece.
  std::vector<EdgeId> offsets = {0};
  for (Index r = 0; r < 5000; ++r) offsets.push_back(offsets.back() + (r % 997 == 5 ? 20000 : r % 7));
  for (const auto& [begin, end] : {std::pair<Index, Index>{0, 5000}, {0, 0}, {3, 4}, {4, 2000}, {4999, 5000}}) {
    const auto loop = [&, b = begin, e = end](auto body) { parallel_for_rows(offsets, b, e, body); };
    const Pieces pieces = pieces_of(loop);
    check_cover(pieces, begin, end);
    if (end - begin == 5000) CHECK(pieces.size() > 10);
    for (const int threads : {1, 2, 4}) {
      Arena arena(threads);
      arena.execute([&] { CHECK(pieces_of(loop) == pieces); });
    }
  }
  const std::vector<EdgeId> no_entries(20001, 0);
  check_cover(pieces_of([&](auto body) { parallel_for_rows(no_entries, 0, 20000, body); }), 0, 20000);
}

TEST_CASE("parallel_sum adds in a fixed order") {
  const auto term = [](Index i) { return std::sin(static_cast<double>(i)) * 1e10; };
  const auto piece = [&](Index begin, Index end) {
    double sum = 0;
    for (Index i = begin; i < end; ++i) sum += term(i);
    return sum;
  };
  double expected = 0;
  for (Index b = 0; b < 10000; b += 64) expected += piece(b, std::min<Index>(10000, b + 64));
  for (const int threads : {1, 2, 4}) {
    Arena arena(threads);
    arena.execute([&] { CHECK(parallel_sum(10000, 64, piece) == expected); });
  }
  CHECK(parallel_sum(0, 64, piece) == 0);
}

TEST_CASE("an arena runs what it is given") {
  CHECK_THROWS_AS(Arena(-1), UsageError);
  CHECK(Arena(0).threads() >= 1);
  CHECK(Arena(3).threads() == 3);
  Arena arena(2);
  int runs = 0;
  arena.execute([&] { ++runs; });
  CHECK(runs == 1);
  CHECK_THROWS_AS(arena.execute([] { throw std::runtime_error("through"); }), std::runtime_error);
  CHECK_THROWS_AS(arena.execute([] {
    parallel_for(1000, 1, [](Index begin, Index) {
      if (begin == 500) throw Error("through");
    });
  }),
                  Error);
  std::atomic<Index> inner = 0;
  arena.execute([&] {
    parallel_for(10, 1, [&](Index, Index) { parallel_for(10, 1, [&](Index b, Index e) { inner += e - b; }); });
  });
  CHECK(inner == 100);
}

TEST_CASE("the first that holds is found, whatever thread meets which one first") {
  for (const int threads : {1, 4}) {
    Arena arena(threads);
    arena.execute([] {
      CHECK(first_where(0, [](Index) { return true; }) == 0);
      CHECK(first_where(1'000'000, [](Index) { return false; }) == 1'000'000);
      CHECK(first_where(1'000'000, [](Index i) { return i % 70'001 == 70'000; }) == 70'000);
      CHECK(first_where(1'000'000, [](Index i) { return i == 999'999; }) == 999'999);
    });
  }
}

TEST_CASE("pieces of row-wise loops hold about 16k elements") {
  CHECK(row_grain(0) == 1024);
  CHECK(row_grain(1) == 16384);
  CHECK(row_grain(128) == 128);
  CHECK(row_grain(1 << 20) == 1);
}

TEST_CASE("an arena's threads take subnormal numbers for 0, and nobody else does") {
  volatile float tiny = 1e-30F;
  const auto subnormal = [&] {
    volatile float x = tiny * 1e-10F;
    return x;
  };
  REQUIRE(subnormal() > 0);
  for (const int threads : {1, 2, 4}) {
    Arena arena(threads);
    std::vector<float> results(1 << 12, 1);
    bool inside = true;
    arena.execute([&] {
      inside = subnormal() > 0;
      // Enough work that every thread gets some.
      parallel_for(static_cast<Index>(results.size()), 1, [&](Index begin, Index end) {
        for (int repeat = 0; repeat < 100; ++repeat) {
          for (Index i = begin; i < end; ++i) results[static_cast<std::size_t>(i)] = subnormal();
        }
      });
    });
    CHECK_FALSE(inside);
    CHECK(std::all_of(results.begin(), results.end(), [](float x) { return x == 0; }));
    CHECK(subnormal() > 0);
  }
}
