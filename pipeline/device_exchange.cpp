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
  kept_bytes_ = 0;
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
  const std::size_t halo_bytes = table.share_bytes(own) - own.bytes();
  switch (call_.mode) {
    case Mode::kPublish:
      if (call_.recording == Recording::kAgain) {
        table.publish_again(slice, own);
      } else {
        table.publish(slice, own);
      }
      throw Published{};
    case Mode::kRead:
      kept_bytes_ = halo_bytes;
      return table.read(slice, call_.recording);
    case Mode::kRefresh: {
      Tensor rows = table.pass(slice, own, call_.cause);
      history_[layer]->preload(rows);
      return rows;
    }
    case Mode::kStale:
      return stale_[layer]->pass(slice, own, call_.recording);
    case Mode::kPass:
    case Mode::kHistory:
      break;
  }
  kept_bytes_ = halo_bytes;
  return table.pass(slice, own, call_.cause, call_.recording);
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
  const auto layer = static_cast<std::size_t>(call_.layer);
  if (call_.recording == Recording::kAgain) return history_[layer]->read_again(*call_.slice);
  // This epoch's rows, and those that they took the place of.
  kept_bytes_ = 2 * exact_[layer]->share_bytes(rows.transformed);
  return history_[layer]->exchange(*call_.slice, rows, *call_.context, call_.recording == Recording::kFirst);
}

}  // namespace laminar::pipeline
