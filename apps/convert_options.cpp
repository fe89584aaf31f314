#include "laminar/apps/convert_options.hpp"

#include <sstream>
#include <type_traits>
#include <utility>

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::apps {
namespace {

namespace po = boost::program_options;

/// As they stand on the command line.
struct Words {
  std::string from;
  std::string input;
  std::string lists;
  std::string out;
  std::string separator;
  std::string header;
  std::string ids;
  std::string key;
  std::string task;
  std::string feature_storage;
  std::vector<std::string> splits;
  std::optional<double> half_hop;
  std::optional<double> half_hop_alpha;
  std::optional<double> max_memory_gib;
  std::string self_loops;
  std::string relabel;
  std::optional<core::Index> vertices;
  std::optional<core::Index> features_dim;
  /// Options of generators that were given.
  std::vector<std::string> of_generators;
};

po::options_description text_options(ConvertRequest& r, Words& w) {
  po::options_description options("Options of text files", 110);
  auto add = options.add_options();
  add("directed", po::bool_switch(&r.import.directed),
      "edges, ogb: each line is one edge FROM -> TO, not both directions");
  add("separator", po::value(&w.separator)->default_value("auto")->value_name("WHAT"),
      "comma, tab, semicolon, blank (one or more), or auto: that of the first line");
  add("header", po::value(&w.header)->default_value("auto")->value_name("yes|no"),
      "whether the first line names the columns; auto: if it has a usual name, or words where the second has numbers");
  add("ids", po::value(&w.ids)->default_value("auto")->value_name("WHAT"),
      "edges: vertices are numbers (from 0), names, or auto: numbers if those of the first edge are");
  add("ends", po::value(&r.import.edges.ends)->value_name("FROM,TO"),
      "edges: the columns of the vertices, by name or number from 1 (default: source/target and the like, else 1,2)");
  add("weight", po::value(&r.import.edges.weight)->value_name("COLUMN"),
      "edges: the column of weights, or none (default: 'weight', or the third of three)");
  add("edge-features", po::value(&r.import.edges.edge_features)->value_name("COLUMNS"),
      "edges: columns of numbers that become edge features, divided by commas; rest: all others; none");
  add("max-memory", po::value<double>()->value_name("GIB")->notifier([&w](double gib) { w.max_memory_gib = gib; }),
      "stop reading when a file takes more memory (default: three quarters of this machine's)");
  return options;
}

po::options_description vertex_options(ConvertRequest& r, Words& w) {
  po::options_description options("What the source lacks", 110);
  auto add = options.add_options();
  add("features", po::value(&r.features)->value_name("FILE"),
      "features of the vertices: a table of numbers as text, or a NumPy array (.npy) [vertices, columns]; or, computed "
      "from the graph, one or more of degree, pagerank, laplacian and random, divided by commas, or onehot");
  add("labels", po::value(&r.labels)->value_name("FILE"),
      "labels: LABEL or VERTEX,LABEL a line, whole numbers or names of classes; or a NumPy array (.npy) of integers");
  add("task", po::value(&w.task)->default_value("classification")->value_name("TASK"),
      "what --labels holds: classification, regression (numbers) or multi-label (columns of 0 and 1)");
  add("splits", po::value(&r.splits_file)->value_name("FILE"),
      "splits: SET or VERTEX,SET a line, with train, val, test or nothing; a split for each column");
  add("key", po::value(&w.key)->default_value("auto")->value_name("row|id"),
      "rows of these files are by their place, or by the vertex in the first column; auto: see docs/importers.md");
  return options;
}

po::options_description generator_options(ConvertRequest& r, Words& w) {
  po::options_description options("Options of generated graphs", 110);
  auto add = options.add_options();
  auto& g = r.generate;
  const auto number = [](auto& into) {
    return po::value<std::remove_reference_t<decltype(into)>>(&into)
        ->default_value(into, fmt::format("{}", into))
        ->value_name("X");
  };
  add("vertices", po::value<core::Index>()->value_name("N")->notifier([&w](core::Index n) { w.vertices = n; }),
      "vertices (default: 10000); edges: there are vertices 0..N-1, also those without edges (default: up to the "
      "largest number)");
  add("degree", number(g.degree), "mean number of neighbours");
  add("classes", number(g.classes), "classes");
  add("homophily", number(g.homophily), "sbm: share of edges within a class, 0 to 1");
  add("power", number(g.power), "sbm: exponent of the power law of degrees, above 2; 0: all alike");
  add("noise", number(g.noise), "standard deviation of a feature around its class's centre, which has length 1");
  return options;
}

po::options_description change_options(ConvertRequest& r, Words& w) {
  po::options_description options("Changes, made in this order", 110);
  auto add = options.add_options();
  add("undirected", po::bool_switch(&r.undirected), "both directions of every edge");
  add("self-loops", po::value(&w.self_loops)->value_name("add|remove"), "one at every vertex, or none");
  add("subgraph", po::value(&r.subgraph)->value_name("FILE|N"),
      "only the vertices of a file, one a line, in its order; or the first N");
  add("largest-component", po::bool_switch(&r.largest_component), "only the largest connected component");
  add("relabel", po::value(&w.relabel)->value_name("bfs|rcm"),
      "vertices in an order of locality: breadth-first, or reverse Cuthill-McKee; old numbers become names");
  add("half-hop", po::value<double>()->value_name("P")->notifier([&w](double p) { w.half_hop = p; }),
      "put a slow vertex into every in-edge of a vertex, with probability P for each vertex (0 to 1)");
  add("half-hop-alpha", po::value<double>()->value_name("A")->notifier([&w](double a) { w.half_hop_alpha = a; }),
      "the source's share of a slow vertex's features, the target's is 1 - A (default: 0.5)");
  return options;
}

po::options_description general_options(ConvertRequest& r, Words& w) {
  po::options_description options("Options", 110);
  auto add = options.add_options();
  add("from", po::value(&w.from)->value_name("SOURCE"),
      "what to make the graph from (see above; default: what the input's name tells)");
  add("out,o", po::value(&w.out)->value_name("FILE"),
      "the file to write: a graph file (HDF5), or text as the name tells (.csv .tsv .mtx .graph .graphml)");
  add("name", po::value(&r.name)->value_name("NAME"), "the graph's name in the file (default: the source's)");
  add("seed", po::value(&r.seed)->default_value(1)->value_name("N"), "seed of all that is drawn");
  add("split", po::value(&w.splits)->composing()->value_name("SPLIT"),
      "splits to keep and to add, also several times: published (the default: those of the source, else "
      "random:60/20/20), none (not those of the source), random:TRAIN/VAL/TEST in percent, degree:TRAIN/VAL/TEST "
      "(training on the vertices of highest degree, test on those of lowest), folds:K");
  add("lists", po::value(&w.lists)->value_name("DIR"), "debian: the folder of package lists, the same as INPUT");
  add("features-dim",
      po::value<core::Index>()->value_name("COLUMNS")->notifier([&w](core::Index n) { w.features_dim = n; }),
      "columns of features that are made: debian's bag of words (default: 128), those of generators (32; 0: none), "
      "laplacian and random (16)");
  add("feature-storage", po::value(&w.feature_storage)->default_value("auto")->value_name("HOW"),
      "dense, sparse (only what is not zero), or auto: sparse if at least 90 % are zeros, which trains faster");
  add("compression", po::value(&r.compression)->default_value(1)->value_name("LEVEL"),
      "deflate level of the arrays, 0 (off) to 9");
  add("help,h", "print this text");
  add("version", "print the version");
  return options;
}

void print_help(const std::vector<po::options_description>& options) {
  fmt::print("Usage: laminar-convert [--from SOURCE] [INPUT] --out FILE [OPTIONS]\n\nSources:\n");
  for (const auto& importer : datasets::importers()) {
    fmt::print("  {:<8} {}", importer.name, importer.summary);
    if (!importer.endings.empty()) fmt::print(" ({})", importer.endings);
    if (!importer.default_input.empty()) fmt::print(" (default: {})", importer.default_input);
    fmt::print("\n");
  }
  fmt::print("Generators, as SOURCE without INPUT:\n");
  for (const auto& generator : datasets::generators()) {
    fmt::print("  {:<8} {}\n", generator.name, generator.summary);
  }
  fmt::print("Text files may be compressed with gzip, xz or zstd.\n");
  for (const auto& group : options) {
    std::ostringstream text;
    text << group;
    fmt::print("\n{}", text.str());
  }
}

void choose_input(const Words& w, ConvertRequest& r) {
  if (w.from.empty()) {
    if (w.input.empty()) throw UsageError("name an INPUT, or say with --from what to make the graph from");
    r.importer = &datasets::importer_for(w.input);
  } else if (r.generator = datasets::find_generator(w.from); r.generator == nullptr) {
    r.importer = &datasets::find_importer(w.from);
  }
  const auto name = r.generator != nullptr ? r.generator->name : r.importer->name;
  if (!w.lists.empty() && name != "debian") throw UsageError("--lists goes with --from debian only");
  if (!w.lists.empty() && !w.input.empty()) throw UsageError("give --lists or INPUT, not both");
  const auto& edges = r.import.edges;
  const std::pair<bool, const char*> of_edges[] = {{r.import.directed, "--directed"},
                                                   {!edges.ends.empty(), "--ends"},
                                                   {!edges.weight.empty(), "--weight"},
                                                   {!edges.edge_features.empty(), "--edge-features"},
                                                   {edges.ids != datasets::VertexIds::kAuto, "--ids"},
                                                   {w.vertices.has_value(), "--vertices"}};
  for (const auto& [used, option] : of_edges) {
    if (used && std::string_view(option) == "--directed" && name == "ogb") continue;
    if (used && name != "edges" && !(r.generator != nullptr && std::string_view(option) == "--vertices")) {
      throw UsageError(fmt::format("{} goes with --from edges only", option));
    }
  }
  if (r.generator == nullptr && !w.of_generators.empty()) {
    throw UsageError(fmt::format("--{} goes with a generator only, not with --from {}", w.of_generators.front(), name));
  }
  if (r.generator != nullptr) {
    if (!w.input.empty()) throw UsageError(fmt::format("--from {} takes no INPUT, but '{}' is given", name, w.input));
    return;
  }
  r.input = !w.lists.empty() ? w.lists : !w.input.empty() ? w.input : std::string(r.importer->default_input);
  if (r.input.empty()) throw UsageError(fmt::format("--from {} needs an INPUT", name));
}

core::Task parse_task(const std::string& word) {
  for (const auto task : {core::Task::kClassification, core::Task::kRegression, core::Task::kMultiLabel}) {
    if (name_of(task) == word) return task;
  }
  throw UsageError(fmt::format("--task {}: expected classification, regression or multi-label", word));
}

std::optional<datasets::HalfHop> choose_half_hop(const Words& w, std::uint64_t seed) {
  if (!w.half_hop) {
    if (w.half_hop_alpha) throw UsageError("--half-hop-alpha goes with --half-hop only");
    return std::nullopt;
  }
  const datasets::HalfHop settings{.probability = *w.half_hop, .alpha = w.half_hop_alpha.value_or(0.5), .seed = seed};
  datasets::check(settings);
  return settings;
}

void settle(const Words& w, ConvertRequest& r) {
  if (w.out.empty()) throw UsageError("--out is missing: name the graph file to write");
  r.out = w.out;
  if (r.compression < 0 || r.compression > 9) {
    throw UsageError(fmt::format("--compression {}: expected 0 to 9", r.compression));
  }
  if (w.vertices) {
    if (*w.vertices < 1) throw UsageError(fmt::format("--vertices {}: expected 1 or more", *w.vertices));
    r.import.vertices = r.generate.vertices = *w.vertices;
  }
  if (w.features_dim) r.import.features_dim = r.generate.feature_dim = r.made.columns = *w.features_dim;
  r.generate.seed = r.made.seed = r.seed;
  r.made_features = datasets::parse_made_features(r.features);
  if (!r.made_features.empty()) {
    if (r.made.columns < 1) throw UsageError(fmt::format("--features-dim {}: expected 1 or more", r.made.columns));
    r.features.clear();
  }
  if (!w.self_loops.empty()) r.self_loops = datasets::parse_self_loops(w.self_loops);
  if (!w.relabel.empty()) r.relabel = datasets::parse_relabel(w.relabel);
  r.import.edges.format = {datasets::parse_separator(w.separator), datasets::parse_header_line(w.header)};
  r.import.edges.ids = datasets::parse_vertex_ids(w.ids);
  if (w.max_memory_gib) r.import.max_memory_bytes = datasets::parse_max_memory(*w.max_memory_gib);
  r.tables = {r.import.edges.format, datasets::parse_row_key(w.key), r.import.max_memory_bytes};
  r.task = parse_task(w.task);
  for (const auto& word : w.splits) r.splits.push_back(datasets::parse_split_request(word));
  if (w.splits.empty()) r.splits = {datasets::SplitRequest{}};
  r.storage = datasets::parse_feature_storage(w.feature_storage);
  r.half_hop = choose_half_hop(w, r.seed);
  choose_input(w, r);
}

}  // namespace

std::optional<ConvertRequest> parse_convert_request(int argc, char** argv) {
  ConvertRequest request;
  Words words;
  const std::vector<po::options_description> visible = {
      general_options(request, words), text_options(request, words), vertex_options(request, words),
      generator_options(request, words), change_options(request, words)};
  po::options_description all;
  for (const auto& group : visible) all.add(group);
  all.add_options()("input", po::value(&words.input));
  po::positional_options_description positions;
  positions.add("input", 1);
  po::variables_map values;
  try {
    po::store(po::command_line_parser(argc, argv).options(all).positional(positions).run(), values);
    po::notify(values);
    for (const char* name : {"degree", "classes", "homophily", "power", "noise"}) {
      if (!values[name].defaulted()) words.of_generators.emplace_back(name);
    }
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
  if (values.count("help") > 0) {
    print_help(visible);
    return std::nullopt;
  }
  if (values.count("version") > 0) {
    fmt::print("laminar-convert {}\n", LAMINAR_VERSION);
    return std::nullopt;
  }
  settle(words, request);
  return request;
}

}  // namespace laminar::apps
