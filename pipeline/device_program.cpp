#include "laminar/pipeline/device_program.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "laminar/core/tape.hpp"
#include "laminar/pipeline/model_graph.hpp"
#include "laminar/pipeline/part_map.hpp"

namespace laminar::pipeline {
namespace {

using core::Tensor;

// Of an all-reduce's int8 rows; see AllReduce.
constexpr Index kReduceRow = 256;
// A halo's rows are gathered before they are packed, and added up or copied after.
constexpr double kHaloCopies = 2;
// Of a whole backward step, what comes before the gradients of sources are known; the rest is what stands before the
// aggregation, which is little in all layers there are.
constexpr double kShareToSources = 0.8;

/// Tells what a layer asks its block for.
class WidthProbe final : public core::SourceExchange {
 public:
  explicit WidthProbe(bool history) : history_(history) {}
  Tensor sources(const core::Block&, const Tensor& own, bool constant) override {
    if (!constant) forward = backward = own.cols();
    return own;
  }
  core::SparseMatrix sources(const core::Block&, const core::SparseMatrix& own) override { return own; }
  bool transforms() const override { return history_; }
  Tensor transformed_sources(const core::Block&, const TransformedRows& rows) override {
    forward = rows.own.cols();
    backward = rows.transformed.cols();
    return rows.transformed;
  }
  Index forward = 0;
  Index backward = 0;

 private:
  bool history_;
};

/// Writes one device's program.
class Writer {
 public:
  Writer(const Plan& plan, const TrafficShape& shape, const StepCosts& costs, std::span<const double> slices,
         const CompressionOptions& compression, const DevicePlace& place, Ledger& ledger)
      : plan_(plan),
        shape_(shape),
        costs_(costs),
        slices_(slices),
        compression_(compression),
        place_(place),
        ledger_(ledger),
        map_(*plan.cut, place.part) {
    const Index chunks = plan.cut->layout.num_chunks();
    const bool half_steps = plan.schedule_input.reads.size() > 1;
    if (half_steps && place.num_parts > 1) find_halo_chunks();
    const auto layers = shape.width_after.size();
    has_halo_.assign(layers, std::vector<bool>(static_cast<std::size_t>(chunks), false));
    readers_left_.assign(layers, halo_readers_);
    backwards_left_.assign(layers, chunks);
  }

  DeviceProgram write(const std::vector<Step>& steps) {
    double part_units = 0;
    for (Index c = 0; c < plan_.cut->layout.num_chunks(); ++c) part_units += units(c);
    compute(costs_.rest_ms_per_unit * part_units * static_cast<double>(place_.layer_end - place_.layer_begin));
    for (const Step& step : steps) {
      write_step(step);
      if (step.kind != Step::Kind::kBackward && step.kind != Step::Kind::kBackwardRest) continue;
      for (Index l = step.layer_end - 1; l >= step.layer_begin; --l) {
        if (--backwards_left_[l] == 0) begin_reduce(peers(false), l, shape_.weights[l]);
      }
    }
    reduce_dense();
    share();
    compute(costs_.optimizer_ms * static_cast<double>(learnt_numbers()));
    return std::move(program_);
  }

 private:
  using Kind = Step::Kind;

  std::vector<Index> peers(bool all_stages) const {
    std::vector<Index> group;
    for (Index s = all_stages ? 0 : place_.stage; s < (all_stages ? place_.num_stages : place_.stage + 1); ++s) {
      for (Index p = 0; p < place_.num_parts; ++p) group.push_back(s * place_.num_parts + p);
    }
    return group;
  }

  /// For each chunk, the chunks that its slice reads rows of other parts from; see ExactTable.
  void find_halo_chunks() {
    const core::Graph& graph = plan_.cut->graph;
    const partition::Layout& layout = plan_.cut->layout;
    const auto chunks = static_cast<std::size_t>(layout.num_chunks());
    halo_chunks_.resize(chunks);
    halo_readers_.assign(chunks, 0);
    for (Index c = 0; c < layout.num_chunks(); ++c) {
      std::set<Index> read;
      const Range rows = layout.slice(place_.part, c);
      for (Index v = rows.begin; v < rows.end; ++v) {
        for (core::EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
          const core::VertexId u = graph.in_sources()[e];
          if (!map_.own().contains(u)) read.insert(layout.chunk_of(u));
        }
      }
      halo_chunks_[c].assign(read.begin(), read.end());
      for (const Index r : read) ++halo_readers_[r];
    }
  }

  void compute(double core_ms) {
    if (core_ms <= 0) return;
    if (!program_.empty() && program_.back().kind == Operation::Kind::kCompute) {
      program_.back().core_ms += core_ms;
    } else {
      program_.push_back(Operation::compute(core_ms));
    }
  }
  double units(Index chunk) const { return slices_[place_.part * plan_.cut->layout.num_chunks() + chunk]; }
  void compute(Kind kind, Index layer, Index chunk, double share = 1) {
    compute(share * units(chunk) * costs_.ms_per_unit[static_cast<std::size_t>(kind)][layer]);
  }

  Codec codec_of(Cause cause) const {
    switch (cause) {
      case Cause::kStageForward:
      case Cause::kStageBackward:
        return compression_.stage;
      case Cause::kHaloForward:
      case Cause::kHaloBackward:
        return compression_.halo;
      case Cause::kWeights:
        return compression_.weights;
      default:
        return Codec::kNative;
    }
  }
  static double copies(Cause cause) {
    return cause == Cause::kHaloForward || cause == Cause::kHaloBackward ? 1 + kHaloCopies : 1;
  }

  void send(Index to, const Tag& tag, const Packing& packing, Cause cause) {
    compute(costs_.message_ms + copies(cause) * costs_.number_ms * static_cast<double>(packing.count));
    ledger_.add(cause, packing.payload_bytes());
    ledger_.add(Cause::kFraming, kFramingBytes + packing.scale_bytes());
    program_.push_back(Operation::send(to, packing.bytes() + kFramingBytes, tag));
  }
  void receive(Index from, const Tag& tag, Index count, Cause cause) {
    program_.push_back(Operation::receive(from, tag));
    unpack(count, cause);
  }
  void unpack(Index count, Cause cause) {
    compute(costs_.message_ms + copies(cause) * costs_.number_ms * static_cast<double>(count));
  }

  void state(bool sends, Tag::Kind kind, Index stage, Index chunk, Cause cause) {
    const Index peer = stage * place_.num_parts + place_.part;
    const bool forward = kind == Tag::Kind::kState;
    // A stage gives on after its last layer, and hands gradients back before its first.
    const Index boundary = sends == forward ? place_.layer_end : place_.layer_begin;
    const Index rows = map_.slice_rows(chunk).size();
    Tag tag{.kind = kind, .chunk = static_cast<std::int32_t>(chunk)};
    const auto move = [&](Index cols) {
      if (sends) {
        send(peer, tag, {codec_of(cause), shape_.dtype, rows * cols, cols}, cause);
      } else {
        receive(peer, tag, rows * cols, cause);
      }
      ++tag.item;
    };
    move(shape_.width_after[boundary - 1]);
    if (plan_.recompute_carried) return;
    for (const Index columns : shape_.carried_widths) move(columns);
  }

  Tag halo_tag(Tag::Kind kind, Index chunk, Index layer) const {
    return {.kind = kind, .chunk = static_cast<std::int32_t>(chunk), .layer = static_cast<std::int32_t>(layer)};
  }
  /// Rows of `chunk` that the others read: to them, or their gradients back.
  void halo_out(Index chunk, Index layer, Index cols, bool gradients) {
    if (place_.num_parts == 1 || cols == 0) return;
    const Cause cause = gradients ? Cause::kHaloBackward : Cause::kHaloForward;
    const Tag tag = halo_tag(gradients ? Tag::Kind::kHaloGradient : Tag::Kind::kHalo, chunk, layer);
    for (Index q = 0; q < place_.num_parts; ++q) {
      if (q == place_.part) continue;
      const Index rows = halo_rows(q, chunk, gradients);
      const Packing packing{codec_of(cause), shape_.dtype, rows * cols, cols};
      if (rows > 0) send(place_.stage * place_.num_parts + q, tag, packing, cause);
    }
  }
  void halo_in(Index chunk, Index layer, Index cols, bool gradients) {
    if (place_.num_parts == 1 || cols == 0) return;
    const Cause cause = gradients ? Cause::kHaloBackward : Cause::kHaloForward;
    const Tag tag = halo_tag(gradients ? Tag::Kind::kHaloGradient : Tag::Kind::kHalo, chunk, layer);
    for (Index q = 0; q < place_.num_parts; ++q) {
      if (q == place_.part) continue;
      const Index rows = halo_rows(q, chunk, !gradients);
      if (rows == 0) continue;
      if (plan_.halo.stale) {
        // It came in the last epoch.
        unpack(rows * cols, cause);
      } else {
        receive(place_.stage * place_.num_parts + q, tag, rows * cols, cause);
      }
    }
  }
  /// Rows of `chunk` that part q holds and this one reads, or the other way round.
  Index halo_rows(Index q, Index chunk, bool theirs) const {
    const Index rows = theirs ? map_.rows_from(q, chunk).size() : static_cast<Index>(map_.rows_for(q, chunk).size());
    return plan_.halo.samples() ? std::lround(plan_.halo.rate * static_cast<double>(rows)) : rows;
  }
  Index halo_width(Index layer, bool gradients) const {
    if (plan_.halo.stale) return shape_.stale_halo[layer];
    return gradients ? shape_.halo_backward[layer] : shape_.halo_forward[layer];
  }

  void write_step(const Step& step) {
    const Index chunk = step.chunk;
    const bool forward = step.kind == Kind::kForward || step.kind == Kind::kPublish || step.kind == Kind::kRead;
    const bool begins_forward = step.kind == Kind::kForward || step.kind == Kind::kPublish;
    const bool begins_backward = step.kind == Kind::kBackward || step.kind == Kind::kBackwardSources;
    if (begins_forward && step.layer_begin == place_.layer_begin && !place_.is_first()) {
      state(false, Tag::Kind::kState, place_.stage - 1, chunk, Cause::kStageForward);
      if (plan_.recompute_carried) compute(units(chunk) * costs_.encoder_forward_ms_per_unit);
    }
    if (begins_backward && step.layer_end == place_.layer_end && !place_.is_last()) {
      state(false, Tag::Kind::kStateGradient, place_.stage + 1, chunk, Cause::kStageBackward);
    }
    write_layers(step);
    if ((step.kind == Kind::kForward || step.kind == Kind::kRead) && step.layer_end == place_.layer_end &&
        !place_.is_last()) {
      state(true, Tag::Kind::kState, place_.stage + 1, chunk, Cause::kStageForward);
    }
    const bool ends_backward = step.kind == Kind::kBackward || step.kind == Kind::kBackwardRest;
    if (!forward && ends_backward && step.layer_begin == place_.layer_begin && !place_.is_first()) {
      if (plan_.recompute_carried) compute(units(chunk) * costs_.encoder_backward_ms_per_unit);
      state(true, Tag::Kind::kStateGradient, place_.stage - 1, chunk, Cause::kStageBackward);
    }
  }

  void write_layers(const Step& step) {
    const Index chunk = step.chunk;
    const Index l = step.layer_begin;
    switch (step.kind) {
      case Kind::kForward:
        for (Index layer = step.layer_begin; layer < step.layer_end; ++layer) {
          halo_out(chunk, layer, halo_width(layer, false), false);
          halo_in(chunk, layer, halo_width(layer, false), false);
          compute(Kind::kForward, layer, chunk);
        }
        break;
      case Kind::kBackward:
        for (Index layer = step.layer_end - 1; layer >= step.layer_begin; --layer) {
          compute(Kind::kBackward, layer, chunk, kShareToSources);
          halo_out(chunk, layer, halo_width(layer, true), true);
          halo_in(chunk, layer, halo_width(layer, true), true);
          compute(Kind::kBackward, layer, chunk, 1 - kShareToSources);
        }
        break;
      case Kind::kPublish:
        compute(Kind::kPublish, l, chunk);
        halo_out(chunk, l, shape_.halo_forward[l], false);
        break;
      case Kind::kRead:
        for (const Index c : halo_chunks(chunk)) {
          if (has_halo_[l][c]) continue;
          has_halo_[l][c] = true;
          halo_in(c, l, shape_.halo_forward[l], false);
        }
        compute(Kind::kRead, l, chunk);
        break;
      case Kind::kBackwardSources:
        compute(Kind::kBackwardSources, l, chunk);
        for (const Index c : halo_chunks(chunk)) {
          if (--readers_left_[l][c] == 0) halo_out(c, l, shape_.halo_backward[l], true);
        }
        break;
      case Kind::kBackwardRest:
        halo_in(chunk, l, shape_.halo_backward[l], true);
        compute(Kind::kBackwardRest, l, chunk);
        break;
    }
  }
  const std::vector<Index>& halo_chunks(Index chunk) const {
    static const std::vector<Index> none;
    return halo_chunks_.empty() ? none : halo_chunks_[chunk];
  }

  struct Reduce {
    std::vector<Index> group;
    Index bucket = 0;
    Index numbers = 0;
    Packing segment(std::size_t s, Codec codec, core::DType dtype) const {
      const auto parts = static_cast<Index>(group.size());
      return {codec, dtype, numbers / parts + (static_cast<Index>(s) < numbers % parts ? 1 : 0), kReduceRow};
    }
  };
  std::size_t place_in(const Reduce& r) const {
    return static_cast<std::size_t>(std::find(r.group.begin(), r.group.end(), place_.device()) - r.group.begin());
  }
  Packing packing_of(const Reduce& r, std::size_t s) const {
    return r.segment(s, codec_of(Cause::kWeights), shape_.dtype);
  }
  static Tag reduce_tag(Tag::Kind kind, Index bucket) {
    return {.kind = kind, .chunk = static_cast<std::int32_t>(bucket)};
  }

  bool has_encoder() const { return place_.is_first() || plan_.recompute_carried; }
  Index learnt_numbers() const {
    Index numbers = (has_encoder() ? shape_.encoder_weights : 0) + (place_.is_last() ? shape_.head_weights : 0);
    for (Index l = place_.layer_begin; l < place_.layer_end; ++l) numbers += shape_.weights[l];
    return numbers;
  }
  void begin_reduce(std::vector<Index> group, Index bucket, Index numbers) {
    if (group.size() == 1 || numbers == 0) return;
    Reduce r{std::move(group), bucket, numbers};
    for (std::size_t s = 0; s < r.group.size(); ++s) {
      if (s == place_in(r) || packing_of(r, s).count == 0) continue;
      send(r.group[s], reduce_tag(Tag::Kind::kReduce, bucket), packing_of(r, s), Cause::kWeights);
    }
    reduces_.push_back(std::move(r));
  }
  void reduce_dense() {
    // As in DeviceTrainer: buckets -1 and -2.
    if (has_encoder()) begin_reduce(peers(plan_.recompute_carried), -1, shape_.encoder_weights);
    if (place_.is_last()) begin_reduce(peers(false), -2, shape_.head_weights);
    for (const Reduce& r : reduces_) {
      const std::size_t me = place_in(r);
      const Packing mine = packing_of(r, me);
      if (mine.count == 0) continue;
      for (const Index from : r.group) {
        if (from != place_.device()) {
          receive(from, reduce_tag(Tag::Kind::kReduce, r.bucket), mine.count, Cause::kWeights);
        }
      }
      for (const Index to : r.group) {
        if (to != place_.device()) send(to, reduce_tag(Tag::Kind::kReduced, r.bucket), mine, Cause::kWeights);
      }
    }
    for (const Reduce& r : reduces_) {
      for (std::size_t s = 0; s < r.group.size(); ++s) {
        if (s == place_in(r) || packing_of(r, s).count == 0) continue;
        receive(r.group[s], reduce_tag(Tag::Kind::kReduced, r.bucket), packing_of(r, s).count, Cause::kWeights);
      }
    }
  }
  /// The losses and counts that all devices exchange at the end of an epoch.
  void share() {
    const Index devices = plan_.num_devices();
    if (devices == 1) return;
    const auto numbers = static_cast<std::uint64_t>(1 + 2 * static_cast<Index>(kNumCauses) +
                                                    2 * static_cast<Index>(shape_.width_after.size()) + 3 * devices);
    const std::uint64_t bytes = numbers * sizeof(double) + kFramingBytes;
    const Tag tag{.kind = Tag::Kind::kControl};
    const auto out = [&](Index to) {
      ledger_.add(Cause::kOther, bytes);
      program_.push_back(Operation::send(to, bytes, tag));
    };
    if (place_.device() > 0) {
      out(0);
      program_.push_back(Operation::receive(0, tag));
      return;
    }
    for (Index d = 1; d < devices; ++d) program_.push_back(Operation::receive(d, tag));
    for (Index d = 1; d < devices; ++d) out(d);
  }

  const Plan& plan_;
  const TrafficShape& shape_;
  const StepCosts& costs_;
  std::span<const double> slices_;
  const CompressionOptions& compression_;
  DevicePlace place_;
  Ledger& ledger_;
  PartMap map_;
  std::vector<std::vector<Index>> halo_chunks_;
  std::vector<Index> halo_readers_;
  /// By layer and chunk.
  std::vector<std::vector<bool>> has_halo_;
  std::vector<std::vector<Index>> readers_left_;
  std::vector<Index> backwards_left_;
  std::vector<Reduce> reduces_;
  DeviceProgram program_;
};

}  // namespace

TrafficShape traffic_shape(const layers::ModelOptions& options, const core::DatasetSchema& schema, bool history) {
  TrafficShape shape;
  const layers::Model model(options, schema);
  // bfloat16 rows travel as float32, or as --compress says.
  shape.dtype = core::computed(options.precision);
  for (Index i = 0; i < model.num_carried(); ++i) shape.carried_widths.push_back(model.carried_width(i));
  shape.weights.assign(static_cast<std::size_t>(model.num_layers()), 0);
  for (std::size_t i = 0; i < model.parameters().size(); ++i) {
    const Index numbers = model.parameters()[i]->value.size();
    const Index layer = model.layer_of(static_cast<Index>(i));
    const bool encodes = model.is_of_encoder(static_cast<Index>(i));
    (layer >= 0 ? shape.weights[layer] : encodes ? shape.encoder_weights : shape.head_weights) += numbers;
  }
  // One vertex with an edge to itself is a graph on which every layer can be recorded.
  const core::Graph graph = stand_in_graph(options, schema, core::Graph::from_in_csr(1, {0, 1}, {0}, {}, true));
  const core::Block block = core::Block::whole(graph);
  const auto pool = core::MemoryPool::create();
  std::vector<Tensor> state{Tensor::zeros(1, schema.num_features, shape.dtype, pool.get())};
  for (Index l = 0; l < model.num_layers(); ++l) {
    shape.width_after.push_back(model.width_after(l));
    const auto record = [&](WidthProbe& probe, bool as_history) {
      core::Tape tape({.pool = pool,
                       .dtype = shape.dtype,
                       .record = false,
                       .history = as_history,
                       .layer = static_cast<std::uint64_t>(l),
                       .exchange = &probe});
      layers::State in;
      in.x = tape.input(state.front(), l > 0);
      for (std::size_t i = 1; i < state.size(); ++i) in.carried.push_back(tape.input(state[i], true));
      const layers::State out = model.forward(l, tape, block, std::move(in));
      std::vector<Tensor> values{tape.value(out.x)};
      for (const core::Var v : out.carried) values.push_back(tape.value(v));
      return values;
    };
    // Stale rows travel as history does, without weights, but are transformed by those who read them.
    WidthProbe stale(false);
    record(stale, true);
    shape.stale_halo.push_back(stale.forward);
    WidthProbe probe(history);
    state = record(probe, history);
    shape.halo_forward.push_back(probe.forward);
    shape.halo_backward.push_back(probe.backward);
  }
  return shape;
}

std::vector<double> slice_costs(const CutGraph& cut, double dense_cost) {
  std::vector<double> costs;
  for (Index p = 0; p < cut.layout.num_parts(); ++p) {
    for (Index c = 0; c < cut.layout.num_chunks(); ++c) {
      const Range rows = cut.layout.slice(p, c);
      const auto edges = cut.graph.in_offsets()[rows.end] - cut.graph.in_offsets()[rows.begin];
      costs.push_back(dense_cost * static_cast<double>(rows.size()) + static_cast<double>(edges));
    }
  }
  return costs;
}

EpochPrograms make_programs(const Plan& plan, const TrafficShape& shape, const StepCosts& costs,
                            std::span<const double> slice_costs, const CompressionOptions& compression,
                            const ChunkOrder& order) {
  EpochPrograms programs;
  const Schedule schedule = plan.schedule_of(order);
  for (Index d = 0; d < plan.num_devices(); ++d) {
    const DevicePlace place = plan.place(d);
    Writer writer(plan, shape, costs, slice_costs, compression, place, programs.ledger);
    programs.devices.push_back(writer.write(schedule.stages[static_cast<std::size_t>(place.stage)]));
  }
  return programs;
}

}  // namespace laminar::pipeline
