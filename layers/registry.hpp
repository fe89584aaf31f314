#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "laminar/layers/abi.hpp"
#include "laminar/layers/layer_setup.hpp"

namespace laminar::layers {

using LayerFactory = std::unique_ptr<Layer> (*)(LayerSetup&);

/// All layers by name: the built-in ones and those of loaded plugins share it. Thread-safe.
class Registry {
 public:
  static Registry& instance();

  /// Throws Error if the name is empty, has other characters than a-z 0-9 _, or is taken; if an option has no name or
  /// default, or there are two of one name. `source`: the file that the layer comes from; empty = built in.
  void add(LayerInfo info, LayerFactory factory, const std::string& source = {});
  /// Calls `open`, which loads a library, and adds the layers that it registers from this thread: all of them, or none
  /// if one can't be added. Their names. Throws what `open` throws, and Error, naming `source`, if the library was
  /// built for another Laminar, registers nothing, or registers what add() refuses.
  std::vector<std::string> add_all(const std::string& source, const std::function<void()>& open);
  /// Throws UsageError, naming those there are, if there is none of that name. The reference stays valid.
  const LayerInfo& info(std::string_view name) const;
  /// The file that the layer comes from; empty = built in. Throws like info().
  const std::string& source(std::string_view name) const;
  /// Makes a layer. Throws UsageError like info().
  std::unique_ptr<Layer> make(std::string_view name, LayerSetup& setup) const;
  /// All names, ascending.
  std::vector<std::string> names() const;

 private:
  Registry();
  ~Registry();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

namespace detail {
/// Made by LAMINAR_LAYER. Only pointers pass here, and `info` is not called before `stamp` is found to be ours, so a
/// plugin that was built for another Laminar does no harm. Outside of Registry::add_all() it throws what
/// Registry::add() does.
struct Registration {
  Registration(const AbiStamp* stamp, LayerInfo (*info)(), LayerFactory factory);
};
template <class L>
LayerInfo info_of() {
  return L::info();
}
template <class L>
std::unique_ptr<Layer> make_layer(LayerSetup& setup) {
  return std::make_unique<L>(setup);
}
}  // namespace detail

}  // namespace laminar::layers

/// Registers a layer class that has `static LayerInfo info()` and a constructor from LayerSetup&. At namespace scope.
#define LAMINAR_LAYER(Type)                                                               \
  static const ::laminar::layers::detail::Registration laminar_layer_registration_##Type( \
      &::laminar::layers::kAbiStamp, &::laminar::layers::detail::info_of<Type>,           \
      &::laminar::layers::detail::make_layer<Type>);
