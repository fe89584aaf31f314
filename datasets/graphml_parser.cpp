#include "laminar/datasets/graphml_parser.hpp"

#include <algorithm>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <libxml/xmlreader.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/byte_source.hpp"
#include "laminar/datasets/line_reader.hpp"
#include "laminar/datasets/memory_budget.hpp"
#include "laminar/datasets/name_index.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

namespace {

constexpr std::size_t kElementBytes = 160;

std::string_view text_of(const xmlChar* text) {
  return text == nullptr ? std::string_view{} : reinterpret_cast<const char*>(text);
}

/// Bytes for libxml2, whose callbacks may not throw.
struct Input {
  std::unique_ptr<ByteSource> source;
  std::exception_ptr error;
};

int read_bytes(void* context, char* out, int length) {
  auto& input = *static_cast<Input*>(context);
  try {
    return static_cast<int>(input.source->read({out, static_cast<std::size_t>(length)}));
  } catch (...) {
    input.error = std::current_exception();
    return -1;
  }
}

class Parser {
 public:
  Parser(const std::filesystem::path& path, std::uint64_t max_memory_bytes)
      : path_(path.string()), input_{ByteSource::open(path), nullptr}, budget_(max_memory_bytes) {
    reader_.reset(::xmlReaderForIO(
        read_bytes, nullptr, &input_, path_.c_str(), nullptr,
        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES));
    if (!reader_) throw Error(fmt::format("{}: the XML reader can't start", path_));
    ::xmlTextReaderSetStructuredErrorHandler(reader_.get(), keep_message, this);
  }

  GraphMl parse() {
    while (read()) {
      const int type = ::xmlTextReaderNodeType(reader_.get());
      if (type == XML_READER_TYPE_ELEMENT) {
        start_element(text_of(::xmlTextReaderConstLocalName(reader_.get())));
      } else if (type == XML_READER_TYPE_END_ELEMENT) {
        end_element(text_of(::xmlTextReaderConstLocalName(reader_.get())));
      } else if (type == XML_READER_TYPE_TEXT || type == XML_READER_TYPE_CDATA ||
                 type == XML_READER_TYPE_SIGNIFICANT_WHITESPACE) {
        if (target_ != nullptr) {
          take(2 * text_of(::xmlTextReaderConstValue(reader_.get())).size());
          *target_ += text_of(::xmlTextReaderConstValue(reader_.get()));
        }
      } else if (type == XML_READER_TYPE_ENTITY_REFERENCE) {
        fail("entities of the document's own are not read");
      }
    }
    if (!in_graphml_) fail("there is no <graphml>");
    if (graphs_ == 0) fail("there is no <graph>");
    for (std::size_t i = 0; i < nodes_defined_.size(); ++i) {
      if (!nodes_defined_[i])
        fail(fmt::format("an edge names the node {}, which is not there", shown(ids_.names()[i])));
    }
    result_.node_ids = ids_.take_names();
    return std::move(result_);
  }

 private:
  struct Free {
    void operator()(xmlTextReader* reader) const { ::xmlFreeTextReader(reader); }
  };

  static void keep_message(void* context, xmlErrorPtr error) {
    auto& self = *static_cast<Parser*>(context);
    if (!self.message_.empty() || error == nullptr || error->message == nullptr) return;
    self.message_ = error->message;
    while (!self.message_.empty() && self.message_.back() == '\n') self.message_.pop_back();
    self.message_line_ = error->line;
  }

  [[noreturn]] void fail(std::string_view text, int line = 0) const {
    // The parser reads ahead; the element knows its own line.
    xmlNode* const node = line > 0 ? nullptr : ::xmlTextReaderCurrentNode(reader_.get());
    long number = node != nullptr ? ::xmlGetLineNo(node) : line;
    if (number <= 0) number = ::xmlTextReaderGetParserLineNumber(reader_.get());
    throw Error(fmt::format("{}:{}: {}", path_, number, text));
  }

  bool read() {
    const int code = ::xmlTextReaderRead(reader_.get());
    if (input_.error) std::rethrow_exception(input_.error);
    if (code < 0 || !message_.empty()) {
      fail(fmt::format("the XML is damaged: {}", message_.empty() ? "it can't be read" : message_), message_line_);
    }
    return code == 1;
  }

  void take(std::size_t bytes) {
    if (budget_.take(bytes)) return;
    fail(budget_.complaint("what the file holds up to here"));
  }

  std::optional<std::string> attribute(const char* name) const {
    xmlChar* const value = ::xmlTextReaderGetAttribute(reader_.get(), reinterpret_cast<const xmlChar*>(name));
    if (value == nullptr) return std::nullopt;
    std::string text(text_of(value));
    ::xmlFree(value);
    return text;
  }

  std::string required(const char* element, const char* name) const {
    auto value = attribute(name);
    if (!value || value->empty()) fail(fmt::format("<{}> has no {}", element, name));
    return *std::move(value);
  }

  void start_element(std::string_view name) {
    if (!in_graphml_) {
      if (name != "graphml") fail(fmt::format("the document is <{}>, expected <graphml>", name));
      in_graphml_ = true;
    } else if (name == "key") {
      start_key();
    } else if (name == "default" && key_) {
      result_.attributes.back().has_default = true;
      target_ = &result_.attributes.back().fallback;
    } else if (name == "graph") {
      start_graph();
    } else if (name == "node") {
      start_node();
    } else if (name == "edge") {
      start_edge();
    } else if (name == "data") {
      start_data();
    } else if (name == "hyperedge" || name == "port") {
      fail(fmt::format("<{}> has no meaning in a graph of vertices and edges", name));
    }
    if (::xmlTextReaderIsEmptyElement(reader_.get()) == 1) end_element(name);
  }

  void end_element(std::string_view name) {
    if (name == "default" || name == "data") target_ = nullptr;
    if (name == "key" && key_) {
      key_ = false;
      // A key for all stands twice; its default was read once.
      auto& all = result_.attributes;
      if (all.size() > 1 && all[all.size() - 2].id == all.back().id) {
        all[all.size() - 2].has_default = all.back().has_default;
        all[all.size() - 2].fallback = all.back().fallback;
      }
    }
    if (name == "node" || name == "edge") inside_ = Inside::kGraph;
    if (name == "graph") inside_ = Inside::kDocument;
  }

  void start_key() {
    GraphMl::Attribute a;
    a.id = required("key", "id");
    a.name = attribute("attr.name").value_or(a.id);
    const std::string domain = attribute("for").value_or("all");
    const std::string type = attribute("attr.type").value_or("string");
    const auto is_one_of = [&](auto... known) { return ((type == known) || ...); };
    a.number = is_one_of("boolean", "int", "long", "float", "double");
    if (!a.number && type != "string") fail(fmt::format("the type of key '{}' is {}", a.id, shown(type)));
    take(kElementBytes);
    a.of_edges = domain == "edge";
    key_ = true;
    if (domain == "all") {
      result_.attributes.push_back(a);
      a.of_edges = true;
    }
    result_.attributes.push_back(std::move(a));
  }

  void start_graph() {
    if (inside_ != Inside::kDocument) fail("a graph inside a graph is not read");
    if (++graphs_ > 1) fail("there is a second graph, expected one");
    const std::string direction = required("graph", "edgedefault");
    if (direction != "directed" && direction != "undirected") {
      fail(fmt::format("edgedefault is {}, expected directed or undirected", shown(direction)));
    }
    result_.directed = direction == "directed";
    inside_ = Inside::kGraph;
  }

  VertexId place(const std::string& id) {
    if (!valid_utf8(id)) fail("an id holds a NUL");
    const auto [place, added] = ids_.add(id);
    if (added) {
      take(kElementBytes + 2 * id.size());
      nodes_defined_.push_back(false);
      if (place == std::numeric_limits<VertexId>::max()) fail("there are more nodes than a graph can have");
    }
    return place;
  }

  void start_node() {
    if (inside_ != Inside::kGraph) fail("<node> stands outside of a graph");
    const std::string id = required("node", "id");
    element_ = place(id);
    if (nodes_defined_[element_]) fail(fmt::format("the node {} stands here for the second time", shown(id)));
    nodes_defined_[element_] = true;
    inside_ = Inside::kNode;
  }

  void start_edge() {
    if (inside_ != Inside::kGraph) fail("<edge> stands outside of a graph");
    const auto direction = attribute("directed");
    if (direction && (*direction == "true") != result_.directed) {
      fail(fmt::format("the edge is {}, but the graph is not; expected one kind of edges",
                       *direction == "true" ? "directed" : "undirected"));
    }
    take(kElementBytes);
    // In this order: evaluation of a pair's arguments has none.
    const VertexId source = place(required("edge", "source"));
    const VertexId target = place(required("edge", "target"));
    element_ = static_cast<Index>(result_.edges.size());
    result_.edges.emplace_back(source, target);
    inside_ = Inside::kEdge;
  }

  void start_data() {
    if (inside_ != Inside::kNode && inside_ != Inside::kEdge) return;
    const std::string key = required("data", "key");
    const bool of_edges = inside_ == Inside::kEdge;
    const auto found = std::find_if(result_.attributes.begin(), result_.attributes.end(),
                                    [&](const auto& a) { return a.id == key && a.of_edges == of_edges; });
    if (found == result_.attributes.end()) {
      fail(fmt::format("there is no key {} for {}", shown(key), of_edges ? "edges" : "nodes"));
    }
    take(kElementBytes);
    result_.values.push_back({static_cast<std::size_t>(found - result_.attributes.begin()), element_, {}});
    target_ = &result_.values.back().text;
  }

  enum class Inside : std::uint8_t { kDocument, kGraph, kNode, kEdge };

  std::string path_;
  Input input_;
  MemoryBudget budget_;
  std::unique_ptr<xmlTextReader, Free> reader_;
  std::string message_;
  int message_line_ = 0;
  GraphMl result_;
  NameIndex ids_;
  std::vector<bool> nodes_defined_;
  bool in_graphml_ = false;
  bool key_ = false;
  int graphs_ = 0;
  Inside inside_ = Inside::kDocument;
  Index element_ = 0;
  std::string* target_ = nullptr;
};

}  // namespace

GraphMl parse_graphml(const std::filesystem::path& path, std::uint64_t max_memory_bytes) {
  return Parser(path, max_memory_bytes).parse();
}

}  // namespace laminar::datasets
