/// Plugins: loaded, refused, guarded, and checked.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/layers/check_data.hpp"
#include "laminar/layers/gradient_check.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/layers/plugin_compiler.hpp"
#include "laminar/layers/plugin_loader.hpp"
#include "laminar/layers/program.hpp"
#include "laminar/tests/layers/support.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/temporary_folder.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Block;
using core::DType;
using core::Index;
using core::Tensor;
using layers::compile_source;
using layers::load_plugin;
using layers::Registry;

namespace {

const std::string kPlugins = LAMINAR_TEST_PLUGINS;

/// Where a test's own plugins are kept.
struct Cache : TemporaryFolder {
  Cache() { ::setenv("LAMINAR_CACHE_DIR", (path() / "cache").c_str(), 1); }
  ~Cache() { ::unsetenv("LAMINAR_CACHE_DIR"); }
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path() / name) << text;
    return path() / name;
  }
};

/// A variable of the environment for as long as this lives.
struct Variable {
  Variable(const char* variable, const char* value) : name(variable) {
    if (const char* before = std::getenv(name)) old = before;
    had = std::getenv(name) != nullptr;
    ::setenv(name, value, 1);
  }
  ~Variable() { had ? ::setenv(name, old.c_str(), 1) : ::unsetenv(name); }
  const char* name;
  std::string old;
  bool had = false;
};

bool is_registered(const std::string& name) {
  const auto names = Registry::instance().names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

core::DatasetSchema schema() {
  core::DatasetSchema s;
  s.name = "made up";
  s.num_vertices = 20;
  s.num_features = 6;
  s.task = core::Task::kClassification;
  s.num_outputs = 3;
  return s;
}

/// What a model of one plain layer of that name says when it runs.
std::string complaint_of(const std::string& layer) {
  layers::Model model({.layer = layer, .layers = 1}, schema());
  model.initialize(1);
  const core::Graph graph = directed_random(20, 60, false, 1);
  core::Tape tape(context(DType::kFloat32));
  const layers::State in{tape.input(random_tensor(20, 6, DType::kFloat32, 1), false)};
  try {
    model.forward(0, tape, Block::whole(graph), in);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a plugin's layers are in the registry, with where they come from; loading it again does nothing") {
  const std::vector<std::string> names = {"my_attention", "my_gcn", "plain_gcn"};
  auto loaded = load_plugin(kPlugins + "/laminar_test_good.so");
  CHECK(load_plugin(kPlugins + "/laminar_test_good.so") == loaded);
  std::sort(loaded.begin(), loaded.end());
  CHECK(loaded == names);
  for (const std::string& name : names) CHECK(Registry::instance().source(name) == kPlugins + "/laminar_test_good.so");
  CHECK(Registry::instance().source("gcn").empty());
  CHECK_THROWS_AS(Registry::instance().source("nope"), UsageError);
}

TEST_CASE("a plugin's layers pass every check") {
  for (const std::string& name : load_plugin(kPlugins + "/laminar_test_good.so")) {
    for (const auto& check : layers::checks::layer_checks()) {
      const auto result = check.run(name);
      CAPTURE(name);
      CAPTURE(check.name);
      for (const std::string& failure : result.failures) FAIL_CHECK(failure);
      CHECK(result.cases > 0);
    }
  }
}

TEST_CASE("GCN as a plugin gives the numbers of the built-in one, gradients and sparse features included") {
  load_plugin(kPlugins + "/laminar_test_good.so");
  const core::Graph graph = directed_random(40, 150, true, 3);
  const Block block = Block::whole(graph);
  const Tensor x = random_tensor(40, 6, DType::kFloat64, 40);
  for (const std::string name : {"my_gcn", "plain_gcn"}) {
    for (const Index out : {2, 6, 8}) {
      CAPTURE(name);
      CAPTURE(out);
      const layers::LayerSetup::Place place{.in_width = 6, .out_width = out, .dtype = DType::kFloat64};
      const MadeLayer ours = make_layer("gcn", place, {}, 1);
      const MadeLayer plugin = make_layer(name, place, {}, 1);
      const Pass a = pass_with_dropout(ours, block, x);
      const Pass b = pass_with_dropout(plugin, block, x);
      CHECK(relative_difference(a.output, b.output) <= 1e-10);
      CHECK(relative_difference(a.input_gradients[0], b.input_gradients[0]) <= 1e-10);
      REQUIRE(a.parameter_gradients.size() == b.parameter_gradients.size());
      for (std::size_t p = 0; p < a.parameter_gradients.size(); ++p) {
        CHECK(relative_difference(a.parameter_gradients[p], b.parameter_gradients[p]) <= 1e-10);
      }
    }
  }
}

TEST_CASE("a linear message of a plugin takes no buffer of edges x width") {
  load_plugin(kPlugins + "/laminar_test_good.so");
  const core::Graph graph = directed_random(40, 1500, true, 3);
  const Block block = Block::whole(graph);
  const MadeLayer made = make_layer("plain_gcn", {.in_width = 8, .out_width = 8, .dtype = DType::kFloat64}, {}, 1);
  const core::TapeContext c = context(DType::kFloat64, true);
  run_pass(
      c,
      [&](core::Tape& tape, const std::vector<core::Var>& in) {
        return made.layer->forward(tape, block, {in[0], {}, 0.3}).x;
      },
      {random_tensor(40, 8, DType::kFloat64, 40)}, made.parameters);
  CHECK(c.pool->peak_bytes() < static_cast<std::size_t>(graph.num_edges()) * 8 * sizeof(double) / 2);
}

TEST_CASE("what is no plugin is refused, and said why") {
  const Cache cache;
  const auto refused = [](const std::filesystem::path& file, const char* text) {
    CAPTURE(file.string());
    CHECK_THROWS_WITH_AS(load_plugin(file), doctest::Contains(text), Error);
    CHECK_THROWS_WITH_AS(load_plugin(file), doctest::Contains(file.filename().c_str()), Error);
  };
  refused(cache.path() / "none.hpp", "no such file");
  refused(cache.path() / "none.so", "no such file");
  refused(cache.path(), "no file");
  refused(cache.write("layer.py", ""), "expected a header (.hpp) or a shared library (.so)");
  refused(cache.write("empty.so", ""), "can't be loaded");
  refused(cache.write("text.so", "this is no library, however long it is made to be"), "can't be loaded");
  refused(LAMINAR_TEST_LIBRARY, "it registers no layer");
  refused(kPlugins + "/laminar_test_old_abi.so", "it was built for Laminar 0.0 (plugin interface");
  refused(kPlugins + "/laminar_test_duplicate.so", "there is a layer named 'gcn' already (it is built in)");
  // All of a plugin's layers, or none.
  CHECK_FALSE(is_registered("fresh"));
}

TEST_CASE("what a plugin's layer does wrong is an error that names it") {
  load_plugin(kPlugins + "/laminar_test_broken.so");
  const std::string from = "of " + kPlugins + "/laminar_test_broken.so";
  CHECK(complaint_of("throws") == "the moon is full (in layer 0, 'throws' " + from + ")");
  CHECK(complaint_of("wrong_shape") == "layer 0, 'wrong_shape' " + from + " gave a state [20, 4], expected [20, 3]");
  CHECK(complaint_of("gives_nan") ==
        "layer 0, 'gives_nan' " + from +
            " gave nan for vertex 0, column 0, although its inputs and weights are finite");
  CHECK(complaint_of("wrong_gradient").empty());
}

TEST_CASE("a wrong backward, a wrong shape, a NaN and an exception each fail a check") {
  load_plugin(kPlugins + "/laminar_test_broken.so");
  const auto failure = [](const std::string& layer, const std::string& check) {
    for (const auto& c : layers::checks::layer_checks()) {
      if (check != c.name) continue;
      const auto failures = c.run(layer).failures;
      return failures.empty() ? std::string() : failures.front();
    }
    return std::string("no such check");
  };
  CHECK(failure("wrong_gradient", "description").empty());
  CHECK(failure("wrong_gradient", "equivariance").empty());
  const std::string gradient = failure("wrong_gradient", "gradients");
  CHECK(gradient.find("wrong_gradient, hidden 6 -> 2, on undirected: the gradient of ") == 0);
  CHECK(gradient.find("off by 0.5") != std::string::npos);
  CHECK(failure("wrong_shape", "description").find("it gave [20, 3], expected [20, 2]") != std::string::npos);
  CHECK(failure("gives_nan", "description").find("not finite") != std::string::npos);
  CHECK_FALSE(failure("gives_nan", "gradients").empty());
  CHECK(failure("throws", "chunks").find("it throws: the moon is full") != std::string::npos);
}

TEST_CASE("a source is compiled once, and again when it or what it includes changes") {
  const Cache cache;
  const auto header = cache.write("tiny.hpp", "#include \"number.hpp\"\nextern \"C\" int tiny() { return kNumber; }\n");
  cache.write("number.hpp", "constexpr int kNumber = 1;\n");
  auto first = compile_source(header);
  CHECK_FALSE(first.cached);
  CHECK(first.compile_ms > 0);
  CHECK(first.command.ends_with(" -o tiny.so"));
  CHECK(first.file.parent_path() == cache.path() / "cache");
  auto compile = [&] { return compile_source(header).cached; };
  first.lock.reset();
  CHECK(compile());
  cache.write("number.hpp", "constexpr int kNumber = 2;\n");
  CHECK_FALSE(compile());
  CHECK(compile());
  cache.write("tiny.hpp", "extern \"C\" int tiny() { return 3; }\n");
  CHECK_FALSE(compile());
  {
    const Variable other("CXX", "c++ -DOTHER_FLAGS");
    CHECK_FALSE(compile());
  }
  CHECK(compile());
}

TEST_CASE("of several that want the same plugin one compiles") {
  const Cache cache;
  const auto header = cache.write("tiny.hpp", "extern \"C\" int tiny() { return 1; }\n");
  std::atomic<int> compiled{0};
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < 4; ++i) all.emplace_back([&] { compiled += compile_source(header).cached ? 0 : 1; });
  }
  CHECK(compiled == 1);
}

TEST_CASE("what a launcher started second on a host waits for the first; its patience ends") {
  const Cache cache;
  const auto header = cache.write("tiny.hpp", "extern \"C\" int tiny() { return 1; }\n");
  const Variable rank("OMPI_COMM_WORLD_LOCAL_RANK", "1");
  constexpr auto kPatience = std::chrono::milliseconds(100);
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(compile_source(header, layers::CompileKind::kPlugin, kPatience).cached);
  CHECK(std::chrono::steady_clock::now() - start >= kPatience);
  // It finds what is there at once, or this would take an hour.
  CHECK(compile_source(header, layers::CompileKind::kPlugin, std::chrono::hours(1)).cached);
  const Variable first("OMPI_COMM_WORLD_LOCAL_RANK", "0");
  cache.write("tiny.hpp", "extern \"C\" int tiny() { return 2; }\n");
  CHECK_FALSE(compile_source(header, layers::CompileKind::kPlugin, std::chrono::hours(1)).cached);
}

TEST_CASE("a compiler's words are kept; a program is compiled to run; without a compiler there is a hint") {
  const Cache cache;
  const auto wrong = cache.write("wrong.hpp", "int wrong( { return 1; }\n");
  try {
    compile_source(wrong);
    FAIL_CHECK("it compiled");
  } catch (const layers::CompileError& error) {
    CHECK(std::string(error.what()).find("wrong.hpp: it does not compile") != std::string::npos);
    CHECK(std::string(error.what()).find("-include " + wrong.string()) != std::string::npos);
    CHECK(error.output().find("wrong.hpp:1") != std::string::npos);
    CHECK(error.output().find("error:") != std::string::npos);
  }
  const auto program = compile_source(
      cache.write("program.cpp", "#include <cstdio>\nint main() { std::puts(\"it runs\"); return 3; }\n"),
      layers::CompileKind::kProgram);
  const auto ran = layers::run_program({program.file.string()});
  CHECK(ran.code == 3);
  CHECK(ran.output == "it runs\n");
  CHECK(layers::run_program({"/nonexistent/program"}).code == -1);
  const Variable none("CXX", "/nonexistent/compiler");
  CHECK_THROWS_WITH_AS(compile_source(wrong), doctest::Contains("no C++ compiler was found on "), Error);
  CHECK_THROWS_WITH_AS(compile_source(wrong), doctest::Contains("pass the .so"), Error);
}

TEST_CASE("compiled plugins are kept in a folder of the user's own") {
  const Cache cache;
  CHECK(layers::plugin_cache_folder() == cache.path() / "cache");
  std::filesystem::permissions(cache.path() / "cache", std::filesystem::perms::all);
  CHECK_THROWS_WITH_AS(layers::plugin_cache_folder(), doctest::Contains("LAMINAR_CACHE_DIR"), Error);
  cache.write("file", "");
  const Variable file("LAMINAR_CACHE_DIR", (cache.path() / "file").c_str());
  CHECK_THROWS_WITH_AS(layers::plugin_cache_folder(), doctest::Contains("LAMINAR_CACHE_DIR is"), Error);
  const Variable none("LAMINAR_CACHE_DIR", "");
  const Variable xdg("XDG_CACHE_HOME", (cache.path() / "xdg").c_str());
  CHECK(layers::plugin_cache_folder() == cache.path() / "xdg/laminar/plugins");
  const Variable relative("XDG_CACHE_HOME", "relative");
  const Variable home("HOME", (cache.path() / "home").c_str());
  CHECK(layers::plugin_cache_folder() == cache.path() / "home/.cache/laminar/plugins");
}
