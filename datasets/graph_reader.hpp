#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/datasets/checks.hpp"
#include "laminar/datasets/graph_data.hpp"
#include "laminar/datasets/hdf5_reader.hpp"

// Internal to datasets/.
namespace laminar::datasets {

/// A sparse group in AnnData's csr_matrix encoding, its types and sizes checked.
struct CsrGroup {
  std::string group;
  core::Index rows = 0;
  core::Index cols = 0;
  core::EdgeId entries = 0;
  bool has_data = false;

  std::string offsets() const { return group + "/indptr"; }
  std::string indices() const { return group + "/indices"; }
  std::string data() const { return group + "/data"; }
};

/// The header and the array types of `group`. Throws Error.
CsrGroup inspect_csr(const Hdf5Reader& file, const std::string& group);
/// Offsets of rows [begin, end], checked: monotone, within the entries, from 0 at row 0 and to the end at the last.
std::vector<core::EdgeId> read_offsets(const Hdf5Reader& file, const CsrGroup& csr, core::Index begin, core::Index end);
/// Entries [begin, end) of a list of integers, each checked to be in [lowest, limit).
std::vector<std::int32_t> read_integers(const Hdf5Reader& file, const std::string& object, core::Index begin,
                                        core::Index end, std::int64_t lowest, std::int64_t limit);
/// Rows [begin, end) of a [.., cols] array of finite numbers into `out`.
void read_numbers(const Hdf5Reader& file, const std::string& object, core::Index begin, core::Index end,
                  core::Index cols, float* out);

/// Rows of a dense array or of a sparse group in a file.
class FileRows final : public core::RowSource {
 public:
  FileRows(const Hdf5Reader& file, std::string object, core::Index rows, core::Index cols)
      : file_(file), object_(std::move(object)), rows_(rows), cols_(cols) {}
  FileRows(const Hdf5Reader& file, CsrGroup csr)
      : file_(file), object_(csr.group), rows_(csr.rows), cols_(csr.cols), csr_(std::move(csr)) {}
  core::Index rows() const override { return rows_; }
  core::Index cols() const override { return cols_; }
  bool sparse() const override { return csr_.has_value(); }
  core::Tensor read_dense(core::Index begin, core::Index end) const override;
  core::SparseMatrix read_sparse(core::Index begin, core::Index end) const override;

 private:
  void check_range(core::Index begin, core::Index end) const;
  const Hdf5Reader& file_;
  std::string object_;
  core::Index rows_;
  core::Index cols_;
  std::optional<CsrGroup> csr_;
};

/// A graph file as a Dataset, with what core::Dataset has no name for.
class GraphFile final : public core::Dataset {
 public:
  explicit GraphFile(const std::filesystem::path& path);

  const core::DatasetSchema& schema() const override { return schema_; }
  std::shared_ptr<const core::Graph> graph() const override;
  void visit_rows(const core::WantedRows& wanted,
                  const std::function<void(const core::GraphRows&)>& visit) const override;
  std::uint64_t graph_fingerprint() const override;
  const core::RowSource& features() const override;
  const core::Labels& labels() const override;
  core::Split split(std::string_view name) const override;
  std::vector<std::string> vertex_names() const override;

  const Hdf5Reader& file() const { return file_; }
  const std::string& provenance() const { return provenance_; }
  /// [E, Fe] in the order of the graph's in_sources(); empty if there are none.
  core::Tensor edge_features() const override;
  core::Index num_edge_features() const { return edge_feature_cols_; }
  const std::vector<std::string>& partition_names() const { return partition_names_; }
  /// Throws UsageError if there is none of that name.
  SavedPartition partition(const std::string& name) const;

 private:
  void inspect_root();
  void inspect_graph();
  void inspect_features();
  void inspect_labels();
  void inspect_splits();
  void inspect_partitions();
  core::Labels read_labels() const;

  Hdf5Reader file_;
  core::DatasetSchema schema_;
  std::string provenance_;
  CsrGroup csr_;
  core::Index edge_feature_cols_ = 0;
  std::vector<std::string> partition_names_;
  std::optional<FileRows> features_;
  mutable std::weak_ptr<const core::Graph> graph_;
  mutable std::optional<std::uint64_t> fingerprint_;
  mutable std::optional<core::Labels> labels_;
};

}  // namespace laminar::datasets
