// laminar-bench as a user runs it, with sizes that take no time.
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/bench_checks.hpp"
#include "laminar/apps/machine_limits.hpp"
#include "laminar/apps/work_limits.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/tests/apps/support.hpp"

namespace laminar::apps::test {
namespace {

using nlohmann::json;

Finished bench(const Workspace& w, std::vector<std::string> words) {
  words.insert(words.begin(), "laminar-bench");
  return w.run(words);
}

/// The row of that label.
json row_of_label(const json& rows, const std::string& label) {
  for (const json& row : rows) {
    if (row.at("label") == label) return row;
  }
  FAIL("no row " << label << " in " << rows.dump(1));
  return {};
}

}  // namespace

TEST_CASE("laminar-bench ops measures limits and every kernel, and checks their results") {
  const Workspace w;
  const Finished f = bench(w, {"ops", "--width", "16", "--vertices", "300", "--degree", "6", "--repeats", "2",
                               "--stream-mib", "1", "--threads", "2", "--json", w.path("ops.json")});
  CAPTURE(f.err);
  REQUIRE(f.code == 0);
  CHECK(f.err.empty());
  const auto result = f.result();
  CHECK(std::stod(result.at("copy_gbps")) > 0);
  CHECK(std::stod(result.at("dense_gflops")) > 0);
  for (const char* share : {"dense_share", "sum_share", "ordered_sum_share", "attention_share"}) {
    CHECK(std::stod(result.at(share)) > 0);
  }
  const json j = json::parse(read_text(w.path("ops.json")));
  CHECK(j.at("program") == "laminar-bench");
  CHECK(j.at("machine").at("threads") == 2);
  CHECK(j.at("limits").size() == 7);
  CHECK(j.at("kernels").size() == std::stoul(result.at("kernels")));
  const json& rows = j.at("kernels");
  CHECK(row_of_label(rows, "x W, 16 x 16").at("flops") == 2.0 * 300 * 16 * 16);
  CHECK(row_of_label(rows, "dy W^T, 16 x 16").at("bound") != "gather");
  CHECK(row_of_label(rows, "x^T dy, 16 x 16").at("flops") == 2.0 * 300 * 16 * 16);
  // Both directions of 900 edges, and a self-loop each.
  const json sum = row_of_label(rows, "sum, 16, random order");
  CHECK(sum.at("bytes") == 4.0 * 16 * (1800 + 300 + 300));
  CHECK(sum.at("bound") == "gather");
  CHECK(row_of_label(rows, "sum, backward, 16, by community").at("bytes") == sum.at("bytes"));
  for (const char* label : {"max, 16, random order", "attention, 16, 8 heads", "attention, backward, 16, 8 heads",
                            "activation, 16", "activation, backward, 16", "combination, 16", "layer norm, 16",
                            "layer norm, backward, 16", "cross entropy, 40"}) {
    const json row = row_of_label(rows, label);
    CHECK(row.at("ms").get<double>() > 0);
    CHECK(row.at("limit_ms").get<double>() > 0);
    CHECK(row.at("ms_least") <= row.at("ms_most"));
    CHECK(f.out.find(label) != std::string::npos);
  }
  CHECK(row_of_label(rows, "adam, 16, 300 rows").at("bytes") == 7.0 * 300 * 16 * 4);
}

TEST_CASE("laminar-bench epoch accounts for an epoch of GCN, with amounts done by hand") {
  const Workspace w;
  const Finished f = bench(w, {"epoch", w.graph(), "--hidden", "8", "--epochs", "3", "--warmup", "1", "--threads", "1",
                               "--json", w.path("epoch.json")});
  CAPTURE(f.err);
  REQUIRE(f.code == 0);
  CHECK(f.err.empty());
  const auto schema = datasets::open(w.graph())->schema();
  const auto n = static_cast<double>(schema.num_vertices);
  const auto features = static_cast<double>(schema.num_features);
  REQUIRE(schema.num_outputs == 3);
  const json j = json::parse(read_text(w.path("epoch.json")));
  const json& rows = j.at("rows");
  const auto check_product = [&](const std::string& label, double k, double m) {
    CAPTURE(label);
    const json row = row_of_label(rows, label);
    CHECK(row.at("kind") == "dense");
    CHECK(row.at("calls") == 1);
    CHECK(row.at("flops") == 2 * n * k * m);
  };
  // The first aggregation is of constants and made once; the second is of the classes' width.
  const std::string inputs = std::to_string(schema.num_features);
  check_product("x W + b, " + inputs + " x 8", features, 8);
  check_product("x^T dy, " + inputs + " x 8", features, 8);
  check_product("x W, 8 x 3", 8, 3);
  check_product("dy W^T, 3 x 8", 3, 8);
  check_product("x^T dy, 8 x 3", 8, 3);
  for (const char* label : {"sum, 3", "sum, backward, 3"}) {
    const json row = row_of_label(rows, label);
    const double entries = static_cast<double>(schema.num_edges) + n;
    CHECK(row.at("calls") == 1);
    CHECK(row.at("flops") == 2 * entries * 3);
    CHECK(row.at("bytes") == 4 * 3 * (entries + n));
    CHECK(row.at("bound") == "gather");
  }
  CHECK(row_of_label(rows, "dropout, 8").at("bytes") == 2 * 2 * n * 8 * 4);
  CHECK(row_of_label(rows, "activation, 8").at("bytes") == 2 * n * 8 * 4);
  CHECK(row_of_label(rows, "cross entropy, 3").at("bytes") == 2 * n * 3 * 4);

  double sum = 0;
  double limits = 0;
  for (const json& row : rows) {
    sum += row.at("ms").get<double>();
    limits += row.at("limit_ms").get<double>();
  }
  CHECK(sum + j.at("other_ms").get<double>() == doctest::Approx(j.at("epoch_ms").get<double>()));
  CHECK(j.at("other_ms").get<double>() >= 0);
  CHECK(limits == doctest::Approx(j.at("limit_ms").get<double>()));
  const auto result = f.result();
  CHECK(result.at("layer") == "gcn");
  CHECK(std::stod(result.at("ratio")) == doctest::Approx(j.at("ratio").get<double>()).epsilon(1e-3));
  CHECK(std::stod(result.at("attention_ms")) == 0);
  CHECK(f.out.find("sums over edges") != std::string::npos);
  CHECK(f.out.find("\nother ") != std::string::npos);
  CHECK(result.at("order") == "file");
  CHECK(std::stod(result.at("setup_ms")) > 0);
}

TEST_CASE("laminar-bench epoch measures other orders of the vertices") {
  const Workspace w;
  for (const char* order : {"rcm", "community", "auto"}) {
    const Finished f =
        bench(w, {"epoch", w.graph(), "--hidden", "8", "--epochs", "1", "--warmup", "1", "--order", order});
    CAPTURE(f.err);
    REQUIRE(f.code == 0);
    // Small graphs stay as they are.
    const std::string expected = order == std::string("auto") ? "file" : order;
    CHECK(f.result().at("order") == expected);
    CHECK(f.out.find("\norder: " + expected + ", as") != std::string::npos);
  }
}

TEST_CASE("laminar-bench load times every part of a graph file") {
  const Workspace w;
  const Finished f = bench(w, {"load", w.graph(), "--repeats", "2", "--threads", "2", "--json", w.path("load.json")});
  CAPTURE(f.err);
  REQUIRE(f.code == 0);
  CHECK(f.result().at("vertices") == "240");
  CHECK(std::stod(f.result().at("share")) > 0);
  const json j = json::parse(read_text(w.path("load.json")));
  CHECK(j.at("command") == "load");
  CHECK(j.at("file_bytes") == std::filesystem::file_size(w.graph()));
  const auto edges = j.at("edges").get<double>();
  CHECK(row_of_label(j.at("arrays"), "graph").at("bytes") == 8 * 241 + 4 * edges);
  CHECK(row_of_label(j.at("arrays"), "features").at("bytes") == 4 * 240 * 12);
  // A self-loop each.
  CHECK(j.at("matrix").at("bytes") == 2 * (8 * 241 + 8 * (edges + 240)));
  CHECK(j.at("cache").at("least_ms") <= j.at("cache").at("largest_ms"));
  CHECK(bench(w, {"load"}).code == 2);
  CHECK(bench(w, {"load", w.graph(), "--repeats", "0"}).code == 2);
  CHECK(bench(w, {"load", w.path("none.h5")}).code == 1);
}

TEST_CASE("laminar-bench epoch takes a model as laminar-train does") {
  const Workspace w;
  const std::string seconds[][4] = {{"gat", "attention, 16", "--gat.heads", "4"},
                                    {"sage", "sum, 16", "--sage.aggregator", "mean"},
                                    {"gcnii", "combination, 16", "--gcnii.alpha", "0.2"},
                                    {"gin", "sum, 16", "--activation", "relu"}};
  for (const auto& [layer, label, option, value] : seconds) {
    CAPTURE(layer);
    const Finished f = bench(w, {"epoch", w.graph(), "--layer", layer, "--layers", "3", "--hidden", "16", "--epochs",
                                 "1", "--warmup", "1", option, value});
    CAPTURE(f.err);
    REQUIRE(f.code == 0);
    CHECK(f.result().at("layer") == layer);
    CHECK(f.out.find(label) != std::string::npos);
  }
}

TEST_CASE("laminar-bench refuses what can't be meant") {
  const Workspace w;
  check_refused(bench(w, {}), 2, "expected ops, epoch or load");
  check_refused(bench(w, {"epoc"}), 2, "did you mean 'epoch'?");
  check_refused(bench(w, {"epoch"}), 2, "a graph file is needed");
  check_refused(bench(w, {"epoch", w.path("missing.h5")}), 1, "missing.h5");
  check_refused(bench(w, {"epoch", w.graph(), "--layer", "gcm"}), 2, "did you mean 'gcn'?");
  check_refused(bench(w, {"epoch", w.graph(), "--epochs", "0"}), 2, "--epochs is 0, expected 1 to");
  check_refused(bench(w, {"epoch", w.graph(), "--warmup", "0"}), 2, "--warmup is 0");
  check_refused(bench(w, {"epoch", w.graph(), "--json", w.graph()}), 2, "--json");
  check_refused(bench(w, {"ops", "--width", "0"}), 2, "--width is 0");
  check_refused(bench(w, {"ops", "--vertices", "3"}), 2, "--vertices is 3");
  check_refused(bench(w, {"ops", "--degree", "x"}), 2, "--degree");
  check_refused(bench(w, {"ops", "--degree", "1e9"}), 2, "--degree is 1000000000");
  check_refused(bench(w, {"ops", "--threads", "-1"}), 2, "--threads is -1");
  check_refused(bench(w, {"ops", "--repeats", "0"}), 2, "--repeats is 0");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--help"}, {"ops", "--help"}, {"epoch", "-h"}, {"--version"}}) {
    const Finished f = bench(w, words);
    CHECK(f.code == 0);
    CHECK(f.out.find("laminar-bench") != std::string::npos);
  }
}

TEST_CASE("limits are measured once a shape and a matrix") {
  core::Arena arena(1);
  WorkLimits limits(arena, 10);
  const core::Work pass = core::pass_work(core::WorkKind::kLoss, "x", core::DType::kFloat32, 1000, 25, 2);
  // 200 kB at 10 GB/s.
  CHECK(limits.of(pass).ms == doctest::Approx(0.02));
  CHECK(limits.of(pass).bound == Bound::kStream);
  CHECK(rate_of(pass, 0.02) == doctest::Approx(10));
  CHECK(rate_unit(pass) == "GB/s");
  CHECK(label_of(pass) == "x, 25");

  // Where memory is slow enough, it decides of products too.
  WorkLimits slow(arena, 1e-3);
  const core::Work thin = core::dense_work("x W", core::DType::kFloat32, {.m = 1 << 16, .n = 4, .k = 4});
  CHECK(slow.of(thin).bound == Bound::kStream);
  const core::Work product =
      core::dense_work("x^T dy", core::DType::kFloat64, {.transpose_a = true, .m = 96, .n = 64, .k = 100'000});
  const Limit first = limits.of(product);
  CHECK(first.bound == Bound::kProduct);
  CHECK(limits.of(product).ms == first.ms);
  CHECK(label_of(product) == "x^T dy, 96 x 64");
  CHECK(rate_unit(product) == "GFLOP/s");

  const std::vector<core::EdgeId> offsets = {0, 2, 2, 3};
  const std::vector<std::int32_t> indices = {2, 0, 1};
  // Widths that fill registers, and that don't.
  for (const core::Index width : {1, 16, 37, 128}) {
    for (const auto dtype : {core::DType::kFloat32, core::DType::kFloat64}) {
      const core::Work gather =
          core::gather_work(core::WorkKind::kSum, "sum", dtype, {offsets, indices, 3, width}, width);
      const Limit limit = limits.of(gather);
      CHECK(limit.bound == Bound::kGather);
      CHECK(limit.ms > 0);
      CHECK(limits.of(gather).ms == limit.ms);
    }
  }
  CHECK(gather_ms(arena, core::DType::kFloat32, {}) == 0);
  CHECK(cache_sizes().second_level > 0);
  CHECK(default_stream_bytes() > cache_sizes().second_level);
}

TEST_CASE("a kernel that computes something else is found out") {
  const core::Tensor right = core::Tensor::from(2, 2, std::vector<double>{1, 2, 3, 4});
  const core::Tensor wrong = core::Tensor::from(2, 2, std::vector<double>{1, 2, 3, 4.1});
  const auto rows = sampled_rows(2);
  CHECK(rows == std::vector<core::Index>{0, 1});
  const auto plain = [&](core::Index r) { return row_of(right, r); };
  CHECK_NOTHROW(check_rows("k", right, rows, plain));
  CHECK_THROWS_WITH_AS(check_rows("k", wrong, rows, plain), doctest::Contains("[k] element (1, 1) is 4.1"), Error);
}

}  // namespace laminar::apps::test
