#include "laminar/layers/layer_guard.hpp"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/forward_left.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::layers {
namespace {

bool is_finite(const core::Tensor& t) {
  return core::dispatch_kept(t.dtype(), [&]<class T>(T) {
    using C = core::Computed<T>;
    const T* x = t.data<T>();
    // 0 x is 0 where x is finite and NaN elsewhere: a sum without branches.
    return core::parallel_sum(t.size(), 1 << 14, [&](Index begin, Index end) {
             C sum = 0;
             for (Index i = begin; i < end; ++i) sum += C(x[i]) * C(0);
             return static_cast<double>(sum);
           }) == 0;
  });
}

bool is_finite(const Tape& tape, Var v) { return !v || tape.is_sparse(v) || is_finite(tape.kept(v)); }

void check_shape(const GuardedLayer& where, const Tape& tape, Var v, std::string_view what, Index rows, Index cols) {
  if (v && tape.rows(v) == rows && tape.cols(v) == cols) return;
  throw Error(fmt::format("{} gave {} [{}, {}], expected [{}, {}]", text_of(where), what, v ? tape.rows(v) : 0,
                          v ? tape.cols(v) : 0, rows, cols));
}

void check_finite(const GuardedLayer& where, const Tape& tape, const Block& block, Var before, const State& out) {
  const core::Tensor& y = tape.kept(out.x);
  if (is_finite(y)) return;
  // A training that diverges is not the layer's fault, and says so itself.
  const bool weights_are = std::all_of(where.parameters.begin(), where.parameters.end(),
                                       [](const core::Parameter* p) { return is_finite(p->value); });
  if (!weights_are || !is_finite(tape, before)) return;
  for (Index r = 0; r < y.rows(); ++r) {
    for (Index c = 0; c < y.cols(); ++c) {
      const double value = y.at(r, c);
      if (std::isfinite(value)) continue;
      throw Error(fmt::format("{} gave {} for vertex {}, column {}, although its inputs and weights are finite",
                              text_of(where), value, block.own_ids()[static_cast<std::size_t>(r)], c));
    }
  }
}

}  // namespace

std::string text_of(const GuardedLayer& where) {
  const std::string of = where.source.empty() ? std::string() : " of " + where.source;
  return fmt::format("layer {}, '{}'{}", where.index, where.name, of);
}

void guarded(const GuardedLayer& where, const std::function<void()>& body) {
  if (where.source.empty()) return body();
  const auto placed = [&](const char* text) { return fmt::format("{} (in {})", text, text_of(where)); };
  try {
    body();
  } catch (const UsageError& error) {
    throw UsageError(placed(error.what()));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const core::ForwardLeft&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(placed(error.what()));
  } catch (...) {
    throw Error(placed("something was thrown that is no std::exception"));
  }
}

State guarded_forward(const GuardedLayer& where, const Layer& layer, Tape& tape, const Block& block, State in) {
  const Var before = in.x;
  State out;
  guarded(where, [&] { out = layer.forward(tape, block, std::move(in)); });
  check_shape(where, tape, out.x, "a state", block.num_rows(), where.out_width);
  if (out.carried.size() != where.carried_widths.size()) {
    throw Error(
        fmt::format("{} gave {} carried tensors, but declares {}; return the state that came in, with another x",
                    text_of(where), out.carried.size(), where.carried_widths.size()));
  }
  for (std::size_t i = 0; i < out.carried.size(); ++i) {
    check_shape(where, tape, out.carried[i], "a carried tensor", block.num_rows(), where.carried_widths[i]);
  }
  if (!where.source.empty()) check_finite(where, tape, block, before, out);
  return out;
}

}  // namespace laminar::layers
