#include "laminar/pipeline/history_table.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/rows.hpp"

namespace laminar::pipeline {

using core::Tape;
using core::Tensor;

namespace {

/// What a checkpoint has brought must be what the layer makes; its width is known only now.
void check_width(const RowStore& table, const char* name, Index layer, Index cols, core::DType dtype) {
  if (!table || (table.cols() == cols && table.dtype() == dtype)) return;
  throw Error(fmt::format("[history] '{}' of layer {} is {} with {} columns, expected {} with {}", name, layer,
                          core::name_of(table.dtype()), table.cols(), core::name_of(dtype), cols));
}

bool has_parameters(const core::SourceTransform& transform) {
  return std::any_of(transform.steps().begin(), transform.steps().end(),
                     [](const auto& step) { return step.projection != nullptr; });
}

bool same_transform(const core::SourceTransform& a, const core::SourceTransform& b) {
  return std::equal(
      a.steps().begin(), a.steps().end(), b.steps().begin(), b.steps().end(),
      [](const auto& x, const auto& y) { return x.dropout_rate == y.dropout_rate && x.projection == y.projection; });
}

/// Whether a transform gives the same under both.
bool same_masks(const core::TapeContext& a, const core::TapeContext& b) {
  return a.dtype == b.dtype && a.training == b.training && a.seed == b.seed && a.run == b.run && a.epoch == b.epoch &&
         a.layer == b.layer && a.first_random_op == b.first_random_op;
}

}  // namespace

/// What a consumer's gradient counts for.
struct HistoryTable::Coefficients {
  explicit Coefficients(GradientMode mode)
      : fresh(mode == GradientMode::kDetached   ? 0
              : mode == GradientMode::kRescaled ? 2
                                                : 1),
        last(mode == GradientMode::kCompensated ? 1 : 0) {}
  /// c_f and c_s.
  double fresh;
  double last;
};

HistoryTable::HistoryTable(const PartMap& map, std::span<const core::VertexId> ids, const HistoryOptions& options,
                           Index layer, Halo* halo, std::shared_ptr<core::MemoryPool> pool)
    : map_(map), ids_(ids), options_(options), layer_(layer), halo_(halo), pool_(std::move(pool)) {}

HistoryTable::~HistoryTable() = default;

void HistoryTable::begin_epoch(Index epoch, const ChunkOrder& order) {
  epoch_ = epoch;
  order_ = order;
  staleness_ = {};
  ready_ = false;
  turned_to_ = newest_ = -1;
  if (!transform_ || !history_) return;
  // The layer will most likely ask for what it asked for in the last epoch. Done here, a later stage does it before its
  // first chunk comes, when it would wait.
  context_->epoch = static_cast<std::uint64_t>(epoch);
  transform_history();
}

Tensor HistoryTable::table(Index rows, Index cols, core::DType dtype, bool zero) const {
  if (zero) return Tensor::zeros(rows, cols, dtype, pool_.get(), core::MemoryPurpose::kTables);
  return {rows, cols, dtype, pool_.get(), core::MemoryPurpose::kTables};
}

Tensor HistoryTable::transformed(const Tensor& rows, std::span<const core::VertexId> ids) const {
  core::TapeContext context = *context_;
  context.record = false;
  Tape tape(context);
  return tape.value(core::apply(tape, tape.input(rows, true), *transform_, ids));
}

void HistoryTable::prepare(const core::SourceExchange::TransformedRows& rows, const core::TapeContext& context) {
  if (ready_) return;
  check_width(history_, "rows", layer_, rows.own.cols(), rows.own.dtype());
  check_width(next_, "next", layer_, rows.transformed.cols(), rows.transformed.dtype());
  check_width(z_, "z", layer_, rows.transformed.cols(), rows.transformed.dtype());
  if (!history_) history_ = RowStore(map_.num_rows(), rows.own.cols(), rows.own.dtype(), options_.dtype, pool_);
  ready_ = true;
  core::TapeContext own_context = context;
  own_context.exchange = nullptr;
  own_context.first_random_op = rows.first_random_op;
  const bool as_expected =
      transformed_ && same_transform(*transform_, rows.transform) && same_masks(*context_, own_context);
  transform_ = rows.transform;
  context_ = own_context;
  has_parameters_ = has_parameters(rows.transform);
  if (!as_expected) transform_history();
}

void HistoryTable::transform_history() {
  if (!has_parameters_) {
    const Tensor value = transformed(history_.read(), ids_);
    transformed_ = table(value.rows(), value.cols(), value.dtype(), false);
    transformed_.copy_from(value);
    return;
  }
  core::TapeContext recording = *context_;
  recording.record = true;
  stale_tape_ = std::make_unique<Tape>(recording);
  // A copy, as the tape reads it in its backward, when H has new rows.
  const core::Var input = stale_tape_->input(history_.copy(core::MemoryPurpose::kTables), false);
  stale_rows_ = core::apply(*stale_tape_, input, *transform_, ids_);
  transformed_ = stale_tape_->value(stale_rows_).clone(pool_.get(), core::MemoryPurpose::kTables);
  stale_tape_->finish_forward({});
}

void HistoryTable::store(const Tensor& rows, Index first_row) {
  Tensor old = history_.read(first_row, first_row + rows.rows());
  if (first_row < map_.own().size()) {
    staleness_ += difference(rows, old);
  }
  if (options_.freeze > 1 && epoch_ % options_.freeze != 0) return;
  if (options_.smoothing == 0) {
    history_.write(first_row, rows);
    return;
  }
  blend(old, rows, options_.smoothing);
  if (!history_.is_native()) history_.write(first_row, old);
}

void HistoryTable::keep_overwritten(const Slice& slice) {
  overwritten_.resize(static_cast<std::size_t>(map_.num_chunks()));
  // Nobody has read what the first chunk takes the place of.
  if (position_of(slice) == 0) return;
  auto& kept = overwritten_[static_cast<std::size_t>(position_of(slice))];
  const auto keep = [&](const Range& range) {
    if (range.size() == 0) return;
    const Tensor rows = transformed_.slice_rows(range.begin, range.end);
    kept.push_back({range, rows.clone(pool_.get(), core::MemoryPurpose::kTables)});
  };
  keep(slice.rows);
  for (Index q = 0; q < map_.num_parts(); ++q) {
    if (q != map_.part()) keep(map_.rows_from(q, slice.chunk));
  }
}

void HistoryTable::turn_to(Index position) {
  while (turned_to_ != position) {
    const Index swapped = turned_to_ > position ? turned_to_-- : ++turned_to_;
    for (Rows& rows : overwritten_[static_cast<std::size_t>(swapped)]) {
      Tensor in_table = transformed_.slice_rows(rows.range.begin, rows.range.end);
      Tensor taken = in_table.clone(pool_.get(), core::MemoryPurpose::kTables);
      in_table.copy_from(rows.values);
      rows.values = std::move(taken);
    }
  }
}

Tensor HistoryTable::read_again(const Slice& slice) {
  turn_to(position_of(slice));
  return sources_of(slice);
}

Tensor HistoryTable::sources_of(const Slice& slice) const {
  if (slice.reads_whole_table) return transformed_;
  Tensor sources(static_cast<Index>(slice.source_rows.size()), transformed_.cols(), transformed_.dtype(), pool_.get());
  core::gather_rows(transformed_, slice.source_rows, sources);
  return sources;
}

Tensor HistoryTable::exchange(const Slice& slice, const core::SourceExchange::TransformedRows& rows,
                              const core::TapeContext& context, bool keep) {
  if (halo_ != nullptr) halo_->send(rows.own, slice.rows.begin, slice.chunk, layer_, Cause::kHaloForward);
  prepare(rows, context);
  if (keep) {
    turn_to(newest_);
    keep_overwritten(slice);
  }
  turned_to_ = newest_ = position_of(slice);
  store(rows.own, slice.rows.begin);
  transformed_.slice_rows(slice.rows.begin, slice.rows.end).copy_from(rows.transformed);
  if (halo_ != nullptr) {
    Tensor arrivals(map_.num_rows(), rows.own.cols(), rows.own.dtype(), pool_.get(), core::MemoryPurpose::kWorkspace);
    halo_->receive(arrivals, slice.chunk, layer_, Cause::kHaloForward, [&](const Range& range) {
      const Tensor fresh = arrivals.slice_rows(range.begin, range.end);
      store(fresh, range.begin);
      const auto ids = ids_.subspan(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.size()));
      transformed_.slice_rows(range.begin, range.end).copy_from(transformed(fresh, ids));
    });
  }
  width_ = transformed_.cols();
  Tensor sources = sources_of(slice);
  if (!keep && newest_ == map_.num_chunks() - 1) transformed_ = Tensor();
  return sources;
}

bool HistoryTable::should_pull(const Tape& tape) const {
  if (options_.gradient == HistoryGradient::kLook) return false;
  const bool can = halo_ == nullptr && !has_parameters_ && tape.linear_matrix() != nullptr;
  if (!can && options_.gradient == HistoryGradient::kPull) {
    throw Error(fmt::format(
        "--history-gradient pull: the aggregation of layer {} is not linear in rows that stay as they are, or the "
        "graph is in several parts; use auto or look",
        layer_));
  }
  return can;
}

Tensor HistoryTable::backward(const Slice& slice, Tape& tape, const core::Block* whole) {
  if (pulls_) {
    const core::AdjacencySpec matrix = *tape.linear_matrix();
    Tensor z = tape.backward_to_aggregation();
    if (!z_now_) {
      z_now_ =
          z_ ? z_.read(0, z_.rows(), core::MemoryPurpose::kTables) : table(map_.own().size(), width_, history_.dtype());
      z_ = {};
    }
    Tensor rows = z_now_.slice_rows(slice.rows.begin, slice.rows.end);
    if (z) {
      rows.copy_from(z);
    } else {
      rows.fill(0);
    }
    return pull_gradient(slice, whole, matrix);
  }
  tape.backward_to_sources();
  if (!now_) now_ = table(map_.num_rows(), width_, history_.dtype());
  if (const Tensor gradient = tape.take_source_gradient()) add_look_ahead(slice, gradient);
  const auto sum_of = [&](const Range& r) {
    Tensor sum(r.size(), now_.cols(), now_.dtype(), pool_.get(), core::MemoryPurpose::kGradients);
    sum.copy_from(now_.slice_rows(r.begin, r.end));
    if (next_) add(sum, 1, next_.read(r.begin, r.end));
    return sum;
  };
  Tensor own = sum_of(slice.rows);
  if (halo_ != nullptr) {
    Tensor wanted(map_.num_rows(), now_.cols(), now_.dtype(), pool_.get(), core::MemoryPurpose::kWorkspace);
    for (Index q = 0; q < map_.num_parts(); ++q) {
      if (q == map_.part()) continue;
      const Range r = map_.rows_from(q, slice.chunk);
      if (r.size() > 0) wanted.slice_rows(r.begin, r.end).copy_from(sum_of(r));
    }
    halo_->send_gradients(wanted, slice.chunk, layer_, Cause::kHaloBackward);
    halo_->receive_gradients(own, slice.rows.begin, slice.chunk, layer_, Cause::kHaloBackward);
  }
  return own;
}

void HistoryTable::add_look_ahead(const Slice& slice, const Tensor& gradient) {
  const Coefficients counts(options_.mode);
  const auto chunk = static_cast<std::size_t>(slice.chunk);
  const std::size_t num_sources = slice.source_rows.size();
  std::vector<double> now(num_sources), next(num_sources), stale(num_sources), surplus(num_sources);
  for (std::size_t i = 0; i < num_sources; ++i) {
    const auto source = static_cast<std::size_t>(slice.source_chunks[i]);
    const bool same = source == chunk;
    if (same) {
      now[i] = 1;
    } else if (order_.backward[chunk] < order_.backward[source]) {
      now[i] = counts.fresh;
    }
    if (!same && order_.next_backward[chunk] > order_.next_backward[source]) next[i] = counts.last;
    const bool read_fresh = order_.position[chunk] >= order_.position[source];
    stale[i] = read_fresh ? 0 : 1;
    surplus[i] = (read_fresh ? 1 : 0) - now[i];
  }
  core::scatter_add_rows(gradient, slice.source_rows, now, now_);
  const auto add_to = [&](Tensor& to, const std::vector<double>& factors) {
    if (!to) to = table(now_.rows(), now_.cols(), now_.dtype());
    core::scatter_add_rows(gradient, slice.source_rows, factors, to);
  };
  if (counts.last != 0) add_to(next_written_, next);
  if (!has_parameters_) return;
  add_to(stale_, stale);
  add_to(surplus_, surplus);
}

Tensor HistoryTable::pull_gradient(const Slice& slice, const core::Block* whole, const core::AdjacencySpec& matrix) {
  const Coefficients counts(options_.mode);
  const auto own = static_cast<std::size_t>(slice.chunk);
  std::vector<Index> offsets{0};
  std::vector<double> coefficients;
  for (Index c = 0; c < map_.num_chunks(); ++c) {
    offsets.push_back(map_.slice_rows(c).end);
    const auto consumer = static_cast<std::size_t>(c);
    const bool done = order_.backward[consumer] < order_.backward[own];
    coefficients.push_back(consumer == own ? 1 : done ? counts.fresh : counts.last);
  }
  Tensor gradient(slice.rows.size(), z_now_.cols(), z_now_.dtype(), pool_.get(), core::MemoryPurpose::kGradients);
  core::pull(*whole->adjacency(matrix, z_now_.dtype()), slice.rows.begin, slice.rows.end, z_now_,
             {offsets, coefficients}, gradient);
  return gradient;
}

void HistoryTable::finish_epoch() {
  if (stale_tape_ != nullptr) {
    stale_tape_->add_gradient(stale_rows_, std::exchange(stale_, Tensor()));
    stale_tape_->backward();
    stale_tape_.reset();
    // Parameters have had the gradient of what `next` held for fresh rows, which last epoch's readers wanted.
    if (surplus_ && next_) add(surplus_, -1, next_.read());
    if (surplus_) {
      core::TapeContext recording = *context_;
      recording.record = true;
      Tape tape(recording);
      const core::Var rows = core::apply(tape, tape.input(history_.read(), false), *transform_, ids_);
      tape.add_gradient(rows, std::exchange(surplus_, Tensor()));
      tape.backward();
    }
  }
  // Of a second reading.
  forget();
  transformed_ = Tensor();
  now_ = Tensor();
  next_ = next_written_ ? RowStore(std::exchange(next_written_, Tensor()), options_.dtype, pool_) : RowStore();
  if (z_now_) z_ = RowStore(std::exchange(z_now_, Tensor()), options_.dtype, pool_);
}

void HistoryTable::preload(const Tensor& rows) {
  if (rows.rows() != map_.num_rows()) {
    throw Error(fmt::format("[history] {} rows for a table of {}", rows.rows(), map_.num_rows()));
  }
  history_ = RowStore(rows.clone(pool_.get(), core::MemoryPurpose::kTables), options_.dtype, pool_);
}

std::vector<core::NamedTensor> HistoryTable::state() const {
  std::vector<core::NamedTensor> state;
  if (history_) state.push_back({"rows", history_.read()});
  if (next_) state.push_back({"next", next_.read()});
  if (z_) state.push_back({"z", z_.read()});
  return state;
}

std::size_t HistoryTable::kept_bytes() const {
  std::size_t bytes = 0;
  for (const RowStore* store : {&history_, &next_, &z_}) bytes += *store ? store->bytes() : 0;
  return bytes;
}

void HistoryTable::load_state(std::span<const core::NamedTensor> state) {
  for (const core::NamedTensor& t : state) {
    const bool is_z = t.name == "z";
    RowStore* to = t.name == "rows" ? &history_ : t.name == "next" ? &next_ : is_z ? &z_ : nullptr;
    if (to == nullptr) throw Error(fmt::format("[history] '{}' is no table of layer {}", t.name, layer_));
    const Index rows = is_z ? map_.own().size() : map_.num_rows();
    if (t.value.rows() != rows) {
      throw Error(
          fmt::format("[history] '{}' of layer {} has {} rows, expected {}", t.name, layer_, t.value.rows(), rows));
    }
    *to = RowStore(t.value.clone(pool_.get(), core::MemoryPurpose::kTables), options_.dtype, pool_);
  }
}

}  // namespace laminar::pipeline
