#include "laminar/pipeline/row_store.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::DType;
using core::Index;
using core::Tensor;
using pipeline::RowStore;
using pipeline::StoreType;

TEST_CASE("rows come back as their type keeps them") {
  const auto pool = core::MemoryPool::create();
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const Tensor rows = random_tensor(4, 3, dtype, 3);
    for (const auto& [type, error] :
         {std::pair{StoreType::kNative, 0.0}, {StoreType::kFloat32, 0x1p-24}, {StoreType::kBfloat16, 0x1p-8}}) {
      CAPTURE(std::string(name_of(type)));
      RowStore store(9, 3, dtype, type, pool);
      store.write(5, rows);
      const Tensor found = store.read(5, 9);
      CHECK(relative_difference(found, rows) <= error);
      CHECK((relative_difference(found, rows) > 0) ==
            (type == StoreType::kBfloat16 || (type == StoreType::kFloat32 && dtype == DType::kFloat64)));
      CHECK(norm(store.read(0, 5)) == 0);
      CHECK(store.read().rows() == 9);
      // What is representable stays.
      store.write(1, found);
      CHECK(same_bits(store.read(1, 5), found));
      CHECK(same_bits(RowStore(found, type, pool).read(), found));
      const Tensor copy = store.copy(core::MemoryPurpose::kTables);
      store.write(1, Tensor::zeros(4, 3, dtype));
      CHECK(same_bits(copy.slice_rows(1, 5), found));
    }
  }
}

TEST_CASE("bfloat16 tables take half of float32's bytes, a quarter of float64's") {
  const auto pool = core::MemoryPool::create();
  CHECK(RowStore(100, 8, DType::kFloat32, StoreType::kNative, pool).bytes() == 3200);
  CHECK(RowStore(100, 8, DType::kFloat32, StoreType::kFloat32, pool).bytes() == 3200);
  CHECK(RowStore(100, 8, DType::kFloat32, StoreType::kBfloat16, pool).bytes() == 1600);
  CHECK(RowStore(100, 8, DType::kFloat64, StoreType::kFloat32, pool).bytes() == 3200);
  CHECK(RowStore(100, 8, DType::kFloat64, StoreType::kBfloat16, pool).bytes() == 1600);
  CHECK(RowStore(1, 3, DType::kFloat32, StoreType::kBfloat16, pool).bytes() == 8);
  CHECK(RowStore(100, 8, DType::kFloat32, StoreType::kFloat32, pool).is_native());
  CHECK_FALSE(RowStore());
}

TEST_CASE("rows that do not fit are refused, and so are types that there are not") {
  const auto pool = core::MemoryPool::create();
  for (const auto type : {StoreType::kNative, StoreType::kBfloat16}) {
    RowStore store(4, 3, DType::kFloat32, type, pool);
    CHECK_THROWS_AS(store.write(3, Tensor::zeros(2, 3, DType::kFloat32)), Error);
    CHECK_THROWS_AS(store.write(-1, Tensor::zeros(2, 3, DType::kFloat32)), Error);
    CHECK_THROWS_AS(store.write(0, Tensor::zeros(2, 4, DType::kFloat32)), Error);
    CHECK_THROWS_AS(store.write(0, Tensor::zeros(2, 3, DType::kFloat64)), Error);
    CHECK_THROWS_AS(store.read(2, 5), Error);
    CHECK_THROWS_AS(store.read(-1, 2), Error);
  }
  CHECK_THROWS_AS(pipeline::store_type_from_name("int8"), UsageError);
  for (const auto type : {StoreType::kNative, StoreType::kFloat32, StoreType::kBfloat16}) {
    CHECK(pipeline::store_type_from_name(name_of(type)) == type);
  }
}
