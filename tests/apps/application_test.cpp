// Which of several ranks says what is wrong.
#include "laminar/apps/application.hpp"

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"

namespace laminar::apps::test {
namespace {

using core::Index;

/// A rank of three that fails as first or after another one, and leaves with all others or without them.
class Rank final : public pipeline::Transport {
 public:
  Rank(Index rank, bool first, bool together, int& told)
      : rank_(rank), first_(first), together_(together), told_(told) {}
  Index rank() const override { return rank_; }
  Index size() const override { return 3; }
  void send(Index, const pipeline::Tag&, pipeline::Bytes) override {}
  pipeline::Bytes receive(Index, const pipeline::Tag&) override { return {}; }
  std::optional<pipeline::Bytes> try_receive(Index, const pipeline::Tag&) override { return std::nullopt; }
  std::size_t wait_any(std::span<const pipeline::Address>) override { return 0; }
  bool fail(const std::string&) override {
    ++told_;
    return first_;
  }
  bool leave() override { return together_; }
  std::string device_name(Index) const override { return "rank"; }

 private:
  Index rank_;
  bool first_;
  bool together_;
  int& told_;
};

/// What a rank returns whose work throws; -1 if it lets the exception pass.
int returned(Index rank, bool first, bool together) {
  int told = 0;
  int code = -1;
  try {
    code = run_on_rank(std::make_unique<Rank>(rank, first, together, told),
                       [](pipeline::Transport&) -> int { throw Error("it went wrong"); });
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "it went wrong");
  }
  CHECK(told == 1);
  return code;
}

}  // namespace

TEST_CASE("of ranks that fail together rank 0 speaks") {
  for (const bool first : {true, false}) {
    CHECK(returned(0, first, true) == -1);
    CHECK(returned(1, first, true) == 1);
  }
}

TEST_CASE("where rank 0 is gone or does not listen, a rank says what it knows") {
  CHECK(returned(0, true, false) == -1);
  CHECK(returned(2, true, false) == -1);
  // It was told by a rank that may be gone by now.
  CHECK(returned(1, false, false) == -1);
}

TEST_CASE("a rank without an error returns what its work returns") {
  int told = 0;
  CHECK(run_on_rank(std::make_unique<Rank>(1, true, true, told), [](pipeline::Transport&) { return 7; }) == 7);
  CHECK(told == 0);
}

}  // namespace laminar::apps::test
