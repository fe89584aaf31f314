#pragma once

#include <string>

#include "laminar/apps/parallel_bench.hpp"

namespace laminar::apps {

/// A page of HTML that needs nothing beside itself: the table, bars of time and bytes, validation curves, how it was
/// made. Thread-safe.
std::string parallel_bench_page(const ParallelBench& bench);

}  // namespace laminar::apps
