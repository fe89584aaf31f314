/// Messages with edge attributes, m_ij = x_j + f_ij W + b, through a ReLU or not, and their sum over in-edges. A
/// message is computed where it is needed, in the forward and in both gathers of the backward,
///
///     dx_j = sum_i dy_i [m_ij > 0]           over out-edges,
///     dW   = sum_ij f_ij^T (dy_i [m_ij > 0])  over in-edges, likewise db,
///
/// so that nothing of the size of edges x d is ever stored. W and b grow by panels of rows, added in order.
#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/edge_work.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/panel_sums.hpp"

namespace laminar::core {
namespace {

/// m = x + b + f W, over d columns.
template <class T>
void message_of(T* m, const T* x, const T* b, const T* f, const T* w, Index width, Index d) {
  run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
    for (Index c = 0; c < d; ++c) m[c] = x[c] + b[c];
    for (Index k = 0; k < width; ++k) {
      for (Index c = 0; c < d; ++c) m[c] += f[k] * w[k * d + c];
    }
  });
}

class EdgeMessageNode final : public AggregationNode {
 public:
  struct Inputs {
    Var x, weight, bias;
  };
  EdgeMessageNode(Tape& tape, Inputs in, std::shared_ptr<const Adjacency> a, Tensor features,
                  const EdgeMessage& message)
      : in_(in),
        a_(std::move(a)),
        x_(tape.value(in.x)),
        features_(std::move(features)),
        weight_(message.edge.weight->value),
        bias_(message.edge.bias->value),
        is_rectified_(message.is_rectified) {}

  void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) override {
    const WorkScope scope(in_edge_work(WorkKind::kSum, "edge messages", *a_, begin, end, y, y.cols()));
    dispatch(y.dtype(), [&]<class T>(T) {
      const Index d = y.cols();
      parallel_for_rows(a_->offsets, begin, end, [&](Index b, Index e) {
        std::vector<T> m(static_cast<std::size_t>(d));
        for (Index i = b; i < e; ++i) {
          T* out = y.data<T>() + i * d;
          std::fill_n(out, d, T(0));
          for (EdgeId p = a_->offsets[i]; p < a_->offsets[i + 1]; ++p) {
            message<T>(m.data(), sources.data<T>(), a_->sources[p], p);
            // A NaN stays one.
            for (Index c = 0; c < d; ++c) out[c] += is_rectified_ && m[c] < 0 ? T(0) : m[c];
          }
        }
      });
    });
  }

  void backward(Tape& tape, const Tensor& dy) override {
    dispatch(dy.dtype(), [&]<class T>(T) { parameter_gradients<T>(tape, dy); });
    if (!tape.needs_gradient(in_.x)) return;
    SourceGradients out{tape.sink(in_.x), {}};
    backward_rows(dy, 0, a_->num_sources, out);
  }

  void backward_rows(const Tensor& dy, Index begin, Index end, SourceGradients& out) const override {
    const WorkScope scope(out_edge_work(WorkKind::kSum, "edge messages, backward", *a_, begin, end, dy, dy.cols()));
    dispatch(dy.dtype(), [&]<class T>(T) {
      const Index d = dy.cols();
      const auto& transposed = a_->transposed;
      T* dx = out.rows.tensor.data<T>();
      parallel_for_rows(transposed.offsets, begin, end, [&](Index b, Index e) {
        std::vector<T> m(static_cast<std::size_t>(d));
        for (Index j = b; j < e; ++j) {
          T* dxj = dx + j * d;
          if (!out.rows.accumulate) std::fill_n(dxj, d, T(0));
          for (EdgeId p = transposed.offsets[j]; p < transposed.offsets[j + 1]; ++p) {
            const T* g = dy.data<T>() + transposed.rows[p] * d;
            message<T>(m.data(), x_.data<T>(), j, transposed.positions[p]);
            for (Index c = 0; c < d; ++c) dxj[c] += is_rectified_ && !(m[c] > 0) ? T(0) : g[c];
          }
        }
      });
    });
  }

 private:
  /// The message of source row j along entry p, before the ReLU.
  template <class T>
  void message(T* m, const T* x, Index j, EdgeId p) const {
    const Index d = x_.cols();
    const Index width = features_.cols();
    message_of(m, x + j * d, bias_.data<T>(), features_.data<T>() + p * width, weight_.data<T>(), width, d);
  }

  template <class T>
  void parameter_gradients(Tape& tape, const Tensor& dy) const {
    const WorkScope scope(in_edge_work(WorkKind::kSum, "edge messages, weights", *a_, 0, a_->num_rows, dy, dy.cols()));
    const Index n = a_->num_rows;
    const Index d = dy.cols();
    const Index width = features_.cols();
    T* weight_gradient = tape.sink(in_.weight).tensor.data<T>();
    T* bias_gradient = tape.sink(in_.bias).tensor.data<T>();
    const auto add_rows = [&](Index begin, Index end, T* dw) {
      T* db = dw + width * d;
      std::vector<T> m(static_cast<std::size_t>(d));
      for (Index i = begin; i < end; ++i) {
        const T* g = dy.data<T>() + i * d;
        for (EdgeId p = a_->offsets[i]; p < a_->offsets[i + 1]; ++p) {
          message<T>(m.data(), x_.data<T>(), a_->sources[p], p);
          for (Index c = 0; c < d; ++c) {
            m[c] = is_rectified_ && !(m[c] > 0) ? T(0) : g[c];
            db[c] += m[c];
          }
          const T* f = features_.data<T>() + p * width;
          for (Index k = 0; k < width; ++k) {
            for (Index c = 0; c < d; ++c) dw[k * d + c] += f[k] * m[c];
          }
        }
      }
    };
    sum_panels<T>(tape.context().pool.get(), n, d, (width + 1) * d, add_rows, [=](const T* dw) {
      for (Index k = 0; k < width * d; ++k) weight_gradient[k] += dw[k];
      for (Index c = 0; c < d; ++c) bias_gradient[c] += dw[width * d + c];
    });
  }

  Inputs in_;
  std::shared_ptr<const Adjacency> a_;
  Tensor x_, features_, weight_, bias_;
  bool is_rectified_;
};

}  // namespace

Var sum(Tape& tape, const Block& block, const EdgeMessage& message) {
  if (message.source.matrix != src(message.source.of).matrix) {
    throw Error("[sum] the message carries edge weights; one with edge features takes none");
  }
  const DType dtype = tape.context().dtype;
  auto adjacency = block.adjacency(message.source.matrix, dtype);
  const Tensor features = block.edge_features(dtype);
  const Tensor x = tape.value(message.source.of.rows);
  Parameter& weight = *message.edge.weight;
  Parameter& bias = *message.edge.bias;
  const Index d = x.cols();
  if (x.rows() != adjacency->num_sources || weight.value.rows() != features.cols() || weight.value.cols() != d ||
      bias.value.rows() != 1 || bias.value.cols() != d) {
    throw Error(fmt::format(
        "[sum] source rows [{}, {}], edge features of width {}, weight '{}' [{}, {}] and bias [{}, {}] do not fit a "
        "block with {} sources",
        x.rows(), d, features.cols(), weight.name, weight.value.rows(), weight.value.cols(), bias.value.rows(),
        bias.value.cols(), adjacency->num_sources));
  }
  const EdgeMessageNode::Inputs in{message.source.of.rows, tape.parameter(weight), tape.parameter(bias)};
  Tensor y = tape.allocate(adjacency->num_rows, d);
  auto node = std::make_unique<EdgeMessageNode>(tape, in, adjacency, features, message);
  node->forward_rows(x, y, 0, adjacency->num_rows);
  return tape.record_aggregation(std::move(y), std::move(node), {in.x, in.weight, in.bias});
}

}  // namespace laminar::core
