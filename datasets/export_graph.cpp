#include "laminar/datasets/export_graph.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/checks.hpp"
#include "laminar/datasets/line_reader.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

/// The whole text, as large as the file will be.
class Writer {
 public:
  Writer(const GraphData& data, const std::filesystem::path& path) : data_(data), graph_(*data.graph), path_(path) {}

  std::vector<std::string> write(std::string_view ending) {
    if (ending == ".mtx") {
      write_mtx();
    } else if (ending == ".graph") {
      write_metis();
    } else if (ending == ".graphml") {
      write_graphml();
    } else {
      write_table(ending == ".tsv" ? '\t' : ',');
    }
    core::write_file(path_, text_);
    const bool graphml = ending == ".graphml";
    const bool table = ending == ".csv" || ending == ".tsv";
    std::string left;
    const auto leave = [&](bool there, std::string_view what) {
      if (there) left += fmt::format("{}{}", left.empty() ? "" : ", ", what);
    };
    leave(!graphml && (data_.features || data_.sparse_features), "features");
    leave(data_.labels.task != core::Task::kNone && (!graphml || data_.labels.task != core::Task::kClassification),
          "labels");
    leave(!data_.splits.empty(), "splits");
    leave(!graphml && !table && !data_.vertex_names.empty(), "names of vertices");
    leave(!graphml && !table && data_.edge_features, "edge features");
    leave(!data_.partitions.empty(), "partitions");
    std::vector<std::string> notes;
    if (!left.empty()) notes.push_back(fmt::format("the format has no place for: {}", left));
    if (table && isolated() > 0) {
      notes.push_back(fmt::format("{} vertices without edges are not in the file", isolated()));
    }
    return notes;
  }

 private:
  template <class... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }

  /// Calls visit(source, target, edge) for each edge, of undirected graphs once for both directions.
  template <class F>
  void for_edges(F&& visit) const {
    for (Index v = 0; v < graph_.num_vertices(); ++v) {
      for (EdgeId e = graph_.in_offsets()[v]; e < graph_.in_offsets()[v + 1]; ++e) {
        const VertexId u = graph_.in_sources()[e];
        if (graph_.directed() || u <= v) visit(u, static_cast<VertexId>(v), e);
      }
    }
  }
  float weight(EdgeId e) const { return static_cast<float>(graph_.in_weights()[e]); }
  const float* edge_row(EdgeId e) const { return data_.edge_features.data<float>() + e * edge_cols(); }
  Index edge_cols() const { return data_.edge_features ? data_.edge_features.cols() : 0; }
  Index isolated() const {
    Index count = 0;
    for (VertexId v = 0; v < graph_.num_vertices(); ++v) {
      if (graph_.in_degree(v) + graph_.out_degree(v) == 0) ++count;
    }
    return count;
  }

  std::string cell(VertexId v, char separator) const {
    if (data_.vertex_names.empty()) return std::to_string(v);
    const std::string& name = data_.vertex_names[v];
    if (name.find_first_of("\r\n") != std::string::npos) {
      throw Error(fmt::format("{}: the name {} holds a line end, which a table can't; write .graphml", path_.string(),
                              shown(name)));
    }
    const bool plain = !name.empty() && name.find(separator) == std::string::npos &&
                       name.find('"') == std::string::npos && name.find_first_of(" \t#%") != 0 &&
                       name.find_last_of(" \t") != name.size() - 1;
    if (plain) return name;
    std::string quoted = "\"";
    for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + '"';
  }

  void write_table(char separator) {
    put("source{}target", separator);
    if (graph_.weighted()) put("{}weight", separator);
    for (Index c = 0; c < edge_cols(); ++c) put("{}e{}", separator, c);
    put("\n");
    for_edges([&](VertexId u, VertexId v, EdgeId e) {
      put("{}{}{}", cell(u, separator), separator, cell(v, separator));
      if (graph_.weighted()) put("{}{}", separator, weight(e));
      for (Index c = 0; c < edge_cols(); ++c) put("{}{}", separator, edge_row(e)[c]);
      put("\n");
    });
  }

  void write_mtx() {
    EdgeId entries = 0;
    for_edges([&](VertexId, VertexId, EdgeId) { ++entries; });
    put("%%MatrixMarket matrix coordinate {} {}\n", graph_.weighted() ? "real" : "pattern",
        graph_.directed() ? "general" : "symmetric");
    put("{} {} {}\n", graph_.num_vertices(), graph_.num_vertices(), entries);
    // Of a symmetric matrix the lower triangle: row above column.
    for_edges([&](VertexId u, VertexId v, EdgeId e) {
      put("{} {}", (graph_.directed() ? u : v) + 1, (graph_.directed() ? v : u) + 1);
      if (graph_.weighted()) put(" {}", weight(e));
      put("\n");
    });
  }

  void write_metis() {
    if (graph_.directed()) {
      throw Error(fmt::format("{}: METIS's format holds undirected graphs only; say --undirected", path_.string()));
    }
    for (Index v = 0; v < graph_.num_vertices(); ++v) {
      for (EdgeId e = graph_.in_offsets()[v]; e < graph_.in_offsets()[v + 1]; ++e) {
        const VertexId u = graph_.in_sources()[e];
        const bool repeated = e > graph_.in_offsets()[v] && u == graph_.in_sources()[e - 1];
        if (u != v && !repeated && (!graph_.weighted() || graph_.in_weights()[e] > 0)) continue;
        throw Error(fmt::format("{}: METIS's format can't hold {} {}", path_.string(),
                                u == v     ? "the self-loop at vertex"
                                : repeated ? "the parallel edges of vertex"
                                           : "the weight of an edge of vertex",
                                v));
      }
    }
    put("{} {}{}\n", graph_.num_vertices(), graph_.num_edges() / 2, graph_.weighted() ? " 1" : "");
    for (Index v = 0; v < graph_.num_vertices(); ++v) {
      const char* blank = "";
      for (EdgeId e = graph_.in_offsets()[v]; e < graph_.in_offsets()[v + 1]; ++e, blank = " ") {
        put("{}{}", blank, graph_.in_sources()[e] + 1);
        if (graph_.weighted()) put(" {}", weight(e));
      }
      put("\n");
    }
  }

  std::string escaped(std::string_view text) const {
    std::string result;
    for (const char c : text) {
      const auto code = static_cast<unsigned char>(c);
      if (code < ' ' && c != '\t' && c != '\n' && c != '\r') {
        throw Error(fmt::format("{}: {} holds a character that XML can't", path_.string(), shown(text)));
      }
      if (c == '&' || c == '<' || c == '"' || code < ' ') {
        result += fmt::format("&#{};", static_cast<int>(code));
      } else {
        result += c;
      }
    }
    return result;
  }

  void write_graphml() {
    const core::Tensor dense =
        data_.sparse_features ? core::to_dense(data_.sparse_features, core::DType::kFloat32) : data_.features;
    const Index cols = dense ? dense.cols() : 0;
    const auto& labels = data_.labels;
    const bool classes = labels.task == core::Task::kClassification;
    put("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n");
    const auto key = [&](const std::string& id, const char* of, const std::string& name, const char* type) {
      put("<key id=\"{}\" for=\"{}\" attr.name=\"{}\" attr.type=\"{}\"/>\n", id, of, name, type);
    };
    if (classes) key("class", "node", "class", labels.names.empty() ? "int" : "string");
    for (Index c = 0; c < cols; ++c) key(fmt::format("x{}", c), "node", fmt::format("x{}", c), "float");
    if (graph_.weighted()) key("weight", "edge", "weight", "float");
    for (Index c = 0; c < edge_cols(); ++c) key(fmt::format("e{}", c), "edge", fmt::format("e{}", c), "float");
    put("<graph edgedefault=\"{}\">\n", graph_.directed() ? "directed" : "undirected");
    const auto id = [&](VertexId v) {
      return data_.vertex_names.empty() ? fmt::format("n{}", v) : escaped(data_.vertex_names[v]);
    };
    for (VertexId v = 0; v < graph_.num_vertices(); ++v) {
      put("<node id=\"{}\">", id(v));
      if (classes && labels.classes[v] >= 0) {
        const auto c = labels.classes[v];
        put("<data key=\"class\">{}</data>", labels.names.empty() ? std::to_string(c) : escaped(labels.names[c]));
      }
      for (Index c = 0; c < cols; ++c) put("<data key=\"x{}\">{}</data>", c, dense.data<float>()[v * cols + c]);
      put("</node>\n");
    }
    for_edges([&](VertexId u, VertexId v, EdgeId e) {
      put("<edge source=\"{}\" target=\"{}\">", id(u), id(v));
      if (graph_.weighted()) put("<data key=\"weight\">{}</data>", weight(e));
      for (Index c = 0; c < edge_cols(); ++c) put("<data key=\"e{}\">{}</data>", c, edge_row(e)[c]);
      put("</edge>\n");
    });
    put("</graph>\n</graphml>\n");
  }

  const GraphData& data_;
  const core::Graph& graph_;
  const std::filesystem::path& path_;
  std::string text_;
};

}  // namespace

bool is_export(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  const auto is_one_of = [&](auto... known) { return ((ending == known) || ...); };
  return is_one_of(".csv", ".tsv", ".mtx", ".graph", ".graphml");
}

std::vector<std::string> export_graph(const GraphData& data, const std::filesystem::path& path) {
  check(data, path.string());
  return Writer(data, path).write(path.extension().string());
}

}  // namespace laminar::datasets
