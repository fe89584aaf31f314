/// Work in a child process: its result, and each way in which it may end without one.
#include "laminar/datasets/isolation.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>
#include <unistd.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/temporary_folder.hpp"

using namespace laminar;
using namespace laminar::testing;
using datasets::run_isolated;

TEST_CASE("the result of a child, of any length that is allowed") {
  const std::string text(300000, 'x');
  CHECK(run_isolated("file", text.size(), 10, [&] { return text; }) == text);
  CHECK(run_isolated("file", 0, 10, [] { return std::string(); }).empty());
  CHECK_THROWS_WITH_AS(run_isolated("file", text.size() - 1, 10, [&] { return text; }),
                       "file: the file is damaged: its text is longer than the file could hold", Error);
}

TEST_CASE("a child that ends without a result is an error that says how") {
  CHECK_THROWS_WITH_AS(run_isolated("file", 9, 10, []() -> std::string { throw std::runtime_error("no"); }),
                       "file: the file is damaged: it can't be read", Error);
  CHECK_THROWS_WITH_AS(run_isolated("file", 9, 10,
                                    [] {
                                      std::raise(SIGSEGV);
                                      return std::string();
                                    }),
                       "file: the file is damaged: reading it crashes libhdf5", Error);
  CHECK_THROWS_WITH_AS(run_isolated("file", 9, 1,
                                    [] {
                                      for (volatile bool endless = true; endless;) {
                                      }
                                      return std::string();
                                    }),
                       "file: the file is damaged: reading it does not end", Error);
}

TEST_CASE("a child that stands still is tried once more") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "tried";
  const auto still = [] {
    for (;;) ::pause();
    return std::string();
  };
  CHECK(run_isolated(
            "file", 9, 1,
            [&] {
              if (!std::filesystem::exists(path)) {
                std::ofstream(path) << "once";
                return still();
              }
              return std::string("result");
            },
            0) == "result");
  CHECK_THROWS_WITH_AS(run_isolated("file", 9, 1, still, 0), "file: reading it stood still, twice for 1 s", Error);
}
