#include "laminar/layers/plugin_loader.hpp"

#include <map>
#include <mutex>

#include <dlfcn.h>
#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/layers/plugin_compiler.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

namespace fs = std::filesystem;

/// Opens `library` and registers what is in it, under the name of `file`.
std::vector<std::string> open_library(const fs::path& library, const fs::path& file) {
  void* handle = nullptr;
  try {
    return Registry::instance().add_all(file.string(), [&] {
      // Now, not when it is first called, is when a function that is not there is to be noticed.
      handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (handle == nullptr) {
        const char* why = ::dlerror();
        throw Error(
            fmt::format("plugin {}: it can't be loaded; if it was built for another Laminar, build it again: {}",
                        file.string(), why == nullptr ? "unknown reason" : why));
      }
    });
  } catch (...) {
    if (handle != nullptr) ::dlclose(handle);
    throw;
  }
}

}  // namespace

std::vector<std::string> load_plugin(const fs::path& file) {
  static std::mutex mutex;
  static std::map<fs::path, std::vector<std::string>> loaded;
  const std::lock_guard lock(mutex);
  std::error_code ignored;
  if (!fs::exists(file, ignored)) throw Error(fmt::format("plugin {}: there is no such file", file.string()));
  if (!fs::is_regular_file(file, ignored)) throw Error(fmt::format("plugin {}: it is no file", file.string()));
  const std::string kind = file.extension().string();
  Compiled compiled;
  fs::path library = fs::canonical(file);
  if (kind == ".hpp" || kind == ".h" || kind == ".cpp") {
    compiled = compile_source(file);
    library = compiled.file;
  } else if (kind != ".so") {
    throw Error(fmt::format("plugin {}: expected a header (.hpp) or a shared library (.so)", file.string()));
  }
  if (const auto found = loaded.find(library); found != loaded.end()) return found->second;
  std::vector<std::string> names = open_library(library, file);
  loaded.emplace(library, names);
  return names;
}

}  // namespace laminar::layers
