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

}  // namespace laminar::apps::test
