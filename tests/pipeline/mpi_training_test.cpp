/// Trainings whose devices are MPI ranks: the same bits as with threads, one clear line when ranks don't agree or one
/// is lost, and a checkpoint to go on from.
#include "laminar/tests/pipeline/mpi_training.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>

#include "laminar/tests/support/ranks.hpp"
#include "laminar/tests/support/temporary_folder.hpp"

using namespace laminar;
using namespace laminar::testing;

namespace {

using Words = std::map<std::string, std::string>;

FinishedRanks run_training(int ranks, const Words& words, const std::string& timeout_s = "10") {
  std::string program = "'" MPI_TRAINING "'";
  for (const auto& [key, value] : words) program += fmt::format(" '{}={}'", key, value);
  return run_ranks(MPIEXEC, ranks, program, timeout_s);
}

/// What all ranks must say of a training that threads have done.
std::vector<std::string> said_of(const std::string& local, int ranks) {
  std::vector<std::string> said;
  for (int r = 0; r < ranks; ++r) {
    said.push_back(fmt::format("rank {}: done{}", r, r == 0 ? local : local.substr(0, local.find(" weights"))));
  }
  return said;
}

}  // namespace

TEST_CASE("ranks train to the bits of threads, whatever the number of threads") {
  const std::vector<std::pair<int, Words>> runs = {
      {2, {{"net", "gcn"}, {"parts", "2"}}},
      {2, {{"net", "gcnii"}, {"stages", "2"}, {"chunks", "6"}}},
      {4, {{"net", "gat"}, {"parts", "4"}}},
      {2, {{"net", "gcn"}, {"stages", "2"}, {"chunks", "6"}, {"features", "learned"}}},
      {2, {{"net", "gat"}, {"parts", "2"}, {"features", "given,learned"}, {"buckets", "40"}}},
      {3, {{"net", "gat"}, {"parts", "3"}, {"stale", "1"}, {"fidelity", "2"}}},
      {2, {{"net", "sage"}, {"parts", "2"}, {"rate", "0.3"}, {"codec", "int8"}}},
      {2, {{"net", "gcnii"}, {"stages", "2"}, {"chunks", "6"}, {"dtype", "bfloat16"}, {"fidelity", "3"}}},
      {4, {{"net", "sage"}, {"stages", "4"}, {"chunks", "8"}, {"codec", "int8"}}},
      {4, {{"net", "gat"}, {"stages", "2"}, {"parts", "2"}, {"chunks", "4"}}},
      {4, {{"net", "gcnii"}, {"stages", "2"}, {"parts", "2"}, {"chunks", "4"}, {"staleness", "0"}, {"codec", "bf16"}}}};
  for (const auto& [ranks, words] : runs) {
    CAPTURE(fmt::format("{}", words));
    std::string local;
    for (const char* threads : {"1", "2", "8"}) {
      Words with = words;
      with["threads"] = threads;
      const std::string line = train(TrainingSpec(with), nullptr);
      if (local.empty()) local = line;
      CHECK(line == local);
    }
    const FinishedRanks finished = run_training(ranks, words);
    CAPTURE(finished.output);
    CHECK(finished.code == 0);
    CHECK(finished.said == said_of(local, ranks));
  }
}

TEST_CASE("ranks that hold their part of the graph only train to the bits of threads that share all of it") {
  const std::vector<std::pair<int, Words>> runs = {
      {2, {{"net", "gcn"}, {"parts", "2"}, {"graph", "directed weighted rows"}}},
      {4, {{"net", "gcn"}, {"parts", "4"}, {"graph", "weighted"}, {"partition", "metis_vol"}}},
      {4, {{"net", "gat"}, {"parts", "4"}, {"graph", "directed rows"}, {"partition", "laminar"}}},
      {2, {{"net", "dir_gnn"}, {"parts", "2"}, {"graph", "directed weighted rows"}}},
      {3, {{"net", "dir_gnn"}, {"parts", "3"}, {"graph", "directed"}, {"partition", "metis_vol"}}},
      {3, {{"net", "pna"}, {"parts", "3"}, {"graph", "directed rows"}}},
      {2, {{"net", "gine"}, {"parts", "2"}, {"graph", "directed edges rows"}, {"partition", "random"}}},
      {4, {{"net", "gcn"}, {"stages", "2"}, {"parts", "2"}, {"chunks", "4"}, {"graph", "directed weighted rows"}}},
      {4, {{"net", "gcn"}, {"stages", "2"}, {"parts", "2"}, {"chunks", "4"}, {"staleness", "0"}, {"stripes", "1"}}},
      {2, {{"net", "gcn"}, {"parts", "2"}, {"graph", "rows"}, {"stripes", "1"}, {"fidelity", "2"}}},
      {2, {{"net", "gcn"}, {"parts", "2"}, {"graph", "directed weighted rows"}, {"order", "rcm"}}},
      {3, {{"net", "gat"}, {"parts", "3"}, {"order", "community"}, {"stripes", "1"}}},
      {2, {{"net", "gcn"}, {"parts", "2"}, {"graph", "rows"}, {"order", "auto"}}},
      // These hold all of it.
      {2, {{"net", "gcn"}, {"parts", "2"}, {"graph", "rows"}, {"init", "virgo"}}}};
  for (const auto& [ranks, words] : runs) {
    CAPTURE(fmt::format("{}", words));
    const std::string local = train(TrainingSpec(words), nullptr);
    const FinishedRanks finished = run_training(ranks, words);
    CAPTURE(finished.output);
    CHECK(finished.code == 0);
    CHECK(finished.said == said_of(local, ranks));
  }
}

TEST_CASE("a partition or a graph that is wrong on one rank ends all with a line that says what") {
  const auto wrong = [](const char* what) {
    return run_training(2, {{"parts", "2"}, {"stripes", "1"}, {"graph", "rows"}, {"differs", what}});
  };
  check_errors(wrong("few_parts"), 2, {"--partition: "});
  check_errors(wrong("odd_parts"), 2, {"--partition: "});
  check_errors(wrong("damaged"), 2, {"g.h5: /graph/indices: entry 7 is 9999"});
  // Rank 0 cuts for all.
  check_errors(run_training(2, {{"parts", "2"}, {"partition", "scissors"}}), 2,
               {"partition strategy 'scissors' is not known"});
  check_errors(run_training(2, {{"parts", "2"}, {"partition", "metis_vol"}, {"graph", "rows"}, {"differs", "damaged"}}),
               2, {"g.h5: /graph/indices: entry 7 is 9999"});
}

TEST_CASE("ranks that make activations again train to the bits of threads that keep them") {
  const std::vector<std::pair<int, Words>> runs = {
      {2, {{"net", "sage"}, {"parts", "2"}, {"norm", "batch"}, {"fidelity", "3"}}},
      {4, {{"net", "gat"}, {"stages", "2"}, {"parts", "2"}, {"chunks", "4"}}}};
  for (const auto& [ranks, words] : runs) {
    CAPTURE(fmt::format("{}", words));
    Words with = words;
    with["recompute"] = "1";
    const FinishedRanks finished = run_training(ranks, with);
    CAPTURE(finished.output);
    CHECK(finished.said == said_of(train(TrainingSpec(words), nullptr), ranks));
  }
}

TEST_CASE("ranks that were started differently end with a line that says what") {
  const auto differing = [](const char* what, int ranks, const Words& spread) {
    Words words = spread;
    words["differs"] = what;
    return run_training(ranks, words);
  };
  const Words two_parts{{"parts", "2"}, {"stripes", "1"}};
  check_errors(differing("options", 2, two_parts), 2,
               {"the options are not the same on all devices: rank 0 has \"learning_rate\": 0.01, rank 1 has "
                "\"learning_rate\": 0.123"});
  check_errors(differing("seed", 4, {{"stages", "4"}, {"chunks", "4"}}), 4,
               {"rank 0 has \"seed\": 1, rank 1 has \"seed\": 77"});
  check_errors(differing("topology", 2, two_parts), 2, {"rank 0 has \"parts\": 2, rank 1 has \"parts\": 1"});
  check_errors(differing("graph", 2, {{"stages", "2"}}), 2, {"the graph is not the same on all devices"});
  check_errors(differing("labels", 2, {{"stages", "2"}}), 2,
               {"the fingerprint of labels and split is not the same on all devices"});
  check_errors(differing("parts", 2, two_parts), 2,
               {"the fingerprint of parts, chunks and stages is not the same on all devices"});
}

TEST_CASE("ranks that are not as many as devices are told so") {
  check_errors(run_training(2, {{"parts", "4"}}), 2, {"1 stages x 4 parts need 4 ranks, but 2 were started"});
}

TEST_CASE("a rank that is killed or stopped at any moment ends all, with at most a line each") {
  const std::vector<Words> spreads = {{{"parts", "3"}, {"net", "gcn"}},
                                      {{"stages", "3"}, {"chunks", "6"}, {"net", "gcnii"}}};
  int round = 0;
  for (const int signal : {SIGKILL, SIGSTOP}) {
    for (const char* after : {"0", "37", "290"}) {
      Words words = spreads[static_cast<std::size_t>(round % 2)];
      const std::string victim = std::to_string(round++ % 3);
      words.insert({{"epochs", "10000000"}, {"end", std::to_string(signal)}, {"by", victim}, {"after", after}});
      CAPTURE(fmt::format("{}", words));
      const FinishedRanks finished = run_training(3, words, "1");
      CAPTURE(finished.output);
      CHECK(finished.code != 0);
      CHECK(finished.code != 124);
      CHECK(finished.said.size() <= 2);
      // A launcher may end all before a rank can speak when one is killed, not when one is stopped.
      if (signal == SIGSTOP) CHECK(finished.said.size() >= 1);
      for (const std::string& line : finished.said)
        CHECK(line.find("error: rank " + victim + " (host ") != std::string::npos);
    }
  }
}

TEST_CASE("what a killed training has left in its checkpoint goes on to the same end") {
  const TemporaryFolder folder;
  const Words words{{"net", "gcnii"}, {"stages", "2"}, {"chunks", "6"}, {"epochs", "8"}};
  const std::string whole = train(TrainingSpec(words), nullptr);
  Words first = words;
  first.insert({{"checkpoint", (folder.path() / "c.h5").string()}, {"every", "1"}, {"stop_after", "3"}});
  CHECK(run_training(2, first).code == 0);
  Words second = first;
  second.erase("stop_after");
  second["resume"] = "1";
  // Its copy of the checkpoint is what is left after a moment that is not known.
  Words killed = second;
  killed.insert({{"end", std::to_string(SIGKILL)}, {"by", "1"}, {"after", "5"}});
  run_training(2, killed, "1");
  const FinishedRanks finished = run_training(2, second);
  CAPTURE(finished.output);
  CHECK(finished.said == said_of(whole, 2));
  // Ranks that bring different ones must not go on.
  second["differs"] = "checkpoint";
  check_errors(run_training(2, second), 2, {"the checkpoint is not the same on all devices: rank 0 has 'epoch "});
}

TEST_CASE("ranks that hold their part only go on from a checkpoint with history") {
  const TemporaryFolder folder;
  const Words hybrid{{"net", "gcn"}, {"stages", "2"}, {"parts", "2"}, {"chunks", "4"}, {"epochs", "6"}};
  const std::string whole = train(TrainingSpec(hybrid), nullptr);
  const auto stopped = [&](Words words, const char* file) {
    words.insert({{"checkpoint", (folder.path() / file).string()}, {"stop_after", "3"}});
    REQUIRE(run_training(std::stoi(words["stages"]) * std::stoi(words["parts"]), words).code == 0);
  };
  const auto go_on = [&](const char* file) {
    Words words = hybrid;
    words.insert({{"checkpoint", (folder.path() / file).string()}, {"resume", "1"}});
    return run_training(4, words);
  };
  stopped(hybrid, "same.h5");
  FinishedRanks finished = go_on("same.h5");
  CAPTURE(finished.output);
  CHECK(finished.said == said_of(whole, 4));
  // Of one part no halo needs to be known; of others it would.
  Words other = hybrid;
  other["parts"] = "1";
  stopped(other, "one.h5");
  finished = go_on("one.h5");
  CHECK(finished.code == 0);
  other["parts"] = "3";
  other["stages"] = "1";
  stopped(other, "three.h5");
  check_errors(go_on("three.h5"), 4, {"this rank has only its own part of the graph"});
}

TEST_CASE("a full disk at a checkpoint ends all ranks with the reason, and what was there stays") {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "c.h5").string();
  Words words{{"stages", "2"}, {"chunks", "6"}, {"epochs", "10000000"}, {"checkpoint", path}, {"every", "2"}};
  words["file_bytes"] = "3000";
  check_errors(run_training(2, words), 2, {path});
  CHECK(std::filesystem::is_empty(folder.path()));
}
