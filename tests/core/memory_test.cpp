#include "laminar/core/memory.hpp"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/dropout.hpp"
#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/layer_norm.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/core/tensor.hpp"
#include "laminar/tests/core/aggregation_cases.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::core;
using namespace laminar::testing;

TEST_CASE("large buffers begin where a large page does, are all there, and are recycled") {
  const auto pool = MemoryPool::create();
  const std::size_t page = std::size_t{2} << 20;
  for (const std::size_t bytes : {page - 64, page, 3 * page + 4096}) {
    CAPTURE(bytes);
    auto a = pool->allocate(bytes, MemoryPurpose::kActivations);
    CHECK(reinterpret_cast<std::uintptr_t>(a.get()) % (bytes < page ? 64 : page) == 0);
    CHECK(pool->live_bytes(MemoryPurpose::kActivations) == bytes);
    for (std::size_t i = 0; i < bytes; i += 64) a.get()[i] = std::byte{7};
    std::byte* const address = a.get();
    a.reset();
    CHECK(pool->allocate(bytes, MemoryPurpose::kActivations).get() == address);
    pool->trim();
  }
}

TEST_CASE("a pool meters by purpose and recycles") {
  const auto pool = MemoryPool::create();
  auto a = pool->allocate(1000, MemoryPurpose::kActivations);
  CHECK(reinterpret_cast<std::uintptr_t>(a.get()) % 64 == 0);
  const std::size_t size = pool->live_bytes(MemoryPurpose::kActivations);
  CHECK(size >= 1000);
  CHECK(size < 1000 + 64);
  CHECK(pool->live_bytes(MemoryPurpose::kTables) == 0);
  auto b = pool->allocate(500, MemoryPurpose::kTables);
  const std::size_t other = pool->live_bytes(MemoryPurpose::kTables);
  CHECK(pool->heap_allocations() == 2);
  CHECK(pool->peak_bytes() == size + other);
  std::byte* const address = a.get();
  a.reset();
  CHECK(pool->live_bytes(MemoryPurpose::kActivations) == 0);
  CHECK(pool->peak_bytes(MemoryPurpose::kActivations) == size);
  a = pool->allocate(1000, MemoryPurpose::kGradients);
  CHECK(a.get() == address);
  CHECK(pool->heap_allocations() == 2);
  CHECK(pool->live_bytes(MemoryPurpose::kGradients) == size);
  CHECK(pool->peak_bytes() == size + other);
  a.reset();
  pool->trim();
  a = pool->allocate(1000, MemoryPurpose::kGradients);
  CHECK(pool->heap_allocations() == 3);
}

TEST_CASE("nothing is a valid request, too much is an error") {
  const auto pool = MemoryPool::create();
  CHECK(pool->allocate(0, MemoryPurpose::kWorkspace) != nullptr);
  const std::size_t too_much = std::size_t{1} << 60;
  CHECK_THROWS_AS(pool->allocate(too_much, MemoryPurpose::kTables), Error);
  std::string text;
  try {
    pool->allocate(too_much, MemoryPurpose::kTables);
  } catch (const Error& e) {
    text = e.what();
  }
  CHECK(text.find("tables") != std::string::npos);
  CHECK(text.find("1099511627776 MiB") != std::string::npos);
  CHECK(pool->live_bytes(MemoryPurpose::kTables) == 0);
}

TEST_CASE("buffers keep their pool alive") {
  auto pool = MemoryPool::create();
  const std::weak_ptr<MemoryPool> watch = pool;
  Tensor t(3, 3, DType::kFloat32, pool.get());
  pool.reset();
  CHECK_FALSE(watch.expired());
  t.fill(1);
  t = Tensor();
  CHECK(watch.expired());
}

TEST_CASE("a pool serves several threads") {
  const auto pool = MemoryPool::create();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&pool, i] {
      for (std::size_t k = 0; k < 500; ++k) {
        const auto buffer = pool->allocate(64 * (1 + (i + k) % 7), MemoryPurpose::kWorkspace);
        *buffer = std::byte{1};
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(pool->live_bytes(MemoryPurpose::kWorkspace) == 0);
  CHECK(pool->heap_allocations() <= 4 * 7);
}

TEST_CASE("purposes have names of their own") {
  std::set<std::string> names;
  for (std::size_t i = 0; i < kNumMemoryPurposes; ++i) {
    names.emplace(core::name_of(static_cast<MemoryPurpose>(i)));
  }
  CHECK(names.size() == kNumMemoryPurposes);
  CHECK(names.count("activations") == 1);
}

TEST_CASE("a second pass takes nothing from the heap and gives everything back") {
  const Graph graph = undirected_random(40, 90, 3);
  const Block block = Block::whole(graph);
  const Tensor x = random_tensor(40, 9, DType::kFloat64, 1);
  for (const AggregationCase& aggregation : aggregation_cases()) {
    CAPTURE(aggregation.name);
    ParameterList parameters = aggregation_parameters(DType::kFloat64);
    parameters.push_back(random_parameter("weight", 9, kAggregationWidth, DType::kFloat64, 3));
    parameters.push_back(random_parameter("bias", 1, kAggregationWidth, DType::kFloat64, 4));
    parameters.push_back(random_parameter("gain", 1, kAggregationWidth, DType::kFloat64, 5));
    parameters.push_back(random_parameter("shift", 1, kAggregationWidth, DType::kFloat64, 6));
    const Builder layer = [&](Tape& tape, const std::vector<Var>& in) {
      Var h = linear(tape, in[0], *parameters[2], parameters[3].get());
      h = dropout(tape, h, 0.5, block.own_ids());
      const Var m = aggregation.apply(tape, block, h, parameters);
      const Var n = layer_norm(tape, add(tape, m, h), *parameters[4], *parameters[5]);
      return activate(tape, n, Activation::kGelu);
    };
    const TapeContext c = context(DType::kFloat64, true);
    run_pass(c, layer, {x}, parameters);
    const std::uint64_t after_first = c.pool->heap_allocations();
    CHECK(after_first > 0);
    run_pass(c, layer, {x}, parameters);
    CHECK(c.pool->heap_allocations() == after_first);
    for (std::size_t i = 0; i < kNumMemoryPurposes; ++i) {
      CHECK(c.pool->live_bytes(static_cast<MemoryPurpose>(i)) == 0);
    }
  }
}
