#include "laminar/pipeline/chunk_order.hpp"

#include <numeric>
#include <utility>

#include "laminar/core/random.hpp"

namespace laminar::pipeline {
namespace {

/// Fisher and Yates' shuffle, keyed by the epoch.
std::vector<Index> permutation(Index n, std::uint64_t seed, Index epoch, bool shuffle) {
  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  if (!shuffle) return order;
  const core::RandomKey key = core::random_key(seed, "chunk-order");
  for (Index i = n - 1; i > 0; --i) {
    const auto at = static_cast<std::uint64_t>(epoch) * static_cast<std::uint64_t>(n) + static_cast<std::uint64_t>(i);
    std::swap(order[i], order[core::random_below(key, at, i + 1)]);
  }
  return order;
}

std::vector<Index> positions(const std::vector<Index>& order, bool reversed) {
  const auto n = static_cast<Index>(order.size());
  std::vector<Index> position(order.size());
  for (Index i = 0; i < n; ++i) position[order[i]] = reversed ? n - 1 - i : i;
  return position;
}

}  // namespace

ChunkOrder chunk_order(Index num_chunks, std::uint64_t seed, Index epoch, bool shuffle, bool same_backward) {
  ChunkOrder order;
  order.chunks = permutation(num_chunks, seed, epoch, shuffle);
  order.position = positions(order.chunks, false);
  order.backward = positions(order.chunks, !same_backward);
  order.next_backward = positions(permutation(num_chunks, seed, epoch + 1, shuffle), !same_backward);
  return order;
}

}  // namespace laminar::pipeline
