#include "laminar/layers/registry.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"

namespace laminar::layers {
namespace {

constexpr std::string_view kVersion = LAMINAR_VERSION;
static_assert(kVersion.substr(0, kVersion.rfind('.')) == kAbiVersion,
              "kAbiVersion in layers/abi.hpp is not the project's version");

/// What a library registers while add_all() loads it. An exception must not leave the library's initialisers, so the
/// first one waits here.
struct Loading {
  struct Entry {
    LayerInfo info;
    LayerFactory factory;
  };
  std::vector<Entry> entries;
  std::exception_ptr error;
};
thread_local Loading* loading = nullptr;

std::string text_of(const AbiStamp& stamp) {
  return fmt::format("{} (plugin interface {}, layout {:016x})", stamp.version == nullptr ? "?" : stamp.version,
                     stamp.api, stamp.layout);
}

void check_stamp(const AbiStamp* stamp) {
  if (stamp != nullptr && stamp->api == kAbiStamp.api && stamp->version != nullptr &&
      std::string_view(stamp->version) == kAbiStamp.version && stamp->layout == kAbiStamp.layout) {
    return;
  }
  throw Error(fmt::format("it was built for Laminar {}, but this is {}; build it again for this one",
                          stamp == nullptr ? "?" : text_of(*stamp), text_of(kAbiStamp)));
}

void check_name(std::string_view what, std::string_view name) {
  if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
    throw Error(fmt::format("{} can't be named '{}'; use a-z, 0-9 and _", what, name));
  }
}

void check_info(const LayerInfo& info) {
  check_name("a layer", info.name);
  for (std::size_t i = 0; i < info.options.size(); ++i) {
    const OptionInfo& option = info.options[i];
    check_name(fmt::format("an option of layer '{}'", info.name), option.name);
    const auto is_same = [&](const OptionInfo& o) { return o.name == option.name; };
    if (std::count_if(info.options.begin(), info.options.end(), is_same) > 1) {
      throw Error(fmt::format("layer '{}' declares option '{}' twice", info.name, option.name));
    }
    // The default must be a value that a user could have given.
    try {
      core::ParameterList none;
      const LayerSetup checked({}, info, {{option.name, option.default_value}}, none);
    } catch (const Error& error) {
      throw Error(fmt::format("the default of an option is no value of it: {}", error.what()));
    }
  }
}

}  // namespace

struct Registry::Impl {
  struct Entry {
    LayerInfo info;
    LayerFactory factory;
    std::string source;
  };
  mutable std::mutex mutex;
  std::map<std::string, Entry, std::less<>> entries;

  const Entry& find(std::string_view name) const {
    const auto found = entries.find(name);
    if (found != entries.end()) return found->second;
    std::vector<std::string> known;
    for (const auto& [key, entry] : entries) known.push_back(key);
    throw UsageError(fmt::format("layer '{}' is not known; there are {}; a layer of a plugin needs --plugin FILE", name,
                                 fmt::join(known, ", ")));
  }
  /// Throws Error if there is one of that name.
  void check_free(const std::string& name) const {
    const auto found = entries.find(name);
    if (found == entries.end()) return;
    const std::string& source = found->second.source;
    throw Error(fmt::format("there is a layer named '{}' already ({})", name,
                            source.empty() ? std::string("it is built in") : "from " + source));
  }
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Registry& Registry::instance() {
  static Registry registry;
  return registry;
}

void Registry::add(LayerInfo info, LayerFactory factory, const std::string& source) {
  const std::lock_guard lock(impl_->mutex);
  check_info(info);
  impl_->check_free(info.name);
  const std::string name = info.name;
  impl_->entries.try_emplace(name, Impl::Entry{std::move(info), factory, source});
}

std::vector<std::string> Registry::add_all(const std::string& source, const std::function<void()>& open) {
  Loading collected;
  {
    struct Scope {
      Loading* before;
      ~Scope() { loading = before; }
    } scope{std::exchange(loading, &collected)};
    open();
  }
  try {
    if (collected.error) std::rethrow_exception(collected.error);
    if (collected.entries.empty()) {
      throw Error("it registers no layer: it has no LAMINAR_LAYER, or belongs to another Laminar");
    }
    const std::lock_guard lock(impl_->mutex);
    std::vector<std::string> names;
    for (const auto& entry : collected.entries) {
      check_info(entry.info);
      impl_->check_free(entry.info.name);
      if (std::find(names.begin(), names.end(), entry.info.name) != names.end()) {
        throw Error(fmt::format("it registers two layers named '{}'", entry.info.name));
      }
      names.push_back(entry.info.name);
    }
    for (auto& entry : collected.entries) {
      std::string name = entry.info.name;
      impl_->entries.try_emplace(std::move(name), Impl::Entry{std::move(entry.info), entry.factory, source});
    }
    return names;
  } catch (const std::exception& error) {
    throw Error(fmt::format("plugin {}: {}", source, error.what()));
  }
}

const LayerInfo& Registry::info(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->find(name).info;
}

const std::string& Registry::source(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->find(name).source;
}

std::unique_ptr<Layer> Registry::make(std::string_view name, LayerSetup& setup) const {
  LayerFactory factory = nullptr;
  {
    const std::lock_guard lock(impl_->mutex);
    factory = impl_->find(name).factory;
  }
  return factory(setup);
}

std::vector<std::string> Registry::names() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::string> result;
  for (const auto& [name, entry] : impl_->entries) result.push_back(name);
  return result;
}

detail::Registration::Registration(const AbiStamp* stamp, LayerInfo (*info)(), LayerFactory factory) {
  if (loading == nullptr) {
    check_stamp(stamp);
    Registry::instance().add(info(), factory);
    return;
  }
  if (loading->error) return;
  try {
    check_stamp(stamp);
    loading->entries.push_back({info(), factory});
  } catch (...) {
    loading->error = std::current_exception();
  }
}

}  // namespace laminar::layers
