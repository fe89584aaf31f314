#include "laminar/layers/table_exchange.hpp"

#include <vector>

#include "laminar/core/error.hpp"

namespace laminar::layers::checks {

using namespace core;

Tensor TableExchange::sources(const Block& block, const Tensor& own, bool) {
  if (own.rows() != block.num_rows() || own.cols() != table_.cols()) throw Error("the own rows do not fit the table");
  bool identity = block.num_sources() == table_.rows();
  for (Index r = 0; r < block.num_sources(); ++r) identity = identity && block.source_vertices()[r] == r;
  if (identity) return table_;
  Tensor rows(block.num_sources(), table_.cols(), table_.dtype());
  for (Index r = 0; r < rows.rows(); ++r) {
    for (Index c = 0; c < rows.cols(); ++c) rows.set(r, c, table_.at(block.source_vertices()[r], c));
  }
  return rows;
}

SparseMatrix TableExchange::sources(const Block& block, const SparseMatrix& own) {
  if (own.rows() != block.num_rows() || own.cols() != sparse_table_.cols()) {
    throw Error("the own rows do not fit the table");
  }
  std::vector<EdgeId> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for (const VertexId v : block.source_vertices()) {
    for (EdgeId e = sparse_table_.offsets()[v]; e < sparse_table_.offsets()[v + 1]; ++e) {
      columns.push_back(sparse_table_.columns()[e]);
      values.push_back(sparse_table_.values()[e]);
    }
    offsets.push_back(static_cast<EdgeId>(columns.size()));
  }
  return {block.num_sources(), sparse_table_.cols(), std::move(offsets), std::move(columns), std::move(values)};
}

}  // namespace laminar::layers::checks
