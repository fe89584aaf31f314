#include "laminar/pipeline/part_slices.hpp"

namespace laminar::pipeline {

PartSlices::PartSlices(const CutGraph& cut, const PartMap& map) : cut_(cut) {
  const Index count = cut.layout.num_chunks();
  for (Index c = 0; c < count; ++c) chunks_.push_back(make_slice(cut.graph, cut.layout, map, count == 1 ? -1 : c));
  chunks_.front().chunk = 0;
  if (count > 1) part_ = std::make_unique<Slice>(make_slice(cut.graph, cut.layout, map, -1));
  reading_table_.resize(chunks_.size());
}

const Slice& PartSlices::reading_table(const Slice& slice) {
  auto& made = reading_table_[static_cast<std::size_t>(slice.chunk)];
  if (made == nullptr) made = std::make_unique<Slice>(make_table_slice(cut_.graph, cut_.layout, slice));
  return *made;
}

}  // namespace laminar::pipeline
