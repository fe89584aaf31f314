#include "laminar/layers/layer_setup.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/dropout.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/linear.hpp"

namespace laminar::layers {
namespace {

/// Parses all of `text`; NaN if it is no finite number.
double parse_number(std::string_view text) {
  double v = 0;
  // "+.5" and ".5" are what people type; from_chars takes the second only.
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(v)) return std::nan("");
  return v;
}

bool is_true(std::string_view text) { return text == "1" || text == "true" || text == "on" || text == "yes"; }
bool is_false(std::string_view text) { return text == "0" || text == "false" || text == "off" || text == "no"; }

void check_value(const LayerInfo& layer, const OptionInfo& option, std::string_view text) {
  const auto fail = [&](const std::string& expected) {
    throw UsageError(fmt::format("option {}.{} is '{}', expected {}", layer.name, option.name, text, expected));
  };
  switch (option.kind) {
    case OptionKind::kNumber:
    case OptionKind::kInteger: {
      const double v = parse_number(text);
      const bool whole = option.kind == OptionKind::kInteger;
      if (std::isnan(v) || v < option.min || v > option.max || (whole && v != std::floor(v))) {
        std::string range;
        if (option.min > -1e300) range += fmt::format(" of at least {}", option.min);
        if (option.max < 1e300) range += fmt::format("{} at most {}", range.empty() ? " of" : " and", option.max);
        fail(fmt::format("{}{}", whole ? "a whole number" : "a number", range));
      }
      break;
    }
    case OptionKind::kFlag:
      if (!is_true(text) && !is_false(text)) fail("true or false");
      break;
    case OptionKind::kChoice:
      if (std::find(option.choices.begin(), option.choices.end(), text) == option.choices.end()) {
        fail(fmt::format("one of {}", fmt::join(option.choices, ", ")));
      }
      break;
  }
}

}  // namespace

Var Linear::operator()(Tape& tape, Var x) const { return core::linear(tape, x, *weight_, bias_); }

Var Linear::onto(Tape& tape, Var sum, Var x) const { return core::linear_onto(tape, sum, x, *weight_, bias_); }

LayerSetup::LayerSetup(Place place, const LayerInfo& info, LayerOptions options, core::ParameterList& parameters)
    : place_(std::move(place)), info_(info), options_(std::move(options)), parameters_(parameters) {
  for (const auto& [name, text] : options_) {
    // Named anew: clang 14 does not capture a structured binding.
    const auto found = std::find_if(info_.options.begin(), info_.options.end(),
                                    [&wanted = name](const OptionInfo& o) { return o.name == wanted; });
    if (found == info_.options.end()) {
      std::vector<std::string> known;
      for (const OptionInfo& o : info_.options) known.push_back(o.name);
      throw UsageError(known.empty() ? fmt::format("layer '{}' has no options, but '{}' was given", info_.name, name)
                                     : fmt::format("layer '{}' has no option '{}'; it has {}", info_.name, name,
                                                   fmt::join(known, ", ")));
    }
    check_value(info_, *found, text);
  }
}

const std::string& LayerSetup::value(std::string_view name, OptionKind kind) const {
  const auto declared =
      std::find_if(info_.options.begin(), info_.options.end(), [&](const OptionInfo& o) { return o.name == name; });
  if (declared == info_.options.end() || declared->kind != kind) {
    throw Error(fmt::format("layer '{}' asks for option '{}', which it did not declare so", info_.name, name));
  }
  const auto given = options_.find(name);
  return given != options_.end() ? given->second : declared->default_value;
}

double LayerSetup::number(std::string_view name) const { return parse_number(value(name, OptionKind::kNumber)); }
Index LayerSetup::integer(std::string_view name) const {
  return static_cast<Index>(parse_number(value(name, OptionKind::kInteger)));
}
bool LayerSetup::flag(std::string_view name) const { return is_true(value(name, OptionKind::kFlag)); }
const std::string& LayerSetup::choice(std::string_view name) const { return value(name, OptionKind::kChoice); }

core::Parameter& LayerSetup::parameter(std::string_view name, Index rows, Index cols, core::Initializer initializer) {
  auto p = std::make_unique<core::Parameter>();
  p->name = fmt::format("{}.{}", place_.prefix, name);
  const bool taken =
      std::any_of(parameters_.begin(), parameters_.end(), [&](const auto& q) { return q->name == p->name; });
  if (taken || rows < 1 || cols < 1) {
    throw Error(fmt::format("layer '{}': parameter '{}' [{}, {}] {}", info_.name, p->name, rows, cols,
                            taken ? "is declared twice" : "needs at least one row and column"));
  }
  p->value = core::Tensor::zeros(rows, cols, place_.dtype, place_.pool, core::MemoryPurpose::kParameters);
  p->gradient = core::Tensor::zeros(rows, cols, place_.dtype, place_.pool, core::MemoryPurpose::kGradients);
  p->initializer = initializer;
  p->group = place_.group;
  parameters_.push_back(std::move(p));
  return *parameters_.back();
}

Linear LayerSetup::linear(std::string_view name, const LinearOptions& options) {
  const Index in = options.in > 0 ? options.in : in_width();
  const Index out = options.out > 0 ? options.out : out_width();
  core::Parameter& weight = parameter(name, in, out);
  core::Parameter* bias =
      options.bias ? &parameter(fmt::format("{}_bias", name), 1, out, core::Initializer::kZeros) : nullptr;
  return {weight, bias};
}

core::SourceTransform operator|(core::SourceTransform transform, const Linear& weight) {
  if (weight.bias() != nullptr) {
    throw Error(fmt::format("'{}' is a source transform, which has no bias; declare it with {{.bias = false}}",
                            weight.weight().name));
  }
  return std::move(transform) | core::projection(weight.weight());
}

namespace {

bool projects_own_rows(const Tape& tape, Var x, const Linear& weight) {
  // Constant rows are fetched once if they are not projected, whatever their width.
  const bool fetched_once = tape.context().exchange != nullptr && tape.is_constant(x);
  // Their sum is made once, too; worth it if it takes not much more memory than the product.
  const bool summed_once = tape.is_permanent(x) && weight.in_width() <= 2 * weight.out_width();
  return !tape.context().history && !fetched_once && !summed_once && !tape.is_sparse(x) &&
         weight.out_width() < weight.in_width();
}

}  // namespace

core::Sources projected_sources(Tape& tape, const Block& block, const State& in, const Linear& weight) {
  if (weight.bias() != nullptr) throw Error("[projected_sources] the projection must have no bias");
  if (!projects_own_rows(tape, in.x, weight)) {
    return block.sources(tape, in.x, core::vertex_dropout(in.rate) | core::projection(weight.weight()));
  }
  return block.sources(tape, weight(tape, core::dropout(tape, in.x, in.rate, block.own_ids())));
}

Projected project_sources(Tape& tape, const Block& block, const State& in, const Linear& weight) {
  const std::uint64_t random_op = tape.random_ops();
  if (projects_own_rows(tape, in.x, weight)) {
    const Var own = core::dropout(tape, in.x, in.rate, block.own_ids());
    return {block.sources(tape, weight(tape, own)), own};
  }
  const core::Sources sources = projected_sources(tape, block, in, weight);
  return {sources, core::dropout_again(tape, in.x, in.rate, block.own_ids(), random_op)};
}

bool projects_first(const Tape& tape, Var x, const Linear& weight) {
  return tape.is_sparse(x) || projects_own_rows(tape, x, weight);
}

Var propagate(Tape& tape, const Block& block, const State& in, const core::AdjacencySpec& matrix,
              const Linear& weight) {
  if (projects_first(tape, in.x, weight)) {
    const core::Sources z = projected_sources(tape, block, in, Linear(weight.weight(), nullptr));
    const Var y = core::sum(tape, block, core::src(z) * matrix);
    return weight.bias() != nullptr ? core::add_bias_in_place(tape, y, *weight.bias()) : y;
  }
  const core::Sources x = block.sources(tape, in.x, core::vertex_dropout(in.rate));
  return weight(tape, core::sum(tape, block, core::src(x) * matrix));
}

}  // namespace laminar::layers
