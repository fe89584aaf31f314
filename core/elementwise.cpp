#include "laminar/core/elementwise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/core/in_place.hpp"
#include "laminar/core/vectorised.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"none", "relu", "leaky-relu", "elu", "tanh", "gelu"};
constexpr double kLeakySlope = 0.01;

void check_same_shape(std::string_view op, const Tensor& x, const Tensor& z) {
  if (x.rows() == z.rows() && x.cols() == z.cols()) return;
  throw Error(fmt::format("[{}] [{}, {}] and [{}, {}] differ in shape", op, x.rows(), x.cols(), z.rows(), z.cols()));
}

class CombineNode final : public Node {
 public:
  CombineNode(double a, Var x, double b, Var z) : a_(a), b_(b), x_(x), z_(z) {}
  void backward(Tape& tape, const Tensor& dy) override {
    // The one that is last may take dy's place.
    if (z_) pass(tape, dy, b_, z_, false);
    pass(tape, dy, a_, x_, true);
  }

 private:
  static void pass(Tape& tape, const Tensor& dy, double factor, Var to, bool is_last) {
    if (!tape.needs_gradient(to)) return;
    if (factor == 1) return tape.add_gradient(to, dy);
    GradientSink sink = is_last ? tape.sink_in_place(to, dy) : tape.sink(to, dy.dtype());
    const WorkScope scope(pass_work(WorkKind::kElementwise, "combination, backward", dy, sink.accumulate ? 3 : 2));
    dispatch_kept(dy.dtype(), [&]<class T>(T) {
      using C = Computed<T>;
      const T* g = dy.data<T>();
      T* out = sink.tensor.data<T>();
      const C f = static_cast<C>(factor);
      const bool adds = sink.accumulate;
      for_each_element(dy.size(), [=](Index i) LAMINAR_INLINE_LAMBDA {
        out[i] = static_cast<T>(adds ? C(out[i]) + f * C(g[i]) : f * C(g[i]));
      });
    });
  }
  double a_, b_;
  Var x_, z_;
};

class MaximumNode final : public Node {
 public:
  MaximumNode(Var x, Var z, Tensor left, Tensor right)
      : x_(x), z_(z), left_(std::move(left)), right_(std::move(right)) {}
  void backward(Tape& tape, const Tensor& dy) override {
    pass(tape, dy, x_, true);
    pass(tape, dy, z_, false);
  }

 private:
  void pass(Tape& tape, const Tensor& dy, Var to, bool is_left) const {
    if (!tape.needs_gradient(to)) return;
    GradientSink sink = tape.sink(to);
    const WorkScope scope(pass_work(WorkKind::kElementwise, "maximum, backward", dy, sink.accumulate ? 5 : 4));
    dispatch(dy.dtype(), [&]<class T>(T) {
      const T* p = left_.data<T>();
      const T* q = right_.data<T>();
      const T* g = dy.data<T>();
      T* out = sink.tensor.data<T>();
      const bool adds = sink.accumulate;
      for_each_element(dy.size(), [=](Index i) LAMINAR_INLINE_LAMBDA {
        const T v = (p[i] >= q[i]) == is_left ? g[i] : T(0);
        out[i] = adds ? out[i] + v : v;
      });
    });
  }
  Var x_, z_;
  Tensor left_, right_;
};

template <class T>
LAMINAR_INLINE T activation_value(Activation f, T x) {
  switch (f) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x < 0 ? T(0) : x;  // a NaN stays one, so that a divergence is seen
    case Activation::kLeakyRelu:
      return x > 0 ? x : static_cast<T>(kLeakySlope) * x;
    case Activation::kElu:
      return x > 0 ? x : std::expm1(x);
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kGelu:
      return x * T(0.5) * std::erfc(-x / std::numbers::sqrt2_v<T>);
  }
  return x;
}

/// What the backward reads: x or y = f(x), or of two straight lines that meet in 0 no more than the side, a bit an
/// element, so that neither x nor y lives on for it.
enum class Saved : std::uint8_t { kInput, kOutput, kSide };

constexpr Saved saved_by(Activation f) {
  switch (f) {
    case Activation::kGelu:
      return Saved::kInput;
    case Activation::kRelu:
    case Activation::kLeakyRelu:
      return Saved::kSide;
    default:
      return Saved::kOutput;
  }
}

/// f'(x), from what saved_by() says; of a side, from any number on it, 0 being on the lower one.
template <class T>
LAMINAR_INLINE T activation_slope(Activation f, T saved) {
  switch (f) {
    case Activation::kNone:
      return 1;
    case Activation::kRelu:
      return saved > 0 ? T(1) : T(0);
    case Activation::kLeakyRelu:
      return saved > 0 ? T(1) : static_cast<T>(kLeakySlope);
    case Activation::kElu:
      return saved > 0 ? T(1) : saved + 1;
    case Activation::kTanh:
      return 1 - saved * saved;
    case Activation::kGelu: {
      const T phi = std::exp(T(-0.5) * saved * saved) / std::sqrt(2 * std::numbers::pi_v<T>);
      return T(0.5) * std::erfc(-saved / std::numbers::sqrt2_v<T>) + saved * phi;
    }
  }
  return 1;
}

/// Calls body(integral constant of f), so that the loops below are compiled one an activation.
template <class F>
void with_constant(Activation f, F&& body) {
  switch (f) {
    case Activation::kNone:
      return body(std::integral_constant<Activation, Activation::kNone>{});
    case Activation::kRelu:
      return body(std::integral_constant<Activation, Activation::kRelu>{});
    case Activation::kLeakyRelu:
      return body(std::integral_constant<Activation, Activation::kLeakyRelu>{});
    case Activation::kElu:
      return body(std::integral_constant<Activation, Activation::kElu>{});
    case Activation::kTanh:
      return body(std::integral_constant<Activation, Activation::kTanh>{});
    case Activation::kGelu:
      return body(std::integral_constant<Activation, Activation::kGelu>{});
  }
}

constexpr Index kWord = 32;

/// Room for a bit an element of x: words in a tensor, so that they come from the pool and are counted.
Tensor room_for_sides(const Tape& tape, const Tensor& x) {
  return tape.allocate_as(DType::kFloat32, 1, (x.size() + kWord - 1) / kWord);
}

/// Which bit of its word stands for element i: of bfloat16, which are taken two in a word of memory, first those in the
/// lower halves.
template <class T>
LAMINAR_INLINE std::uint32_t side_bit(Index i) {
  return std::uint32_t{1} << (std::is_same_v<T, Bfloat16> ? i / 2 + i % 2 * 16 : i);
}

/// body(w, first, count) for each word w, whose bits stand for elements [first, first + count); in parallel. Full words
/// have a count that the compiler knows.
template <class Body>
void for_each_word(Index size, const Body& body) {
  const Index words = (size + kWord - 1) / kWord;
  parallel_for_vectorised(words, Index{1} << 9, [&body, size](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
    const Body own = body;
    const Index full = std::min(end, size / kWord);
    for (Index w = begin; w < full; ++w) own(w, w * kWord, kWord);
    if (full < end) own(full, full * kWord, size - full * kWord);
  });
}

/// 32 of relu(x) and which of them are positive, as whole numbers, two at a time: a bfloat16 is positive if its bits
/// are those of the least normal number to an infinity, and negative if they are so above the sign. Subnormal ones are
/// taken for 0, as by the threads of a training.
LAMINAR_INLINE std::uint32_t relu_pairs(const Bfloat16* x, Bfloat16* y) {
  constexpr std::uint32_t kLeast = 0x0080;
  constexpr std::uint32_t kLeastNegative = 0x8080;
  constexpr std::uint32_t kNumbers = 0x7f80 - kLeast + 1;
  // Compilers don't take it in vectors together with the results.
  std::uint32_t word = 0;
  LAMINAR_LANES
  for (Index i = 0; i < kWord / 2; ++i) {
    std::uint32_t pair = 0;
    std::memcpy(&pair, x + 2 * i, sizeof pair);
    const std::uint32_t lower = (pair & 0xffffU) - kLeast < kNumbers ? std::uint32_t{1} << i : 0U;
    const std::uint32_t upper = (pair >> 16) - kLeast < kNumbers ? std::uint32_t{0x10000} << i : 0U;
    word |= lower | upper;
  }
  LAMINAR_LANES
  for (Index i = 0; i < kWord / 2; ++i) {
    std::uint32_t pair = 0;
    std::memcpy(&pair, x + 2 * i, sizeof pair);
    const std::uint32_t lower = (pair & 0xffffU) - kLeastNegative < kNumbers ? 0U : pair & 0xffffU;
    const std::uint32_t upper = (pair >> 16) - kLeastNegative < kNumbers ? 0U : pair & 0xffff0000U;
    const std::uint32_t result = lower | upper;
    std::memcpy(static_cast<void*>(y + 2 * i), &result, sizeof result);
  }
  return word;
}

/// 32 of dx, which are dy where a bit of `word` is set and else 0.
LAMINAR_INLINE void pass_pairs(const Bfloat16* dy, std::uint32_t word, Bfloat16* dx) {
  LAMINAR_LANES
  for (Index i = 0; i < kWord / 2; ++i) {
    std::uint32_t pair = 0;
    std::memcpy(&pair, dy + 2 * i, sizeof pair);
    const std::uint32_t lower = (word & (std::uint32_t{1} << i)) != 0 ? pair & 0xffffU : 0U;
    const std::uint32_t upper = (word & (std::uint32_t{0x10000} << i)) != 0 ? pair & 0xffff0000U : 0U;
    const std::uint32_t result = lower | upper;
    std::memcpy(static_cast<void*>(dx + 2 * i), &result, sizeof result);
  }
}

/// y = f(x), and which of them are positive; y may be x.
template <class T, Activation f>
void activate_and_tell(const T* x, T* y, Index size, std::uint32_t* sides) {
  for_each_word(size, [=](Index w, Index first, Index count) LAMINAR_INLINE_LAMBDA {
    if constexpr (std::is_same_v<T, Bfloat16> && f == Activation::kRelu) {
      if (count == kWord) {
        sides[w] = relu_pairs(x + first, y + first);
        return;
      }
    }
    std::uint32_t word = 0;
    LAMINAR_LANES
    for (Index i = 0; i < count; ++i) {
      const auto value = activation_value<Computed<T>>(f, x[first + i]);
      y[first + i] = static_cast<T>(value);
      word |= value > 0 ? side_bit<T>(i) : 0U;
    }
    sides[w] = word;
  });
}

/// dx (+)= f' dy; dx may be dy. What a relu does not pass is 0, whatever it was.
template <class T, Activation f>
void pass_sides(const T* dy, const std::uint32_t* sides, bool adds, T* dx, Index size) {
  using C = Computed<T>;
  for_each_word(size, [=](Index w, Index first, Index count) LAMINAR_INLINE_LAMBDA {
    const std::uint32_t word = sides[w];
    if constexpr (std::is_same_v<T, Bfloat16> && f == Activation::kRelu) {
      if (count == kWord && !adds) return pass_pairs(dy + first, word, dx + first);
    }
    LAMINAR_LANES
    for (Index i = 0; i < count; ++i) {
      const C g = C(dy[first + i]);
      const C other = f == Activation::kRelu ? C(0) : g * activation_slope(f, C(0));
      const C v = (word & side_bit<T>(i)) != 0 ? g : other;
      dx[first + i] = static_cast<T>(adds ? C(dx[first + i]) + v : v);
    }
  });
}

class ActivationNode final : public Node {
 public:
  ActivationNode(Activation f, Var x, Tensor saved) : f_(f), x_(x), saved_(std::move(saved)) {}
  void backward(Tape& tape, const Tensor& dy) override {
    GradientSink sink = tape.sink_in_place(x_, dy);
    const int tensors = (sink.accumulate ? 3 : 2) + (saved_by(f_) == Saved::kSide ? 0 : 1);
    const WorkScope scope(pass_work(WorkKind::kElementwise, "activation, backward", dy, tensors));
    dispatch_kept(dy.dtype(), [&]<class T>(T) {
      using C = Computed<T>;
      const T* g = dy.data<T>();
      T* out = sink.tensor.data<T>();
      with_constant(f_, [&](auto f) {
        constexpr Activation kF = decltype(f)::value;
        const bool adds = sink.accumulate;
        if constexpr (saved_by(kF) == Saved::kSide) {
          pass_sides<T, kF>(g, reinterpret_cast<const std::uint32_t*>(saved_.raw()), adds, out, dy.size());
        } else {
          const T* saved = saved_.data<T>();
          for_each_element(dy.size(), [=](Index i) LAMINAR_INLINE_LAMBDA {
            const C v = C(g[i]) * activation_slope<C>(kF, saved[i]);
            out[i] = static_cast<T>(adds ? C(out[i]) + v : v);
          });
        }
      });
    });
  }

 private:
  Activation f_;
  Var x_;
  Tensor saved_;
};

/// y = a x + b z; y may be x.
void combine_to(double a, const Tensor& x, double b, const Tensor& z, Tensor& y) {
  const WorkScope scope(pass_work(WorkKind::kElementwise, "combination", x, 3));
  dispatch_kept(y.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    const T* p = x.data<T>();
    const T* q = z.data<T>();
    T* out = y.data<T>();
    const C s = static_cast<C>(a);
    const C t = static_cast<C>(b);
    for_each_element(y.size(),
                     [=](Index i) LAMINAR_INLINE_LAMBDA { out[i] = static_cast<T>(s * C(p[i]) + t * C(q[i])); });
  });
}

/// y = f(x), and what the backward reads; y may be x, unless that is x.
Tensor activate_to(const Tape& tape, const Tensor& x, Activation activation, Tensor& y) {
  const WorkScope scope(pass_work(WorkKind::kElementwise, "activation", x, 2));
  Tensor saved = saved_by(activation) == Saved::kSide     ? room_for_sides(tape, x)
                 : saved_by(activation) == Saved::kOutput ? y
                                                          : x;
  dispatch_kept(y.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    const T* p = x.data<T>();
    T* out = y.data<T>();
    with_constant(activation, [&](auto f) {
      constexpr Activation kF = decltype(f)::value;
      if constexpr (saved_by(kF) == Saved::kSide) {
        activate_and_tell<T, kF>(p, out, y.size(), reinterpret_cast<std::uint32_t*>(saved.raw()));
      } else {
        for_each_element(
            y.size(), [=](Index i) LAMINAR_INLINE_LAMBDA { out[i] = static_cast<T>(activation_value<C>(kF, p[i])); });
      }
    });
  });
  return saved;
}

}  // namespace

Var combine_onto(Tape& tape, double a, Var onto, double b, Var x) {
  if (onto.id == x.id || tape.kept_dtype(onto) != tape.kept_dtype(x)) return combine(tape, a, onto, b, x);
  const Tensor right = tape.kept(x);
  check_same_shape("combine_onto", tape.kept(onto), right);
  const Tensor left = tape.take(onto);
  Tensor y = room_in_place(tape, left);
  combine_to(a, left, b, right, y);
  return tape.record(std::move(y), std::make_unique<CombineNode>(a, onto, b, x), {onto, x});
}

Var combine(Tape& tape, double a, Var x, double b, Var z) {
  // Two that are kept alike give a third.
  const bool alike = tape.kept_dtype(x) == tape.kept_dtype(z);
  const Tensor left = alike ? tape.kept(x) : tape.value(x);
  const Tensor right = alike ? tape.kept(z) : tape.value(z);
  check_same_shape("combine", left, right);
  Tensor y = tape.allocate_as(left.dtype(), left.rows(), left.cols());
  combine_to(a, left, b, right, y);
  return tape.record(std::move(y), std::make_unique<CombineNode>(a, x, b, z), {x, z});
}

Var maximum(Tape& tape, Var x, Var z) {
  const Tensor left = tape.value(x);
  const Tensor right = tape.value(z);
  check_same_shape("maximum", left, right);
  const WorkScope scope(pass_work(WorkKind::kElementwise, "maximum", left, 3));
  Tensor y = tape.allocate(left.rows(), left.cols());
  dispatch(y.dtype(), [&]<class T>(T) {
    const T* p = left.data<T>();
    const T* q = right.data<T>();
    T* out = y.data<T>();
    // A NaN on either side stays one.
    for_each_element(y.size(),
                     [=](Index i) LAMINAR_INLINE_LAMBDA { out[i] = p[i] >= q[i] || p[i] != p[i] ? p[i] : q[i]; });
  });
  return tape.record(std::move(y), std::make_unique<MaximumNode>(x, z, left, right), {x, z});
}

Var scale(Tape& tape, double a, Var x) {
  const Tensor in = tape.kept(x);
  const WorkScope scope(pass_work(WorkKind::kElementwise, "multiple", in, 2));
  Tensor y = tape.allocate_as(in.dtype(), in.rows(), in.cols());
  dispatch_kept(y.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    const T* p = in.data<T>();
    T* out = y.data<T>();
    const C s = static_cast<C>(a);
    for_each_element(y.size(), [=](Index i) LAMINAR_INLINE_LAMBDA { out[i] = static_cast<T>(s * C(p[i])); });
  });
  return tape.record(std::move(y), std::make_unique<CombineNode>(a, x, 0, Var{}), {x});
}

std::string_view name_of(Activation activation) { return kNames[static_cast<std::size_t>(activation)]; }

Activation activation_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Activation>(i);
  }
  throw UsageError(fmt::format("activation '{}' is not known; use one of {}", name, fmt::join(kNames, ", ")));
}

Var activate(Tape& tape, Var x, Activation activation) {
  if (activation == Activation::kNone) return x;
  const Tensor in = tape.kept(x);
  Tensor y = tape.allocate_as(in.dtype(), in.rows(), in.cols());
  Tensor saved = activate_to(tape, in, activation, y);
  return tape.record(std::move(y), std::make_unique<ActivationNode>(activation, x, std::move(saved)), {x});
}

Var activate_in_place(Tape& tape, Var x, Activation activation) {
  if (saved_by(activation) == Saved::kInput) return activate(tape, x, activation);
  if (activation == Activation::kNone) return x;
  const Tensor in = tape.take(x);
  Tensor y = room_in_place(tape, in);
  Tensor saved = activate_to(tape, in, activation, y);
  return tape.record(std::move(y), std::make_unique<ActivationNode>(activation, x, std::move(saved)), {x});
}

}  // namespace laminar::core
