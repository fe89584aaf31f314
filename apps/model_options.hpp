#pragma once

#include "laminar/apps/command_line.hpp"
#include "laminar/layers/model.hpp"

namespace laminar::apps {

/// Values of layer options that were given, by "LAYER.NAME".
using LayerValues = GivenValues;

/// Adds the options of a model to the table, bound to `model`, and a group with the options of every registered layer,
/// bound to `layer_values`. Both must outlive the table.
void add_model_options(CommandLine& line, layers::ModelOptions& model, LayerValues& layer_values);

/// Throws UsageError if an option was given that this model does not heed. Call set_layer_options() first.
void check_model_options(const layers::ModelOptions& model, const GivenValues& given);

/// What an option of a layer may be, to stand behind its help: "; 0 to 1", or empty.
std::string range_of(const layers::OptionInfo& info);
/// What stands for its value: "X", "N", "BOOL" or "NAME".
std::string placeholder_of(const layers::OptionInfo& info);

/// The values that `model.layer_options` stands for, and the other way round, without those that are the defaults. The
/// latter throws UsageError if the layer is not known (with the nearest name), or if a value is for another layer.
LayerValues layer_values_of(const layers::ModelOptions& model);
void set_layer_options(layers::ModelOptions& model, const LayerValues& layer_values);

}  // namespace laminar::apps
