#pragma once

#include <memory>
#include <vector>

#include "laminar/pipeline/cut_graph.hpp"
#include "laminar/pipeline/slice.hpp"

namespace laminar::pipeline {

/// The slices of a device's part. One thread at a time.
class PartSlices {
 public:
  /// Both must outlive it.
  PartSlices(const CutGraph& cut, const PartMap& map);

  /// One a chunk, in the layout's order.
  const std::vector<Slice>& chunks() const { return chunks_; }
  /// The whole part as one slice, with the chunk -1; the only chunk's slice if there is one.
  const Slice& part() const { return part_ == nullptr ? chunks_.front() : *part_; }
  /// `slice`, one of chunks(), with a block whose sources are all rows of the table, where there is one part; made when
  /// it is first asked for.
  const Slice& reading_table(const Slice& slice);

 private:
  const CutGraph& cut_;
  std::vector<Slice> chunks_;
  std::unique_ptr<Slice> part_;
  std::vector<std::unique_ptr<Slice>> reading_table_;
};

}  // namespace laminar::pipeline
