#pragma once

#include <string_view>
#include <vector>

#include "laminar/layers/layer_setup.hpp"

namespace laminar::layers {

/// How a pair of vertices (u, v) is scored by their embeddings h [d]; the higher, the likelier an edge. Both are
/// symmetric in u and v.
enum class DecoderKind : std::uint8_t {
  kNone,  ///< a model of vertices, not of pairs
  kDot,   ///< h_u . h_v
  kMlp,   ///< a perceptron of h_u * h_v, element by element (the Hadamard product)
};

/// "none", "dot", "mlp".
std::string_view name_of(DecoderKind kind);
/// "dot" or "mlp" as a kind. Throws UsageError on any other name.
DecoderKind decoder_from_name(std::string_view name);

/// What is learnt about pairs: scores y [P, 1] of their products z = h_u * h_v [P, d].
class Decoder {
 public:
  /// kDot: y = sum of z's columns. kMlp: `layers` >= 1 linear maps [d -> width -> ... -> 1], relu and dropout between
  /// them; declares parameters named with the setup's prefix.
  Decoder(DecoderKind kind, Index layers, double dropout, LayerSetup setup);

  DecoderKind kind() const { return kind_; }
  /// Records y for kMlp. `pair_ids` [P] number the pairs of an epoch for the masks of dropout, and must outlive the
  /// tape. Throws Error for kDot, which needs no tape.
  Var operator()(Tape& tape, Var products, std::span<const core::VertexId> pair_ids) const;

 private:
  DecoderKind kind_;
  double dropout_;
  std::vector<Linear> maps_;
};

}  // namespace laminar::layers
