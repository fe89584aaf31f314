#include "laminar/datasets/import_graphml.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/edge_table.hpp"
#include "laminar/datasets/graphml_parser.hpp"
#include "laminar/datasets/line_reader.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

namespace {

/// Which attributes mean what; places in GraphMl::attributes.
struct Roles {
  std::vector<std::size_t> features;
  std::vector<std::size_t> edge_features;
  std::ptrdiff_t weight = -1;
  std::ptrdiff_t classes = -1;
};

class Builder {
 public:
  Builder(const std::filesystem::path& path, GraphMl file) : path_(path.string()), file_(std::move(file)) {}

  ImportResult build() {
    if (file_.node_ids.empty()) throw Error(fmt::format("{}: there are no nodes", path_));
    by_attribute_.resize(file_.attributes.size());
    for (std::size_t i = 0; i < file_.values.size(); ++i) by_attribute_[file_.values[i].attribute].push_back(i);
    choose_roles();
    const auto n = static_cast<Index>(file_.node_ids.size());
    GraphData& data = result_.data;
    EdgeTable edges = edge_table();
    BuiltGraph built = build_graph(n, std::move(edges), file_.directed);
    if (built.dropped > 0) result_.notes.push_back(fmt::format("{} repeated edges were dropped", built.dropped));
    data.graph = std::move(built.graph);
    data.edge_features = std::move(built.edge_features);
    if (!roles_.features.empty()) {
      data.features = core::Tensor(n, static_cast<Index>(roles_.features.size()), core::DType::kFloat32);
      fill(roles_.features, n, data.features.data<float>());
    }
    if (roles_.classes >= 0) set_classes(data.labels, n);
    if (!ids_are_numbers()) data.vertex_names = std::move(file_.node_ids);
    return std::move(result_);
  }

 private:
  void choose_roles() {
    const auto at_node = [&](std::string_view name, bool number) -> std::ptrdiff_t {
      const auto found = std::find_if(file_.attributes.begin(), file_.attributes.end(), [&](const auto& a) {
        return !a.of_edges && a.name == name && a.number == number;
      });
      return found == file_.attributes.end() ? -1 : found - file_.attributes.begin();
    };
    for (const char* name : {"class", "label"}) {
      for (const bool number : {true, false}) {
        const auto at = at_node(name, number);
        if (roles_.classes < 0 && at >= 0 && names_classes(static_cast<std::size_t>(at))) roles_.classes = at;
      }
    }
    std::string left_out;
    for (std::size_t a = 0; a < file_.attributes.size(); ++a) {
      const auto& attribute = file_.attributes[a];
      if (static_cast<std::ptrdiff_t>(a) == roles_.classes || (by_attribute_[a].empty() && !attribute.has_default))
        continue;
      if (!attribute.number) {
        left_out += (left_out.empty() ? "" : ", ") + attribute.name;
      } else if (!attribute.of_edges) {
        roles_.features.push_back(a);
      } else if (attribute.name == "weight") {
        roles_.weight = static_cast<std::ptrdiff_t>(a);
      } else {
        roles_.edge_features.push_back(a);
      }
    }
    if (!left_out.empty()) result_.notes.push_back(fmt::format("attributes of text are left out: {}", left_out));
  }

  bool names_classes(std::size_t attribute) const {
    std::set<std::string_view> values;
    for (const std::size_t i : by_attribute_[attribute]) values.insert(file_.values[i].text);
    if (!file_.attributes[attribute].number) {
      return !values.empty() && 2 * values.size() <= file_.node_ids.size();
    }
    std::int64_t number = 0;
    return !values.empty() && std::all_of(values.begin(), values.end(), [&](std::string_view text) {
      return read_number(text, number) && number >= -1 && number < (1 << 20);
    });
  }

  double number(const GraphMl::Attribute& attribute, std::string_view text) const {
    double value = 0;
    if (text == "true" || text == "True") return 1;
    if (text == "false" || text == "False") return 0;
    if (!read_number(text, value) || !std::isfinite(static_cast<float>(value))) {
      throw Error(
          fmt::format("{}: a value of '{}' is {}, expected a finite number", path_, attribute.name, shown(text)));
    }
    return value;
  }

  /// [elements, attributes] into `out`.
  void fill(const std::vector<std::size_t>& attributes, Index elements, float* out) {
    const auto cols = static_cast<Index>(attributes.size());
    for (Index c = 0; c < cols; ++c) {
      const auto values = column(attributes[c], elements, 0);
      for (Index i = 0; i < elements; ++i) out[i * cols + c] = static_cast<float>(values[i]);
    }
  }

  std::vector<double> column(std::size_t a, Index elements, double missing) {
    const auto& attribute = file_.attributes[a];
    const double fallback = attribute.has_default ? number(attribute, attribute.fallback) : missing;
    std::vector<double> values(static_cast<std::size_t>(elements), fallback);
    std::vector<bool> there(values.size());
    Index known = 0;
    for (const std::size_t i : by_attribute_[a]) {
      const auto& value = file_.values[i];
      // In float32, as graph files store it.
      values[value.element] = static_cast<float>(number(attribute, value.text));
      known += there[value.element] ? 0 : 1;
      there[value.element] = true;
    }
    if (known < elements && !attribute.has_default) {
      result_.notes.push_back(fmt::format("{} of {} {} have no '{}'; {} is taken", elements - known, elements,
                                          attribute.of_edges ? "edges" : "nodes", attribute.name, missing));
    }
    return values;
  }

  EdgeTable edge_table() {
    EdgeTable edges;
    for (const auto& [source, target] : file_.edges) {
      edges.source.push_back(source);
      edges.target.push_back(target);
    }
    if (roles_.weight >= 0) edges.weight = column(static_cast<std::size_t>(roles_.weight), edges.size(), 1);
    edges.feature_cols = static_cast<Index>(roles_.edge_features.size());
    edges.features.resize(static_cast<std::size_t>(edges.size() * edges.feature_cols));
    fill(roles_.edge_features, edges.size(), edges.features.data());
    return edges;
  }

  void set_classes(core::Labels& labels, Index n) {
    const auto a = static_cast<std::size_t>(roles_.classes);
    labels.task = core::Task::kClassification;
    labels.classes.assign(static_cast<std::size_t>(n), -1);
    std::map<std::string_view, std::int32_t> place;
    if (!file_.attributes[a].number) {
      for (const std::size_t i : by_attribute_[a]) place.emplace(file_.values[i].text, 0);
      for (auto& [name, c] : place) {
        c = static_cast<std::int32_t>(labels.names.size());
        labels.names.emplace_back(name);
      }
    }
    std::int32_t largest = -1;
    for (const std::size_t i : by_attribute_[a]) {
      const auto& value = file_.values[i];
      std::int64_t c = 0;
      if (place.empty()) {
        read_number(value.text, c);
      } else {
        c = place.at(value.text);
      }
      labels.classes[value.element] = static_cast<std::int32_t>(c);
      largest = std::max(largest, static_cast<std::int32_t>(c));
    }
    labels.num_outputs = largest + 1;
    if (largest < 0) labels = {};
  }

  bool ids_are_numbers() const {
    const bool prefixed = file_.node_ids.front() == "n0";
    for (std::size_t v = 0; v < file_.node_ids.size(); ++v) {
      if (file_.node_ids[v] != fmt::format("{}{}", prefixed ? "n" : "", v)) return false;
    }
    return true;
  }

  std::string path_;
  GraphMl file_;
  ImportResult result_;
  std::vector<std::vector<std::size_t>> by_attribute_;
  Roles roles_;
};

}  // namespace

ImportResult import_graphml(const std::filesystem::path& path, const ImportOptions& options) {
  ImportResult result = Builder(path, parse_graphml(path, options.max_memory_bytes)).build();
  result.data.name = stem_of(path);
  result.data.provenance = fmt::format("imported from the GraphML file {}", path.filename().string());
  check(result.data, path.string());
  return result;
}

}  // namespace laminar::datasets
