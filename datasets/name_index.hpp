#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "laminar/core/types.hpp"

namespace laminar::datasets {

/// Names of vertices, numbered in the order in which they come first.
class NameIndex {
 public:
  NameIndex() = default;
  /// Of these names; of a name that stands twice the first place counts.
  explicit NameIndex(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      places_.emplace(name, static_cast<core::VertexId>(names_.size()));
      names_.push_back(name);
    }
  }

  /// The place of `name`, which is given one if it has none, and whether that was so.
  std::pair<core::VertexId, bool> add(std::string_view name) {
    if (const auto found = places_.find(name); found != places_.end()) return {found->second, false};
    const auto place = static_cast<core::VertexId>(names_.size());
    names_.emplace_back(name);
    places_.emplace(name, place);
    return {place, true};
  }
  std::optional<core::VertexId> find(std::string_view name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
  }
  const std::vector<std::string>& names() const { return names_; }
  std::vector<std::string> take_names() { return std::move(names_); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, core::VertexId, Hash, std::equal_to<>> places_;
  std::vector<std::string> names_;
};

}  // namespace laminar::datasets
