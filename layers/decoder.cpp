/// Link predictors: the inner product of Kipf and Welling 2016 (variational graph auto-encoders), and the perceptron of
/// the Hadamard product that the Open Graph Benchmark's baselines use.
#include "laminar/layers/decoder.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/dropout.hpp"
#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"

namespace laminar::layers {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"none", "dot", "mlp"};

}  // namespace

std::string_view name_of(DecoderKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

DecoderKind decoder_from_name(std::string_view name) {
  if (name == "dot") return DecoderKind::kDot;
  if (name == "mlp") return DecoderKind::kMlp;
  throw UsageError(fmt::format("decoder '{}' is not known; there are dot and mlp", name));
}

Decoder::Decoder(DecoderKind kind, Index layers, double dropout, LayerSetup setup) : kind_(kind), dropout_(dropout) {
  if (kind != DecoderKind::kMlp) return;
  for (Index l = 0; l < layers; ++l) {
    const bool last = l == layers - 1;
    maps_.push_back(setup.linear(fmt::format("{}", l), {.in = setup.in_width(), .out = last ? 1 : setup.in_width()}));
  }
}

Var Decoder::operator()(Tape& tape, Var products, std::span<const core::VertexId> pair_ids) const {
  if (kind_ != DecoderKind::kMlp) throw Error("[decoder] only a perceptron is recorded");
  Var x = products;
  for (std::size_t l = 0; l < maps_.size(); ++l) {
    if (l > 0) {
      x = core::activate(tape, x, core::Activation::kRelu);
      x = core::dropout(tape, x, dropout_, pair_ids);
    }
    x = maps_[l](tape, x);
  }
  return x;
}

}  // namespace laminar::layers
