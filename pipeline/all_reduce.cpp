#include "laminar/pipeline/all_reduce.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace laminar::pipeline {
namespace {

/// Numbers that share a scale under Codec::kInt8.
constexpr Index kRow = 256;

template <class T>
void add_to(core::Tensor& sum, const core::Tensor& x) {
  T* s = sum.data<T>();
  const T* in = x.data<T>();
  for (Index i = 0; i < sum.size(); ++i) s[i] += in[i];
}

void add(core::Tensor& sum, const core::Tensor& x) {
  core::dispatch(sum.dtype(), [&]<class T>(T) { add_to<T>(sum, x); });
}

/// Calls copy(tensor, first number in it, first number in the segment, count) for the tensors that a segment covers.
template <class Tensors, class F>
void for_overlaps(Tensors& tensors, Index begin, Index end, const F& copy) {
  Index first = 0;
  for (auto& t : tensors) {
    const Index from = std::max(begin, first);
    const Index to = std::min(end, first + t.size());
    if (from < to) copy(t, from - first, from - begin, to - from);
    first += t.size();
  }
}

}  // namespace

AllReduce::AllReduce(Port& port, std::span<const Index> group, Index rank, std::int32_t bucket,
                     std::vector<core::Tensor> tensors, Cause cause, Codec codec, core::Tensor feedback,
                     core::MemoryPool* pool)
    : port_(port),
      group_(group.begin(), group.end()),
      me_(static_cast<std::size_t>(std::find(group.begin(), group.end(), rank) - group.begin())),
      bucket_(bucket),
      tensors_(std::move(tensors)),
      cause_(cause),
      codec_(codec),
      dtype_(tensors_.empty() ? core::DType::kFloat32 : tensors_.front().dtype()),
      feedback_(std::move(feedback)),
      pool_(pool) {
  for (const core::Tensor& t : tensors_) numbers_ += t.size();
  for (std::size_t q = 0; q < group_.size(); ++q) {
    if (packing_of(q).count == 0) {
      if (q == me_) next_ = group_.size();
    } else if (q != me_) {
      core::Tensor values = read(q);
      port_.send(group_[q], contribution(), packing_of(q), pack(q, group_[q], contribution(), values), cause_);
      missing_.push_back(q);
    }
  }
  if (group_.size() == 1) next_ = 1;
}

Index AllReduce::begin_of(std::size_t segment) const {
  const auto parts = static_cast<Index>(group_.size());
  const auto s = static_cast<Index>(segment);
  // The first numbers_ % parts segments have one number more.
  return numbers_ / parts * s + std::min(s, numbers_ % parts);
}

Packing AllReduce::packing_of(std::size_t segment) const {
  return {codec_, dtype_, begin_of(segment + 1) - begin_of(segment), kRow};
}

core::Tensor AllReduce::scratch(std::size_t segment) const {
  return {1, packing_of(segment).count, dtype_, pool_, core::MemoryPurpose::kWorkspace};
}

core::Tensor AllReduce::read(std::size_t segment) const {
  core::Tensor to = scratch(segment);
  const std::size_t size = core::size_of(dtype_);
  for_overlaps(tensors_, begin_of(segment), begin_of(segment + 1),
               [&](const core::Tensor& t, Index in_tensor, Index in_segment, Index count) {
                 std::memcpy(to.raw() + in_segment * size, t.raw() + in_tensor * size, count * size);
               });
  return to;
}

void AllReduce::write(std::size_t segment, const core::Tensor& from) {
  const std::size_t size = core::size_of(dtype_);
  for_overlaps(tensors_, begin_of(segment), begin_of(segment + 1),
               [&](core::Tensor& t, Index in_tensor, Index in_segment, Index count) {
                 std::memcpy(t.raw() + in_tensor * size, from.raw() + in_segment * size, count * size);
               });
}

Bytes AllReduce::pack(std::size_t segment, Index to, const Tag& tag, core::Tensor& values) {
  const Packing packing = packing_of(segment);
  if (codec_ == Codec::kNative) return port_.pack(to, tag, packing, values);
  if (feedback_) {
    core::dispatch(dtype_, [&]<class T>(T) {
      T* kept = feedback_.data<T>() + begin_of(segment);
      T* v = values.data<T>();
      for (Index i = 0; i < packing.count; ++i) kept[i] = v[i] += kept[i];
    });
  }
  Bytes message = port_.pack(to, tag, packing, values);
  unpack(packing, message.data(), values.raw());
  if (feedback_) {
    core::dispatch(dtype_, [&]<class T>(T) {
      T* kept = feedback_.data<T>() + begin_of(segment);
      const T* v = values.data<T>();
      // A training that diverged once must not stay so for what is kept here.
      for (Index i = 0; i < packing.count; ++i) kept[i] = std::isfinite(kept[i] - v[i]) ? kept[i] - v[i] : T(0);
    });
  }
  return message;
}

bool AllReduce::advance() {
  while (next_ < group_.size()) {
    core::Tensor x;
    if (next_ == me_) {
      x = read(me_);
    } else {
      x = scratch(me_);
      if (!port_.try_receive(group_[next_], contribution(), packing_of(me_), x)) break;
    }
    if (next_ == 0) {
      sum_ = std::move(x);
    } else {
      add(sum_, x);
    }
    if (++next_ < group_.size()) continue;
    const Bytes message = pack(me_, -1, total(), sum_);
    write(me_, sum_);
    sum_ = {};
    for (const Index to : group_) {
      if (to != group_[me_]) port_.send(to, total(), packing_of(me_), message, cause_);
    }
  }
  std::erase_if(missing_, [&](std::size_t q) {
    core::Tensor x = scratch(q);
    if (!port_.try_receive(group_[q], total(), packing_of(q), x)) return false;
    write(q, x);
    return true;
  });
  return next_ == group_.size() && missing_.empty();
}

void AllReduce::add_wanted(std::vector<Address>& wanted) const {
  if (next_ < group_.size()) wanted.push_back({group_[next_], contribution()});
  for (const std::size_t q : missing_) wanted.push_back({group_[q], total()});
}

}  // namespace laminar::pipeline
