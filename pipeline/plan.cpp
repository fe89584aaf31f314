#include "laminar/pipeline/plan.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/partition/chunks.hpp"
#include "laminar/partition/partitioner.hpp"
#include "laminar/pipeline/plan_steps.hpp"
#include "laminar/pipeline/stage_cut.hpp"

namespace laminar::pipeline {

using partition::Partition;

namespace {

// Where graph parallelism overlaps halos with work. The boundary goes first, so that its rows fly while the interior is
// computed.
constexpr Index kBoundaryChunk = 0;
constexpr Index kInteriorChunk = 1;

Partition given(const std::vector<std::int32_t>& labels, Index count, const char* option, Index num_vertices) {
  Partition result{count, labels};
  try {
    partition::validate(result, num_vertices);
  } catch (const Error& e) {
    throw UsageError(fmt::format("{}: {}", option, e.what()));
  }
  return result;
}

Partition cut_parts(const core::Graph& graph, const TrainOptions& options, std::vector<std::string>& remarks) {
  const DistributionOptions& d = options.distribution;
  const Index n = graph.num_vertices();
  if (d.part_of != nullptr) return given(*d.part_of, d.topology.parts, "--partition", n);
  if (d.topology.parts == 1) return {1, std::vector<std::int32_t>(static_cast<std::size_t>(n), 0)};
  Partition parts = partition::Partitioners::instance().run(partition_strategy(d), graph,
                                                            {.parts = d.topology.parts, .seed = options.seed});
  remarks.insert(remarks.end(), parts.remarks.begin(), parts.remarks.end());
  return parts;
}

/// The graph on the vertices of one part, and which they are.
std::pair<core::Graph, std::vector<core::VertexId>> subgraph(const core::Graph& graph, const Partition& parts,
                                                             Index p) {
  std::vector<core::VertexId> members;
  std::vector<core::VertexId> local(parts.part_of.size(), -1);
  for (std::size_t v = 0; v < parts.part_of.size(); ++v) {
    if (parts.part_of[v] != p) continue;
    local[v] = static_cast<core::VertexId>(members.size());
    members.push_back(static_cast<core::VertexId>(v));
  }
  std::vector<core::EdgeId> offsets{0};
  std::vector<core::VertexId> sources;
  for (const core::VertexId v : members) {
    for (core::EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      if (const core::VertexId s = local[graph.in_sources()[e]]; s >= 0) sources.push_back(s);
    }
    offsets.push_back(static_cast<core::EdgeId>(sources.size()));
  }
  const auto count = static_cast<Index>(members.size());
  return {core::Graph::from_in_csr(count, std::move(offsets), std::move(sources), {}, graph.directed()),
          std::move(members)};
}

VertexOrderInput order_input(const layers::ModelOptions& model, const TrainOptions& options) {
  return {static_cast<std::size_t>(model.hidden) * core::size_of(model.precision), model.layers, options.epochs};
}

/// Chunks of every part on its own, so that each slice has its share of the work.
Partition cut_chunks(const core::Graph& graph, const Partition& parts, const TrainOptions& options, double dense_cost,
                     std::vector<std::string>& remarks) {
  const DistributionOptions& d = options.distribution;
  const Index chunks = d.topology.chunks;
  if (d.chunk_of != nullptr) return given(*d.chunk_of, chunks, "chunks", graph.num_vertices());
  Partition result{chunks, std::vector<std::int32_t>(parts.part_of.size(), 0)};
  if (chunks == 1) return result;
  for (Index p = 0; p < parts.num_parts; ++p) {
    const auto [part, members] = subgraph(graph, parts, p);
    if (static_cast<Index>(members.size()) < chunks) {
      throw UsageError(
          fmt::format("--chunks is {}, but part {} of {} has {} vertices", chunks, p, parts.num_parts, members.size()));
    }
    const Partition slices =
        partition::make_chunks(part, {.chunks = chunks, .seed = options.seed, .dense_cost = dense_cost});
    for (std::size_t i = 0; i < members.size(); ++i) result.part_of[members[i]] = slices.part_of[i];
    remarks.insert(remarks.end(), slices.remarks.begin(), slices.remarks.end());
  }
  return result;
}

/// 1: a vertex with a neighbour in another part, in either direction.
std::vector<std::uint8_t> border_of(const core::Graph& graph, const Partition& parts) {
  std::vector<std::uint8_t> on_border(parts.part_of.size(), 0);
  for (Index v = 0; v < graph.num_vertices(); ++v) {
    for (core::EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      const core::VertexId u = graph.in_sources()[e];
      if (parts.part_of[u] != parts.part_of[v]) on_border[u] = on_border[v] = 1;
    }
  }
  return on_border;
}

/// Throws UsageError if halos that are not exact do not go with the rest.
void check_halo(const HaloOptions& halo, const Topology& t, const HistoryOptions& history, ScheduleKind schedule,
                Index layers) {
  // Messages that may wait at a receiver, those of rows, gradients and weights.
  constexpr Index kMostStaleLayers = 256;
  const auto refuse = [](bool wrong, const std::string& text) {
    if (wrong) throw UsageError(text);
  };
  if (halo.stale) {
    refuse(t.parts == 1,
           "--stale-halos: the graph is in one part, which has no halo; give --partitions or --mode graph");
    refuse(t.chunks > 1,
           fmt::format("--stale-halos goes with one chunk, but --chunks is {}; with chunks, --staleness 1 "
                       "lets neighbours' rows be last epoch's",
                       t.chunks));
    refuse(!uses_history(schedule),
           fmt::format("--stale-halos can't go with --schedule {}, which is exact", name_of(schedule)));
    refuse(layers > kMostStaleLayers,
           fmt::format("--stale-halos goes with at most {} layers, there are {}", kMostStaleLayers, layers));
  }
  if (halo.samples()) {
    refuse(t.parts == 1,
           "--boundary-rate: the graph is in one part, which has no halo; give --partitions or --mode graph");
    refuse(
        history.staleness > 0,
        "--boundary-rate can't go with history: a row that is not sent would stand in the tables as 0; add --chunks 1 "
        "(--mode graph), or --staleness 0");
  }
}

}  // namespace

std::string partition_strategy(const DistributionOptions& options) {
  if (options.partition != "auto") return options.partition;
  const auto names = partition::Partitioners::instance().names();
  const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  return has("metis_vol") ? "metis_vol" : has("laminar") ? "laminar" : "range";
}

DevicePlace Plan::place(Index device) const {
  DevicePlace p;
  p.num_stages = topology.stages;
  p.num_parts = topology.parts;
  p.stage = device / topology.parts;
  p.part = device % topology.parts;
  p.layer_begin = schedule_input.stage_begin[p.stage];
  p.layer_end = schedule_input.stage_begin[p.stage + 1];
  return p;
}

ChunkOrder Plan::order_of(std::uint64_t seed, Index epoch) const {
  return chunk_order(cut->layout.num_chunks(), seed, epoch, history.staleness > 0 && history.shuffle,
                     schedule == ScheduleKind::kOneForwardOneBackward);
}

Schedule Plan::schedule_of(const ChunkOrder& chunks_in_order) const {
  ScheduleInput input = schedule_input;
  input.chunk_order = chunks_in_order.chunks;
  return make_schedule(schedule, input);
}

Plan begin_plan(const layers::ModelOptions& model_options, const core::DatasetSchema& schema,
                const TrainOptions& options) {
  const DistributionOptions& d = options.distribution;
  Plan plan;
  plan.topology = d.topology;
  plan.dtype = core::computed(model_options.precision);
  plan.history = d.history;
  const layers::Model model(model_options, schema);
  const Topology& t = d.topology;
  if (model.needs_all_rows() && t.chunks > 1) {
    throw UsageError(fmt::format(
        "--norm batch needs all vertices of a layer at once, but --chunks is {}; use --norm layer, or --chunks 1",
        t.chunks));
  }
  const std::vector<double> costs = layer_costs(model, schema);
  plan.schedule_input.stage_begin = cut_stages(costs, t.stages, d.stage_cut);
  // Constant carried tensors are made again where that sends less: 2 (S - 1) F d for the encoder's gradients against
  // 2 (S - 1) N d for the tensors and theirs.
  plan.recompute_carried = t.stages > 1 && model.num_carried() > 0 && model.carried_is_constant() &&
                           schema.num_features < schema.num_vertices * model.num_carried();
  // Stale halos are there before they are needed.
  plan.overlaps = t.chunks == 1 && t.parts > 1 && d.overlap && !d.halo.stale && !model.needs_all_rows();
  return plan;
}

bool needs_edges_to_assign(const layers::ModelOptions& model, const core::DatasetSchema& schema,
                           const TrainOptions& options) {
  const DistributionOptions& d = options.distribution;
  if (d.topology.chunks > 1 || order_reads_edges(d.order, schema.num_vertices, order_input(model, options)))
    return true;
  return d.part_of == nullptr && partition::Partitioners::instance().info(partition_strategy(d)).reads_edges;
}

Assignment assign(const core::Graph& graph, const layers::ModelOptions& model, const core::DatasetSchema& schema,
                  const TrainOptions& options, std::vector<std::string>& remarks) {
  Assignment a;
  const DistributionOptions& d = options.distribution;
  if (d.topology.chunks == 1) {
    VertexOrderDecision decision = decide_vertex_order(d.order, graph, order_input(model, options));
    a.order = decision.order;
    a.order_why = std::move(decision.why);
    if (d.order == VertexOrder::kAuto) remarks.push_back("--order auto: " + a.order_why);
    a.rank = std::move(decision.rank);
  }
  // One device has all, as it stands.
  if (d.topology.devices() == 1 && d.topology.chunks == 1 && a.rank.empty()) return a;
  a.parts = cut_parts(graph, options, remarks);
  a.chunks = cut_chunks(graph, a.parts, options, row_cost(model, schema), remarks);
  if (d.topology.chunks > 1) {
    const std::vector<core::VertexId> order = partition::locality_order(graph, a.chunks);
    a.rank.resize(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) a.rank[order[i]] = static_cast<Index>(i);
  }
  return a;
}

Partition border_chunks(std::span<const std::uint8_t> on_border) {
  Partition result{2, std::vector<std::int32_t>(on_border.size())};
  for (std::size_t v = 0; v < on_border.size(); ++v) {
    result.part_of[v] = static_cast<std::int32_t>(on_border[v] != 0 ? kBoundaryChunk : kInteriorChunk);
  }
  return result;
}

ChunkReads chunk_reads(const CutGraph& cut) {
  const auto chunks = static_cast<std::size_t>(cut.layout.num_chunks());
  ChunkReads reads(chunks, std::vector<bool>(chunks, false));
  std::vector<std::int32_t> chunk_of(static_cast<std::size_t>(cut.graph.num_vertices()));
  for (std::size_t v = 0; v < chunk_of.size(); ++v) {
    chunk_of[v] = static_cast<std::int32_t>(cut.layout.chunk_of(static_cast<core::VertexId>(v)));
  }
  for (Index v = 0; v < cut.graph.num_vertices(); ++v) {
    for (core::EdgeId e = cut.graph.in_offsets()[v]; e < cut.graph.in_offsets()[v + 1]; ++e) {
      reads[chunk_of[v]][chunk_of[cut.graph.in_sources()[e]]] = true;
    }
  }
  return reads;
}

void end_plan(Plan& plan, const layers::ModelOptions& model, const TrainOptions& options,
              const std::function<ChunkReads()>& reads) {
  const DistributionOptions& d = options.distribution;
  const Topology& t = d.topology;
  ScheduleInput& input = plan.schedule_input;
  input.topology = t;
  input.topology.chunks = plan.cut->layout.num_chunks();
  plan.schedule = d.schedule;
  if (t.chunks == 1 || d.history.staleness == 0 || !uses_history(d.schedule)) {
    plan.history.staleness = 0;
    if (input.topology.chunks == 1) {
      if (!uses_history(d.schedule)) plan.schedule = ScheduleKind::kAllForwardAllBackward;
    } else {
      if (uses_history(d.schedule)) {
        plan.schedule = t.chunks == 1 ? ScheduleKind::kSequential : ScheduleKind::kWavefront;
      }
      const ChunkReads of_chunks = reads();
      for (std::size_t c = 0; c < of_chunks.size(); ++c) {
        std::vector<std::int32_t>& others = input.reads.emplace_back();
        for (std::size_t s = 0; s < of_chunks.size(); ++s) {
          if (s != c && of_chunks[c][s]) others.push_back(static_cast<std::int32_t>(s));
        }
      }
    }
  }
  plan.halo = d.halo;
  check_halo(plan.halo, t, plan.history, d.schedule, model.layers);
  validate(plan.schedule_of(plan.order_of(options.seed, 0)), input);
}

Plan make_plan(const layers::ModelOptions& model_options, const core::DatasetSchema& schema, const core::Graph& graph,
               const TrainOptions& options) {
  Plan plan = begin_plan(model_options, schema, options);
  const Topology& t = options.distribution.topology;
  Assignment a = assign(graph, model_options, schema, options, plan.remarks);
  plan.order = a.order;
  plan.order_why = a.order_why;
  if (t.devices() == 1 && t.chunks == 1 && a.rank.empty()) {
    plan.cut = std::make_shared<CutGraph>(partition::Layout(graph.num_vertices()), graph);
  } else {
    if (plan.overlaps) a.chunks = border_chunks(border_of(graph, a.parts));
    plan.cut = std::make_shared<CutGraph>(partition::Layout(a.parts, a.chunks, a.rank), graph);
    // Every part's map asks for the transpose: made once, not by several devices at the same time.
    if (t.parts > 1) static_cast<void>(plan.cut->graph.out_offsets());
  }
  end_plan(plan, model_options, options, [&] { return chunk_reads(*plan.cut); });
  return plan;
}

}  // namespace laminar::pipeline
