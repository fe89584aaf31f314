#include "laminar/pipeline/history_state.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {

using core::NamedTensor;
using core::Tensor;

namespace {

const Tensor* find(const std::vector<NamedTensor>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& t) { return t.name == name; });
  return found == tensors.end() ? nullptr : &found->value;
}

void add_row(const Tensor& from, Index from_row, Tensor& to, Index to_row, bool accumulate) {
  core::dispatch(from.dtype(), [&]<class T>(T) {
    const T* in = from.data<T>() + from_row * from.cols();
    T* out = to.data<T>() + to_row * to.cols();
    for (Index c = 0; c < from.cols(); ++c) out[c] = accumulate ? out[c] + in[c] : in[c];
  });
}

partition::Layout old_layout(const Checkpoint& c) {
  std::vector<Index> rank(c.place_of.begin(), c.place_of.end());
  const auto count = [](const std::vector<std::int32_t>& labels) {
    return labels.empty() ? Index{1} : Index{*std::max_element(labels.begin(), labels.end())} + 1;
  };
  partition::Layout layout({count(c.part_of), c.part_of}, {count(c.chunk_of), c.chunk_of}, rank);
  if (layout.new_ids() != c.place_of) throw Error("the checkpoint's history and its layout do not fit together");
  return layout;
}

/// The graph in the file's order, as far as the old parts' halos need it.
core::Graph graph_of_halos(const CutGraph& cut, const partition::Layout& old) {
  if (cut.held_part < 0) return cut.in_file_order();
  if (old.num_parts() > 1) {
    throw Error(
        "the checkpoint's history is of parts that were cut otherwise, and this rank has only its own part of the "
        "graph; go on with the parts that it was made with, or with all devices in one process");
  }
  const Index n = old.num_vertices();
  return core::Graph::from_in_csr(n, std::vector<core::EdgeId>(static_cast<std::size_t>(n) + 1, 0), {}, {}, true);
}

}  // namespace

void describe_layout(const partition::Layout& layout, Checkpoint& c) {
  const auto n = static_cast<std::size_t>(layout.num_vertices());
  c.part_of.resize(n);
  c.chunk_of.resize(n);
  c.place_of.resize(n);
  for (std::size_t v = 0; v < n; ++v) {
    const core::VertexId place = layout.new_ids()[v];
    c.part_of[v] = static_cast<std::int32_t>(layout.part_of(place));
    c.chunk_of[v] = static_cast<std::int32_t>(layout.chunk_of(place));
    c.place_of[v] = place;
  }
}

std::vector<NamedTensor> history_state(Executor& executor, Index num_layers) {
  std::vector<NamedTensor> all;
  for (Index l = 0; l < num_layers; ++l) {
    std::vector<NamedTensor> state;
    if (executor.history(l) != nullptr) state = executor.history(l)->state();
    if (executor.stale_halo(l) != nullptr) state = executor.stale_halo(l)->state();
    for (const NamedTensor& t : state) {
      all.push_back({fmt::format("{}.{}/{}", l, executor.place().part, t.name), t.value});
    }
  }
  return all;
}

void load_history(const Checkpoint& c, const CutGraph& cut, Executor& executor) {
  if (c.tables.empty()) return;
  const partition::Layout& layout = cut.layout;
  const partition::Layout old = old_layout(c);
  if (old.num_vertices() != layout.num_vertices()) {
    throw Error(fmt::format("the checkpoint's history is of {} vertices, the graph has {}", old.num_vertices(),
                            layout.num_vertices()));
  }
  const DevicePlace& place = executor.place();
  const bool same = old.file_ids() == layout.file_ids() && old.num_parts() == layout.num_parts() &&
                    old.num_chunks() == layout.num_chunks();
  std::vector<PartMap> old_maps;
  bool moves_history = false;
  for (Index l = place.layer_begin; l < place.layer_end; ++l) moves_history |= !same && executor.history(l) != nullptr;
  if (moves_history) {
    const core::Graph renumbered = old.renumber(graph_of_halos(cut, old));
    for (Index q = 0; q < old.num_parts(); ++q) old_maps.emplace_back(renumbered, old, q);
  }
  for (Index l = place.layer_begin; l < place.layer_end; ++l) {
    // On another layout a halo has other rows: it begins anew, with an exact epoch.
    if (executor.stale_halo(l) != nullptr && same) {
      std::vector<NamedTensor> halo;
      for (const char* name : {"halo_rows", "halo_gradients"}) {
        if (const Tensor* t = find(c.tables, fmt::format("{}.{}/{}", l, place.part, name))) halo.push_back({name, *t});
      }
      executor.stale_halo(l)->load_state(halo);
    }
    if (executor.history(l) == nullptr) continue;
    std::vector<NamedTensor> state;
    for (const char* name : {"rows", "next", "z"}) {
      const auto of_part = [&](Index q) { return find(c.tables, fmt::format("{}.{}/{}", l, q, name)); };
      if (same) {
        if (const Tensor* t = of_part(place.part)) state.push_back({name, *t});
        continue;
      }
      if (of_part(0) == nullptr) continue;
      // All vertices in the file's order, then those of this device's table.
      Tensor all = Tensor::zeros(layout.num_vertices(), of_part(0)->cols(), of_part(0)->dtype());
      const bool is_rows = name == std::string("rows");
      for (Index q = 0; q < old.num_parts(); ++q) {
        const Tensor* t = of_part(q);
        if (t == nullptr) continue;
        const PartMap& map = old_maps[static_cast<std::size_t>(q)];
        // Halo rows of the embeddings are copies of their owners'; those of gradients are owed to them.
        const Index rows = is_rows ? map.own().size() : t->rows();
        for (Index r = 0; r < rows; ++r) {
          add_row(*t, r, all, old.file_ids()[static_cast<std::size_t>(map.vertex_of(r))], !is_rows);
        }
      }
      const PartMap& map = executor.map();
      const Index own = map.own().size();
      Tensor mine = Tensor::zeros(name == std::string("z") ? own : map.num_rows(), all.cols(), all.dtype());
      for (Index r = 0; r < (is_rows ? map.num_rows() : own); ++r) {
        add_row(all, layout.file_ids()[static_cast<std::size_t>(map.vertex_of(r))], mine, r, false);
      }
      state.push_back({name, mine});
    }
    executor.history(l)->load_state(state);
  }
}

}  // namespace laminar::pipeline
