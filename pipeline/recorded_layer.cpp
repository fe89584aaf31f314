#include "laminar/pipeline/recorded_layer.hpp"

#include <algorithm>

namespace laminar::pipeline {

using core::Tensor;

namespace {

std::vector<Tensor> tensors_of(const SliceState& state) {
  std::vector<Tensor> all = state.carried;
  all.push_back(state.x);
  return all;
}

/// Bytes of what `state` holds, once each, but for what `other` holds too.
std::size_t bytes_beside(const SliceState& state, const SliceState& other) {
  std::vector<Tensor> seen = tensors_of(other);
  std::size_t bytes = 0;
  for (const Tensor& t : tensors_of(state)) {
    const auto is_same = [&t](const Tensor& s) { return s && s.raw() == t.raw(); };
    if (!t || std::any_of(seen.begin(), seen.end(), is_same)) continue;
    bytes += t.bytes();
    seen.push_back(t);
  }
  return bytes;
}

/// Bytes of what nobody but `state` holds.
std::size_t bytes_held_alone(const SliceState& state) {
  std::size_t bytes = state.x && state.x.is_unique() ? state.x.bytes() : 0;
  for (const Tensor& t : state.carried) bytes += t && t.is_unique() ? t.bytes() : 0;
  return bytes;
}

}  // namespace

bool is_worth_recording_again(const RecordedLayer& recorded, const SliceState& state, std::size_t kept_bytes) {
  const std::size_t saved = recorded.tape->saved_bytes();
  const std::size_t freed = saved - std::min(saved, bytes_beside(state, recorded.from));
  const std::size_t needed = bytes_held_alone(recorded.from) + kept_bytes;
  return freed > needed + needed / 8;
}

}  // namespace laminar::pipeline
