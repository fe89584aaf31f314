#include "laminar/pipeline/device_features.hpp"

#include <vector>

#include "laminar/pipeline/part_map.hpp"

namespace laminar::pipeline {

FeatureNeed needs_features(const layers::Model& model, const DevicePlace& place, bool recompute_carried) {
  if (place.is_first()) return model.has_encoder() ? FeatureNeed::kOwn : FeatureNeed::kOwnAndHalo;
  return recompute_carried && model.num_carried() > 0 ? FeatureNeed::kOwn : FeatureNeed::kNone;
}

Features load_device_features(const core::RowSource& source, const layers::Model& model, const CutGraph& cut,
                              const DevicePlace& place, FeatureNeed need, core::MemoryPool* pool) {
  if (need == FeatureNeed::kNone) return {};
  const PartMap map(cut, place.part);
  std::vector<core::VertexId> ids;
  const Index rows = need == FeatureNeed::kOwn ? map.own().size() : map.num_rows();
  for (Index r = 0; r < rows; ++r) ids.push_back(cut.layout.file_ids()[static_cast<std::size_t>(map.vertex_of(r))]);
  return load_features(source, model.options(), ids, pool);
}

}  // namespace laminar::pipeline
