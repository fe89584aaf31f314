/// Walks the registry: what must hold for every layer, with every choice of its options.
#include "laminar/layers/registry.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/layers/support.hpp"

using namespace laminar;
using namespace laminar::testing;

TEST_CASE("the registry has the built-in layers, each described") {
  const auto& registry = layers::Registry::instance();
  const auto names = registry.names();
  for (const char* name : {"appnp", "gat", "gatv2", "gcn", "gcnii", "gin", "gine", "linear", "pna", "sage", "sgc"}) {
    CAPTURE(name);
    CHECK(std::find(names.begin(), names.end(), name) != names.end());
  }
}

TEST_CASE("every layer passes every check") {
  for (const std::string& name : layers::Registry::instance().names()) {
    for (const auto& check : layers::checks::layer_checks()) {
      const auto result = check.run(name);
      CAPTURE(name);
      CAPTURE(check.name);
      for (const std::string& failure : result.failures) FAIL_CHECK(failure);
      CHECK(result.worst <= result.allowed);
      // A layer of constant width never sees sparse features.
      CHECK((result.cases > 0 || std::string(check.name) == "sparse"));
    }
  }
}

TEST_CASE("names that are taken, empty or ill-formed are refused; unknown ones list what there is") {
  auto& registry = layers::Registry::instance();
  const auto factory = +[](layers::LayerSetup&) -> std::unique_ptr<layers::Layer> { return nullptr; };
  CHECK_THROWS_WITH_AS(registry.add({.name = "gcn", .summary = {}}, factory), doctest::Contains("gcn"), Error);
  CHECK_THROWS_AS(registry.add({.name = "", .summary = {}}, factory), Error);
  CHECK_THROWS_AS(registry.add({.name = "Bad-Name", .summary = {}}, factory), Error);
  CHECK_THROWS_WITH_AS(registry.info("nope"), doctest::Contains("sage"), UsageError);
  core::ParameterList parameters;
  layers::LayerSetup setup({.prefix = "p", .in_width = 2, .out_width = 2}, registry.info("gcn"), {}, parameters);
  CHECK_THROWS_AS(registry.make("nope", setup), UsageError);
}
