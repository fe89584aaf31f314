#include "laminar/pipeline/measured_cut.hpp"

#include <algorithm>
#include <numeric>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/pipeline/calibration.hpp"
#include "laminar/pipeline/stage_cut.hpp"

namespace laminar::pipeline {

std::vector<double> measure_layers(const layers::ModelOptions& model, const core::Dataset& data,
                                   const TrainOptions& options, const Plan& plan) {
  const std::vector<double> slices = slice_costs(*plan.cut, row_cost(model, data.schema()));
  const double units = std::accumulate(slices.begin(), slices.end(), 0.0);
  const StepCosts costs = calibrate(model, data, options, plan, slices).costs;
  const auto& forward = costs.ms_per_unit[static_cast<std::size_t>(Step::Kind::kForward)];
  const auto& backward = costs.ms_per_unit[static_cast<std::size_t>(Step::Kind::kBackward)];
  std::vector<double> ms(forward.size());
  for (std::size_t l = 0; l < ms.size(); ++l) ms[l] = units * (forward[l] + backward[l]);
  return ms;
}

void cut_by_measure(const layers::ModelOptions& model, const core::Dataset& data, TrainOptions& options,
                    Transport* rank, Plan& plan) {
  if (plan.topology.stages == 1) return;
  std::vector<double> ms;
  if (rank == nullptr || rank->rank() == 0) ms = measure_layers(model, data, options, plan);
  if (rank != nullptr) {
    Communicator communicator(*rank, {}, core::MemoryPool::create());
    std::istringstream text(communicator.broadcast_text(fmt::format("{}", fmt::join(ms, " "))));
    ms.clear();
    for (double value = 0; text >> value;) ms.push_back(value);
  }
  const std::vector<Index> places = cut_stages(ms, plan.topology.stages, {});
  plan.schedule_input.stage_begin = places;
  validate(plan.schedule_of(plan.order_of(options.seed, 0)), plan.schedule_input);
  auto& at = options.distribution.stage_cut.at;
  at.assign(places.begin() + 1, places.end() - 1);
  std::vector<double> stages;
  for (std::size_t s = 0; s + 1 < places.size(); ++s) {
    stages.push_back(std::accumulate(ms.begin() + places[s], ms.begin() + places[s + 1], 0.0));
  }
  plan.remarks.push_back(
      fmt::format("--stage-cut measured: later stages begin at layers {}; a core needs {:.3g} ms an "
                  "epoch for their layers",
                  fmt::join(at, ","), fmt::join(stages, ", ")));
}

}  // namespace laminar::pipeline
