#include "laminar/pipeline/halo.hpp"

#include <doctest/doctest.h>

#include "laminar/tests/pipeline/devices.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::DType;
using core::Index;
using core::Tensor;
using core::VertexId;
using partition::Layout;
using pipeline::Cause;
using pipeline::Communicator;
using pipeline::Halo;
using pipeline::PartMap;
using pipeline::Range;

namespace {

constexpr Index kVertices = 40;
constexpr Index kParts = 3;
constexpr Index kChunks = 4;
constexpr Index kWidth = 5;

partition::Partition labels(Index count, Index step) {
  partition::Partition p{count, {}};
  for (Index v = 0; v < kVertices; ++v) p.part_of.push_back(static_cast<std::int32_t>((v * step + v / 7) % count));
  return p;
}

double value(VertexId v, Index col) { return v + 0.01 * static_cast<double>(col); }

/// Calls body(map, halo, communicator, stage) on the devices of two stages.
template <class F>
void on_two_stages(F&& body) {
  const Layout layout(labels(kParts, 1), labels(kChunks, 3));
  const core::Graph graph = layout.renumber(directed_random(kVertices, 150, false, 3));
  run_communicators(2 * kParts, [&](Communicator& c) {
    const Index stage = c.rank() / kParts;
    const PartMap map(graph, layout, c.rank() % kParts);
    Halo halo(map, c, stage * kParts, core::MemoryPool::create());
    body(map, halo, c, stage);
  });
}

Tensor own_rows(const PartMap& map, const Range& rows, double offset = 0) {
  Tensor own(rows.size(), kWidth, DType::kFloat64);
  for (Index r = 0; r < rows.size(); ++r) {
    for (Index col = 0; col < kWidth; ++col) own.set(r, col, value(map.vertex_of(rows.begin + r), col) + offset);
  }
  return own;
}

void check_halo(const PartMap& map, const Tensor& table, double offset) {
  for (Index r = map.own().size(); r < map.num_rows(); ++r) {
    for (Index col = 0; col < kWidth; ++col) CHECK(table.at(r, col) == value(map.vertex_of(r), col) + offset);
  }
}

}  // namespace

TEST_CASE("halo rows arrive from their owners, all at once or chunk by chunk, each stage for itself") {
  on_two_stages([](const PartMap& map, Halo& halo, Communicator& c, Index stage) {
    const auto offset = 100.0 * static_cast<double>(stage);
    Tensor table = Tensor::zeros(map.num_rows(), kWidth, DType::kFloat64);
    halo.send(own_rows(map, {0, map.own().size()}, offset), 0, -1, 0, Cause::kHaloForward);
    halo.receive(table, -1, 0, Cause::kHaloForward);
    check_halo(map, table, offset);

    table.fill(0);
    Index arrived = 0;
    for (Index chunk = 0; chunk < kChunks; ++chunk) {
      const Range rows = map.slice_rows(chunk);
      halo.send(own_rows(map, rows, offset), rows.begin, chunk, 7, Cause::kHaloForward);
    }
    // Each chunk's rows have a tag of their own, so that they can be taken in another order.
    for (Index chunk = kChunks - 1; chunk >= 0; --chunk) {
      halo.receive(table, chunk, 7, Cause::kHaloForward, [&](const Range& rows) { arrived += rows.size(); });
    }
    CHECK(arrived == static_cast<Index>(map.halo().size()));
    check_halo(map, table, offset);
    // What was sent was counted: every row that others read, twice.
    Index read_by_others = 0;
    for (Index q = 0; q < kParts; ++q) {
      for (Index chunk = 0; chunk < kChunks; ++chunk) {
        read_by_others += static_cast<Index>(map.rows_for(q, chunk).size());
      }
    }
    CHECK(c.ledger()[Cause::kHaloForward] == static_cast<std::uint64_t>(2 * read_by_others * kWidth * 8));
  });
}

TEST_CASE("gradients of halo rows are added up at their owners") {
  on_two_stages([](const PartMap& map, Halo& halo, Communicator&, Index) {
    // Part p wants 10^p of each halo row, so that a sum tells who has added.
    double wanted = 1;
    for (Index p = 0; p < map.part(); ++p) wanted *= 10;
    Tensor table(map.num_rows(), kWidth, DType::kFloat64);
    table.fill(wanted);
    const auto expected = [&](Index row) {
      double sum = 0.5;
      double power = 1;
      for (Index q = 0; q < kParts; ++q, power *= 10) {
        for (Index chunk = 0; chunk < kChunks; ++chunk) {
          for (const std::int32_t r : map.rows_for(q, chunk)) sum += r == row ? power : 0;
        }
      }
      return sum;
    };
    Tensor own(map.own().size(), kWidth, DType::kFloat64);
    own.fill(0.5);
    halo.send_gradients(table, -1, 2, Cause::kHaloBackward);
    halo.receive_gradients(own, 0, -1, 2, Cause::kHaloBackward);
    for (Index r = 0; r < own.rows(); ++r) CHECK(own.at(r, kWidth - 1) == expected(r));

    for (Index chunk = 0; chunk < kChunks; ++chunk) halo.send_gradients(table, chunk, 3, Cause::kHaloBackward);
    for (Index chunk = 0; chunk < kChunks; ++chunk) {
      const Range rows = map.slice_rows(chunk);
      Tensor slice(rows.size(), kWidth, DType::kFloat64);
      slice.fill(0.5);
      halo.receive_gradients(slice, rows.begin, chunk, 3, Cause::kHaloBackward);
      for (Index r = 0; r < rows.size(); ++r) CHECK(slice.at(r, 0) == expected(rows.begin + r));
    }
  });
}

TEST_CASE("a part that shares nothing sends and waits for nothing") {
  // Two rings that know nothing of each other, a part each.
  std::vector<VertexId> sources, targets;
  for (VertexId v = 0; v < 8; ++v) {
    sources.push_back(v);
    targets.push_back(v / 4 * 4 + (v + 1) % 4);
  }
  const Layout layout({2, {0, 0, 0, 0, 1, 1, 1, 1}}, {1, std::vector<std::int32_t>(8, 0)});
  const core::Graph graph = layout.renumber(core::Graph::from_edges(8, sources, targets, {}, true));
  run_communicators(2, [&](Communicator& c) {
    const PartMap map(graph, layout, c.rank());
    Halo halo(map, c, 0, core::MemoryPool::create());
    CHECK(map.num_rows() == 4);
    Tensor table = Tensor::zeros(4, kWidth, DType::kFloat64);
    halo.send(table, 0, -1, 0, Cause::kHaloForward);
    halo.receive(table, -1, 0, Cause::kHaloForward);
    halo.send_gradients(table, -1, 0, Cause::kHaloBackward);
    halo.receive_gradients(table, 0, -1, 0, Cause::kHaloBackward);
    CHECK(c.ledger().training_bytes() == 0);
  });
}
