#include "laminar/core/heads.hpp"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/dot.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/vectorised.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

class MeanHeadsNode final : public Node {
 public:
  MeanHeadsNode(Var x, Index heads) : x_(x), heads_(heads) {}
  void backward(Tape& tape, const Tensor& dy) override {
    const WorkScope scope(
        pass_work(WorkKind::kElementwise, "mean of heads, backward", dy, 1 + static_cast<double>(heads_)));
    GradientSink sink = tape.sink(x_);
    dispatch(dy.dtype(), [&]<class T>(T) {
      const Index w = dy.cols();
      const T* g = dy.data<T>();
      T* out = sink.tensor.data<T>();
      const T share = T(1) / static_cast<T>(heads_);
      parallel_for(dy.rows(), row_grain(w * heads_), [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
          for (Index k = 0; k < w * heads_; ++k) {
            T& o = out[i * w * heads_ + k];
            o = (sink.accumulate ? o : T(0)) + share * g[i * w + k % w];
          }
        }
      });
    });
  }

 private:
  Var x_;
  Index heads_;
};

}  // namespace

Var mean_heads(Tape& tape, Var x, Index heads) {
  if (heads == 1) return x;
  const Tensor in = tape.value(x);
  if (heads < 1 || in.cols() % heads != 0) {
    throw Error(fmt::format("[mean_heads] {} columns do not divide into {} heads", in.cols(), heads));
  }
  const Index w = in.cols() / heads;
  const WorkScope scope(
      pass_work(WorkKind::kElementwise, "mean of heads", in.dtype(), in.rows(), w, 1 + static_cast<double>(heads)));
  Tensor y = tape.allocate(in.rows(), w);
  dispatch(y.dtype(), [&]<class T>(T) {
    const T* p = in.data<T>();
    T* out = y.data<T>();
    const T share = T(1) / static_cast<T>(heads);
    parallel_for(in.rows(), row_grain(w * heads), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        for (Index c = 0; c < w; ++c) {
          T total = 0;
          for (Index h = 0; h < heads; ++h) total += p[(i * heads + h) * w + c];
          out[i * w + c] = share * total;
        }
      }
    });
  });
  return tape.record(std::move(y), std::make_unique<MeanHeadsNode>(x, heads), {x});
}

namespace {

/// out[k] = head_dots() of a and b[k], whose rows are `stride` apart.
template <std::size_t kCount, class A, class B>
void dots_with_each(const Tensor& a, const std::array<const B*, kCount>& b, Index stride, Index heads,
                    std::array<Tensor, kCount>& out) {
  using C = Computed<A>;
  const Index d = a.cols();
  const Index w = d / heads;
  const A* p = a.data<A>();
  std::array<C*, kCount> to;
  for (std::size_t k = 0; k < kCount; ++k) to[k] = out[k].template data<C>();
  parallel_for_vectorised(a.rows(), row_grain(d), [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
    with_head_width(w, [=]<Index kWidth>() LAMINAR_INLINE_LAMBDA {
      for (Index i = begin; i < end; ++i) {
        for (std::size_t k = 0; k < kCount; ++k) {
          dots_of_heads<kWidth>(to[k] + i * heads, p + i * d, b[k] + i * stride, heads, w);
        }
      }
    });
  });
}

}  // namespace

Tensor head_dots(const Tensor& a, const Tensor& b, Index heads, MemoryPool* pool, MemoryPurpose purpose) {
  std::array<Tensor, 1> dots = {Tensor(a.rows(), heads, computed(a.dtype()), pool, purpose)};
  const Index stride = b.rows() == 1 ? 0 : a.cols();
  dispatch_kept(a.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    if (b.dtype() == a.dtype()) {
      dots_with_each<1, T, T>(a, {b.data<T>()}, stride, heads, dots);
    } else {
      dots_with_each<1, T, C>(a, {b.data<C>()}, stride, heads, dots);
    }
  });
  return dots[0];
}

std::array<Tensor, 2> head_dots_of_two(const Tensor& a, const std::array<const Tensor*, 2>& vectors, Index heads,
                                       MemoryPool* pool, MemoryPurpose purpose) {
  const DType dtype = computed(a.dtype());
  std::array<Tensor, 2> dots = {Tensor(a.rows(), heads, dtype, pool, purpose),
                                Tensor(a.rows(), heads, dtype, pool, purpose)};
  dispatch_kept(a.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    dots_with_each<2, T, C>(a, {vectors[0]->data<C>(), vectors[1]->data<C>()}, 0, heads, dots);
  });
  return dots;
}

}  // namespace laminar::core
