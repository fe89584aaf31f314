#pragma once

#include "laminar/layers/layer_checks.hpp"

namespace laminar::testing {

using layers::checks::MadeLayer;
using layers::checks::make_layer;
using layers::checks::option_variants;

}  // namespace laminar::testing
