#pragma once

#include <span>

#include "laminar/core/tape.hpp"

namespace laminar::core {

/// y_ic = x_ic / keep with probability keep = 1 - rate (to 16 bits), else 0, while the tape is training; y = x
/// otherwise.
/// The mask is a function of (seed, run, epoch, layer, op, row_ids[i], c) and is never stored. x [n, d] dense or sparse
/// (then only stored entries are thinned: the others stay 0 either way); row_ids [n] = ids in the file, which must
/// outlive the tape (a block's do).
/// Throws UsageError unless 0 <= rate < 1, Error if the number of ids is not n.
Var dropout(Tape& tape, Var x, double rate, std::span<const VertexId> row_ids);
/// The same with the masks of the tape's random operation number `random_op` (Tape::random_ops() before it), for rows
/// that another operation has masked too.
Var dropout_again(Tape& tape, Var x, double rate, std::span<const VertexId> row_ids, std::uint64_t random_op);

}  // namespace laminar::core
