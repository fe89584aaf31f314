#include "laminar/plugin.hpp"

using namespace laminar;

class Unfinished final : public Layer {
 public:
  static LayerInfo info() {
    return { .name = "unfinished", .summary = "no semicolon behind this" }
  }
};
