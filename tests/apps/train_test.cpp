#include <cmath>
#include <regex>

#include <doctest/doctest.h>

#include "laminar/tests/apps/support.hpp"

namespace laminar::apps::test {

TEST_CASE("--help and --version of every executable") {
  const Workspace w;
  for (const char* name : {"laminar-train", "laminar-predict", "laminar-convert", "laminar-info"}) {
    CAPTURE(name);
    const Finished help = w.run({name, "--help"});
    CHECK(help.code == 0);
    CHECK(help.err.empty());
    CHECK(help.out.starts_with(std::string("Usage: ") + name));
    const Finished version = w.run({name, "--version"});
    CHECK(version.code == 0);
    CHECK(std::regex_match(version.out, std::regex(std::string(name) + " \\d+\\.\\d+\\.\\d+\n")));
  }
}

TEST_CASE("--help lists the options of every layer") {
  const Workspace w;
  const std::string help = w.run({"laminar-train", "--help"}).out;
  for (const char* text : {"--gat.heads N", "--gcnii.alpha X", "--sage.aggregator NAME", "mean, max", "--layers N",
                           "(default 0.01)", "Examples:"}) {
    CAPTURE(text);
    CHECK(help.find(text) != std::string::npos);
  }
}

TEST_CASE("the last line of stdout is the result") {
  const Workspace w;
  const Finished f = w.train({"--epochs", "30"});
  CHECK(f.code == 0);
  const std::regex format(
      "RESULT layer=gcn layers=2 metric=accuracy loss=\\d\\.\\d{6,} train_metric=[01]\\.\\d{6} "
      "val_metric=[01]\\.\\d{6} "
      "test_metric=[01]\\.\\d{6} test_metric_std=0\\.000000 best_epoch=\\d+ epoch_ms=\\d+\\.\\d{3} bytes_per_epoch=0 "
      "peak_rss_mib=\\d+\\.\\d seed=1 stages=1 parts=1 chunks=1");
  CAPTURE(f.last_line());
  CHECK(std::regex_match(f.last_line(), format));
  CHECK(std::stod(f.result().at("test_metric")) > 0.6);
  CHECK(f.out.find("validation") != std::string::npos);
  CHECK(f.err.find("240 vertices") != std::string::npos);
  CHECK(f.err.find("epoch 30/30") != std::string::npos);
}

TEST_CASE("every layer trains, in both precisions and with residual blocks") {
  const Workspace w;
  for (const char* layer : {"gcn", "gat", "gcnii", "sage", "linear"}) {
    CAPTURE(layer);
    const Finished f =
        w.train({"--layer", layer, "--layers", "3", "--residual", "--precision", "f64", "--epochs", "2"});
    CHECK(f.code == 0);
    CHECK(f.result().at("layer") == layer);
    CHECK(f.result().at("layers") == "3");
  }
}

TEST_CASE("every layer trains in bfloat16, and one that was stopped goes on") {
  const Workspace w;
  for (const char* layer : {"gcn", "gat", "gatv2", "gcnii", "gin", "sage", "pna", "appnp", "sgc", "linear"}) {
    CAPTURE(layer);
    const Finished f = w.train({"--layer", layer, "--layers", "3", "--precision", "bf16", "--epochs", "3"});
    CHECK(f.code == 0);
    CHECK(std::isfinite(std::stod(f.result().at("loss"))));
  }
  const std::vector<std::string> options = {"--layer", "gcnii", "--precision", "bf16", "--epochs", "30", "-q"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = options;
    all.insert(all.end(), more.begin(), more.end());
    return w.train(all);
  };
  const Finished whole = with({});
  CHECK(std::stod(whole.result().at("test_metric")) > 0.6);
  CHECK(with({"--checkpoint", w.path("c.h5"), "--stop-after", "15"}).code == 0);
  const Finished rest = with({"--checkpoint", w.path("c.h5"), "--resume"});
  CHECK(rest.code == 0);
  CHECK(rest.result().at("loss") == whole.result().at("loss"));
  CHECK(rest.result().at("test_metric") == whole.result().at("test_metric"));
  const Finished predicted =
      w.run({"laminar-predict", w.graph(), "--model", w.path("c.h5"), "--out", w.path("p.csv"), "-q"});
  CHECK(predicted.code == 0);
}

TEST_CASE("quiet prints the result only") {
  const Workspace w;
  const Finished f = w.train({"-q"});
  CHECK(f.code == 0);
  CHECK(f.err.empty());
  CHECK(lines_of(f.out).size() == 1);
  CHECK(f.out.starts_with("RESULT "));
}

TEST_CASE("verbose prints options, every evaluation, memory and time") {
  const Workspace w;
  const Finished f = w.train({"-v", "--epochs", "40", "--eval-every", "2"});
  CHECK(f.code == 0);
  std::size_t epochs = 0;
  for (const auto& line : lines_of(f.err)) epochs += line.starts_with("epoch ") ? 1 : 0;
  CHECK(epochs == 20);
  for (const char* text : {"hidden = 8", "activations", "optimizer", "backward", "evaluation"}) {
    CAPTURE(text);
    CHECK(f.err.find(text) != std::string::npos);
  }
}

TEST_CASE("results do not depend on the number of threads") {
  const Workspace w;
  const auto one = w.train({"--threads", "1", "-q"}).result();
  const auto four = w.train({"--threads", "4", "-q"}).result();
  for (const char* key : {"loss", "train_metric", "val_metric", "test_metric", "best_epoch"}) {
    CHECK(one.at(key) == four.at(key));
  }
}

TEST_CASE("results do not depend on whether activations are kept") {
  const Workspace w;
  const std::vector<std::string> net = {"--layer", "gat", "--layers", "4"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), net.begin(), net.end());
    return w.train(words);
  };
  const auto kept = with({"--recompute", "never", "-q"}).result();
  const Finished f = with({"--recompute", "always", "-v", "--json", w.path("r.json"), "--report", w.path("r.html"),
                           "--trace", w.path("t.json"), "--dump-config", w.path("c.cfg")});
  for (const char* key : {"loss", "train_metric", "val_metric", "test_metric", "best_epoch"}) {
    CHECK(f.result().at(key) == kept.at(key));
  }
  CHECK(f.err.find("recompute: always, as asked\n") != std::string::npos);
  CHECK(f.err.find("\n  recompute ") != std::string::npos);
  CHECK(read_text(w.path("r.json")).find("\"why\": \"always, as asked\"") != std::string::npos);
  CHECK(read_text(w.path("r.html")).find("always, as asked") != std::string::npos);
  CHECK(read_text(w.path("t.json")).find("recompute layer 2 chunk 0") != std::string::npos);
  CHECK(read_text(w.path("c.cfg")).find("recompute") == std::string::npos);

  const Finished chosen = with({"-v"});
  CHECK(chosen.err.find("recompute: never, as all activations fit: about ") != std::string::npos);
  // A checkpoint goes on either way.
  CHECK(with({"--recompute", "always", "--checkpoint", w.path("c.h5"), "--stop-after", "3", "-q"}).code == 0);
  CHECK(w.train({"--checkpoint", w.path("c.h5"), "--resume", "-q"}).result().at("loss") == kept.at("loss"));

  const auto activations = [&](const char* when) {
    const std::string text = with({"--dry-run", "--recompute", when}).out;
    CHECK(text.ends_with(std::string("recompute: ") + when + ", as asked\n"));
    return std::stod(text.substr(text.find("activations") + std::string("activations").size()));
  };
  CHECK(activations("always") < 0.7 * activations("never"));
}

TEST_CASE("a training in another order of its vertices gives what it gives in the file's, but for rounding") {
  const Workspace w;
  const auto expected = w.train({"-q"}).result();
  for (const char* order : {"rcm", "community", "auto"}) {
    CAPTURE(order);
    const Finished f = w.train({"--order", order, "-v", "--json", w.path("r.json"), "--dump-config", w.path("c.cfg"),
                                "--checkpoint", w.path("c.h5"), "--stop-after", "3"});
    CHECK(f.code == 0);
    CHECK(f.err.find(std::string("order = ") + order) != std::string::npos);
    CHECK(read_text(w.path("c.cfg")).find(std::string("order = ") + order) != std::string::npos);
    const bool says_why = read_text(w.path("r.json")).find("--order auto: file, as") != std::string::npos;
    CHECK(says_why == (order == std::string("auto")));
    const auto rest = w.train({"--checkpoint", w.path("c.h5"), "--resume", "-q"}).result();
    CHECK(std::stod(rest.at("loss")) == doctest::Approx(std::stod(expected.at("loss"))).epsilon(1e-4));
    std::filesystem::remove(w.path("c.h5"));
  }
}

TEST_CASE("several runs give means") {
  const Workspace w;
  const Finished all = w.train({"--runs", "3", "--seed", "5"});
  CHECK(all.code == 0);
  CHECK(all.err.find("run 3 of 3") != std::string::npos);
  double sum = 0;
  double squares = 0;
  for (const char* seed : {"5", "6", "7"}) {
    const double test = std::stod(w.train({"--seed", seed, "-q"}).result().at("test_metric"));
    sum += test;
    squares += test * test;
  }
  const double mean = sum / 3;
  const auto result = all.result();
  CHECK(std::stod(result.at("test_metric")) == doctest::Approx(mean).epsilon(1e-5));
  const double deviation = std::sqrt(std::max(0.0, (squares - 3 * mean * mean) / 2));
  CHECK(std::abs(std::stod(result.at("test_metric_std")) - deviation) < 1e-5);
  CHECK(result.at("seed") == "5");
}

TEST_CASE("--split all trains on every split") {
  const Workspace w;
  const Finished f = w.train({"--split", "all"});
  CHECK(f.code == 0);
  CHECK(f.err.find("split random, seed 1") != std::string::npos);
  CHECK(f.err.find("split swapped, seed 2") != std::string::npos);
  CHECK(w.train({"--split", "swapped", "-q"}).code == 0);
}

TEST_CASE("a dry run prints the estimate and trains nothing") {
  const Workspace w;
  const Finished f = w.train({"--dry-run", "--checkpoint", w.path("c.h5")});
  CHECK(f.code == 0);
  for (const char* text : {"graph", "features", "parameters", "optimizer", "activations", "gradients", "total"}) {
    CHECK(f.out.find(text) != std::string::npos);
  }
  CHECK(f.out.find("RESULT") == std::string::npos);
  CHECK(entries(w.folder()) == 1);
}

TEST_CASE("a run that is resumed ends like one that was never interrupted") {
  const Workspace w;
  const std::vector<std::string> schedule = {"--epochs", "20", "--lr-schedule", "cosine", "--warmup", "3", "-q"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), schedule.begin(), schedule.end());
    return w.train(words);
  };
  const auto whole = with({}).result();
  CHECK(with({"--checkpoint", w.path("c.h5"), "--stop-after", "9"}).code == 0);
  const Finished rest = w.run({"laminar-train", w.graph(), "--checkpoint", w.path("c.h5"), "--resume"});
  CHECK(rest.code == 0);
  CHECK(rest.err.find("after epoch 9 of 20") != std::string::npos);
  for (const char* key : {"loss", "train_metric", "val_metric", "test_metric", "best_epoch"}) {
    CHECK(whole.at(key) == rest.result().at(key));
  }
  // And once more, when there is nothing left to do.
  const Finished again = w.run({"laminar-train", w.graph(), "--checkpoint", w.path("c.h5"), "--resume", "-q"});
  CHECK(again.code == 0);
  CHECK(again.result().at("loss") == whole.at("loss"));
}

TEST_CASE("stopping early says so and how to go on") {
  const Workspace w;
  const Finished f = w.train({"--stop-after", "2", "--checkpoint", w.path("my run.h5")});
  CHECK(f.code == 0);
  CHECK(f.err.find("--checkpoint '" + w.path("my run.h5") + "' --resume") != std::string::npos);
}

}  // namespace laminar::apps::test
