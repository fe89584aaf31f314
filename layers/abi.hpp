#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "laminar/layers/layer_setup.hpp"

/// How a plugin tells what it was compiled against, so that another Laminar refuses it instead of crashing in it.
namespace laminar::layers {

/// Stands in every library that registers layers. Its own layout never changes.
struct AbiStamp {
  /// Counts changes of what a layer may call.
  std::uint32_t api = 0;
  /// "MAJOR.MINOR" of Laminar.
  const char* version = nullptr;
  /// A hash of the sizes of what passes between a plugin and the libraries: it changes when the standard library's
  /// layout, its debug mode, or a structure of ours does.
  std::uint64_t layout = 0;
};

inline constexpr std::uint32_t kPluginApi = 1;
inline constexpr const char* kAbiVersion = "0.1";

namespace detail {
constexpr std::uint64_t hash_of_sizes(std::initializer_list<std::size_t> sizes) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const std::size_t size : sizes) hash = (hash ^ size) * 1099511628211ULL;
  return hash;
}
}  // namespace detail

inline constexpr std::uint64_t kAbiLayout = detail::hash_of_sizes({sizeof(std::string),
                                                                   sizeof(std::vector<int>),
                                                                   sizeof(LayerInfo),
                                                                   sizeof(OptionInfo),
                                                                   sizeof(CarriedInfo),
                                                                   sizeof(State),
                                                                   sizeof(Layer),
                                                                   sizeof(Linear),
                                                                   sizeof(LayerSetup),
                                                                   sizeof(LayerSetup::Place),
                                                                   sizeof(core::Tape),
                                                                   sizeof(core::TapeContext),
                                                                   sizeof(core::Block),
                                                                   sizeof(core::Tensor),
                                                                   sizeof(core::SparseMatrix),
                                                                   sizeof(core::Parameter),
                                                                   sizeof(core::Message),
                                                                   sizeof(core::Score),
                                                                   sizeof(core::SourceTransform),
                                                                   sizeof(core::GradientSink)});

/// The stamp of whatever is compiled with this header. Not inline: of a variable that is, a loaded library would get
/// the one of the library that is loaded already.
static constexpr AbiStamp kAbiStamp{kPluginApi, kAbiVersion, kAbiLayout};

}  // namespace laminar::layers
