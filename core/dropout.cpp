#include "laminar/core/dropout.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/eight.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/philox_lanes.hpp"
#include "laminar/core/vectorised.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

// Sixteen bits decide on an element. Columns are taken in groups of 64, a group drawing on 8 random blocks of 8 halves
// each: column 8 h + i of a group uses half h of block i, so that 8 columns side by side are 8 lanes of one vector.
constexpr int kLanes = kPhiloxLanes;
constexpr Index kGroup = 64;

/// The 16 bits of column `c` in row `id`.
std::uint32_t bits_at(RandomKey key, VertexId id, Index c) {
  const auto block = random_block(key, static_cast<std::uint32_t>(id),
                                  static_cast<std::uint32_t>(c / kGroup * kLanes + c % kLanes), 0);
  const Index half = c % kGroup / kLanes;
  return (block[static_cast<std::size_t>(half / 2)] >> (16 * (half % 2))) & 0xffffU;
}

/// y (+)= mask x for `count` <= 8 columns that one half of word w decides on. No branch, which would be mispredicted
/// half of the time; and masks go through no memory, as what is written in vectors of 8 and read in longer ones stalls.
template <class T>
LAMINAR_INLINE void mask_lanes(const std::array<std::uint32_t, kLanes>& words, int shift, std::uint32_t threshold,
                               Computed<T> factor, const T* x, T* y, Index count, bool accumulate) {
  using C = Computed<T>;
  if (count == kLanes && !accumulate) {
    if constexpr (std::is_same_v<T, Bfloat16>) {
      // Compilers take neither the halves nor their rounding in vectors by themselves.
      EightOf<std::uint32_t> bits;
      std::memcpy(&bits, words.data(), sizeof bits);
      EightOf<float> v;
      load_eight(v, x);
      v = ((bits >> shift) & 0xffffU) >= threshold ? v * factor : v * 0.0F;
      store_eight(y, v);
    } else {
      LAMINAR_LANES
      for (std::size_t i = 0; i < kLanes; ++i) {
        const C mask = ((words[i] >> shift) & 0xffffU) >= threshold ? factor : C(0);
        y[i] = static_cast<T>(mask * C(x[i]));
      }
    }
    return;
  }
  LAMINAR_LANES
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const C mask = ((words[i] >> shift) & 0xffffU) >= threshold ? factor : C(0);
    y[i] = static_cast<T>((accumulate ? C(y[i]) : C(0)) + mask * C(x[i]));
  }
}

/// Masks one row: y (+)= mask x.
template <class T>
LAMINAR_INLINE void mask_row(const T* x, T* y, Index d, RandomKey key, std::uint32_t id, std::uint32_t threshold,
                             Computed<T> factor, bool accumulate) {
  PhiloxWords words;
  for (Index group = 0; group < d; group += kGroup) {
    philox_lanes(key, id, static_cast<std::uint32_t>(group / kGroup * kLanes), words);
#pragma GCC unroll 8
    for (int half = 0; half < kGroup / kLanes; ++half) {
      const Index c = group + half * kLanes;
      const Index count = std::min<Index>(kLanes, d - c);
      if (count <= 0) break;
      mask_lanes(words[static_cast<std::size_t>(half / 2)], 16 * (half % 2), threshold, factor, x + c, y + c, count,
                 accumulate);
    }
  }
}

/// out (+)= mask(x), for rows of `ids`.
template <class T>
void apply_mask(const Tensor& x, Tensor& y, RandomKey key, const DropoutRate& rate, std::span<const VertexId> ids,
                bool accumulate) {
  const WorkScope scope(pass_work(WorkKind::kElementwise, "dropout", x, accumulate ? 3 : 2));
  const Index d = x.cols();
  const T* in = x.data<T>();
  T* out = y.data<T>();
  const auto factor = static_cast<Computed<T>>(rate.scale);
  const std::uint32_t threshold = rate.threshold;
  parallel_for_vectorised(x.rows(), row_grain(d), [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
    for (Index r = begin; r < end; ++r) {
      mask_row(in + r * d, out + r * d, d, key, static_cast<std::uint32_t>(ids[r]), threshold, factor, accumulate);
    }
  });
}

class DropoutNode final : public Node {
 public:
  DropoutNode(Var x, RandomKey key, DropoutRate rate, std::span<const VertexId> ids)
      : x_(x), key_(key), rate_(rate), ids_(ids) {}
  void backward(Tape& tape, const Tensor& dy) override {
    GradientSink sink = tape.sink_in_place(x_, dy);
    dispatch_kept(dy.dtype(), [&]<class T>(T) { apply_mask<T>(dy, sink.tensor, key_, rate_, ids_, sink.accumulate); });
  }

 private:
  Var x_;
  RandomKey key_;
  DropoutRate rate_;
  std::span<const VertexId> ids_;
};

SparseMatrix thin(const SparseMatrix& x, RandomKey key, const DropoutRate& rate, std::span<const VertexId> ids,
                  MemoryPool& pool) {
  const WorkScope scope(
      pass_work(WorkKind::kElementwise, "dropout of sparse rows", DType::kFloat32, x.entries(), 1, 2));
  Tensor values(x.entries(), 1, DType::kFloat32, &pool);
  auto* out = values.data<float>();
  parallel_for_rows(x.offsets(), 0, x.rows(), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      for (EdgeId e = x.offsets()[r]; e < x.offsets()[r + 1]; ++e) {
        const bool kept = bits_at(key, ids[r], x.columns()[e]) >= rate.threshold;
        out[e] = kept ? static_cast<float>(rate.scale * x.values()[e]) : 0.0F;
      }
    }
  });
  return x.with_values(std::move(values));
}

Var dropout_with_key(Tape& tape, Var x, double rate, std::span<const VertexId> row_ids, RandomKey key) {
  const DropoutRate checked(rate);
  if (static_cast<Index>(row_ids.size()) != tape.rows(x)) {
    throw Error(fmt::format("[dropout] {} row ids for {} rows", row_ids.size(), tape.rows(x)));
  }
  if (!tape.context().training || !checked.active()) return x;
  if (tape.is_sparse(x)) return tape.record(thin(tape.sparse(x), key, checked, row_ids, *tape.context().pool));
  const Tensor in = tape.kept(x);
  Tensor y = tape.allocate_as(in.dtype(), in.rows(), in.cols());
  dispatch_kept(y.dtype(), [&]<class T>(T) { apply_mask<T>(in, y, key, checked, row_ids, false); });
  return tape.record(std::move(y), std::make_unique<DropoutNode>(x, key, checked, row_ids), {x});
}

}  // namespace

Var dropout(Tape& tape, Var x, double rate, std::span<const VertexId> row_ids) {
  // Taken even when nothing is dropped, so that a rate of 0 somewhere does not shift the streams of what follows.
  return dropout_with_key(tape, x, rate, row_ids, tape.next_random_key());
}

Var dropout_again(Tape& tape, Var x, double rate, std::span<const VertexId> row_ids, std::uint64_t random_op) {
  const TapeContext& c = tape.context();
  return dropout_with_key(tape, x, rate, row_ids, random_key(c.seed, c.run, c.epoch, c.layer, random_op));
}

}  // namespace laminar::core
