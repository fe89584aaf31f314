#include "laminar/pipeline/stage_link.hpp"

#include <utility>

namespace laminar::pipeline {

using core::Tensor;

StageLink::StageLink(const layers::Model& model, const DevicePlace& place, bool recompute_carried,
                     Communicator* communicator, std::shared_ptr<core::MemoryPool> pool)
    : model_(model),
      place_(place),
      sends_carried_(model.num_carried() > 0 && !recompute_carried),
      communicator_(communicator),
      pool_(std::move(pool)) {}

Index StageLink::peer(Tag::Kind kind, bool sends) const {
  const Index stage = place_.stage + (is_behind(kind, sends) ? 1 : -1);
  return stage * place_.num_parts + place_.part;
}

Index StageLink::width(Tag::Kind kind, bool sends) const {
  return model_.width_after((is_behind(kind, sends) ? place_.layer_end : place_.layer_begin) - 1);
}

SliceState StageLink::receive(const Slice& slice, Tag::Kind kind, Cause cause) {
  Tag tag{.kind = kind, .chunk = static_cast<std::int32_t>(slice.chunk)};
  const auto purpose = kind == Tag::Kind::kState ? core::MemoryPurpose::kActivations : core::MemoryPurpose::kGradients;
  const auto next = [&](Index cols) {
    Tensor t(slice.rows.size(), cols, dtype(), pool_.get(), purpose);
    communicator_->receive(peer(kind, false), tag, t, cause);
    ++tag.item;
    return keeps_bfloat16() ? t.to(core::DType::kBfloat16, pool_.get(), purpose) : t;
  };
  SliceState state;
  state.x = next(width(kind, false));
  for (Index i = 0; sends_carried_ && i < model_.num_carried(); ++i) {
    state.carried.push_back(next(model_.carried_width(i)));
  }
  return state;
}

void StageLink::send(SliceState state, const Slice& slice, Tag::Kind kind, Cause cause) {
  Tag tag{.kind = kind, .chunk = static_cast<std::int32_t>(slice.chunk)};
  const auto next = [&](Tensor t, Index cols) {
    // What got no gradient has gradient 0.
    if (!t) t = Tensor::zeros(slice.rows.size(), cols, dtype(), pool_.get());
    if (t.dtype() != dtype()) t = t.to(dtype(), pool_.get());
    communicator_->send(peer(kind, true), tag, t, cause);
    ++tag.item;
  };
  next(std::exchange(state.x, Tensor()), width(kind, true));
  for (Index i = 0; sends_carried_ && i < model_.num_carried(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    next(at < state.carried.size() ? state.carried[at] : Tensor(), model_.carried_width(i));
  }
}

}  // namespace laminar::pipeline
