// Damaged files: each is read or refused with an Error; none crashes, hangs or takes memory without bounds.
#include <string>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"
#include "laminar/datasets/export_graph.hpp"
#include "laminar/datasets/graph_changes.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/import_npz.hpp"
#include "laminar/datasets/importer.hpp"
#include "laminar/datasets/vertex_tables.hpp"
#include "laminar/tests/datasets/npz_files.hpp"
#include "laminar/tests/datasets/support.hpp"

namespace laminar::datasets::test {
namespace {

/// The i-th damage of `bytes`: a few bytes replaced, a run of them, or the end cut off.
std::string damaged(std::string bytes, core::RandomKey key, std::uint64_t i) {
  auto draw = [&, n = std::uint64_t{0}](std::size_t bound) mutable {
    return static_cast<std::size_t>(core::random_below(key, 64 * i + n++, static_cast<core::Index>(bound)));
  };
  switch (draw(4)) {
    case 0:
      bytes.resize(draw(bytes.size()));
      break;
    case 1: {
      const std::size_t at = draw(bytes.size());
      for (std::size_t b = at; b < std::min(bytes.size(), at + 8); ++b) bytes[b] = static_cast<char>(draw(256));
      break;
    }
    default:
      for (std::size_t n = 1 + draw(4); n > 0; --n) bytes[draw(bytes.size())] = static_cast<char>(draw(256));
  }
  return bytes;
}

// A child process a file, which costs ten times as much under AddressSanitizer.
#if defined(__SANITIZE_ADDRESS__)
constexpr int kGraphFiles = 150;
#else
constexpr int kGraphFiles = 1200;
#endif
constexpr int kArchives = 1500;

struct Outcome {
  int read = 0;
  int refused = 0;
};

template <class Read>
Outcome survive(const std::filesystem::path& original, const std::filesystem::path& copy, int times, Read&& read) {
  const std::string bytes = read_bytes(original);
  const core::RandomKey key = core::random_key(11, original.filename().string());
  Outcome outcome;
  for (int i = 0; i < times; ++i) {
    write_bytes(copy, damaged(bytes, key, static_cast<std::uint64_t>(i)));
    try {
      read(copy);
      ++outcome.read;
    } catch (const Error&) {
      ++outcome.refused;
    }
  }
  return outcome;
}

}  // namespace

TEST_CASE("damaged graph files are read or refused") {
  const TemporaryFolder folder;
  const auto read_all = [](const std::filesystem::path& path) { read(path); };
  SUBCASE("as this library writes them: checksums find almost all damage") {
    write(folder / "own.h5", small_graph());
    const Outcome outcome = survive(folder / "own.h5", folder / "copy.h5", kGraphFiles, read_all);
    CHECK(outcome.read + outcome.refused == kGraphFiles);
    CHECK(outcome.refused > kGraphFiles / 2);
  }
  SUBCASE("as h5py writes them by default, without checksums") {
    write_like_h5py(folder / "h5py.h5");
    const Outcome outcome = survive(folder / "h5py.h5", folder / "copy.h5", kGraphFiles / 4, read_all);
    CHECK(outcome.read + outcome.refused == kGraphFiles / 4);
    CHECK(outcome.refused > kGraphFiles / 16);
  }
}

TEST_CASE("damaged NumPy archives are read or refused") {
  const TemporaryFolder folder;
  const auto import = [](const std::filesystem::path& path) { import_npz(path, {}); };
  write_npz(folder / "masked.npz", masked_arrays());
  write_npz(folder / "triples.npz", triple_arrays());
  for (const char* name : {"masked.npz", "triples.npz"}) {
    const Outcome outcome = survive(folder / name, folder / "copy.npz", kArchives, import);
    CHECK(outcome.read + outcome.refused == kArchives);
    CHECK(outcome.refused > kArchives / 2);
  }
}

TEST_CASE("damaged array headers are read or refused") {
  // Inside an archive the checksum hides the parser; here it stands alone.
  const auto arrays = masked_arrays();
  const core::RandomKey key = core::random_key(12, "npy");
  for (const auto& [name, bytes] : arrays) {
    for (std::uint64_t i = 0; i < 2000; ++i) {
      const std::string copy = damaged(bytes, key, i);
      try {
        std::size_t header = 0;
        parse_npy_header({copy.begin(), copy.end()}, copy.size(), name, header);
        CHECK(header <= copy.size());
      } catch (const Error&) {
        continue;
      }
    }
  }
}

TEST_CASE("damaged text files are read or refused") {
  const TemporaryFolder folder;
  GraphData named = small_graph();
  named.labels = {};
  make_undirected(named);
  change_self_loops(named, SelfLoops::kRemove);
  for (const char* name : {"g.csv", "g.mtx", "g.graphml"}) export_graph(named, folder / name);
  write_bytes(folder / "g.graph", "% c\n7 11 1\n5 1 3 2 2 1\n1 1 3 1 4 1\n5 3 4 1 2 1 1 2\n");
  write_gzip(folder / "g.edges.gz", "# SNAP\n0\t1\n1\t2\n2\t900\n");
  constexpr int kTexts = 300;
  for (const char* name : {"g.csv", "g.mtx", "g.graphml", "g.graph", "g.edges.gz"}) {
    CAPTURE(std::string(name));
    const auto import = [&](const std::filesystem::path& path) {
      ImportOptions options;
      options.max_memory_bytes = std::uint64_t{1} << 26;
      options.edges.edge_features = std::string(name) == "g.csv" ? "rest" : "";
      importer_for(folder / name).run(path, options);
    };
    const Outcome outcome = survive(folder / name, folder / "copy", kTexts, import);
    CHECK(outcome.read + outcome.refused == kTexts);
    CHECK(outcome.refused > 0);
  }
}

TEST_CASE("damaged tables of features, labels and splits are read or refused") {
  const TemporaryFolder folder;
  write_bytes(folder / "x.csv", "id,a,b\n0,1,2\n1,3,4\n2,\"5\",6\n3,7,8\n4,1,1\n");
  write_bytes(folder / "y.csv", "0,cat\n1,dog\n2,\n3,cat\n4,dog\n");
  write_bytes(folder / "s.csv", "train\nval\ntest\n-\ntrain\n");
  std::vector<std::string> notes;
  const auto with = [&](auto&& attach) {
    return [&, attach](const std::filesystem::path& path) {
      GraphData data = small_graph();
      data.features = {};
      data.vertex_names.clear();
      data.splits.clear();
      attach(data, path);
      check(data, "damaged");
    };
  };
  const auto all_well = [&](const char* name, auto&& read) {
    const Outcome outcome = survive(folder / name, folder / "copy", 300, read);
    CHECK(outcome.read + outcome.refused == 300);
  };
  all_well("x.csv", with([&](GraphData& d, const auto& path) { attach_features(d, path, {}, notes); }));
  all_well("y.csv", with([&](GraphData& d, const auto& path) {
             attach_labels(d, path, core::Task::kClassification, {}, notes);
           }));
  all_well("s.csv", with([&](GraphData& d, const auto& path) { attach_splits(d, path, {}); }));
}

}  // namespace laminar::datasets::test
