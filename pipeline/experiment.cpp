#include "laminar/pipeline/experiment.hpp"

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {

std::vector<Run> plan_runs(const core::DatasetSchema& schema, const std::string& split, std::uint64_t seed,
                           Index runs) {
  if (runs < 1) throw UsageError(fmt::format("--runs is {}, expected 1 or more", runs));
  if (schema.split_names.empty()) {
    throw UsageError(
        fmt::format("'{}' has no split; make one, e.g. with laminar-convert --split random:60/20/20", schema.name));
  }
  std::vector<Run> planned;
  if (split == "all") {
    if (runs > 1) throw UsageError("--split all makes one run a split; leave out --runs");
    for (const std::string& name : schema.split_names) planned.push_back({name, seed + planned.size()});
    return planned;
  }
  const std::string name = split.empty() ? schema.split_names.front() : split;
  for (Index i = 0; i < runs; ++i) planned.push_back({name, seed + static_cast<std::uint64_t>(i)});
  return planned;
}

Summary summarize(const std::vector<TrainResult>& results) {
  if (results.empty()) throw Error("there are no runs to summarise");
  const auto collect = [&](auto&& of) {
    std::vector<double> values;
    for (const TrainResult& r : results) values.push_back(of(r));
    return values;
  };
  Summary s;
  s.metric = results.front().metric;
  s.loss = spread(collect([](const TrainResult& r) { return r.loss; })).mean;
  s.train_metric = spread(collect([](const TrainResult& r) { return r.best.train_metric; }));
  s.val_metric = spread(collect([](const TrainResult& r) { return r.best.val_metric; }));
  s.test_metric = spread(collect([](const TrainResult& r) { return r.best.test_metric; }));
  s.best_epoch = spread(collect([](const TrainResult& r) { return static_cast<double>(r.best_epoch); })).mean;
  s.epoch_ms = median(collect([](const TrainResult& r) { return r.epoch_ms; }));
  s.bytes_per_epoch = spread(collect([](const TrainResult& r) { return static_cast<double>(r.bytes_per_epoch); })).mean;
  for (std::size_t i = 0; i < results.front().links.size(); ++i) {
    s.links.push_back({results.front().links[i].name,
                       spread(collect([&](const TrainResult& r) { return r.links.at(i).val; })),
                       spread(collect([&](const TrainResult& r) { return r.links.at(i).test; }))});
  }
  return s;
}

}  // namespace laminar::pipeline
