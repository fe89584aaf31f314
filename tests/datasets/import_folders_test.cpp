// The Open Graph Benchmark's folders, and AnnData's files.
#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/import_anndata.hpp"
#include "laminar/datasets/import_ogb.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using Ids = std::vector<core::VertexId>;
using Texts = std::vector<std::string>;

class Ogb {
 public:
  Ogb() {
    std::filesystem::create_directories(path() / "raw");
    std::filesystem::create_directories(path() / "split/time");
    put("raw/edge", "0,1\n1,2\n2,0\n0,1\n");
    put("raw/num-node-list", "4\n");
    put("raw/num-edge-list", "4\n");
    put("raw/node-feat", "1,2\n3,4\n5,6\n7,8.5\n");
    put("raw/node-label", "1\n0\nnan\n2\n");
    put("split/time/train", "1\n0\n");
    put("split/time/valid", "2\n");
    put("split/time/test", "3\n");
  }
  std::filesystem::path path() const { return folder_ / "ogbn_tiny"; }
  void put(const std::string& name, const std::string& text) { write_gzip(path() / (name + ".csv.gz"), text); }
  void remove(const std::string& name) { std::filesystem::remove(path() / (name + ".csv.gz")); }

 private:
  TemporaryFolder folder_;
};

/// Three cells, 0 - 1 with weight .5 in both directions, as anndata writes them.
void write_anndata(const std::filesystem::path& path, bool symmetric) {
  RawHdf5 file(path, RawHdf5::Mode::kCreate);
  file.attribute("/", "encoding-type", std::string("anndata"));
  file.group("/obsp");
  file.group("/obsp/connectivities");
  file.attribute("/obsp/connectivities", "encoding-type", std::string("csr_matrix"));
  file.attribute("/obsp/connectivities", "encoding-version", std::string("0.1.0"));
  file.attribute("/obsp/connectivities", "shape", std::vector<std::int64_t>{3, 3});
  file.put("/obsp/connectivities/indptr", {4}, std::vector<std::int32_t>{0, 1, 2, 2});
  file.put("/obsp/connectivities/indices", {2}, std::vector<std::int32_t>{1, symmetric ? 0 : 2});
  file.put("/obsp/connectivities/data", {2}, std::vector<double>{0.5, 0.5});
  file.put("/X", {3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6});
  file.group("/obs");
  file.attribute("/obs", "_index", std::string("_index"));
  file.put("/obs/_index", Texts{"c1", "c2", "c3"});
  file.group("/obs/cell_type");
  file.put("/obs/cell_type/codes", {3}, std::vector<std::int32_t>{1, -1, 0});
  file.put("/obs/cell_type/categories", Texts{"B", "T"});
  file.group("/obs/batch");
  file.put("/obs/batch/codes", {3}, std::vector<std::int32_t>{0, 0, 0});
  file.put("/obs/batch/categories", Texts{"one"});
}

}  // namespace

TEST_CASE("a folder of the Open Graph Benchmark") {
  Ogb ogb;
  const ImportResult r = import_ogb(ogb.path(), {});
  CHECK(r.data.name == "ogbn_tiny");
  CHECK(r.data.graph->num_vertices() == 4);
  CHECK(r.data.graph->num_edges() == 6);
  CHECK(r.data.features.at(3, 1) == 8.5);
  CHECK(r.data.labels.classes == std::vector<std::int32_t>{1, 0, -1, 2});
  REQUIRE(r.data.splits.size() == 1);
  CHECK(r.data.splits[0].name == "time");
  CHECK(r.data.splits[0].train == Ids{0, 1});
  CHECK(importer_for(ogb.path()).name == "ogb");
  ImportOptions directed;
  directed.directed = true;
  ogb.put("raw/edge-feat", "1\n2\n3\n4\n");
  ogb.put("raw/node-label", "1,0\n0,1\n1,1\n0,0\n");
  const ImportResult d = import_ogb(ogb.path(), directed);
  CHECK(d.data.graph->num_edges() == 3);
  CHECK(d.notes == Texts{"1 repeated edges were dropped"});
  CHECK(d.data.edge_features.at(0, 0) == 3);
  CHECK(d.data.edge_features.at(1, 0) == 1);
  CHECK(d.data.labels.task == core::Task::kMultiLabel);
}

TEST_CASE("damaged folders of the Open Graph Benchmark are refused") {
  const auto refused = [](const char* name, const char* text, const char* says) {
    Ogb ogb;
    ogb.put(name, text);
    CAPTURE(std::string(name) + ": " + text);
    CHECK_THROWS_WITH_AS(import_ogb(ogb.path(), {}), doctest::Contains(says), Error);
  };
  refused("raw/num-node-list", "4\n5\n", "num-node-list.csv.gz:2: expected one number");
  refused("raw/num-node-list", "0\n", "expected one number of 1 or more");
  refused("raw/num-node-list", "", "the file is empty");
  refused("raw/edge", "0,4\n", "edge.csv.gz:1: '4' is found, expected a whole number 0..3");
  refused("raw/edge", "0,1,2\n", "has 3 columns, expected FROM,TO");
  refused("raw/node-feat", "1,2\n", "the file ends after 1 lines, expected 4");
  refused("raw/node-feat", "1\n2\n3\nx\n", "node-feat.csv.gz:4: 'x' is found");
  refused("raw/node-feat", "1\n2\n3\n4\n5\n", "node-feat.csv.gz:5: expected 4 lines");
  refused("raw/node-label", "1\n2\n0.5\n1\n", "vertex 2: the label is 0.5");
  refused("raw/edge-feat", "1\n2\n3\n", "the file ends after 3 lines, expected 4");
  refused("split/time/test", "9\n", "test.csv.gz:1: '9' is found");
  refused("split/time/test", "0\n", "vertex 0 is in train and in test");
  Ogb ogb;
  ogb.put("raw/num-node-list", "1000000000\n");
  ImportOptions little;
  little.max_memory_bytes = std::uint64_t{1} << 30;
  CHECK_THROWS_WITH_AS(import_ogb(ogb.path(), little), doctest::Contains("a graph of 1000000000 vertices takes more"),
                       Error);
  ogb.put("raw/num-node-list", "4\n");
  ogb.remove("split/time/valid");
  CHECK_THROWS_WITH_AS(import_ogb(ogb.path(), {}), doctest::Contains("there is no valid.csv.gz"), Error);
  ogb.remove("raw/edge");
  CHECK_THROWS_WITH_AS(import_ogb(ogb.path(), {}), doctest::Contains("there is no raw/edge.csv.gz"), Error);
  std::filesystem::create_directories(ogb.path() / "raw/relations");
  CHECK_THROWS_WITH_AS(import_ogb(ogb.path(), {}), doctest::Contains("several kinds"), Error);
}

TEST_CASE("an AnnData file is imported, and opened as a dataset") {
  const TemporaryFolder folder;
  write_anndata(folder / "cells.h5ad", true);
  const ImportResult r = import_anndata(folder / "cells.h5ad", {});
  CHECK_FALSE(r.data.graph->directed());
  CHECK(r.data.graph->in_weights()[0] == 0.5);
  CHECK(r.data.vertex_names == Texts{"c1", "c2", "c3"});
  CHECK(r.data.labels.names == Texts{"B", "T"});
  CHECK(r.data.labels.classes == std::vector<std::int32_t>{1, -1, 0});
  CHECK(r.notes == Texts{"labels are obs['cell_type']"});
  CHECK(r.data.features.at(2, 1) == 6);
  const auto data = open(folder / "cells.h5ad");
  CHECK(data->schema().name == "cells");
  CHECK(data->features().read_dense(1, 2).at(0, 0) == 3);
  CHECK(details(folder / "cells.h5ad").provenance == "imported from the AnnData file cells.h5ad");
  {
    RawHdf5 file(folder / "cells.h5ad");
    file.group("/obs/split");
    file.put("/obs/split/codes", {3}, std::vector<std::int32_t>{2, 0, 1});
    file.put("/obs/split/categories", Texts{"test", "train", "val"});
  }
  const core::Split split = open(folder / "cells.h5ad")->split("split");
  CHECK(split.train == Ids{2});
  CHECK(split.val == Ids{0});
  CHECK(split.test == Ids{1});
  write_anndata(folder / "arrows.h5ad", false);
  const auto arrows = import_anndata(folder / "arrows.h5ad", {}).data.graph;
  CHECK(arrows->directed());
  CHECK(arrows->in_sources()[0] == 1);
}

TEST_CASE("AnnData files that lack something are refused") {
  const auto refused = [](auto&& change, const char* says) {
    const TemporaryFolder folder;
    write_anndata(folder / "a.h5ad", true);
    {
      RawHdf5 file(folder / "a.h5ad");
      change(file);
    }
    CHECK_THROWS_WITH_AS(import_anndata(folder / "a.h5ad", {}), doctest::Contains(says), Error);
  };
  refused([](RawHdf5& f) { f.remove("/obsp"); }, "/obsp: is missing: there is no graph");
  refused([](RawHdf5& f) { f.remove("/obsp/connectivities"); }, "/obsp: holds nothing");
  refused([](RawHdf5& f) { f.remove("/obsp/connectivities/indptr"); }, "indptr");
  refused(
      [](RawHdf5& f) {
        f.put("/X", {2, 1}, std::vector<float>{1, 2});
      },
      "/X: is float32 [2, 1], expected numbers [3");
  refused(
      [](RawHdf5& f) {
        f.put("/obs/cell_type/codes", {3}, std::vector<std::int32_t>{0, 1, 2});
      },
      "/obs/cell_type/codes");
  refused([](RawHdf5& f) { f.put("/obs/_index", Texts{"a"}); }, "/obs/_index");
  refused(
      [](RawHdf5& f) {
        f.remove("/X");
        f.group("/X");
        f.attribute("/X", "encoding-type", std::string("csc_matrix"));
      },
      "adata.X.tocsr()");
  const TemporaryFolder folder;
  write_bytes(folder / "b.h5ad", "no HDF5");
  CHECK_THROWS_AS(open(folder / "b.h5ad"), Error);
}

}  // namespace laminar::datasets::test
