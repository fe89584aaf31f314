#include "laminar/pipeline/slice.hpp"

namespace laminar::pipeline {

Slice make_slice(const core::Graph& graph, const partition::Layout& layout, const PartMap& map, Index chunk) {
  const Range rows = chunk < 0 ? Range{0, map.own().size()} : map.slice_rows(chunk);
  const Index begin = map.own().begin + rows.begin;
  const Index end = map.own().begin + rows.end;
  const std::vector<core::VertexId>& ids = layout.file_ids();
  const bool whole = rows.size() == graph.num_vertices();
  Slice slice{whole ? core::Block::whole(graph, layout.is_identity() ? std::vector<core::VertexId>{} : ids)
                    : core::Block::chunk(graph, begin, end, core::SourceSpace::kCompact, ids),
              chunk,
              rows,
              {},
              {},
              false};
  const auto sources = slice.block.source_vertices();
  slice.source_rows.reserve(sources.size());
  slice.source_chunks.reserve(sources.size());
  for (const core::VertexId v : sources) {
    slice.source_rows.push_back(map.row_of(v));
    slice.source_chunks.push_back(static_cast<std::int32_t>(layout.chunk_of(v)));
  }
  slice.reads_whole_table = static_cast<Index>(sources.size()) == map.num_rows();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (slice.source_rows[i] != static_cast<std::int32_t>(i)) slice.reads_whole_table = false;
  }
  return slice;
}

Slice make_table_slice(const core::Graph& graph, const partition::Layout& layout, const Slice& slice) {
  Slice result{
      core::Block::chunk(graph, slice.rows.begin, slice.rows.end, core::SourceSpace::kTable, layout.file_ids()),
      slice.chunk,
      slice.rows,
      std::vector<std::int32_t>(static_cast<std::size_t>(graph.num_vertices())),
      std::vector<std::int32_t>(static_cast<std::size_t>(graph.num_vertices())),
      true};
  for (std::size_t v = 0; v < result.source_rows.size(); ++v) {
    result.source_rows[v] = static_cast<std::int32_t>(v);
    result.source_chunks[v] = static_cast<std::int32_t>(layout.chunk_of(static_cast<core::VertexId>(v)));
  }
  return result;
}

}  // namespace laminar::pipeline
