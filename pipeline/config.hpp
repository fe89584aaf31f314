#pragma once

#include <string>

#include "laminar/layers/model.hpp"
#include "laminar/pipeline/train_options.hpp"

namespace laminar::pipeline {

/// All options as one JSON object, {"model": {...}, "training": {...}, "distribution": {...}}, with numbers that read
/// back exactly. Where a run may go on differently (threads, stop_after, where checkpoints go) is left out.
std::string to_json(const layers::ModelOptions& model, const TrainOptions& options);

/// The inverse; without "distribution" (written by 0.1.0) it is one device. Throws Error, naming the key, if one is
/// missing or of another type.
void from_json(const std::string& text, layers::ModelOptions& model, TrainOptions& options);

/// Whether two runs train the same, wherever they do: all but the distribution is equal.
bool same_training(const layers::ModelOptions& model_a, const TrainOptions& a, const layers::ModelOptions& model_b,
                   const TrainOptions& b);

}  // namespace laminar::pipeline
