/// METIS (Karypis and Kumar, "A fast and high quality multilevel scheme for partitioning irregular graphs", SIAM J.
/// Sci. Comput. 1998; several constraints: "Multilevel algorithms for multi-constraint graph partitioning", SC 1998)
/// through its library, and the three strategies that use it.
#include "laminar/partition/metis.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/partition/balance.hpp"
#include "laminar/partition/orderings.hpp"
#include "laminar/partition/partitioner.hpp"

#ifdef LAMINAR_HAS_METIS
#include <metis.h>
#endif

namespace laminar::partition {

#ifdef LAMINAR_HAS_METIS

namespace {

static_assert(sizeof(idx_t) == 4 && sizeof(real_t) == 4);

/// METIS keeps its random state in the C library's rand(), one for the whole process.
std::mutex& metis_mutex() {
  static std::mutex mutex;
  return mutex;
}

/// Whole numbers in the proportions of `weights`: as they are if they are whole and small enough, else scaled so that
/// the sum stays well within 32 bits. A weight above 0 stays above 0.
std::vector<idx_t> whole_weights(const std::vector<double>& weights, double largest_sum) {
  double sum = 0;
  bool whole = true;
  for (const double w : weights) {
    sum += w;
    whole = whole && w == std::floor(w);
  }
  const double scale = whole && sum <= largest_sum ? 1.0 : largest_sum / std::max(sum, 1e-300);
  std::vector<idx_t> result;
  result.reserve(weights.size());
  for (const double w : weights) {
    result.push_back(w > 0 ? std::max<idx_t>(1, static_cast<idx_t>(std::lround(w * scale))) : 0);
  }
  return result;
}

/// Cuts off what a vertex weighs beyond one part's share. Such a vertex fills a part alone whatever it weighs; but
/// METIS would be asked to cut the nothing beside it further, and says so on the standard output.
std::vector<double> capped_weights(std::vector<double> weights, Index parts) {
  constexpr int kRounds = 50;  // each cap lowers the share, so caps fall until no vertex is above
  for (int round = 0; round < kRounds; ++round) {
    const double cap = std::accumulate(weights.begin(), weights.end(), 0.0) / static_cast<double>(parts);
    if (*std::max_element(weights.begin(), weights.end()) <= cap * (1 + 1e-6)) break;
    for (double& w : weights) w = std::min(w, cap);
  }
  return weights;
}

/// Vertex after vertex, all constraints of one beside each other.
std::vector<idx_t> interleave(const MetisOptions& options, Index n) {
  const std::size_t count = options.constraints.size();
  std::vector<idx_t> result(static_cast<std::size_t>(n) * count, 1);
  for (std::size_t c = 0; c < count; ++c) {
    if (options.constraints[c].weights.empty()) continue;
    const std::vector<idx_t> column = whole_weights(capped_weights(options.constraints[c].weights, options.parts), 5e8);
    for (Index v = 0; v < n; ++v) result[static_cast<std::size_t>(v) * count + c] = column[v];
  }
  return result;
}

std::vector<real_t> target_shares(const MetisOptions& options) {
  double sum = 0;
  for (const double c : options.capacity) sum += c;
  std::vector<real_t> result;
  for (const double c : options.capacity) {
    result.insert(result.end(), options.constraints.size(), static_cast<real_t>(c / sum));
  }
  return result;
}

}  // namespace

std::string metis_version() { return fmt::format("{}.{}.{}", METIS_VER_MAJOR, METIS_VER_MINOR, METIS_VER_SUBMINOR); }

Partition metis_partition(const Adjacency& adjacency, const MetisOptions& options) {
  const Index n = adjacency.num_vertices();
  Partition result{options.parts, std::vector<std::int32_t>(static_cast<std::size_t>(n), 0)};
  if (options.parts == 1) return result;
  constexpr Index kFewest = 8;
  if (n < kFewest * options.parts) {
    result =
        cut_order(breadth_first_order(adjacency), options.parts, options.constraints.front().weights, options.capacity);
    result.remarks.push_back(fmt::format(
        "cut in breadth-first order: METIS is not asked for fewer than {} vertices a part (--parts)", kFewest));
    return result;
  }
  constexpr EdgeId kMost = std::numeric_limits<idx_t>::max();
  if (adjacency.num_entries() > kMost) {
    throw Error(fmt::format(
        "[metis] {} undirected edges, but METIS's 32-bit numbers hold {} at most; use another strategy such as laminar",
        adjacency.num_entries() / 2, kMost / 2));
  }

  std::vector<idx_t> offsets(adjacency.offsets.begin(), adjacency.offsets.end());
  std::vector<idx_t> neighbours(adjacency.neighbours.begin(), adjacency.neighbours.end());
  std::vector<idx_t> vertex_weights = interleave(options, n);
  std::vector<idx_t> edge_weights = whole_weights(adjacency.weights, 1e9);
  for (idx_t& w : edge_weights) w = std::max<idx_t>(w, 1);  // METIS wants them positive
  std::vector<real_t> shares = target_shares(options);
  std::vector<real_t> imbalances;
  for (const MetisConstraint& c : options.constraints) {
    imbalances.push_back(static_cast<real_t>(1 + std::max(c.imbalance, 0.001)));
  }

  std::array<idx_t, METIS_NOPTIONS> settings{};
  METIS_SetDefaultOptions(settings.data());
  settings[METIS_OPTION_OBJTYPE] = options.objective == MetisObjective::kVolume ? METIS_OBJTYPE_VOL : METIS_OBJTYPE_CUT;
  settings[METIS_OPTION_SEED] = static_cast<idx_t>((options.seed ^ (options.seed >> 31)) & 0x7fffffff);
  auto vertices = static_cast<idx_t>(n);
  auto constraints = static_cast<idx_t>(options.constraints.size());
  auto parts = static_cast<idx_t>(options.parts);
  idx_t objective = 0;
  int status = METIS_OK;
  {
    const std::lock_guard lock(metis_mutex());
    status = METIS_PartGraphKway(&vertices, &constraints, offsets.data(), neighbours.data(), vertex_weights.data(),
                                 nullptr, edge_weights.empty() ? nullptr : edge_weights.data(), &parts,
                                 shares.empty() ? nullptr : shares.data(), imbalances.data(), settings.data(),
                                 &objective, result.part_of.data());
  }
  if (status == METIS_ERROR_MEMORY) {
    throw Error(fmt::format("[metis] out of memory on a graph of {} vertices and {} undirected edges", n,
                            adjacency.num_entries() / 2));
  }
  if (status != METIS_OK) {
    // Status -4 is also what becomes of a SIGTERM: METIS catches it while it works.
    throw Error(
        fmt::format("[metis] gave up with status {} on a graph of {} vertices for {} parts, being stopped from "
                    "outside or at its wits' end; use another strategy",
                    status, n, options.parts));
  }
  if (const Index empty = fill_empty_parts(adjacency, options.parts, result.part_of); empty > 0) {
    result.remarks.push_back(fmt::format("METIS left {} parts empty; they were given one vertex each", empty));
  }
  return result;
}

namespace {

MetisOptions metis_options(const PartitionOptions& options, MetisObjective objective) {
  return {.parts = options.parts,
          .seed = options.seed,
          .objective = objective,
          .constraints = {{options.vertex_weights, options.imbalance}},
          .capacity = options.capacity};
}

Partition metis_cut(const core::Graph& graph, const PartitionOptions& options) {
  return metis_partition(symmetric_adjacency(graph, options.use_edge_weights),
                         metis_options(options, MetisObjective::kCut));
}

Partition metis_volume(const core::Graph& graph, const PartitionOptions& options) {
  return metis_partition(symmetric_adjacency(graph), metis_options(options, MetisObjective::kVolume));
}

/// Vertices and in-edges, and training vertices on request. Edges are kept as balanced as vertices unless told else.
Partition metis_balanced(const core::Graph& graph, const PartitionOptions& options) {
  MetisOptions metis = metis_options(options, MetisObjective::kCut);
  const Index n = graph.num_vertices();
  MetisConstraint edges{std::vector<double>(static_cast<std::size_t>(n)),
                        options.edge_imbalance.value_or(options.imbalance)};
  for (Index v = 0; v < n; ++v) edges.weights[v] = static_cast<double>(graph.in_degree(static_cast<VertexId>(v)));
  if (graph.num_edges() > 0) metis.constraints.push_back(std::move(edges));
  if (options.train_imbalance && !options.train.empty()) {
    MetisConstraint train{std::vector<double>(static_cast<std::size_t>(n), 0.0), *options.train_imbalance};
    for (const VertexId v : options.train) train.weights[v] = 1;
    metis.constraints.push_back(std::move(train));
  }
  return metis_partition(symmetric_adjacency(graph, options.use_edge_weights), metis);
}

constexpr const char* kPaper = "Karypis and Kumar, SIAM J. Sci. Comput. 1998";

LAMINAR_PARTITIONER(metis, &metis_cut,
                    {.name = "metis",
                     .summary = "METIS, multilevel, for a small edge cut",
                     .paper = kPaper,
                     .capacity = true,
                     .vertex_weights = true})
LAMINAR_PARTITIONER(metis_vol, &metis_volume,
                    {.name = "metis_vol",
                     .summary = "METIS, multilevel, for a small total volume",
                     .paper = kPaper,
                     .capacity = true,
                     .vertex_weights = true})
LAMINAR_PARTITIONER(metis_balanced, &metis_balanced,
                    {.name = "metis_balanced",
                     .summary = "METIS for a small edge cut with vertices and edges balanced (two constraints)",
                     .paper = "Karypis and Kumar, SC 1998",
                     .edge_balance = true,
                     .train_balance = true,
                     .capacity = true,
                     .vertex_weights = true})

}  // namespace

#else

std::string metis_version() { return {}; }

Partition metis_partition(const Adjacency& /*adjacency*/, const MetisOptions& /*options*/) {
  throw Error("[metis] this build of Laminar has no METIS; install libmetis-dev and build with LAMINAR_WITH_METIS=ON");
}

#endif

}  // namespace laminar::partition
