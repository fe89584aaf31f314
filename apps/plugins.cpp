#include "laminar/apps/plugins.hpp"

#include <string>
#include <string_view>

#include "laminar/core/error.hpp"
#include "laminar/layers/plugin_loader.hpp"

namespace laminar::apps {

void load_plugins(int argc, const char* const* argv) {
  constexpr std::string_view kName = "--plugin";
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    if (!word.starts_with(kName)) continue;
    word.remove_prefix(kName.size());
    if (word.starts_with('=')) {
      word.remove_prefix(1);
    } else if (word.empty()) {
      word = i + 1 < argc ? argv[++i] : "";
    } else {
      continue;
    }
    if (word.empty()) throw UsageError("--plugin needs the name of a file, e.g. --plugin my_conv.hpp");
    layers::load_plugin(word);
  }
}

Option plugin_option() {
  Option o;
  o.name = "plugin";
  o.placeholder = "FILE";
  o.help =
      "load layers from a header (.hpp, compiled on the fly) or a shared library (.so); may be given several times";
  o.scope = Scope::kOnce;
  o.set = [](const std::string&) {};
  o.repeats = true;
  return o;
}

}  // namespace laminar::apps
