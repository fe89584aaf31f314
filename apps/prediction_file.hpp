#pragma once

#include <filesystem>

#include "laminar/apps/prediction.hpp"

namespace laminar::apps {

/// Throws UsageError unless the name ends in .h5, .hdf5 or .csv, which says what write_predictions() writes.
void check_prediction_name(std::string_view option, const std::filesystem::path& path);

/// Writes predictions, beside and renamed into place. Throws Error if that fails; what was there stays.
///
/// HDF5: attributes on / format = "laminar-predictions", version = 1, task, and `classes` (output names) if known;
///
///   /class          int32 [N]        classification: the most probable class
///   /labels         uint8 [N, C]     multi-label: 1 where the probability is above 1/2
///   /probabilities  float32 [N, C]   classification and multi-label
///   /values         float32 [N, T]   regression
///   /embeddings     float32 [N, d]   if asked for; the one thing a model of pairs has to say of vertices
///   /names          strings [N]      if the graph has them
///
/// CSV (RFC 4180): a header and a row a vertex: vertex, name if there are any, then class, class_name if known, and
/// probability_C of each class; or label_C and probability_C of each label; or value_T of each target; then
/// embedding_0, ... C and T are output names, or numbers from 0.
void write_predictions(const std::filesystem::path& path, const Predictions& predictions);

}  // namespace laminar::apps
