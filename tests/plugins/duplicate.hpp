#pragma once

#include "laminar/plugin.hpp"

/// A layer whose name is taken, beside one whose name is not.
class Fresh final : public laminar::Layer {
 public:
  static laminar::LayerInfo info() { return {.name = "fresh", .summary = "its name is free"}; }
  explicit Fresh(laminar::LayerSetup&) {}
  laminar::State forward(laminar::Tape&, const laminar::Block&, laminar::State in) const override { return in; }
};
LAMINAR_LAYER(Fresh)

class SecondGcn final : public laminar::Layer {
 public:
  static laminar::LayerInfo info() { return {.name = "gcn", .summary = "its name is taken"}; }
  explicit SecondGcn(laminar::LayerSetup&) {}
  laminar::State forward(laminar::Tape&, const laminar::Block&, laminar::State in) const override { return in; }
};
LAMINAR_LAYER(SecondGcn)
