#pragma once

#include <memory>

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/checkpoint.hpp"

namespace laminar::pipeline {

/// Rows that a table of embeddings has at most where nobody asked for more.
inline constexpr Index kMostEmbeddingRows = Index{1} << 20;

/// Rows of the table of a net with learned embeddings: `num_vertices`, or as many as model.embedding_buckets says
/// (kMostEmbeddingRows if that is 0), whichever is fewer. Throws UsageError unless embedding_buckets is 0 to 2^24.
Index embedding_rows(const layers::ModelOptions& model, Index num_vertices);

/// `data` as a net that learns embeddings of vertices reads it, or null for a net that reads just `data`. `data` must
/// outlive it.
///
/// An embedding is a row of a trained table E [R, width], R = embedding_rows(), and looking it up is the product of E
/// with sparse features: the last R columns (DatasetSchema::num_learned), which stand behind the dataset's own with
/// VertexInput::kGivenAndLearned. With a row for each vertex they are the identity. With fewer rows than vertices
/// vertex v has 1/2 in the columns h1(v) and h2(v), 1 if they are one: the mean of two rows, so that two vertices share
/// their whole embedding only where both hashes collide. (Embeddings of vertices: LiGNN, Borisyuk et al., 2024,
/// "ID embeddings"; two hashes: Tito Svenstrup et al., "Hash embeddings", 2017, without their learnt weights.) h1 and
/// h2 are functions of v, its id in the file, and R alone.
///
/// Dense features stand in the same sparse rows then, without their zeros. Throws UsageError for features that are
/// given nowhere, or a number of buckets out of range.
std::unique_ptr<core::Dataset> with_learned_features(const core::Dataset& data, const layers::ModelOptions& model);

/// The same for a trained model. Throws Error if its embeddings are of the vertices of another graph than `data`'s.
std::unique_ptr<core::Dataset> with_learned_features(const core::Dataset& data, const Checkpoint& checkpoint);

/// Throws Error if `model` learns embeddings, but `schema` is not one of with_learned_features().
void check_learned_features(const layers::ModelOptions& model, const core::DatasetSchema& schema);

}  // namespace laminar::pipeline
