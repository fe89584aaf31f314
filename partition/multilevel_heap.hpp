#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "laminar/core/types.hpp"

namespace laminar::partition::multilevel {

/// A binary heap of numbered items with keys that can change; the largest key on top. Among equal keys the order
/// depends on the calls alone.
class IndexedHeap {
 public:
  explicit IndexedHeap(core::Index items) : position_(static_cast<std::size_t>(items), -1) {}

  bool empty() const { return heap_.empty(); }
  bool holds(std::int32_t item) const { return position_[item] >= 0; }
  std::int32_t top() const { return heap_.front().item; }
  double top_key() const { return heap_.front().key; }
  double key(std::int32_t item) const { return heap_[position_[item]].key; }

  void push(std::int32_t item, double key) {
    heap_.push_back({key, item});
    up(static_cast<std::int32_t>(heap_.size()) - 1);
  }
  void pop() { remove_at(0); }
  /// Expects a key of at least the present one.
  void raise_key(std::int32_t item, double key) {
    heap_[position_[item]].key = key;
    up(position_[item]);
  }
  /// Expects a key of at most the present one.
  void lower_top(double key) {
    heap_.front().key = key;
    down(0);
  }
  void clear() {
    for (const Entry& e : heap_) position_[e.item] = -1;
    heap_.clear();
  }

 private:
  struct Entry {
    double key;
    std::int32_t item;
  };

  void remove_at(std::int32_t i) {
    position_[heap_[i].item] = -1;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (static_cast<std::size_t>(i) == heap_.size()) return;
    heap_[i] = last;
    down(i);
  }
  void up(std::int32_t i) {
    const Entry e = heap_[i];
    while (i > 0) {
      const std::int32_t parent = (i - 1) / 2;
      if (!(e.key > heap_[parent].key)) break;
      heap_[i] = heap_[parent];
      position_[heap_[i].item] = i;
      i = parent;
    }
    heap_[i] = e;
    position_[e.item] = i;
  }
  void down(std::int32_t i) {
    const Entry e = heap_[i];
    const auto size = static_cast<std::int32_t>(heap_.size());
    for (;;) {
      std::int32_t child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && heap_[child + 1].key > heap_[child].key) ++child;
      if (!(heap_[child].key > e.key)) break;
      heap_[i] = heap_[child];
      position_[heap_[i].item] = i;
      i = child;
    }
    heap_[i] = e;
    position_[e.item] = i;
  }

  std::vector<Entry> heap_;
  std::vector<std::int32_t> position_;
};

}  // namespace laminar::partition::multilevel
