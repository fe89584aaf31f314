#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "laminar/core/memory.hpp"
#include "laminar/core/tensor.hpp"
#include "laminar/layers/decoder.hpp"
#include "laminar/pipeline/pair_set.hpp"

namespace laminar::pipeline {

/// Scores pairs of rows of an embedding by a decoder, and takes the loss of the scores back to the rows. Pairs are
/// rows, not vertices in the file. Results do not depend on the number of threads. One thread at a time, inside an
/// arena.
class PairScorer {
 public:
  /// A perceptron takes so many pairs at once.
  static constexpr Index kPanelPairs = 32768;

  /// `decoder` must outlive it.
  PairScorer(const layers::Decoder& decoder, std::shared_ptr<core::MemoryPool> pool);

  /// The score of each pair, without dropout. `rows` [n, d]. Throws Error for a pair out of range.
  std::vector<double> scores(const core::Tensor& rows, std::span<const Pair> pairs) const;

  /// The mean over pairs of log(1 + exp(-s)) for the first `positives` of them and log(1 + exp(s)) for the others:
  /// binary cross-entropy of the scores s. Overwrites `gradient` [n, d] with that of `rows`, and adds to those of the
  /// decoder's parameters. Dropout with the masks of (seed, epoch, layer), the i-th pair being row i. Throws Error for
  /// a pair out of range, or without pairs.
  double loss(const core::Tensor& rows, std::span<const Pair> pairs, std::size_t positives, std::uint64_t seed,
              Index epoch, Index layer, core::Tensor& gradient) const;

 private:
  double perceptron_loss(const core::Tensor& rows, std::span<const Pair> pairs, std::size_t positives,
                         const core::TapeContext& context, core::Tensor& gradient) const;
  core::TapeContext context(const core::Tensor& rows) const;
  const layers::Decoder& decoder_;
  std::shared_ptr<core::MemoryPool> pool_;
};

/// The mean of log(1 + exp(-s)) over positives' and log(1 + exp(s)) over negatives' scores, in a fixed order.
double pair_loss(std::span<const double> positives, std::span<const double> negatives);

}  // namespace laminar::pipeline
