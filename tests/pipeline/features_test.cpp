#include "laminar/pipeline/features.hpp"

#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::DType;
using core::Index;
using core::Tensor;
using core::VertexId;
using pipeline::Features;

namespace {

using Ids = std::vector<VertexId>;
using Ranges = std::vector<std::pair<Index, Index>>;

/// More rows than a panel has. Row v is (v, 0, -1), or sparse: (0: v) and for even v (2: -1). Remembers what was read.
class Source final : public core::RowSource {
 public:
  Source(Index rows, bool sparse, VertexId bad = -1) : rows_(rows), sparse_(sparse), bad_(bad) {}
  Index rows() const override { return rows_; }
  Index cols() const override { return 3; }
  bool sparse() const override { return sparse_; }
  Tensor read_dense(Index begin, Index end) const override {
    reads.emplace_back(begin, end);
    Tensor x = Tensor::zeros(end - begin, 3, DType::kFloat32);
    for (Index v = begin; v < end; ++v) {
      x.set(v - begin, 0, static_cast<double>(v));
      x.set(v - begin, 2, v == bad_ ? std::numeric_limits<double>::quiet_NaN() : -1);
    }
    return x;
  }
  core::SparseMatrix read_sparse(Index begin, Index end) const override {
    reads.emplace_back(begin, end);
    std::vector<core::EdgeId> offsets{0};
    std::vector<std::int32_t> columns;
    std::vector<float> values;
    for (Index v = begin; v < end; ++v) {
      columns.push_back(0);
      values.push_back(static_cast<float>(v));
      if (v % 2 == 0) {
        columns.push_back(2);
        values.push_back(-1);
      }
      offsets.push_back(static_cast<core::EdgeId>(columns.size()));
    }
    return {end - begin, 3, std::move(offsets), std::move(columns), std::move(values)};
  }
  mutable Ranges reads;

 private:
  Index rows_;
  bool sparse_;
  VertexId bad_;
};

constexpr Index kRows = 50000;
constexpr Index kPanel = 16384;

Features load(const Source& source, const Ids& ids, bool normalize = false, DType precision = DType::kFloat32) {
  return pipeline::load_features(source, {.normalize_features = normalize, .precision = precision}, ids, nullptr);
}

}  // namespace

TEST_CASE("dense rows come in the order asked for, out of the panels that hold them") {
  const Source source(kRows, false);
  const Features f = load(source, {40000, 7, 20000, 3, 7});
  CHECK_FALSE(f.sparse);
  CHECK(values_of(f.dense) == std::vector<double>{40000, 0, -1, 7, 0, -1, 20000, 0, -1, 3, 0, -1, 7, 0, -1});
  // From the first wanted row of a panel to the last one.
  CHECK(source.reads == Ranges{{3, 8}, {20000, 20001}, {40000, 40001}});
  CHECK(f.dense.dtype() == DType::kFloat32);
  CHECK(load(source, {1}, false, DType::kFloat64).dense.dtype() == DType::kFloat64);
}

TEST_CASE("a panel is no longer than memory should hold") {
  const Source source(kRows, false);
  Ids all(static_cast<std::size_t>(kRows));
  for (std::size_t v = 0; v < all.size(); ++v) all[v] = static_cast<VertexId>(v);
  const Features f = load(source, all);
  CHECK(source.reads == Ranges{{0, kPanel}, {kPanel, 2 * kPanel}, {2 * kPanel, 3 * kPanel}, {3 * kPanel, kRows}});
  for (const Index v : {Index{0}, kPanel - 1, kPanel, kRows - 1}) CHECK(f.dense.at(v, 0) == static_cast<double>(v));
}

TEST_CASE("sparse rows come in the order asked for, and stay sparse") {
  const Source source(kRows, true);
  const Features f = load(source, {40000, 7, 20000, 3, 7});
  CHECK_FALSE(f.dense);
  REQUIRE(f.sparse.rows() == 5);
  CHECK(f.sparse.cols() == 3);
  const auto offsets = f.sparse.offsets();
  CHECK(std::vector<core::EdgeId>(offsets.begin(), offsets.end()) == std::vector<core::EdgeId>{0, 2, 3, 5, 6, 7});
  const auto values = f.sparse.values();
  CHECK(std::vector<float>(values.begin(), values.end()) == std::vector<float>{40000, -1, 7, 20000, -1, 3, 7});
  CHECK(source.reads == Ranges{{3, 8}, {20000, 20001}, {40000, 40001}});
}

TEST_CASE("no rows are no rows, dense or sparse") {
  const Source dense(kRows, false), sparse(kRows, true);
  CHECK(load(dense, {}).dense.rows() == 0);
  CHECK(load(sparse, {}).sparse.rows() == 0);
  CHECK(dense.reads.empty());
  CHECK(sparse.reads.empty());
}

TEST_CASE("features are divided by the sum of their magnitudes") {
  CHECK(values_of(load(Source(10, false), {3, 0}, true).dense) == std::vector<double>{.75, 0, -.25, 0, 0, -1});
  CHECK(values_of(load(Source(10, false), {4}, true, DType::kFloat64).dense) == std::vector<double>{.8, 0, -.2});
  const Features f = load(Source(10, true), {3, 4}, true);
  CHECK(f.sparse.values()[0] == 1);
  CHECK(f.sparse.values()[1] == .8F);
  CHECK(f.sparse.values()[2] == -.2F);
}

TEST_CASE("a number that is not finite is named") {
  const Source source(kRows, false, 20000);
  CHECK_THROWS_WITH_AS(load(source, {7, 20000}), doctest::Contains("feature 2 of vertex 20000"), Error);
  CHECK(load(source, {7, 20001}).dense.rows() == 2);
}
