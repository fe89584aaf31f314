#include "laminar/core/work_log.hpp"

#include <thread>

#include <doctest/doctest.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/dense.hpp"

namespace laminar::core {
namespace {

Work work_called(std::string_view op) { return pass_work(WorkKind::kLoss, op, DType::kFloat64, 3, 5, 2); }

void wait_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

}  // namespace

TEST_CASE("amounts of work") {
  const Work product = dense_work("p", DType::kFloat32, {.m = 7, .n = 5, .k = 3});
  CHECK(product.kind == WorkKind::kDense);
  CHECK(product.flops == 2 * 7 * 5 * 3);
  CHECK(product.bytes == 4 * (7 * 3 + 3 * 5 + 7 * 5));
  CHECK(product.width == 5);

  const Work pass = work_called("pass");
  CHECK(pass.bytes == 2 * 3 * 5 * 8);
  CHECK(pass.flops == 0);
  CHECK(pass.gather.entries() == 0);

  // Rows 1 and 2 of three, with 2 + 1 entries.
  const std::vector<EdgeId> offsets = {0, 2, 4, 5};
  const std::vector<std::int32_t> indices = {0, 1, 1, 2, 0};
  const Work gathered =
      gather_work(WorkKind::kSum, "g", DType::kFloat32, {std::span(offsets).subspan(1, 3), indices, 3, 6}, 4);
  CHECK(gathered.gather.entries() == 3);
  CHECK(gathered.gather.rows() == 2);
  CHECK(gathered.flops == 2 * 3 * 6);
  CHECK(gathered.bytes == 4 * (3 * 6 + 2 * 4));
  CHECK(name_of(WorkKind::kDense) == "dense");
  CHECK(name_of(WorkKind::kOptimizer) == "optimizer");
}

TEST_CASE("a log records scopes as long as it is set") {
  WorkLog log;
  { const WorkScope unheard(work_called("before")); }
  {
    const WorkRecording recording(log);
    { const WorkScope scope(work_called("a")); }
    { const WorkScope scope(work_called("b")); }
    { const WorkScope scope(work_called("a")); }
    {
      WorkLog inner;
      const WorkRecording other(inner);
      { const WorkScope scope(work_called("c")); }
      CHECK(inner.entries().size() == 1);
    }
    std::thread([] { const WorkScope unheard(work_called("of another thread")); }).join();
    { const WorkScope scope(work_called("d")); }
  }
  { const WorkScope unheard(work_called("after")); }
  REQUIRE(log.entries().size() == 3);
  CHECK(log.entries()[0].work.op == "a");
  CHECK(log.entries()[0].calls == 2);
  CHECK(log.entries()[1].work.op == "b");
  CHECK(log.entries()[2].work.op == "d");
  CHECK(log.take().size() == 3);
  CHECK(log.entries().empty());
}

TEST_CASE("calls of other shapes, kinds, types and matrices are other entries") {
  const std::vector<EdgeId> offsets = {0, 1};
  const std::vector<EdgeId> same_numbers = {0, 1};
  const std::vector<std::int32_t> indices = {0};
  const auto gather = [&](const std::vector<EdgeId>& o) {
    return gather_work(WorkKind::kSum, "x", DType::kFloat32, {o, indices, 1, 4}, 4);
  };
  const Work all[] = {pass_work(WorkKind::kLoss, "x", DType::kFloat32, 2, 3, 1),
                      pass_work(WorkKind::kLoss, "x", DType::kFloat32, 3, 2, 1),
                      pass_work(WorkKind::kElementwise, "x", DType::kFloat32, 2, 3, 1),
                      pass_work(WorkKind::kLoss, "x", DType::kFloat64, 2, 3, 1),
                      dense_work("x", DType::kFloat32, {.m = 2, .n = 3, .k = 4}),
                      dense_work("x", DType::kFloat32, {.transpose_b = true, .m = 2, .n = 3, .k = 4}),
                      gather(offsets),
                      gather(same_numbers)};
  WorkLog log;
  const WorkRecording recording(log);
  for (int round = 0; round < 2; ++round) {
    for (const Work& w : all) const WorkScope scope(w);
  }
  CHECK(log.entries().size() == std::size(all));
  for (const WorkEntry& e : log.entries()) CHECK(e.calls == 2);
}

TEST_CASE("a scope's time is without that of scopes inside, also when something is thrown") {
  WorkLog log;
  const WorkRecording recording(log);
  const auto start = std::chrono::steady_clock::now();
  try {
    const WorkScope outer(work_called("outer"));
    wait_ms(2);
    const WorkScope inner(work_called("inner"));
    wait_ms(4);
    throw 1;
  } catch (int) {
  }
  const double passed = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  REQUIRE(log.entries().size() == 2);
  // The inner one ends first.
  CHECK(log.entries()[0].work.op == "inner");
  CHECK(log.entries()[0].ms >= 4);
  CHECK(log.entries()[1].ms >= 2);
  CHECK(log.entries()[0].ms + log.entries()[1].ms <= passed);
}

TEST_CASE("kernels tell what they do, and compute the same with a log") {
  const Tensor x = Tensor::from(3, 2, std::vector<double>{1, 2, 3, 4, 5, 6});
  const Tensor w = Tensor::from(2, 2, std::vector<double>{1, 0, 2, 1});
  Tensor with(3, 2, DType::kFloat64);
  Tensor without(3, 2, DType::kFloat64);
  WorkLog log;
  {
    const WorkRecording recording(log);
    multiply(x, w, with);
  }
  multiply(x, w, without);
  CHECK(std::equal(with.raw(), with.raw() + with.bytes(), without.raw()));
  REQUIRE(log.entries().size() == 1);
  CHECK(log.entries()[0].work.flops == 2 * 3 * 2 * 2);
  CHECK(log.entries()[0].work.product.m == 3);

  // 0 -> 1, 0 -> 2, 2 -> 1.
  const std::vector<VertexId> from = {0, 0, 2};
  const std::vector<VertexId> to = {1, 2, 1};
  const Block block = Block::whole(Graph::from_edges(3, from, to, {}, true));
  static_cast<void>(log.take());
  const WorkRecording recording(log);
  Tape tape({.pool = MemoryPool::create(), .dtype = DType::kFloat64});
  const Var v = tape.input(x, true);
  const Var y = sum(tape, block, src(block.sources(tape, v)));
  tape.add_gradient(y, x);
  tape.backward();
  REQUIRE(log.entries().size() == 2);
  for (const WorkEntry& e : log.entries()) {
    CHECK(e.work.kind == WorkKind::kSum);
    CHECK(e.work.gather.entries() == 3);
    CHECK(e.work.gather.rows() == 3);
    CHECK(e.work.flops == 2 * 3 * 2);
    CHECK(e.work.bytes == (3 + 3) * 2 * 8);
  }
  CHECK(log.entries()[1].work.op == "sum, backward");
}

}  // namespace laminar::core
