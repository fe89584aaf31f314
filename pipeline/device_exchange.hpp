#pragma once

#include <memory>
#include <vector>

#include "laminar/core/forward_left.hpp"
#include "laminar/core/tape.hpp"
#include "laminar/pipeline/exact_table.hpp"
#include "laminar/pipeline/features.hpp"
#include "laminar/pipeline/history_table.hpp"
#include "laminar/pipeline/recording.hpp"
#include "laminar/pipeline/stale_halo.hpp"

namespace laminar::pipeline {

/// Thrown by DeviceExchange when a layer has come to its source rows and only those were wanted.
struct Published : core::ForwardLeft {};

/// The executor's end of Block::sources(): from tables, halos or history, as the step that runs asks for.
class DeviceExchange final : public core::SourceExchange {
 public:
  enum class Mode : std::uint8_t {
    kPass,     ///< the one slice of the device and its halo
    kPublish,  ///< keep and send the own rows, then throw Published
    kRead,     ///< read what was published
    kHistory,  ///< fresh or historical rows
    kRefresh,  ///< as kPass, and fill the history with what comes
    kStale,    ///< as kPass, with the halo of the last epoch
  };
  /// What a layer's sources turned out to be.
  enum class Kind : std::uint8_t { kNone, kConstant, kLearnt };

  /// What the exchange works for: set before a layer's forward.
  struct Call {
    Mode mode = Mode::kPass;
    const Slice* slice = nullptr;
    Index layer = 0;
    Cause cause = Cause::kHaloForward;
    const core::TapeContext* context = nullptr;
    Recording recording = Recording::kOnce;
  };

  /// `constants`: input features of all table rows, for models whose first layer reads them. Tables are by layer; null
  /// where the device does not hold it. All must outlive the exchange.
  DeviceExchange(const Features& constants, std::vector<std::unique_ptr<ExactTable>>& exact,
                 std::vector<std::unique_ptr<HistoryTable>>& history, std::vector<std::unique_ptr<StaleHalo>>& stale);

  void begin(const Call& call);
  /// Of the last call.
  Kind kind() const { return kind_; }
  /// What a second time takes beside the layer's input: bytes that are kept for it, of tables the slice's share. Of the
  /// last call.
  std::size_t kept_bytes() const { return kept_bytes_; }

  core::Tensor sources(const core::Block& block, const core::Tensor& own, bool constant) override;
  core::SparseMatrix sources(const core::Block& block, const core::SparseMatrix& own) override;
  bool transforms() const override { return call_.mode == Mode::kHistory; }
  core::Tensor transformed_sources(const core::Block& block, const TransformedRows& rows) override;

 private:
  const Features& constants_;
  std::vector<std::unique_ptr<ExactTable>>& exact_;
  std::vector<std::unique_ptr<HistoryTable>>& history_;
  std::vector<std::unique_ptr<StaleHalo>>& stale_;
  Call call_;
  Kind kind_ = Kind::kNone;
  std::size_t kept_bytes_ = 0;
  /// Sparse constants of each slice that is not the whole part, made once. By chunk.
  std::vector<core::SparseMatrix> sparse_of_chunk_;
};

}  // namespace laminar::pipeline
