#include <algorithm>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/datasets/graph_reader.hpp"
#include "laminar/datasets/import_anndata.hpp"
#include "laminar/datasets/statistics.hpp"

namespace laminar::datasets {

using core::Index;

namespace {

constexpr Index kBlockRows = Index{1} << 14;

class Validator {
 public:
  explicit Validator(const std::filesystem::path& path) : file_(path) {}

  std::vector<Finding> run() {
    attempt([&] { check_graph(); });
    attempt([&] { check_features(); });
    attempt([&] { file_.edge_features(); });
    attempt([&] { file_.labels(); });
    for (const auto& name : file_.schema().split_names) attempt([&] { check_split_labels(file_.split(name)); });
    attempt([&] { check_names(); });
    for (const auto& name : file_.partition_names()) attempt([&] { check_partition(file_.partition(name)); });
    return std::move(findings_);
  }

 private:
  template <class F>
  void attempt(F&& step) {
    try {
      step();
    } catch (const Error& error) {
      findings_.push_back({Finding::Severity::kError, error.what()});
    }
  }

  void warn(std::string_view object, std::string_view text) {
    findings_.push_back({Finding::Severity::kWarning, fmt::format("{}: {}: {}", file_.file().path(), object, text)});
  }

  void check_graph() {
    graph_ = file_.graph();
    const GraphStatistics s = statistics_of(*graph_);
    if (s.self_loops > 0) warn("/graph", fmt::format("{} self-loops", s.self_loops));
    if (s.parallel_edges > 0) {
      warn("/graph", fmt::format("{} edges that are there already (parallel edges)", s.parallel_edges));
    }
  }

  void check_features() {
    if (file_.schema().num_features == 0) return;
    const auto& rows = file_.features();
    for (Index row = 0; row < rows.rows(); row += kBlockRows) {
      const Index end = std::min(rows.rows(), row + kBlockRows);
      if (rows.sparse()) {
        rows.read_sparse(row, end);
      } else {
        rows.read_dense(row, end);
      }
    }
  }

  void check_split_labels(const core::Split& split) {
    if (file_.schema().task != core::Task::kClassification) return;
    const auto& classes = file_.labels().classes;
    for (const auto* set : {&split.train, &split.val, &split.test}) {
      const auto unknown = std::count_if(set->begin(), set->end(), [&](core::VertexId v) { return classes[v] < 0; });
      if (unknown == 0) continue;
      warn(fmt::format("/splits/{}/{}", split.name,
                       set == &split.train ? "train"
                       : set == &split.val ? "val"
                                           : "test"),
           fmt::format("{} of its vertices have no label", unknown));
    }
  }

  void check_names() {
    auto names = file_.vertex_names();
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) warn("/vertices/names", fmt::format("'{}' stands for more than one vertex", *twice));
  }

  void check_partition(const SavedPartition& partition) {
    if (graph_ != nullptr && partition.graph_fingerprint != graph_->fingerprint()) {
      warn("/partitions/" + partition.name, "was made for another graph (the fingerprints differ)");
    }
  }

  GraphFile file_;
  std::shared_ptr<const core::Graph> graph_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> validate(const std::filesystem::path& path) {
  if (!is_anndata(path)) return Validator(path).run();
  try {
    read(path);
  } catch (const Error& error) {
    return {{Finding::Severity::kError, error.what()}};
  }
  return {};
}

}  // namespace laminar::datasets
