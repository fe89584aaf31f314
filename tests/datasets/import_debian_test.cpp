// Package lists, made here, and the machine's own where it has some.
#include "laminar/datasets/import_debian.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/debian_packages.hpp"
#include "laminar/datasets/package_features.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

using core::Index;
using core::VertexId;

constexpr const char* kMain = R"(Package: editor
Version: 1.0-1
Section: editors
Pre-Depends: libc (>= 2.3)
Depends: libtext:any (= 1) | libtext-compat [amd64], virtual-spell
Recommends: editor, missing | docs
Suggests: docs,
 viewer
Description: A Text-editor, for 2 games
 with a longer description
Tag: role::program, game::strategy, use::editing,
 works-with::text

Package: libc
Version: 2.36-9
Section: libs
Description: C library
MD5sum: 0

Package: libtext
Version: 1:0.9
Section: contrib/libs
Depends: libc

Package: docs
Version: 3
Section: doc

Package: spell-a
Version: 1
Section: text
Provides: virtual-spell (= 1), libc

Package: spell-b
Version: 1
Provides: virtual-spell
Depends: libc | libc, spell-b
)";

constexpr const char* kUpdates = R"(Package: docs
Version: 3+deb1
Section: editors

this line has no colon
Package: broken
Description: no version

 starts with a continuation
: and an empty field

Package: libc
Version: 2.36-9~rc1
Section: oldlibs
)";

Index vertex(const GraphData& data, const std::string& name) {
  const auto at = std::find(data.vertex_names.begin(), data.vertex_names.end(), name);
  REQUIRE(at != data.vertex_names.end());
  return at - data.vertex_names.begin();
}

/// Names of what a package needs: the sources of its in-edges.
std::vector<std::string> needs(const GraphData& data, const std::string& name) {
  const Index v = vertex(data, name);
  const auto offsets = data.graph->in_offsets();
  std::vector<std::string> names;
  for (auto e = offsets[v]; e < offsets[v + 1]; ++e) names.push_back(data.vertex_names[data.graph->in_sources()[e]]);
  return names;
}

void make_lists(const TemporaryFolder& folder) {
  write_bytes(folder / "mirror_dists_main_Packages", kMain);
  write_bytes(folder / "mirror_dists_updates_Packages", kUpdates);
  write_bytes(folder / "mirror_dists_main_InRelease", "Package: no\nVersion: 1\n");
}

}  // namespace

TEST_CASE("a package graph from lists") {
  const TemporaryFolder folder;
  make_lists(folder);
  const ImportResult result = import_debian(folder.path(), {});
  const GraphData& data = result.data;
  using Names = std::vector<std::string>;
  CHECK(data.name == "debian");
  CHECK(data.graph->directed());
  CHECK(data.vertex_names == Names{"docs", "editor", "libc", "libtext", "spell-a", "spell-b"});
  SUBCASE("edges come from what a package needs") {
    CHECK(needs(data, "editor") == Names{"docs", "libc", "libtext", "spell-a", "spell-b"});
    CHECK(needs(data, "libtext") == Names{"libc"});
    CHECK(needs(data, "spell-b") == Names{"libc"});
    CHECK(needs(data, "libc").empty());
    CHECK(data.graph->num_edges() == 7);
  }
  SUBCASE("the newest version of a package counts") {
    CHECK(data.labels.names == Names{"editors", "libs", "text"});
    CHECK(data.labels.classes == std::vector<std::int32_t>{0, 0, 1, 1, 2, -1});
  }
  SUBCASE("what was skipped is said") {
    REQUIRE(result.notes.size() == 3);
    CHECK(result.notes[0] == "2 stanzas without a name or a version were skipped");
    CHECK(result.notes[1] == "2 packages are in the lists more than once; the newest version counts");
    // libtext-compat, missing and viewer.
    CHECK(result.notes[2] == "3 relations name a package that is in no list; they make no edge");
  }
  SUBCASE("the split is of the labelled vertices") {
    GraphData split = data;
    add_splits(split, std::vector{SplitRequest{}}, 1);
    REQUIRE(split.splits.size() == 1);
    CHECK(split.splits[0].name == "random");
    CHECK(split.splits[0].train.size() + split.splits[0].val.size() + split.splits[0].test.size() == 5);
  }
  SUBCASE("features are of the asked width, in rows of length 1") {
    CHECK(data.features.cols() == 128);
    const auto narrow = import_debian(folder.path(), {.features_dim = 16}).data.features;
    CHECK(narrow.cols() == 16);
    for (Index v = 0; v < narrow.rows(); ++v) {
      double squares = 0;
      for (Index c = 0; c < 16; ++c) squares += narrow.at(v, c) * narrow.at(v, c);
      CHECK(squares == doctest::Approx(1));
    }
    CHECK_THROWS_AS(import_debian(folder.path(), {.features_dim = 0}), UsageError);
  }
  SUBCASE("the fingerprint depends on what is in the lists, not on their order or files") {
    CHECK(result.fingerprint.size() == 16);
    CHECK(data.provenance.find(result.fingerprint) != std::string::npos);
    const TemporaryFolder other;
    write_bytes(other / "a_Packages", std::string(kUpdates) + "\n" + kMain);
    CHECK(import_debian(other.path(), {}).fingerprint == result.fingerprint);
    write_bytes(other / "b_Packages", "Package: new\nVersion: 1\n");
    CHECK(import_debian(other.path(), {}).fingerprint != result.fingerprint);
  }
}

TEST_CASE("lists that are compressed are unpacked by apt's helper") {
  if (!std::filesystem::exists("/usr/lib/apt/apt-helper") || std::system("gzip --version >/dev/null 2>&1") != 0) {
    std::puts("skipped: compressed lists: apt-helper or gzip is not installed");
    return;
  }
  const TemporaryFolder folder;
  make_lists(folder);
  const auto plain = import_debian(folder.path(), {});
  for (const char* name : {"mirror_dists_main_Packages", "mirror_dists_updates_Packages"}) {
    REQUIRE(std::system(("gzip " + (folder / name).string()).c_str()) == 0);
  }
  CHECK(import_debian(folder.path(), {}).fingerprint == plain.fingerprint);
  write_bytes(folder / "bad_Packages.gz", "\x1f\x8b\x08 not really");
  CHECK_THROWS_AS(import_debian(folder.path(), {}), Error);
}

TEST_CASE("where there are no lists") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(import_debian(folder / "missing", {}), Error);
  try {
    import_debian(folder.path(), {});
    FAIL("an empty folder was accepted");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("run `apt-get update` as root") != std::string::npos);
  }
  write_bytes(folder / "a_Packages", "");
  CHECK_THROWS_AS(import_debian(folder.path(), {}), Error);
  write_bytes(folder / "a_Packages", std::string("\0\xFF garbage\n\n\n: :\n\t\n", 20));
  CHECK_THROWS_AS(import_debian(folder.path(), {}), Error);
}

TEST_CASE("a virtual package stands for at most 256 providers") {
  const TemporaryFolder folder;
  std::string text = "Package: user\nVersion: 1\nDepends: many\n";
  for (int i = 0; i < 300; ++i)
    text += "\nPackage: p" + std::to_string(1000 + i) + "\nVersion: 1\nProvides: many, many\n";
  write_bytes(folder / "a_Packages", text);
  CHECK(import_debian(folder.path(), {}).data.graph->num_edges() == 256);
}

TEST_CASE("versions are ordered by Debian's rules") {
  const char* const ascending[] = {"0~~",   "0~",       "0",    "0-1~",  "0-1", "0.1",  "1.0~rc1", "1.0",
                                   "1.0-1", "1.0-1+b1", "1.0a", "1.0+x", "1.2", "1.10", "1:0",     "2:0"};
  for (std::size_t i = 0; i < std::size(ascending); ++i) {
    for (std::size_t j = 0; j < std::size(ascending); ++j) {
      CAPTURE(std::string(ascending[i]));
      CAPTURE(std::string(ascending[j]));
      const int order = compare_debian_versions(ascending[i], ascending[j]);
      CHECK((order < 0) == (i < j));
      CHECK((order > 0) == (i > j));
    }
  }
  CHECK(compare_debian_versions("1.0-0", "1.0") == 0);
  CHECK(compare_debian_versions("0:1.007", "1.7") == 0);
}

TEST_CASE("names in relations") {
  using Names = std::vector<std::string_view>;
  CHECK(relation_names("a (>= 1) | b:any, c [amd64] <!nocheck>,d") == Names{"a", "b", "c", "d"});
  CHECK(relation_names(" , | ,, (>= 1), $bad, libstdc++6") == Names{"libstdc++6"});
  CHECK(relation_names("").empty());
}

TEST_CASE("words of packages leave the sections out") {
  std::vector<DebianPackage> packages(3);
  packages[0] = {"foo-GNU2", "1", "gnu-r", "An R games tool, the Tool", "role::program, game::x, section::gnu-r, r::y",
                 "",         ""};
  packages[1].section = "games";
  packages[2].section = "libs";
  const auto sections = section_words(packages);
  CHECK(sections == std::set<std::string>{"games", "gnu", "libs", "r"});
  CHECK(package_words(packages[0], sections) ==
        std::vector<std::string>{"foo", "gnu2", "an", "tool", "the", "tool", "role", "program"});
  // A trained model depends on the columns, so they may never change. Computed apart from this code.
  CHECK(hashed_column("tool", 128) == 50);
  CHECK(hashed_column("library", 1'000'000) == 697'092);
  const auto features = package_features(packages, 1'000'000);
  const Index tool = hashed_column("tool", 1'000'000);
  const Index foo = hashed_column("foo", 1'000'000);
  CHECK(features.at(0, tool) / features.at(0, foo) == doctest::Approx(std::log(3.0) / std::log(2.0)));
  CHECK(features.at(1, 0) == 0);
}

TEST_CASE("this machine's own lists") {
  ImportResult result;
  try {
    result = import_debian(kDefaultLists, {});
  } catch (const Error& error) {
    std::printf("skipped: this machine's own lists: %s\n", error.what());
    return;
  }
  const auto& data = result.data;
  CHECK(data.graph->num_vertices() > 100);
  CHECK(data.graph->num_edges() > data.graph->num_vertices());
  CHECK(std::is_sorted(data.vertex_names.begin(), data.vertex_names.end()));
  CHECK(import_debian(kDefaultLists, {.features_dim = 8}).fingerprint == result.fingerprint);
}

}  // namespace laminar::datasets::test
