#include "laminar/pipeline/rank_plan.hpp"

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/part_graph.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/model_graph.hpp"
#include "laminar/pipeline/part_map.hpp"
#include "laminar/pipeline/plan_steps.hpp"

namespace laminar::pipeline {

namespace {

template <class T>
void put(std::string& text, const std::vector<T>& values) {
  const std::uint64_t count = values.size();
  text.append(reinterpret_cast<const char*>(&count), sizeof count);
  if (count > 0) text.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <class T>
std::vector<T> take(std::string_view& text) {
  std::uint64_t count = 0;
  std::memcpy(&count, text.data(), sizeof count);
  text.remove_prefix(sizeof count);
  std::vector<T> values(count);
  if (count > 0) std::memcpy(values.data(), text.data(), count * sizeof(T));
  text.remove_prefix(count * sizeof(T));
  return values;
}

/// An assignment as the bytes of a text, and back.
std::string to_text(const Assignment& a, const std::vector<std::string>& remarks) {
  std::string text;
  put(text, std::vector<Index>{a.parts.num_parts, a.chunks.num_parts, static_cast<Index>(a.order)});
  put(text, std::vector<char>(a.order_why.begin(), a.order_why.end()));
  put(text, a.parts.part_of);
  put(text, a.chunks.part_of);
  put(text, std::vector<core::VertexId>(a.rank.begin(), a.rank.end()));
  for (const std::string& remark : remarks) put(text, std::vector<char>(remark.begin(), remark.end()));
  return text;
}

Assignment from_text(std::string_view text, std::vector<std::string>& remarks) {
  Assignment a;
  const auto counts = take<Index>(text);
  a.parts.num_parts = counts[0];
  a.chunks.num_parts = counts[1];
  a.order = static_cast<VertexOrder>(counts[2]);
  const auto why = take<char>(text);
  a.order_why.assign(why.begin(), why.end());
  a.parts.part_of = take<std::int32_t>(text);
  a.chunks.part_of = take<std::int32_t>(text);
  const auto rank = take<core::VertexId>(text);
  a.rank.assign(rank.begin(), rank.end());
  remarks.clear();
  while (!text.empty()) {
    const auto remark = take<char>(text);
    remarks.emplace_back(remark.begin(), remark.end());
  }
  return a;
}

core::Graph without_edges(Index vertices) {
  return core::Graph::from_in_csr(vertices, std::vector<core::EdgeId>(static_cast<std::size_t>(vertices) + 1, 0), {},
                                  {}, true);
}

/// What all ranks' rows read together.
ChunkReads joined(Communicator& communicator, const ChunkReads& own) {
  std::vector<double> flags;
  for (const auto& row : own) {
    for (const bool reads : row) flags.push_back(reads ? 1 : 0);
  }
  flags = communicator.sum(flags);
  ChunkReads all = own;
  for (std::size_t c = 0; c < all.size(); ++c) {
    for (std::size_t s = 0; s < all.size(); ++s) all[c][s] = flags[c * all.size() + s] > 0;
  }
  return all;
}

}  // namespace

bool holds_part_only(const layers::ModelOptions& model, const TrainOptions& options) {
  const DistributionOptions& d = options.distribution;
  const bool measures = d.stage_cut.measured && static_cast<Index>(d.stage_cut.at.size()) + 1 != d.topology.stages;
  return d.topology.parts > 1 && !d.whole_structure && !measures && !reads_whole_graph(model) &&
         model.decoder == layers::DecoderKind::kNone;
}

void check_num_ranks(const Topology& t, const Transport& rank) {
  if (rank.size() == t.devices()) return;
  throw UsageError(fmt::format("{} stages x {} parts need {} ranks, but {} were started", t.stages, t.parts,
                               t.devices(), rank.size()));
}

Plan make_rank_plan(const layers::ModelOptions& model, const core::DatasetSchema& schema, const core::Dataset& data,
                    const TrainOptions& options, Transport& rank) {
  Plan plan = begin_plan(model, schema, options);
  check_num_ranks(plan.topology, rank);
  const core::PartContents contents = part_contents(model, schema);
  Communicator communicator(rank, {}, core::MemoryPool::create());
  Assignment a;
  if (needs_edges_to_assign(model, schema, options)) {
    std::string text;
    if (rank.rank() == 0) {
      const auto whole = data.graph();
      a = assign(contents.reversed_edges ? whole->with_reversed_edges() : *whole, model, schema, options, plan.remarks);
      text = to_text(a, plan.remarks);
    }
    // Here rank 0 has let go of the graph.
    text = communicator.broadcast_text(text);
    if (rank.rank() > 0) a = from_text(text, plan.remarks);
  } else {
    a = assign(without_edges(schema.num_vertices), model, schema, options, plan.remarks);
  }
  plan.order = a.order;
  plan.order_why = a.order_why;
  const DevicePlace place = plan.place(rank.rank());
  {
    const core::PartGraph own = core::read_part(data, a.parts.part_of, place.num_parts, place.part, contents);
    if (plan.overlaps) a.chunks = border_chunks(own.on_border);
    plan.cut = std::make_shared<CutGraph>(partition::Layout(a.parts, a.chunks, a.rank), own);
    plan.halo_out = own.num_readers;
  }
  end_plan(plan, model, options, [&] { return joined(communicator, chunk_reads(*plan.cut)); });
  // Every stage has all parts; those of the first one are counted.
  const bool counts = place.stage == 0;
  const std::vector<double> rows = communicator.sum(
      std::vector<double>{counts ? static_cast<double>(PartMap(*plan.cut, place.part).halo().size()) : 0,
                          counts ? static_cast<double>(plan.halo_out) : 0});
  plan.halo_in = static_cast<Index>(rows[0]);
  plan.halo_out = static_cast<Index>(rows[1]);
  return plan;
}

}  // namespace laminar::pipeline
