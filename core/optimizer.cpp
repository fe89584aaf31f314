#include "laminar/core/optimizer.hpp"

#include <array>
#include <cmath>
#include <functional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/names.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"sgd", "adam", "adamw"};
constexpr std::string_view kStep = "step";
constexpr Index kGrain = 1 << 14;

bool same_form(const Tensor& a, const Tensor& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && a.dtype() == b.dtype();
}

std::string form_of(const Tensor& t) { return fmt::format("{} [{}, {}]", name_of(t.dtype()), t.rows(), t.cols()); }

std::string slot_key(std::string_view slot, std::string_view parameter) {
  return fmt::format("{}/{}", slot, parameter);
}

void check_distinct(std::span<Parameter* const> parameters) {
  std::set<std::string_view> seen;
  for (const Parameter* p : parameters) {
    if (!seen.insert(p->name).second) throw Error(fmt::format("[optimizer] two parameters are named '{}'", p->name));
  }
}

void check_options(const OptimizerOptions& o) {
  const auto fraction = [](std::string_view name, double v) {
    if (!(v >= 0 && v < 1)) throw UsageError(fmt::format("{} is {}; expected 0 <= {} < 1", name, v, name));
  };
  fraction("momentum", o.momentum);
  fraction("beta1", o.beta1);
  fraction("beta2", o.beta2);
  if (o.nesterov && !(o.momentum > 0)) throw UsageError("nesterov needs a momentum above 0");
  if (!(o.epsilon > 0 && std::isfinite(o.epsilon))) {
    throw UsageError(fmt::format("epsilon is {}; expected a number above 0", o.epsilon));
  }
  for (const double d : {o.weight_decay_convolution, o.weight_decay_dense}) {
    if (!(d >= 0 && std::isfinite(d))) throw UsageError(fmt::format("a weight decay of {}; expected 0 or more", d));
  }
}

class Sgd final : public Optimizer {
 public:
  Sgd(const OptimizerOptions& options, std::shared_ptr<MemoryPool> pool)
      : Optimizer(options,
                  options.momentum > 0 ? std::vector<std::string_view>{"momentum"} : std::vector<std::string_view>{},
                  std::move(pool)) {}

 private:
  void update(Parameter& parameter, std::span<Tensor> slots, double learning_rate, std::int64_t) override {
    dispatch(parameter.value.dtype(), [&]<class T>(T) {
      T* p = parameter.value.data<T>();
      const T* gradient = std::as_const(parameter.gradient).data<T>();
      T* buffer = slots.empty() ? nullptr : slots[0].data<T>();
      const auto rate = static_cast<T>(learning_rate);
      const auto decay = static_cast<T>(weight_decay(parameter));
      const auto momentum = static_cast<T>(options_.momentum);
      const bool nesterov = options_.nesterov;
      parallel_for(parameter.value.size(), kGrain, [&](Index b, Index e) {
        for (Index i = b; i < e; ++i) {
          T g = gradient[i] + decay * p[i];
          if (buffer != nullptr) {
            buffer[i] = momentum * buffer[i] + g;
            g = nesterov ? g + momentum * buffer[i] : buffer[i];
          }
          p[i] -= rate * g;
        }
      });
    });
  }
};

/// Adam, and AdamW by options_.kind.
class Adam final : public Optimizer {
 public:
  Adam(const OptimizerOptions& options, std::shared_ptr<MemoryPool> pool)
      : Optimizer(options, {"first_moment", "second_moment"}, std::move(pool)) {}

 private:
  void update(Parameter& parameter, std::span<Tensor> slots, double learning_rate, std::int64_t step) override {
    const auto t = static_cast<double>(step);
    const double step_size = learning_rate / (1 - std::pow(options_.beta1, t));
    const double correction = std::sqrt(1 - std::pow(options_.beta2, t));
    const bool decoupled = options_.kind == OptimizerKind::kAdamW;
    const double decay_rate = weight_decay(parameter);
    dispatch(parameter.value.dtype(), [&]<class T>(T) {
      T* p = parameter.value.data<T>();
      const T* gradient = std::as_const(parameter.gradient).data<T>();
      T* m = slots[0].data<T>();
      T* v = slots[1].data<T>();
      const auto keep = static_cast<T>(decoupled ? 1 - learning_rate * decay_rate : 1.0);
      const auto decay = static_cast<T>(decoupled ? 0.0 : decay_rate);
      const auto beta1 = static_cast<T>(options_.beta1);
      const auto beta2 = static_cast<T>(options_.beta2);
      const auto rest1 = static_cast<T>(1 - options_.beta1);
      const auto rest2 = static_cast<T>(1 - options_.beta2);
      const auto size = static_cast<T>(step_size);
      const auto root = static_cast<T>(correction);
      const auto epsilon = static_cast<T>(options_.epsilon);
      parallel_for(parameter.value.size(), kGrain, [&](Index b, Index e) {
        for (Index i = b; i < e; ++i) {
          const T g = gradient[i] + decay * p[i];
          m[i] = beta1 * m[i] + rest1 * g;
          v[i] = beta2 * v[i] + rest2 * g * g;
          p[i] = keep * p[i] - size * (m[i] / (std::sqrt(v[i]) / root + epsilon));
        }
      });
    });
  }
};

/// The count in "step".
std::int64_t read_steps(const Tensor& t) {
  const double count = t.size() == 1 ? t.at(0, 0) : -1;
  if (!(count >= 0 && count <= 0x1.0p53 && count == std::floor(count))) {
    throw Error(fmt::format("[optimizer] state '{}' is {}, expected one whole number", kStep,
                            t.size() == 1 ? fmt::format("{}", count) : form_of(t)));
  }
  return static_cast<std::int64_t>(count);
}

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options, std::vector<std::string_view> slot_names,
                     std::shared_ptr<MemoryPool> pool)
    : options_(options), slot_names_(std::move(slot_names)), pool_(std::move(pool)) {}

double Optimizer::weight_decay(const Parameter& parameter) const {
  return parameter.group == ParameterGroup::kConvolution ? options_.weight_decay_convolution
                                                         : options_.weight_decay_dense;
}

std::vector<Tensor> Optimizer::make_slots(const Parameter& parameter) const {
  std::vector<Tensor> made;
  for (std::size_t i = 0; i < slot_names_.size(); ++i) {
    made.push_back(Tensor::zeros(parameter.value.rows(), parameter.value.cols(), parameter.value.dtype(), pool_.get(),
                                 MemoryPurpose::kOptimizer));
  }
  return made;
}

void Optimizer::step(std::span<Parameter* const> parameters, double learning_rate) {
  if (!(learning_rate >= 0 && std::isfinite(learning_rate))) {
    throw UsageError(fmt::format("a learning rate of {}; expected 0 or more", learning_rate));
  }
  check_distinct(parameters);
  for (const Parameter* p : parameters) {
    if (!same_form(p->gradient, p->value)) {
      throw Error(fmt::format("[optimizer] parameter '{}' is {}, but its gradient is {}", p->name, form_of(p->value),
                              form_of(p->gradient)));
    }
    const auto found = slots_.find(p->name);
    if (found != slots_.end() && !found->second.empty() && !same_form(found->second.front(), p->value)) {
      throw Error(fmt::format("[optimizer] parameter '{}' is {}, but its state is {}", p->name, form_of(p->value),
                              form_of(found->second.front())));
    }
  }
  for (const Parameter* p : parameters) {
    if (!slots_.contains(p->name)) slots_.emplace(p->name, make_slots(*p));
  }
  ++steps_;
  for (Parameter* p : parameters) {
    std::vector<Tensor>& slots = slots_.find(p->name)->second;
    // The gradient is read, value and state are read and written.
    const WorkScope scope(
        pass_work(WorkKind::kOptimizer, name_of(options_.kind), p->value, 3 + 2 * static_cast<double>(slots.size())));
    update(*p, slots, learning_rate, steps_);
  }
}

std::vector<NamedTensor> Optimizer::state() const {
  std::vector<NamedTensor> all;
  const auto count = static_cast<double>(steps_);
  all.push_back({std::string(kStep), Tensor::from(1, 1, std::span(&count, 1))});
  for (const auto& [name, slots] : slots_) {
    for (std::size_t i = 0; i < slots.size(); ++i) all.push_back({slot_key(slot_names_[i], name), slots[i]});
  }
  return all;
}

void Optimizer::load_state(std::span<const NamedTensor> state, std::span<Parameter* const> parameters) {
  check_distinct(parameters);
  std::map<std::string_view, const Tensor*> given;
  for (const NamedTensor& t : state) {
    if (!given.emplace(t.name, &t.value).second)
      throw Error(fmt::format("[optimizer] state '{}' is there twice", t.name));
  }
  const auto take = [&](const std::string& name) {
    const auto found = given.find(name);
    if (found == given.end()) {
      throw Error(fmt::format("[optimizer] state '{}' is missing; was it saved by another optimizer or model?", name));
    }
    const Tensor* value = found->second;
    given.erase(found);
    return value;
  };
  const std::int64_t steps = read_steps(*take(std::string(kStep)));
  std::map<std::string, std::vector<Tensor>, std::less<>> loaded;
  // Before the first step there is no state but the count.
  if (steps > 0) {
    for (const Parameter* p : parameters) {
      std::vector<Tensor> slots;
      for (const std::string_view slot : slot_names_) {
        const std::string key = slot_key(slot, p->name);
        const Tensor& value = *take(key);
        if (!same_form(value, p->value)) {
          throw Error(fmt::format("[optimizer] state '{}' is {}, but the parameter is {}", key, form_of(value),
                                  form_of(p->value)));
        }
        slots.push_back(value.clone(pool_.get(), MemoryPurpose::kOptimizer));
      }
      loaded.emplace(p->name, std::move(slots));
    }
  }
  if (!given.empty()) {
    throw Error(
        fmt::format("[optimizer] state '{}' belongs to no parameter; was it saved by another optimizer or model?",
                    given.begin()->first));
  }
  slots_ = std::move(loaded);
  steps_ = steps;
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, std::shared_ptr<MemoryPool> pool) {
  check_options(options);
  if (options.kind == OptimizerKind::kSgd) return std::make_unique<Sgd>(options, std::move(pool));
  return std::make_unique<Adam>(options, std::move(pool));
}

std::string_view name_of(OptimizerKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

OptimizerKind optimizer_from_name(std::string_view name) {
  return detail::from_name<OptimizerKind>("optimizer", kNames, name);
}

}  // namespace laminar::core
