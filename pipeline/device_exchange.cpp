#include "laminar/pipeline/device_exchange.hpp"

#include "laminar/core/error.hpp"
#include "laminar/core/rows.hpp"

namespace laminar::pipeline {

using core::Tensor;

DeviceExchange::DeviceExchange(const Features& constants, std::vector<std::unique_ptr<ExactTable>>& exact,
                               std::vector<std::unique_ptr<HistoryTable>>& history,
                               std::vector<std::unique_ptr<StaleHalo>>& stale)
    : constants_(constants), exact_(exact), history_(history), stale_(stale) {}

void DeviceExchange::begin(const Call& call) {
  call_ = call;
  kind_ = Kind::kNone;
}

Tensor DeviceExchange::sources(const core::Block&, const Tensor& own, bool constant) {
  const Slice& slice = *call_.slice;
  if (constant) {
    kind_ = Kind::kConstant;
    if (call_.mode == Mode::kPublish) throw Published{};
    if (!constants_.dense) throw Error("[exchange] constant source rows that are not the input features");
    if (slice.reads_whole_table) return constants_.dense;
    Tensor rows(static_cast<Index>(slice.source_rows.size()), own.cols(), constants_.dense.dtype(),
                call_.context->pool.get());
    core::gather_rows(constants_.dense, slice.source_rows, rows);
    return rows;
  }
  kind_ = Kind::kLearnt;
  const auto layer = static_cast<std::size_t>(call_.layer);
  ExactTable& table = *exact_[layer];
  switch (call_.mode) {
    case Mode::kPublish:
      table.publish(slice, own);
      throw Published{};
    case Mode::kRead:
      return table.read(slice);
    case Mode::kRefresh: {
      Tensor rows = table.pass(slice, own, call_.cause);
      history_[layer]->preload(rows);
      return rows;
    }
    case Mode::kStale:
      return stale_[layer]->pass(slice, own);
    case Mode::kPass:
    case Mode::kHistory:
      break;
  }
  return table.pass(slice, own, call_.cause);
}

core::SparseMatrix DeviceExchange::sources(const core::Block&, const core::SparseMatrix&) {
  const Slice& slice = *call_.slice;
  kind_ = Kind::kConstant;
  if (call_.mode == Mode::kPublish) throw Published{};
  if (!constants_.sparse) throw Error("[exchange] constant source rows that are not the input features");
  if (slice.reads_whole_table) return constants_.sparse;
  const auto chunk = static_cast<std::size_t>(slice.chunk + 1);
  if (sparse_of_chunk_.size() <= chunk) sparse_of_chunk_.resize(chunk + 1);
  if (!sparse_of_chunk_[chunk]) sparse_of_chunk_[chunk] = constants_.sparse.gather_rows(slice.source_rows);
  return sparse_of_chunk_[chunk];
}

Tensor DeviceExchange::transformed_sources(const core::Block&, const TransformedRows& rows) {
  kind_ = Kind::kLearnt;
  return history_[static_cast<std::size_t>(call_.layer)]->exchange(*call_.slice, rows, *call_.context);
}

}  // namespace laminar::pipeline
