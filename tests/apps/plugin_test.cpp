// Plugins from the command line.
#include <filesystem>
#include <regex>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "laminar/tests/apps/support.hpp"

namespace laminar::apps::test {
namespace {

using Words = std::vector<std::string>;

const std::string kGood = std::string(LAMINAR_TEST_PLUGINS) + "/laminar_test_good.so";
const std::string kBroken = std::string(LAMINAR_TEST_PLUGINS) + "/laminar_test_broken.so";
const std::string kSources = LAMINAR_TEST_PLUGIN_SOURCES;

/// With a cache of its own for compiled plugins.
struct PluginWorkspace : Workspace {
  PluginWorkspace() { ::setenv("LAMINAR_CACHE_DIR", path("cache").c_str(), 1); }
  ~PluginWorkspace() { ::unsetenv("LAMINAR_CACHE_DIR"); }
};

double loss(const Finished& f) { return std::stod(f.result().at("loss")); }

}  // namespace

TEST_CASE("GCN as a plugin trains as the built-in one does") {
  const PluginWorkspace w;
  const Words common = {"--precision", "f64", "--epochs", "20", "--layers", "3"};
  const auto train = [&](Words words) {
    words.insert(words.end(), common.begin(), common.end());
    const Finished f = w.train(words);
    CAPTURE(f.err);
    REQUIRE(f.code == 0);
    return f;
  };
  const Finished ours = train({"--layer", "gcn"});
  const Finished plugin = train({"--plugin", kGood, "--layer", "my_gcn"});
  CHECK(plugin.result().at("layer") == "my_gcn");
  CHECK(loss(plugin) == doctest::Approx(loss(ours)).epsilon(1e-10));
  CHECK(plugin.result().at("test_metric") == ours.result().at("test_metric"));
}

TEST_CASE("a layer with a forward alone trains in every mode") {
  const PluginWorkspace w;
  const auto train = [&](const Words& words) {
    Words all = {"--plugin",   kGood,         "--layer", "my_attention", "--layers", "4",
                 "--residual", "--precision", "f64",     "--epochs",     "6"};
    all.insert(all.end(), words.begin(), words.end());
    const Finished f = w.train(all);
    CAPTURE(words.back());
    CAPTURE(f.err);
    REQUIRE(f.code == 0);
    return f;
  };
  const double single = loss(train({"--mode", "single"}));
  CHECK(loss(train({"--mode", "graph", "--partitions", "3"})) == doctest::Approx(single).epsilon(1e-9));
  CHECK(loss(train({"--stages", "2", "--chunks", "4", "--staleness", "0"})) == doctest::Approx(single).epsilon(1e-9));
  // With history: the hybrid on the same chunks is the pipeline, number by number.
  const Words chunks = {"--chunks", "4", "--partition", "range", "--beta1", "0.5", "--lr-schedule", "cosine"};
  const auto with_chunks = [&](Words words) {
    words.insert(words.end(), chunks.begin(), chunks.end());
    return loss(train(words));
  };
  const double pipeline = with_chunks({"--mode", "pipeline", "--stages", "2"});
  CHECK(pipeline != doctest::Approx(single).epsilon(1e-6));
  CHECK(pipeline == doctest::Approx(single).epsilon(0.5));
  const double hybrid = with_chunks({"--mode", "hybrid", "--stages", "2", "--partitions", "2"});
  CHECK(hybrid == doctest::Approx(single).epsilon(0.5));
}

TEST_CASE("a plugin's options are options; a checkpoint needs the plugin again") {
  const PluginWorkspace w;
  const Finished help = w.run({"laminar-train", "--plugin", kGood, "--help"});
  CHECK(help.out.find("Options of --layer my_attention (attention beside a self term)") != std::string::npos);
  CHECK(help.out.find("--my_attention.slope X") != std::string::npos);
  CHECK(help.out.find("slope of the leaky ReLU; 0 to 1 (default 0.2)") != std::string::npos);

  const std::string model = w.path("model.h5");
  const Words with = {"--plugin", kGood, "--layer", "my_attention", "--my_attention.slope", "0.5"};
  Words words = with;
  words.insert(words.end(), {"--checkpoint", model, "--dump-config", w.path("run.cfg")});
  REQUIRE(w.train(words).code == 0);
  CHECK(read_text(w.path("run.cfg")).find("my_attention.slope = 0.5") != std::string::npos);
  CHECK(read_text(w.path("run.cfg")).find("plugin") == std::string::npos);

  const auto said = [&](const Words& command, int code, const char* text) {
    const Finished f = w.run(command);
    CAPTURE(f.err);
    CHECK(f.code == code);
    CHECK(lines_of(f.err).back().find(text) != std::string::npos);
  };
  const char* hint = "needs --plugin FILE";
  said({"laminar-train", w.graph(), "--layer", "my_attention"}, 2, hint);
  said({"laminar-train", w.graph(), "--my_attention.slope", "1"}, 2, "need --plugin FILE");
  said({"laminar-train", "--config", w.path("run.cfg")}, 2, "need --plugin FILE");
  said({"laminar-train", w.graph(), "--checkpoint", model, "--resume"}, 2, hint);
  said({"laminar-predict", w.graph(), "--model", model, "--out", w.path("p.csv")}, 2, hint);
  said({"laminar-train", w.graph(), "--plugin", kGood, "--layer", "my_attention", "--my_attention.slope", "2"}, 2,
       "my_attention.slope is '2', expected a number of at least 0 and at most 1");
  CHECK(w.run({"laminar-train", "--config", w.path("run.cfg"), "--plugin=" + kGood, "-q"}).code == 0);
  CHECK(w.run({"laminar-train", w.graph(), "--plugin", kGood, "--checkpoint", model, "--resume", "-q"}).code == 0);
  CHECK(w.run({"laminar-predict", w.graph(), "--plugin", kGood, "--model", model, "--out", w.path("p.csv")}).code == 0);
}

TEST_CASE("laminar-info lists every layer, with what it is and where it is from") {
  const PluginWorkspace w;
  const Finished f = w.run({"laminar-info", "--layers", "--plugin", kGood, "--plugin", kBroken});
  CAPTURE(f.out);
  CHECK(f.code == 0);
  for (const std::string text : {"gcnii", "Chen, Wei, Huang, Ding and Li 2020", "carries h0", "--gat.heads N",
                                 "(default 8)", "nobody 2026", "--my_attention.slope X", "throws in its forward"}) {
    CAPTURE(text);
    CHECK(f.out.find(text) != std::string::npos);
  }
  CHECK(f.out.find("from " + kGood) != std::string::npos);
  const Finished json = w.run({"laminar-info", "--layers", "--json"});
  CHECK(json.code == 0);
  CHECK(json.out.find("\"source\": \"built in\"") != std::string::npos);
  CHECK(json.out.find("my_attention") == std::string::npos);
}

TEST_CASE("what is wrong with a plugin is said in a line") {
  const PluginWorkspace w;
  const std::string library = std::string(LAMINAR_TEST_PLUGINS) + "/laminar_test_";
  const std::vector<std::tuple<Words, int, std::string>> cases = {
      {{"--plugin"}, 2, "--plugin needs the name of a file"},
      {{"--plugin", w.path("none.hpp")}, 1, "none.hpp: there is no such file"},
      {{"--plugin", w.graph()}, 1, "expected a header (.hpp) or a shared library (.so)"},
      {{"--plugin", library + "old_abi.so"}, 1, "it was built for Laminar 0.0"},
      {{"--plugin", library + "duplicate.so"}, 1, "there is a layer named 'gcn' already"},
      {{"--plugin", kBroken, "--layer", "throws", "-q"}, 1, "the moon is full (in layer 0, 'throws' of "},
      {{"--plugin", kBroken, "--layer", "wrong_shape", "-q"}, 1, ", 9], expected ["},
      {{"--plugin", kBroken, "--layer", "gives_nan", "-q"}, 1, "gave nan for vertex 0, column 0"},
      {{"--plugin", kBroken, "--layer", "throws", "-q", "--partitions", "2"}, 1, "the moon is full"}};
  for (const auto& [words, code, text] : cases) {
    const Finished f = w.train(words);
    CAPTURE(f.err);
    CHECK(f.code == code);
    CHECK(lines_of(f.err).size() == 1);
    CHECK(f.err.starts_with("laminar-train: error: "));
    CHECK(f.err.find(text) != std::string::npos);
    CHECK(f.out.empty());
  }
  const Finished syntax = w.train({"--plugin", kSources + "/syntax_error.hpp"});
  CAPTURE(syntax.err);
  CHECK(syntax.code == 1);
  CHECK(std::regex_search(syntax.err, std::regex("syntax_error\\.hpp:\\d+:\\d+: error: ")));
  const std::string last = lines_of(syntax.err).back();
  CHECK(last.starts_with("laminar-train: error: "));
  CHECK(std::regex_search(last, std::regex("this repeats it: .* -include \\S*syntax_error\\.hpp ")));
}

TEST_CASE("of the ranks on a host the first compiles a plugin, however late it comes") {
  const PluginWorkspace w;
  if (w.run({"/bin/sh", "-c", "command -v mpirun"}).code != 0) return;
  // A compiler that writes down who makes something with it.
  write_text(w.path("cxx"), "#!/bin/sh\ncase \"$*\" in *' -o '*) echo $OMPI_COMM_WORLD_RANK >> " + w.path("log") +
                                ";; esac\nexec c++ \"$@\"\n");
  std::filesystem::permissions(w.path("cxx"), std::filesystem::perms::owner_all);
  const std::string rank = "if [ $OMPI_COMM_WORLD_RANK = 0 ]; then sleep 0.5; fi; exec " LAMINAR_BIN_DIR
                           "/laminar-info --layers --plugin " +
                           kSources + "/good.hpp";
  const Finished f = w.run({"/usr/bin/env", "CXX=" + w.path("cxx"), "mpirun", "--oversubscribe", "--allow-run-as-root",
                            "-n", "2", "/bin/sh", "-c", rank});
  CAPTURE(f.err);
  REQUIRE(f.code == 0);
  CHECK(read_text(w.path("log")) == "0\n");
  std::size_t found = 0;
  for (std::size_t at = 0; (at = f.out.find("nobody 2026", at)) != std::string::npos; ++at) ++found;
  CHECK(found == 2);
}

TEST_CASE("laminar-plugin: a new plugin is a working one, is checked, built and trained with") {
  const PluginWorkspace w;
  const std::string name = "my_conv";
  // It writes where it is called.
  const auto plugin = [&](const Words& words) {
    Words all = {"/usr/bin/env", "-C", w.folder().string(), std::string(LAMINAR_BIN_DIR) + "/laminar-plugin"};
    all.insert(all.end(), words.begin(), words.end());
    return w.run(all);
  };
  REQUIRE(plugin({"new", name}).code == 0);
  const Finished again = plugin({"new", name});
  CHECK(again.code == 1);
  CHECK(again.err.find("my_conv.hpp is there already") != std::string::npos);

  const Finished check = plugin({"check", "my_conv.hpp"});
  CAPTURE(check.out);
  CAPTURE(check.err);
  CHECK(check.code == 0);
  CHECK(check.err.empty());
  CHECK(check.last_line() == "RESULT layers=1 checks=8 failed=0");
  for (const char* text :
       {"gradients     ok", "equivariance  ok", "chunks        ok", "oracle        ok", "own test      ok", "x gcn"}) {
    CAPTURE(text);
    CHECK(check.out.find(text) != std::string::npos);
  }

  const Finished build = plugin({"build", "my_conv.hpp", "-v"});
  CHECK(build.code == 0);
  CHECK(build.out.find("my_conv.so: my_conv, compiled before") != std::string::npos);
  CHECK(build.out.find("-include " + w.path("my_conv.hpp")) != std::string::npos);

  const Words options = {"--layer", name, "--my_conv.share", "0.5"};
  double losses[2];
  for (int i = 0; i < 2; ++i) {
    Words words = options;
    words.insert(words.end(), {"--plugin", w.path(i == 0 ? "my_conv.hpp" : "my_conv.so")});
    const Finished f = w.train(words);
    CAPTURE(f.err);
    REQUIRE(f.code == 0);
    losses[i] = loss(f);
  }
  CHECK(losses[0] == losses[1]);

  // Its own test notices what it computes.
  std::string text = read_text(w.path("my_conv_test.cpp"));
  text.replace(text.find("30.5"), 4, "31.5");
  write_text(w.path("my_conv_test.cpp"), text);
  const Finished failed = plugin({"check", "my_conv.hpp"});
  CAPTURE(failed.out);
  CHECK(failed.code == 1);
  CHECK(failed.out.find("own test      FAILED") != std::string::npos);
  CHECK(failed.out.find("vertex 2: expected 331.5, found 330.5") != std::string::npos);
  CHECK(failed.last_line() == "RESULT layers=1 checks=8 failed=1");
}

TEST_CASE("laminar-plugin check finds what is broken") {
  const PluginWorkspace w;
  const Finished f = w.run({"laminar-plugin", "check", kBroken});
  CAPTURE(f.out);
  CHECK(f.code == 1);
  CHECK(f.out.find("wrong_gradient, hidden 6 -> 2, on undirected: the gradient of ") != std::string::npos);
  CHECK(f.out.find("it throws: the moon is full") != std::string::npos);
  CHECK(f.out.find("it gave [20, 3], expected [20, 2]") != std::string::npos);
  CHECK(f.out.find("some values are not finite") != std::string::npos);
}

TEST_CASE("laminar-plugin refuses what it can't do") {
  const PluginWorkspace w;
  const std::vector<std::tuple<Words, int, std::string>> cases = {
      {{}, 2, "expected new, build or check"},
      {{"chek", "x"}, 2, "did you mean 'check'"},
      {{"new"}, 2, "needs a name"},
      {{"new", "My-Conv"}, 2, "can't be named 'My-Conv'"},
      {{"new", "gcn"}, 2, "there is a layer named 'gcn' already"},
      {{"check"}, 2, "needs a file"},
      {{"check", w.path("none.hpp")}, 1, "no such file"},
      {{"check", "x.hpp", "--out", "y"}, 2, "--out is of laminar-plugin build"},
      {{"build", kSources + "/good.hpp", "--out", kSources + "/good.hpp"}, 2, "good.hpp"}};
  for (const auto& [words, code, text] : cases) {
    Words all = {"laminar-plugin"};
    all.insert(all.end(), words.begin(), words.end());
    const Finished f = w.run(all);
    CAPTURE(f.err);
    CHECK(f.code == code);
    CHECK(lines_of(f.err).size() == 1);
    CHECK(f.err.find(text) != std::string::npos);
  }
  const Finished help = w.run({"laminar-plugin", "--help"});
  CHECK(help.code == 0);
  CHECK(help.out.starts_with("Usage: laminar-plugin new NAME"));
  CHECK(w.run({"laminar-plugin", "--version"}).out.starts_with("laminar-plugin "));
}

}  // namespace laminar::apps::test
