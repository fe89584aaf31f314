#include "laminar/apps/partition_options.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/importer.hpp"
#include "laminar/partition/partitioner.hpp"

namespace laminar::apps {
namespace {

constexpr int kMostThreads = 4096;

Option optional_share(std::string name, std::optional<double>& target, std::string help) {
  return {.name = std::move(name),
          .placeholder = "X",
          .help = std::move(help),
          .set = [&target](const std::string& text) { target = parse_number(text); },
          .get = [&target] { return target ? fmt::format("{}", *target) : std::string(); }};
}

Option capacity_option(std::vector<double>& target) {
  return {.name = "capacity",
          .placeholder = "X,Y,...",
          .help = "relative sizes of the parts, one each (default: equal)",
          .set =
              [&target](const std::string& text) {
                target.clear();
                for (const std::string& word : split_at_commas(text)) target.push_back(parse_number(word));
              },
          .get = [&target] { return fmt::format("{}", fmt::join(target, ",")); }};
}

Option volume_bound_option(std::optional<core::Index>& target) {
  return {.name = "volume-bound",
          .placeholder = "ROWS",
          .help = "objective max: the largest total volume allowed (default: what METIS minimising volume reaches)",
          .set =
              [&target](const std::string& text) {
                target = parse_integer(text);
                if (*target < 0) throw UsageError("expected a number of rows");
              },
          .get = [&target] { return target ? fmt::format("{}", *target) : std::string(); }};
}

}  // namespace

void add_strategy_options(CommandLine& line, partition::PartitionOptions& o) {
  line.add(option("objective", o.objective, "NAME",
                  "what to make small: total volume, max (the busiest part's), or balanced: the busiest part's while "
                  "the total grows by at most 5 %",
                  partition::objective_from_name));
  line.add(
      option("preset", o.preset, "NAME", "how much time to take: fast, quality or best", partition::preset_from_name));
  line.add(option("imbalance", o.imbalance, "X", "a part may hold (1 + X) times its share of the vertices"));
  line.add(optional_share("edge-imbalance", o.edge_imbalance, "the same of the in-edges (default: any)"));
  line.add(optional_share("train-imbalance", o.train_imbalance, "the same of the training vertices (default: any)"));
  line.add(volume_bound_option(o.volume_bound));
  line.add(flag("edge-weights", o.use_edge_weights, "count cut edges by their weights where a strategy minimises cut"));
  line.add(option("time-limit", o.time_limit_s, "SECONDS",
                  "end the search after this long, 0 = never; the partition then depends on the machine"));
}

void add_partition_options(CommandLine& line, PartitionRequest& r) {
  partition::PartitionOptions& o = r.options;
  line.group("Graph");
  line.add(option("graph", r.graph, "FILE", "the graph"));
  std::string formats;
  for (const auto& importer : datasets::importers()) formats += fmt::format("{}, ", importer.name);
  Option format = option("format", r.format, "NAME", formats + "or auto: by the file's name");
  format.set = [set = format.set](const std::string& text) {
    if (text != "auto") datasets::find_importer(text);
    set(text);
  };
  line.add(std::move(format));
  line.add(flag("directed", r.import.directed, "edge list: each line is one edge FROM -> TO, not both directions"));
  line.add({.name = "max-memory",
            .placeholder = "GIB",
            .help = "stop reading when a file takes more memory (default: three quarters of this machine's)",
            .set =
                [&r](const std::string& text) {
                  r.import.max_memory_bytes = datasets::parse_max_memory(parse_number(text));
                },
            .get = nullptr});
  line.add(option("split", r.split, "NAME", "split whose training vertices count (default: the first there is)"));
  line.add(flag("ignore-weights", r.ignore_weights, "take every vertex as 1, even if a METIS file weighs them"));
  line.group("Partition");
  add_strategy_options(line, o);
  line.add(capacity_option(o.capacity));
  line.add(option("seed", o.seed, "N", "of all that is random: same seed, same partition"));
  line.add(option("threads", r.threads, "N", "0 = one a core; results don't depend on it"));
  line.add(option("width", r.width, "N", "float32 values in a row, for volumes and memory in bytes"));
}

void check(const PartitionRequest& r) {
  if (r.graph.empty()) throw UsageError("a graph is needed, e.g. graph.h5");
  if (r.threads < 0 || r.threads > kMostThreads) {
    throw UsageError(fmt::format("--threads is {}, expected 0 to {}", r.threads, kMostThreads));
  }
  if (r.width < 1 || r.width > (core::Index{1} << 24)) {
    throw UsageError(fmt::format("--width is {}, expected 1 to 2^24", r.width));
  }
}

void require_training_vertices(const partition::PartitionOptions& options, const std::filesystem::path& graph) {
  if (options.train_imbalance && options.train.empty()) {
    throw UsageError(fmt::format("--train-imbalance is given, but {} has no training vertices", graph.string()));
  }
}

PartitionInput read_input(PartitionRequest& r) {
  PartitionInput input = read_partition_input(r.graph, r.format, r.import, r.split);
  if (!r.ignore_weights) r.options.vertex_weights = input.vertex_weights;
  r.options.train = input.train;
  require_training_vertices(r.options, r.graph);
  return input;
}

StrategyVariant parse_variant(const std::string& text, const partition::PartitionOptions& common) {
  StrategyVariant variant{text, text.substr(0, text.find(':')), common};
  partition::Partitioners::instance().info(variant.strategy);
  std::vector<std::string> words = {variant.strategy};
  for (std::size_t end = variant.strategy.size(); end < text.size();) {
    const std::size_t begin = end + 1;
    end = std::min(text.find(':', begin), text.size());
    if (end == begin) throw UsageError(fmt::format("'{}': expected NAME, or NAME:OPTION=VALUE:...", text));
    words.push_back("--" + text.substr(begin, end - begin));
  }
  std::vector<const char*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());
  CommandLine line({});
  add_strategy_options(line, variant.options);
  line.apply(line.parse(static_cast<int>(arguments.size()), arguments.data()), "'" + text + "'");
  return variant;
}

PartsShape parse_parts(std::string_view text) {
  const auto number = [](std::string_view word) {
    constexpr core::Index kMost = core::Index{1} << 30;
    core::Index parts = 0;
    try {
      parts = parse_integer(std::string(word));
    } catch (const UsageError&) {
      parts = 0;
    }
    if (parts < 1 || parts > kMost) {
      throw UsageError("expected a number of parts, such as 8, or of hosts and devices on each, such as 4x8");
    }
    return parts;
  };
  const std::size_t cross = text.find('x');
  if (cross == std::string_view::npos) return {number(text), 1};
  const PartsShape shape = {number(text.substr(0, cross)), number(text.substr(cross + 1))};
  number(fmt::format("{}", shape.first * shape.second));
  return shape;
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string_view word = text.substr(begin, end - begin);
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
    if (word.empty()) throw UsageError("expected values between commas");
    words.emplace_back(word);
    begin = end + 1;
  }
  return words;
}

std::string strategies_text() {
  const auto& registry = partition::Partitioners::instance();
  std::size_t width = 0;
  for (const std::string& name : registry.names()) width = std::max(width, name.size());
  std::string text;
  for (const std::string& name : registry.names()) {
    const partition::PartitionerInfo& info = registry.info(name);
    text += fmt::format("{:<{}}  {}{}\n", name, width, info.summary,
                        info.paper.empty() ? "" : fmt::format(" ({})", info.paper));
    std::vector<std::string> heeds;
    if (info.edge_balance) heeds.emplace_back("--edge-imbalance");
    if (info.train_balance) heeds.emplace_back("--train-imbalance");
    if (info.capacity) heeds.emplace_back("--capacity");
    if (info.vertex_weights) heeds.emplace_back("vertex weights");
    if (info.refines) heeds.emplace_back("--refine, --start");
    if (!heeds.empty()) text += fmt::format("{:<{}}  heeds {}\n", "", width, fmt::join(heeds, ", "));
  }
  return text;
}

std::string default_strategy() {
  const auto names = partition::Partitioners::instance().names();
  return std::find(names.begin(), names.end(), "laminar") != names.end() ? "laminar" : names.front();
}

}  // namespace laminar::apps
