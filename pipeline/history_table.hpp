#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/optimizer.hpp"
#include "laminar/core/tape.hpp"
#include "laminar/pipeline/chunk_order.hpp"
#include "laminar/pipeline/halo.hpp"
#include "laminar/pipeline/history_options.hpp"
#include "laminar/pipeline/history_rows.hpp"
#include "laminar/pipeline/row_store.hpp"
#include "laminar/pipeline/slice.hpp"

namespace laminar::pipeline {

/// The history of one aggregation on one device: what neighbours read, one row a vertex of the device's table, fresh
/// where its chunk has come by this epoch and last epoch's elsewhere; and the gradients that flow back.
///
/// H holds rows before the source transform, T this epoch's transformed ones. Backward by *look-ahead*: the order of
/// the next epoch is known, so a consumer chunk c adds the gradient g of a source row of chunk j to `now` if c's
/// backward does not come after j's in this epoch, and to `next` if it will in the next; the row's gradient is now +
/// next as written last epoch. So each edge counts exactly once in every epoch, under any order. For a linear
/// aggregation that is equal to the *pull*, which keeps Z = dLoss/dM instead, a row a consumer.
///
/// Parameters of the transform (a projection) get gradients from what was read in this epoch, stale reads included:
/// those of stale rows through `stale` and the recorded transform of H as it was when the epoch began.
///
/// What goes from one epoch to the next (H, next, Z) may be kept in fewer bytes (HistoryOptions::dtype); what this
/// epoch computes is read as it is.
class HistoryTable {
 public:
  /// All must outlive it; `halo` is null with one part. `ids`: the file id of each table row.
  HistoryTable(const PartMap& map, std::span<const core::VertexId> ids, const HistoryOptions& options, Index layer,
               Halo* halo, std::shared_ptr<core::MemoryPool> pool);
  ~HistoryTable();

  /// Starts an epoch; the tables are made at the first rows that come.
  void begin_epoch(Index epoch, const ChunkOrder& order);

  /// Writes the slice's own rows, brings those of its chunk from the other parts, and gives all transformed source rows
  /// that its block reads: the table itself, which slices to come will change, if that is what it reads. `context` is
  /// that of the layer's tape. With `keep`, what it takes to read them again stays until finish_epoch() or forget().
  core::Tensor exchange(const Slice& slice, const core::SourceExchange::TransformedRows& rows,
                        const core::TapeContext& context, bool keep = false);
  /// What exchange() gave the slice in this epoch, from what was kept; nothing is written or sent.
  core::Tensor read_again(const Slice& slice);
  void forget() { overwritten_.clear(); }

  /// Notes how the tape of a slice that has gone forward aggregates: whether gradients will be pulled.
  void recorded(const core::Tape& tape) { pulls_ = should_pull(tape); }
  /// Whether the pull is used; known since the first recorded(). Then nothing that a tape keeps is a source row.
  bool pulls() const { return pulls_; }
  /// Columns of the rows that exchange() gave last.
  Index width() const { return width_; }

  /// Runs the tape down to its sources and takes what it wants of them; then gives the gradient of the slice's own
  /// transformed rows. Slices come in the epoch's backward order. `whole`: the graph as one block, for a
  /// pull; null with several parts.
  core::Tensor backward(const Slice& slice, core::Tape& tape, const core::Block* whole);

  /// After the last backward: gradients of the transform's parameters from stale reads, and what the next epoch needs.
  void finish_epoch();

  /// Since begin_epoch().
  const StalenessError& staleness() const { return staleness_; }

  /// Fills H with rows that are known from elsewhere: own rows, then the halo's. Throws Error on another shape.
  void preload(const core::Tensor& rows);
  /// Table rows, if there is any history yet, to be put into a checkpoint: "rows", "next", "z".
  std::vector<core::NamedTensor> state() const;
  /// Bytes of what is kept for the next epoch.
  std::size_t kept_bytes() const;
  /// Takes over a copy of state(). Throws Error if shapes or names are not this table's.
  void load_state(std::span<const core::NamedTensor> state);

 private:
  struct Coefficients;
  core::Tensor table(Index rows, Index cols, core::DType dtype, bool zero = true) const;
  core::Tensor transformed(const core::Tensor& rows, std::span<const core::VertexId> ids) const;
  /// T of H under transform_ and context_.
  void transform_history();
  void prepare(const core::SourceExchange::TransformedRows& rows, const core::TapeContext& context);
  void store(const core::Tensor& rows, Index first_row);
  core::Tensor sources_of(const Slice& slice) const;
  Index position_of(const Slice& slice) const { return order_.position[static_cast<std::size_t>(slice.chunk)]; }
  void keep_overwritten(const Slice& slice);
  void turn_to(Index position);
  void add_look_ahead(const Slice& slice, const core::Tensor& gradient);
  core::Tensor pull_gradient(const Slice& slice, const core::Block* whole, const core::AdjacencySpec& matrix);
  /// Throws Error if the pull is demanded and impossible.
  bool should_pull(const core::Tape& tape) const;

  const PartMap& map_;
  std::span<const core::VertexId> ids_;
  HistoryOptions options_;
  Index layer_;
  Halo* halo_;
  std::shared_ptr<core::MemoryPool> pool_;

  Index epoch_ = 0;
  ChunkOrder order_;
  StalenessError staleness_;
  bool pulls_ = false;

  /// H, and T while slices go forward.
  RowStore history_;
  core::Tensor transformed_;
  Index width_ = 0;
  /// By position in the epoch's order: rows of T that the chunk there took the place of, so that T can be turned back
  /// to any moment of the forward pass, and on again. While it is turned back they are the rows it put there.
  struct Rows {
    Range range;
    core::Tensor values;
  };
  std::vector<std::vector<Rows>> overwritten_;
  /// The last chunk whose rows are in T, and the last that has been there.
  Index turned_to_ = -1;
  Index newest_ = -1;
  /// What the transform of this epoch is and how its masks are drawn; before the first rows have come (ready_) what it
  /// was in the last one.
  std::optional<core::SourceTransform> transform_;
  std::optional<core::TapeContext> context_;
  bool ready_ = false;
  bool has_parameters_ = false;
  /// The recorded transform of H as the epoch began.
  std::unique_ptr<core::Tape> stale_tape_;
  core::Var stale_rows_;

  core::Tensor now_;
  RowStore next_;
  core::Tensor next_written_;
  core::Tensor stale_;
  /// Gradient that parameters get of fresh rows beside what `backward` has returned for them.
  core::Tensor surplus_;
  /// What the last epoch left of Z, and Z while slices go backward.
  RowStore z_;
  core::Tensor z_now_;
};

}  // namespace laminar::pipeline
