#pragma once

#include "laminar/layers/check_data.hpp"

/// The small graphs that layers are checked on, for tests.
namespace laminar::testing {

using layers::checks::directed_random;
using layers::checks::directed_weighted_hub;
using layers::checks::grid;
using layers::checks::NamedGraph;
using layers::checks::ring;
using layers::checks::star;
using layers::checks::test_graphs;
using layers::checks::undirected_random;

}  // namespace laminar::testing
