#include "laminar/pipeline/pair_split.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {
namespace {

constexpr std::string_view kSplitName = "random";

/// The pairs in random order, each drawn by itself, so that the order does not depend on that of the edges.
std::vector<Pair> shuffled(const std::vector<Pair>& pairs, std::uint64_t seed) {
  struct Draw {
    std::uint64_t number;
    Pair pair;
    bool operator<(const Draw& other) const { return std::pair(number, pair) < std::pair(other.number, other.pair); }
  };
  const core::RandomKey key = core::random_key(seed, "link split");
  std::vector<Draw> draws;
  draws.reserve(pairs.size());
  for (const Pair& p : pairs) {
    const auto block = core::random_block(key, static_cast<std::uint32_t>(p.u), static_cast<std::uint32_t>(p.v), 0);
    draws.push_back({(std::uint64_t{block[1]} << 32) | block[0], p});
  }
  std::sort(draws.begin(), draws.end());
  std::vector<Pair> result;
  result.reserve(pairs.size());
  for (const Draw& d : draws) result.push_back(d.pair);
  return result;
}

/// Keeps the edges of `split.train` and self-loops.
void keep_messages(const core::Graph& graph, PairSplit& split) {
  const PairSet kept(graph.num_vertices(), split.train);
  std::vector<core::EdgeId> offsets{0};
  std::vector<VertexId> sources;
  std::vector<double> weights;
  for (Index row = 0; row < graph.num_vertices(); ++row) {
    const auto v = static_cast<VertexId>(row);
    const auto at = static_cast<std::size_t>(row);
    for (core::EdgeId e = graph.in_offsets()[at]; e < graph.in_offsets()[at + 1]; ++e) {
      const VertexId u = graph.in_sources()[static_cast<std::size_t>(e)];
      if (u != v && !kept.contains(u, v)) continue;
      sources.push_back(u);
      if (graph.weighted()) weights.push_back(graph.in_weights()[static_cast<std::size_t>(e)]);
      split.message_edges.push_back(e);
    }
    offsets.push_back(static_cast<core::EdgeId>(sources.size()));
  }
  split.message_graph = std::make_shared<core::Graph>(core::Graph::from_in_csr(
      graph.num_vertices(), std::move(offsets), std::move(sources), std::move(weights), graph.directed()));
}

}  // namespace

PairSplit split_links(const core::Graph& graph, const PairOptions& options, std::uint64_t seed) {
  validate(options);
  const std::vector<Pair> all = pairs_of(graph);
  const std::vector<Pair> drawn = shuffled(all, seed);
  const auto share = [&](double of) {
    // A little more than a whole number's share is rounding.
    return static_cast<std::ptrdiff_t>(of * static_cast<double>(drawn.size()) + 1e-9);
  };
  const std::ptrdiff_t tests = share(options.test);
  const std::ptrdiff_t vals = share(options.val);
  if (tests < 1 || vals < 1 || tests + vals >= static_cast<std::ptrdiff_t>(drawn.size())) {
    throw Error(fmt::format(
        "the graph joins {} pairs of vertices: too few to split them {} (training/validation/test, percent); "
        "give validation and test more with --link-split",
        drawn.size(), pair_split_text(options)));
  }
  PairSplit split;
  split.test.assign(drawn.begin(), drawn.begin() + tests);
  split.val.assign(drawn.begin() + tests, drawn.begin() + tests + vals);
  split.train.assign(drawn.begin() + tests + vals, drawn.end());
  split.train_sample.assign(split.train.begin(),
                            split.train.begin() + std::min<std::ptrdiff_t>(vals, std::ssize(split.train)));
  for (auto* set : {&split.train, &split.val, &split.test, &split.train_sample}) std::sort(set->begin(), set->end());
  const PairSet joined(graph.num_vertices(), all);
  const auto others = [&](const std::vector<Pair>& set, std::string_view name) {
    return joined.draw_others(options.eval_negatives * static_cast<Index>(set.size()), core::random_key(seed, name));
  };
  split.train_sample_negatives = others(split.train_sample, "link negatives, training");
  split.val_negatives = others(split.val, "link negatives, validation");
  split.test_negatives = others(split.test, "link negatives, test");
  keep_messages(graph, split);
  return split;
}

core::DatasetSchema pair_schema(core::DatasetSchema schema, const layers::ModelOptions& model) {
  schema.task = core::Task::kNone;
  schema.num_outputs = model.hidden;
  schema.output_names.clear();
  schema.split_names = {std::string(kSplitName)};
  return schema;
}

PairDataset::PairDataset(const core::Dataset& data, const layers::ModelOptions& model,
                         std::shared_ptr<const PairSplit> split)
    : data_(data), split_(std::move(split)), schema_(pair_schema(data.schema(), model)) {
  schema_.num_edges = split_->message_graph->num_edges();
}

core::Tensor PairDataset::edge_features() const {
  const core::Tensor all = data_.edge_features();
  if (!all) return all;
  core::Tensor kept(static_cast<Index>(split_->message_edges.size()), all.cols(), all.dtype());
  Index to = 0;
  for (const core::EdgeId e : split_->message_edges) {
    kept.slice_rows(to, to + 1).copy_from(all.slice_rows(e, e + 1));
    ++to;
  }
  return kept;
}

core::Split PairDataset::split(std::string_view name) const {
  if (name != kSplitName) {
    throw UsageError(
        fmt::format("--split is '{}', but pairs are split at random: by --link-split and --seed, and with --runs by "
                    "each run's seed",
                    name));
  }
  return {std::string(kSplitName), {}, {}, {}};
}

}  // namespace laminar::pipeline
