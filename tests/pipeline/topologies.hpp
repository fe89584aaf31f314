#pragma once

#include <map>
#include <string>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/pipeline/device_trainer.hpp"
#include "laminar/pipeline/trainer.hpp"

/// Trainings on several devices, compared number by number.
namespace laminar::testing {

/// Nets that between them have every kind of aggregation, carried tensors, source transforms and residual blocks.
std::vector<layers::ModelOptions> topology_nets(core::DType precision, core::Index layers);
std::string name_of_net(const layers::ModelOptions& net);

/// `epochs` epochs on 2 threads, evaluated after the last, with parts and chunks that are ranges.
pipeline::TrainOptions training_on(const pipeline::Topology& topology, core::Index epochs);

/// Gradients of all parameters by name, of all devices of a trainer in one process.
std::map<std::string, core::Tensor> gradients_of(pipeline::Trainer& trainer);

/// Largest relative_difference() over the tensors, which must have the same names.
double largest_difference(const std::map<std::string, core::Tensor>& a, const std::map<std::string, core::Tensor>& b);

/// Training losses of `epochs` epochs and gradients of the first.
struct Numbers {
  std::vector<double> losses;
  std::map<std::string, core::Tensor> gradients;
};
Numbers numbers_of(const layers::ModelOptions& net, const core::Dataset& data, const pipeline::TrainOptions& options);

}  // namespace laminar::testing
