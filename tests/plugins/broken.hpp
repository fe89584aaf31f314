#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>

#include "laminar/plugin.hpp"

using namespace laminar;

/// Layers that are wrong in one way each.
class Throws final : public Layer {
 public:
  static LayerInfo info() { return {.name = "throws", .summary = "throws in its forward"}; }
  explicit Throws(LayerSetup&) {}
  State forward(Tape&, const Block&, State) const override { throw std::runtime_error("the moon is full"); }
};
LAMINAR_LAYER(Throws)

class WrongShape final : public Layer {
 public:
  static LayerInfo info() { return {.name = "wrong_shape", .summary = "gives a column too many"}; }
  explicit WrongShape(LayerSetup& s) : weight_(s.linear("weight", {.out = s.out_width() + 1})) {}
  State forward(Tape& tape, const Block&, State in) const override { return {weight_(tape, in.x)}; }

 private:
  Linear weight_;
};
LAMINAR_LAYER(WrongShape)

class GivesNan final : public Layer {
 public:
  static LayerInfo info() { return {.name = "gives_nan", .summary = "divides by zero"}; }
  explicit GivesNan(LayerSetup& s) : weight_(s.linear("weight")) {}
  State forward(Tape& tape, const Block&, State in) const override {
    return {scale(tape, std::numeric_limits<double>::quiet_NaN(), weight_(tape, in.x))};
  }

 private:
  Linear weight_;
};
LAMINAR_LAYER(GivesNan)

/// y = x^2 with a backward that forgets the factor 2.
class WrongSquare final : public Node {
 public:
  WrongSquare(Var x, Tensor value) : x_(x), value_(std::move(value)) {}
  void backward(Tape& tape, const Tensor& dy) override {
    if (!tape.needs_gradient(x_)) return;
    Tensor dx = tape.allocate(dy.rows(), dy.cols());
    for (Index r = 0; r < dy.rows(); ++r) {
      for (Index c = 0; c < dy.cols(); ++c) dx.set(r, c, value_.at(r, c) * dy.at(r, c));
    }
    tape.add_gradient(x_, dx);
  }

 private:
  Var x_;
  Tensor value_;
};

class WrongGradient final : public Layer {
 public:
  static LayerInfo info() { return {.name = "wrong_gradient", .summary = "a backward of its own that is wrong"}; }
  explicit WrongGradient(LayerSetup& s) : weight_(s.linear("weight")) {}
  State forward(Tape& tape, const Block& block, State in) const override {
    const Var m = weight_(tape, mean(tape, block, src(block.sources(tape, in.x, dropout(in.rate)))));
    const Tensor x = tape.value(m);
    Tensor y = tape.allocate(x.rows(), x.cols());
    for (Index r = 0; r < x.rows(); ++r) {
      for (Index c = 0; c < x.cols(); ++c) y.set(r, c, x.at(r, c) * x.at(r, c));
    }
    return {tape.record(y, std::make_unique<WrongSquare>(m, x), {m})};
  }

 private:
  Linear weight_;
};
LAMINAR_LAYER(WrongGradient)
