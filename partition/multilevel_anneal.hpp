#pragma once

#include "laminar/partition/multilevel_refine.hpp"

namespace laminar::partition::multilevel {

/// Simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983) of k parts with prices. Vertex by vertex in random order,
/// the part that is cheapest for it, other than its own, is taken if that gains or, at temperature T (rows), with
/// probability exp(gain / T); T falls geometrically from options.hot to options.cold. What a move changes is known in
/// O(parts), so a rejected one costs next to nothing, where a local search makes it and takes it back.
/// A part may be over its limit meanwhile, but then asks a price of each vertex in it, which rises with what is above
/// the limit and falls below it: vertices that gain least from a full part leave it, others come in, as no single move
/// within the limits could do. What is above in the end is rebalanced, and a few sweeps within the limits follow.
/// Never makes the goal or the balance worse: the start comes back if the result is no better. Does nothing if
/// options.sweeps is 0. Serial; depends on `random` alone.
void anneal(State& state, const SearchOptions& options, RandomSequence& random, Deadline& deadline);

}  // namespace laminar::partition::multilevel
