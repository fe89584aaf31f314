#pragma once

#include "laminar/core/block.hpp"
#include "laminar/core/sparse_matrix.hpp"
#include "laminar/core/tape.hpp"

namespace laminar::layers::checks {

/// An exchange that holds the rows of all vertices of a graph: a block whose sources are all vertices reads the table
/// itself, another one gathers its source_vertices(). So chunks see exactly the rows that the whole graph would.
class TableExchange final : public core::SourceExchange {
 public:
  explicit TableExchange(core::Tensor table) : table_(std::move(table)) {}
  explicit TableExchange(core::SparseMatrix table) : sparse_table_(std::move(table)) {}

  core::Tensor sources(const core::Block& block, const core::Tensor& own, bool constant) override;
  core::SparseMatrix sources(const core::Block& block, const core::SparseMatrix& own) override;

 private:
  core::Tensor table_;
  core::SparseMatrix sparse_table_;
};

}  // namespace laminar::layers::checks
