#include <doctest/doctest.h>

#include "laminar/datasets/graph_file.hpp"
#include "laminar/tests/apps/support.hpp"

namespace laminar::apps::test {

TEST_CASE("laminar-convert --half-hop puts slow vertices into edges") {
  const Workspace w;
  write_text(w.path("triangle.csv"), "0,1\n1,2\n2,0\n");
  const auto convert = [&](std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"laminar-convert", "--from", "edges", w.path("triangle.csv"), "--out", w.path("out.h5")});
    return w.run(words);
  };
  REQUIRE(convert({}).code == 0);
  const auto plain = datasets::read(w.path("out.h5"));

  const Finished f = convert({"--half-hop", "1", "--half-hop-alpha", "0.25", "--seed", "9"});
  CHECK(f.code == 0);
  CHECK(f.err.empty());
  CHECK(f.out.find("  vertices     9\n  edges        18 (directed, unweighted)\n") != std::string::npos);
  CHECK(f.out.find("  note         half-hop: 6 of 6 edges split, vertices 3..8 are slow ones") != std::string::npos);
  const auto slow = datasets::read(w.path("out.h5"));
  CHECK(slow.graph->num_vertices() == 9);
  CHECK(slow.provenance.find("; half-hop with probability 1, alpha 0.25 and seed 9: ") != std::string::npos);
  CHECK(datasets::validate(w.path("out.h5")).empty());

  CHECK(convert({"--half-hop", "0"}).code == 0);
  CHECK(datasets::read(w.path("out.h5")).graph->fingerprint() == plain.graph->fingerprint());

  const auto refused = [&](const std::vector<std::string>& words, const char* says) {
    const Finished bad = convert(words);
    CAPTURE(bad.err);
    CHECK(bad.code == 2);
    CHECK(bad.err.find(says) != std::string::npos);
  };
  refused({"--half-hop", "1.5"}, "the probability is 1.5; expected 0 to 1");
  refused({"--half-hop", "0.5", "--half-hop-alpha", "nan"}, "the alpha is nan; expected 0 to 1");
  refused({"--half-hop", "often"}, "half-hop");
  refused({"--half-hop-alpha", "0.5"}, "--half-hop-alpha goes with --half-hop only");
}

TEST_CASE("laminar-convert makes a whole dataset of a bare edge list and files beside it") {
  const Workspace w;
  write_text(w.path("roads.csv"), "from,to,km\r\nulm,bonn,2.5\r\nbonn,\"Bad Aibling\",1\r\n");
  write_text(w.path("x.tsv"), "name\tx\ty\nulm\t1\t0\nbonn\t2\t0\nBad Aibling\t3\t1\nfulda\t4\t0\n");
  write_text(w.path("y.csv"), "id,label\nulm,south\nbonn,west\nfulda,\nBad Aibling,south\n");
  write_text(w.path("s.csv"), "id,split\nulm,train\nbonn,val\nBad Aibling,test\n");
  const Finished f = w.run({"laminar-convert", w.path("roads.csv"), "--directed", "--features", w.path("x.tsv"),
                            "--labels", w.path("y.csv"), "--splits", w.path("s.csv"), "--out", w.path("out.h5")});
  CAPTURE(f.err);
  REQUIRE(f.code == 0);
  for (const char* line :
       {"  vertices     4\n", "  edges        2 (directed, weighted)\n", "  features     2 columns, dense\n",
        "  labels       classification, 2 classes\n", "  splits       s (1/1/1 vertices)\n",
        "  note         1 vertices of x.tsv have no edges\n"}) {
    CHECK(f.out.find(line) != std::string::npos);
  }
  const auto data = datasets::read(w.path("out.h5"));
  CHECK(data.vertex_names == std::vector<std::string>{"ulm", "bonn", "Bad Aibling", "fulda"});
  CHECK(data.labels.classes == std::vector<std::int32_t>{0, 1, 0, -1});
  CHECK(datasets::validate(w.path("out.h5")).empty());
  // Back to text, which names what it has no place for.
  const Finished text = w.run({"laminar-convert", w.path("out.h5"), "--out", w.path("out.csv")});
  CHECK(text.code == 0);
  CHECK(text.out.find("  note         the format has no place for: features, labels, splits\n") != std::string::npos);
  CHECK(read_text(w.path("out.csv")) == "source,target,weight\nulm,bonn,2.5\nbonn,Bad Aibling,1\n");

  const auto refused = [&](std::vector<std::string> words, const char* says, int code) {
    words.insert(words.begin(), "laminar-convert");
    const Finished bad = w.run(words);
    CAPTURE(bad.err);
    CHECK(bad.code == code);
    CHECK(bad.err.find(says) != std::string::npos);
  };
  const std::string csv = w.path("roads.csv");
  const std::string out = w.path("no.h5");
  refused({"--out", out}, "name an INPUT", 2);
  refused({csv}, "--out is missing", 2);
  refused({csv, "--out", csv}, "the input", 2);
  refused({csv, "--labels", out, "--out", out}, "--labels", 2);
  refused({w.path("none.csv"), "--out", out}, "there is no such file", 1);
  refused({csv, "--from", "mtx", "--out", out}, "roads.csv:1: the line is", 1);
  refused({csv, "--homophily", "0.5", "--out", out}, "--homophily goes with a generator only", 2);
  refused({csv, "--task", "sorting", "--out", out}, "--task sorting", 2);
  refused({csv, "--max-memory", "0", "--out", out}, "--max-memory 0", 2);
  refused({csv, "--max-memory", "1e-9", "--out", out}, "raise --max-memory", 1);
  refused({csv, "--weight", "miles", "--out", out}, "there are 3: from, to, km", 2);
  refused({"--from", "sbm", csv, "--out", out}, "takes no INPUT", 2);
  refused({"--from", "sbm", "--ids", "names", "--out", out}, "--ids goes with --from edges only", 2);
  refused({"--from", "edges", "--out", out}, "needs an INPUT", 2);
  refused({csv, "--split", "thirds", "--out", out}, "split 'thirds'", 2);
  CHECK_FALSE(std::filesystem::exists(out));
}

TEST_CASE("laminar-convert generates graphs and changes them") {
  const Workspace w;
  const Finished f = w.run({"laminar-convert",
                            "--from",
                            "sbm",
                            "--vertices",
                            "300",
                            "--degree",
                            "6",
                            "--classes",
                            "3",
                            "--seed",
                            "5",
                            "--split",
                            "none",
                            "--split",
                            "folds:3",
                            "--split",
                            "degree:20/20/60",
                            "--features",
                            "degree,laplacian",
                            "--features-dim",
                            "4",
                            "--largest-component",
                            "--relabel",
                            "rcm",
                            "--self-loops",
                            "add",
                            "--out",
                            w.path("g.h5")});
  CAPTURE(f.err);
  REQUIRE(f.code == 0);
  CHECK(f.out.find("  features     5 columns, dense\n") != std::string::npos);
  CHECK(f.out.find("  splits       fold0, fold1, fold2, degree (") != std::string::npos);
  const auto data = datasets::read(w.path("g.h5"));
  CHECK(data.provenance.find("generated: sbm with vertices 300, degree 6") != std::string::npos);
  const Finished help = w.run({"laminar-convert", "--help"});
  for (const char* word : {"sbm ", "graphml ", "--edge-features", "--largest-component", ".csv .tsv"}) {
    CHECK(help.out.find(word) != std::string::npos);
  }
}

}  // namespace laminar::apps::test
