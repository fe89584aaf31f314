#pragma once

#include <vector>

#include "laminar/pipeline/checkpoint.hpp"
#include "laminar/pipeline/cut_graph.hpp"
#include "laminar/pipeline/executor.hpp"

namespace laminar::pipeline {

/// Puts the layout into a checkpoint.
void describe_layout(const partition::Layout& layout, Checkpoint& checkpoint);

/// This device's tables, as Checkpoint::tables names them.
std::vector<core::NamedTensor> history_state(Executor& executor, Index num_layers);

/// Gives a device what a checkpoint holds for its layers and part. On the layout that wrote it, bit for bit; on another
/// one each vertex's rows go where it is now, and what other parts owed it is added to it; stale halos begin anew.
/// Does nothing where the executor has no history or the checkpoint none. Throws Error if that needs old parts' halos,
/// and not all of the graph is there.
void load_history(const Checkpoint& checkpoint, const CutGraph& cut, Executor& executor);

}  // namespace laminar::pipeline
