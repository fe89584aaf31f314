#pragma once

// clang-format off: it would break the lines of the example
/// All that a layer needs, under the names it is written with:
///
///     #include "laminar/plugin.hpp"
///     using namespace laminar;
///
///     /// y_i = x_i W_self + mean_{j -> i} x_j W_nbr + b.   x: [n, in], y: [n, out].
///     class MyConv final : public Layer {
///      public:
///       static LayerInfo info() { return {.name = "my_conv", .summary = "mean of the neighbours and a self term"}; }
///       explicit MyConv(LayerSetup& s)
///           : self_(s.linear("self")), neighbour_(s.linear("neighbour", {.bias = false})) {}
///
///       State forward(Tape& tape, const Block& block, State in) const override {
///         auto x = block.sources(tape, in.x, dropout(in.rate));
///         auto m = mean(tape, block, src(x));
///         return {add(tape, self_(tape, x.own), neighbour_(tape, m))};
///       }
///
///      private:
///       Linear self_, neighbour_;
///     };
///     LAMINAR_LAYER(MyConv)
///
/// The file is given to the executables as `--plugin my_conv.hpp`, to laminar-plugin to check and build it, to CMake as
/// `laminar_add_plugin(my_conv my_conv.hpp)`, or included in a program. The built-in layers use exactly these classes
/// and functions; each stands with its formula, shapes and errors in the header that is included below.
///
/// What a layer may do: call block.sources() once, then one aggregation (sum, mean, max, softmax_sum, ...), and any
/// row-local operation before and after; state what touches source rows (dropout, projection) as the transform in
/// block.sources(); throw Error or UsageError. A plugin's forward is checked each time: a shape that is not [rows, out]
/// and values that are not finite although inputs and weights are become errors that name the layer.
// clang-format on
#include "laminar/core/aggregation.hpp"
#include "laminar/core/dropout.hpp"
#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/heads.hpp"
#include "laminar/core/layer_norm.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/core/rows.hpp"
#include "laminar/core/scaling.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar {

// The layer and what it is given.
using layers::CarriedInfo;
using layers::Layer;
using layers::LayerInfo;
using layers::LayerSetup;
using layers::Linear;
using layers::LinearOptions;
using layers::OptionInfo;
using layers::OptionKind;
using layers::State;

// What it computes with.
using core::Block;
using core::DType;
using core::Index;
using core::Initializer;
using core::Parameter;
using core::Sources;
using core::SourceTransform;
using core::Tape;
using core::Tensor;
using core::Var;
using core::VertexId;

// Row-local operations.
using core::activate;
using core::Activation;
using core::add;
using core::add_bias;
using core::add_bias_in_place;
using core::combine;
using core::densify;
using core::dropout;
using core::layer_norm;
using core::linear;
using core::maximum;
using core::mean_heads;
using core::scale;
using core::scale_columns;
using core::scale_rows;
using core::slice_rows;

// Work on source rows once they have come in.
using core::projection;
using core::vertex_dropout;
/// vertex_dropout(): for block.sources(tape, x, dropout(rate) | weight).
inline SourceTransform dropout(double rate) { return core::vertex_dropout(rate); }

// Messages and aggregations.
using core::AdjacencySpec;
using core::AttentionOptions;
using core::Direction;
using core::dot;
using core::dst;
using core::edge;
using core::edge_weight;
using core::gated_sum;
using core::leaky_relu;
using core::max;
using core::mean;
using core::Message;
using core::min;
using core::moments;
using core::Normalization;
using core::plus_own;
using core::random_walk_norm;
using core::relu;
using core::sigmoid;
using core::softmax_sum;
using core::src;
using core::sum;
using core::symmetric_norm;
using layers::project_sources;
using layers::Projected;
using layers::projected_sources;
using layers::propagate;

// For operations with a backward of their own.
using core::AggregationNode;
using core::GradientSink;
using core::Node;
using core::SourceGradients;

}  // namespace laminar
