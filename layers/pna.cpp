#include <algorithm>
#include <cmath>

#include "laminar/core/elementwise.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/scaling.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// With m_ij = x_j W_source + x_i W_target + b_m and M_i the mean, minimum, maximum and standard deviation of m_ij over
/// in-edges, side by side,
///
///     y_i = x_i W_self + M_i W_identity + s_i M_i W_amplified + M_i W_attenuated / s'_i + b
///
/// s_i = log(k_i + 1) / delta, k_i the in-degree, s'_i the same with k_i >= 1, delta the mean of log(k + 1) over the
/// graph. Corso, Cavalleri, Beaini, Lio and Velickovic 2020, equations 5 to 8, without towers; x_i beside the messages,
/// and linear messages and updates, as their code has them. The scaled copies of M are never laid side by side: a
/// row's scale commutes with the product.
class PnaLayer final : public Layer {
 public:
  static LayerInfo info() {
    return {.name = "pna",
            .summary = "mean, minimum, maximum and deviation of the neighbours, scaled by degree",
            .paper = "Corso, Cavalleri, Beaini, Lio and Velickovic 2020, equations 5 to 8",
            .options = {{.name = "message_width",
                         .kind = OptionKind::kInteger,
                         .default_value = "0",
                         .help = "columns of a message; 0 = the narrower of input and output",
                         .min = 0,
                         .max = 1e6}}};
  }
  explicit PnaLayer(LayerSetup& s)
      : source_(s.linear("source", {.bias = false, .out = message_width(s)})),
        target_(s.linear("target", {.out = source_.out_width()})),
        self_(s.linear("self")),
        identity_(scaled(s, "identity")),
        amplified_(scaled(s, "amplified")),
        attenuated_(scaled(s, "attenuated")) {}

  State forward(Tape& tape, const Block& block, State in) const override {
    const Projected z = project_sources(tape, block, in, source_);
    const core::Sources target{{}, target_(tape, z.own)};
    const Var m = core::moments(tape, block, core::src(z.sources) + core::dst(target));
    const auto [amplification, attenuation] = scales(tape, block);
    Var y = identity_.onto(tape, self_(tape, z.own), m);
    y = core::add_onto(tape, y, core::scale_rows(tape, amplified_(tape, m), amplification));
    in.x = core::add_onto(tape, y, core::scale_rows(tape, attenuated_(tape, m), attenuation));
    return in;
  }

 private:
  static Index message_width(const LayerSetup& s) {
    const Index width = s.integer("message_width");
    return width > 0 ? width : std::min(s.in_width(), s.out_width());
  }
  Linear scaled(LayerSetup& s, const char* name) const {
    return s.linear(name, {.bias = false, .in = 4 * source_.out_width()});
  }

  /// s_i and 1 / s'_i, [rows, 1].
  static std::pair<core::Tensor, core::Tensor> scales(const Tape& tape, const Block& block) {
    const auto a = block.adjacency({core::Normalization::kNone, false, false}, tape.context().dtype);
    const double delta = block.mean_log_degree();
    std::pair scales{tape.allocate(a->num_rows, 1), tape.allocate(a->num_rows, 1)};
    core::dispatch(tape.context().dtype, [&]<class T>(T) {
      T* amplification = scales.first.template data<T>();
      T* attenuation = scales.second.template data<T>();
      core::parallel_for(a->num_rows, 4096, [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
          const auto k = static_cast<double>(a->offsets[i + 1] - a->offsets[i]);
          // A graph without edges has nothing to scale.
          amplification[i] = static_cast<T>(delta > 0 ? std::log(k + 1) / delta : 0);
          attenuation[i] = static_cast<T>(delta / std::log(std::max(k, 1.0) + 1));
        }
      });
    });
    return scales;
  }

  Linear source_, target_, self_, identity_, amplified_, attenuated_;
};
LAMINAR_LAYER(PnaLayer)

}  // namespace
}  // namespace laminar::layers
