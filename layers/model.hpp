#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/core/elementwise.hpp"
#include "laminar/layers/decoder.hpp"
#include "laminar/layers/layer_setup.hpp"

namespace laminar::layers {

/// What stands between a layer and the activation behind it, or, in a residual net, at the head of each block.
enum class Norm : std::uint8_t {
  kDefault,  ///< kLayer in residual nets, kNone elsewhere
  kNone,     ///< nothing
  kLayer,    ///< each row by itself; Ba, Kiros and Hinton 2016
  kBatch,    ///< each column over all vertices; Ioffe and Szegedy 2015. Not under history.
};

/// "default", "none", "layer", "batch".
std::string_view name_of(Norm norm);
/// The inverse. Throws UsageError, naming those there are.
Norm norm_from_name(std::string_view name);

/// What the head of a net reads: the last layer's embedding, or those of all layers put together (jumping knowledge; Xu
/// et al. 2018).
enum class Jumping : std::uint8_t {
  kNone,  ///< the last one
  kCat,   ///< side by side
  kMax,   ///< the largest, column by column
  kSum,   ///< their sum
};

/// "none", "cat", "max", "sum".
std::string_view name_of(Jumping jumping);
/// The inverse. Throws UsageError, naming those there are.
Jumping jumping_from_name(std::string_view name);

/// What a net reads of a vertex.
enum class VertexInput : std::uint8_t {
  kGiven,            ///< the dataset's features
  kLearned,          ///< an embedding that is trained along: a row of a table
  kGivenAndLearned,  ///< both, side by side
};

/// "given", "learned", "given,learned".
std::string_view name_of(VertexInput input);
/// The inverse; "learned,given" is the same as the third. Throws UsageError, naming those there are.
VertexInput vertex_input_from_name(std::string_view name);

/// Everything that defines a model, beside the dataset it is for.
struct ModelOptions {
  std::string layer = "gcn";
  /// Aggregations. A plain net has exactly these, the last one to the outputs; gcnii and residual nets have a linear
  /// encoder and head around them.
  Index layers = 2;
  /// Width between layers.
  Index hidden = 64;
  /// Dropout rate before every layer but the first dense one, and before the head of a net with constant width.
  double dropout = 0.5;
  /// Dropout rate on the input features.
  double input_dropout = 0;
  core::Activation activation = core::Activation::kRelu;
  /// Pre-activation residual blocks: x + conv(dropout(activation(layer_norm(x)))).
  bool residual = false;
  Norm norm = Norm::kDefault;
  /// A net with jumping knowledge has a linear head on `layers` convolutions of width `hidden`.
  Jumping jumping = Jumping::kNone;
  /// Divide each vertex's features by the sum of their absolute values first (rows of zeros stay).
  bool normalize_features = false;
  /// How weights start; nothing = as each layer says (Glorot).
  std::optional<core::Initializer> initializer = {};
  /// Of weights and of what is computed. kBfloat16: float32, but activations, features and their gradients are kept in
  /// bfloat16; see core::Tape.
  core::DType precision = core::DType::kFloat32;
  LayerOptions layer_options = {};
  /// For models of pairs of vertices: then the outputs are embeddings, of width `hidden`, and the dataset needs no
  /// labels.
  DecoderKind decoder = DecoderKind::kNone;
  /// Linear maps of a kMlp.
  Index decoder_layers = 2;
  VertexInput input = VertexInput::kGiven;
  /// With learned embeddings: columns of their table, which then is a linear map without bias before the first layer
  /// (of given features too). 0 = no table but the first layer's weights. Not heeded by nets with an encoder of their
  /// own, whose weight is the table.
  Index embedding_width = 64;
  /// Rows of that table; 0 = see pipeline::embedding_rows().
  Index embedding_buckets = 0;
};

/// Whether the net has a linear encoder anyway: residual nets, and those of layers that carry something along or keep
/// their width, as gcnii and appnp do. Throws UsageError if the layer is not known.
bool has_own_encoder(const ModelOptions& options);

/// Which layers of a model a device holds.
struct ModelPart {
  Index layer_begin = 0;
  /// -1 = all.
  Index layer_end = -1;
  /// Hold the encoder too where layer_begin > 0, to make constant carried tensors again.
  bool encoder = false;
};

/// A stack of layers with its parameters. Layer l is what one tape records: the encoder belongs to the first, the head
/// to the last, so a pipeline cuts between layers only. One thread at a time changes parameters; forward() is const.
class Model {
 public:
  /// Throws UsageError for options out of range, unknown layers or layer options, and for data without features or
  /// labels. Parameters are zero until initialize(). Memory from `pool`, or unmetered.
  /// With a `part`, only its layers have parameters; throws Error if it is out of range.
  Model(const ModelOptions& options, const core::DatasetSchema& schema, core::MemoryPool* pool = nullptr,
        const ModelPart& part = {});
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  const ModelOptions& options() const;
  Index num_layers() const;
  Index num_inputs() const;
  Index num_outputs() const;
  /// Columns of the embedding that layer l gives to the next; of the last one, num_outputs().
  Index width_after(Index l) const;
  /// Tensors that travel beside the embedding, and the columns of each.
  Index num_carried() const;
  Index carried_width(Index i) const;
  /// Whether all of them are constant: then encode() gives them in any stage.
  bool carried_is_constant() const;
  /// Whether layers need the rows of all vertices at once, beyond their sources: then a stage can't work on chunks.
  bool needs_all_rows() const;
  /// Whether a linear map stands before the first layer: an encoder, or a table of embeddings.
  bool has_encoder() const;
  /// The layer that parameter i of parameters() belongs to, -1 for encoder and head; whether it is the encoder's.
  Index layer_of(Index i) const;
  bool is_of_encoder(Index i) const;

  /// What scores pairs by the outputs; null without one, and where the last layer is not held.
  const Decoder* decoder() const;

  core::ParameterList& parameters();
  const core::ParameterList& parameters() const;
  /// Number of learnt values.
  Index num_weights() const;
  /// Draws all parameters from (seed, name). `graph` is needed by Initializer::kVirgo only; throws Error without it.
  void initialize(std::uint64_t seed, const core::Graph* graph = nullptr);

  /// Records the encoder: from the features to the state before layer 0, carried tensors included. The identity without
  /// an encoder.
  State encode(Tape& tape, const Block& block, State in) const;

  /// Records layer l in [0, num_layers()) on the tape. The state before layer 0 has the features as x and nothing
  /// carried. With `embedding`, layer num_layers() - 1 also gives the rows that the output layer or head reads.
  State forward(Index l, Tape& tape, const Block& block, State in, Var* embedding = nullptr) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laminar::layers
