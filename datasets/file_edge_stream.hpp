#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/core/edge_stream.hpp"

namespace laminar::datasets {

/// The in-edges of a graph file, row after row, read in blocks of some megabytes (a row that is longer is a block of
/// its own), so that no graph of any size is held. A row's neighbours are the sources of its edges as the file has
/// them.
class FileEdgeStream final : public core::EdgeStream {
 public:
  /// Throws Error as datasets::open(). What is in the rows is checked when they are read.
  explicit FileEdgeStream(const std::filesystem::path& path);
  ~FileEdgeStream() override;

  const core::DatasetSchema& schema() const;
  /// Throws UsageError if there is no such split.
  core::Split split(std::string_view name) const;

  core::Index num_vertices() const override;
  core::EdgeId num_entries() const override;
  void rewind() override;
  /// Throws Error, naming the file, for offsets that fall, sources out of range, or bytes that can't be read.
  bool next(Row& row) override;

 private:
  struct State;
  void read_block();
  std::unique_ptr<State> state_;
};

}  // namespace laminar::datasets
