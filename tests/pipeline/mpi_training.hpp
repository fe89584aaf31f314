#pragma once

#include <map>
#include <string>

#include "laminar/pipeline/train_options.hpp"
#include "laminar/pipeline/trainer.hpp"

/// A small training that a few words describe, so that threads of one process and ranks can do the same one.
namespace laminar::testing {

/// Of words KEY=VALUE; what is not given has a default. net: gcn, gat, gcnii, sage (residual), or any layer. graph:
/// words directed, weighted, edges (features of edges), rows (shown some at a time). partition: a strategy; order: of
/// vertices; init: of weights. measured=1: stages cut by times. stages, parts, chunks, staleness, stale, rate, dtype,
/// fidelity, epochs, threads, every (checkpoint-every). codec: native, bf16, int8. precision. features, buckets (of
/// learned ones). checkpoint: a file. resume=1: go on from it. stripes=1: chunks and parts given vertex by vertex.
/// differs: what rank 1 has otherwise: options, seed, graph, labels, topology, parts, few_parts (of fewer vertices),
/// odd_parts (a part that there is not), damaged (the graph's last rows can't be read), checkpoint. A rank that should
/// hold its part of the graph, and holds more or less, fails.
struct TrainingSpec {
  explicit TrainingSpec(std::map<std::string, std::string> words);
  std::string text(const std::string& key, const std::string& otherwise = "") const;
  core::Index number(const std::string& key, core::Index otherwise) const;

  std::map<std::string, std::string> words;
};

/// Trains, on local devices or as one rank, and says in one line, all bits shown, what came out.
std::string train(const TrainingSpec& spec, pipeline::Transport* rank);

}  // namespace laminar::testing
