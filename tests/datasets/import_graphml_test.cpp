#include "laminar/datasets/import_graphml.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using Texts = std::vector<std::string>;

ImportResult import_text(const std::string& text) {
  const TemporaryFolder folder;
  write_gzip(folder / "g.graphml.gz", text);
  return import_graphml(folder / "g.graphml.gz", {});
}

std::string document(const std::string& inside) {
  return "<?xml version='1.0'?>\n<graphml xmlns='http://graphml.graphdrawing.org/xmlns'>\n" + inside + "</graphml>\n";
}

}  // namespace

TEST_CASE("a graph as NetworkX writes it") {
  const auto r = import_text(
      document("<key id='d2' for='edge' attr.name='weight' attr.type='double'/>"
               "<key id='d1' for='node' attr.name='age' attr.type='long'><default>7</default></key>"
               "<key id='d3' for='node' attr.name='old' attr.type='boolean'/>"
               "<key id='d0' for='node' attr.name='class' attr.type='string'/>"
               "<key id='d4' for='node' attr.name='motto' attr.type='string'/>\n"
               "<graph edgedefault='directed'>\n"
               "<node id='ann'><data key='d0'>x</data><data key='d3'>true</data></node>"
               "<node id='b&amp;c'><data key='d1'>3</data><data key='d0'>y</data><data key='d4'>carpe</data></node>"
               "<node id='dan'><data key='d0'>x</data></node><node id='eve'/>\n"
               "<edge source='ann' target='b&amp;c'><data key='d2'>2.5</data></edge>"
               "<edge id='e9' source='b&amp;c' target='dan'/></graph>"));
  const GraphData& data = r.data;
  CHECK(data.name == "g");
  CHECK(data.vertex_names == Texts{"ann", "b&c", "dan", "eve"});
  CHECK(data.graph->directed());
  CHECK(data.graph->num_edges() == 2);
  CHECK(data.graph->in_weights()[0] == 2.5);
  CHECK(data.graph->in_weights()[1] == 1);
  CHECK(data.labels.names == Texts{"x", "y"});
  CHECK(data.labels.classes == std::vector<std::int32_t>{0, 1, 0, -1});
  CHECK(std::vector<float>(data.features.data<float>(), data.features.data<float>() + 8) ==
        std::vector<float>{7, 1, 3, 0, 7, 0, 7, 0});
  CHECK(r.notes == Texts{"attributes of text are left out: motto", "1 of 2 edges have no 'weight'; 1 is taken",
                         "3 of 4 nodes have no 'old'; 0 is taken"});
}

TEST_CASE("nodes n0, n1, ... have no names, and edges may come before them") {
  const auto r =
      import_text(document("<graph edgedefault='undirected'><edge source='n0' target='n1'/>"
                           "<node id='n0'/><node id='n1'/></graph>"));
  CHECK(r.data.vertex_names.empty());
  CHECK(r.data.graph->num_edges() == 2);
  CHECK_FALSE(r.data.graph->weighted());
}

TEST_CASE("damaged GraphML is refused with file and line") {
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"", ":1: the XML is damaged"},
           {"no xml", ":1: the XML is damaged"},
           {"<svg/>", ":1: the document is <svg>, expected <graphml>"},
           {document(""), "there is no <graph>"},
           {document("<graph edgedefault='directed'>"), "the XML is damaged"},
           {document("<graph/>"), ":3: <graph> has no edgedefault"},
           {document("<graph edgedefault='up'/>"), ":3: edgedefault is 'up'"},
           {document("<graph edgedefault='directed'/>"), "there are no nodes"},
           {document("<graph edgedefault='directed'/><graph edgedefault='directed'/>"), ":3: there is a second graph"},
           {document("<graph edgedefault='directed'>\n<node/></graph>"), ":4: <node> has no id"},
           {document("<graph edgedefault='directed'>\n<node id='a'/>\n<node id='a'/></graph>"),
            ":5: the node 'a' stands here for the second time"},
           {document("<graph edgedefault='directed'><node id='a'/><edge source='a' target='b'/></graph>"),
            "an edge names the node 'b', which is not there"},
           {document("<graph edgedefault='directed'><node id='a'/><edge source='a'/></graph>"), "<edge> has no target"},
           {document(
                "<graph edgedefault='directed'><node id='a'/><edge source='a' target='a' directed='false'/></graph>"),
            "the edge is undirected, but the graph is not"},
           {document("<graph edgedefault='directed'><node id='a'><data key='q'>1</data></node></graph>"),
            "there is no key 'q' for nodes"},
           {document("<graph edgedefault='directed'><node id='a'><graph edgedefault='directed'/></node></graph>"),
            "a graph inside a graph"},
           {document("<graph edgedefault='directed'><hyperedge/></graph>"), "<hyperedge> has no meaning"},
           {document("<key id='x' for='node' attr.name='x' attr.type='vector'/>"), "the type of key 'x' is 'vector'"},
           {document("<key id='x' for='node' attr.name='x' attr.type='int'/><graph edgedefault='directed'><node "
                     "id='a'><data key='x'>much</data></node></graph>"),
            "a value of 'x' is 'much', expected a finite number"},
           {"<!DOCTYPE g [<!ENTITY a 'aaaa'>]>\n<graphml><key id='x' for='node'><default>&a;</default></key></graphml>",
            "entities of the document's own are not read"}}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(import_text(text), doctest::Contains(says.c_str()), Error);
  }
  const TemporaryFolder folder;
  CHECK_THROWS_AS(import_graphml(folder / "none.graphml", {}), Error);
  write_bytes(folder / "a.graphml", document("<graph edgedefault='directed'><node id='a'/><node id='b'/></graph>"));
  ImportOptions little;
  little.max_memory_bytes = 200;
  CHECK_THROWS_WITH_AS(import_graphml(folder / "a.graphml", little), doctest::Contains("--max-memory"), Error);
}

}  // namespace laminar::datasets::test
