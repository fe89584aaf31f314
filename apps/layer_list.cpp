#include "laminar/apps/layer_list.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/model_options.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::apps {
namespace {

constexpr int kColumn = 12;

const char* name_of(layers::OptionKind kind) {
  switch (kind) {
    case layers::OptionKind::kNumber:
      return "number";
    case layers::OptionKind::kInteger:
      return "integer";
    case layers::OptionKind::kFlag:
      return "flag";
    case layers::OptionKind::kChoice:
      break;
  }
  return "choice";
}

}  // namespace

std::string layers_text() {
  const auto& registry = layers::Registry::instance();
  std::string text;
  for (const std::string& name : registry.names()) {
    const layers::LayerInfo& info = registry.info(name);
    const auto line = [&](const std::string& what) { text += fmt::format("{:<{}}{}\n", "", kColumn, what); };
    text += fmt::format("{:<{}}{}\n", name + " ", kColumn, info.summary);
    if (!info.paper.empty()) line(info.paper);
    if (const std::string& source = registry.source(name); !source.empty()) line("from " + source);
    for (const auto& c : info.carried) line(fmt::format("carries {}: {}", c.name, c.help));
    for (const auto& o : info.options) {
      line(fmt::format("--{}.{} {}", name, o.name, placeholder_of(o)));
      line(fmt::format("    {}{} (default {})", o.help, range_of(o), o.default_value));
    }
  }
  return text;
}

nlohmann::ordered_json layers_json() {
  using nlohmann::ordered_json;
  const auto& registry = layers::Registry::instance();
  ordered_json all = ordered_json::array();
  for (const std::string& name : registry.names()) {
    const layers::LayerInfo& info = registry.info(name);
    ordered_json j = {{"name", name}, {"summary", info.summary}, {"paper", info.paper}};
    const std::string& source = registry.source(name);
    j["source"] = source.empty() ? "built in" : source;
    j["carried"] = ordered_json::array();
    for (const auto& c : info.carried) j["carried"].push_back({{"name", c.name}, {"help", c.help}});
    j["options"] = ordered_json::array();
    for (const auto& o : info.options) {
      ordered_json option = {
          {"name", o.name}, {"kind", name_of(o.kind)}, {"default", o.default_value}, {"help", o.help}};
      if (o.min > -1e300) option["min"] = o.min;
      if (o.max < 1e300) option["max"] = o.max;
      if (!o.choices.empty()) option["choices"] = o.choices;
      j["options"].push_back(std::move(option));
    }
    all.push_back(std::move(j));
  }
  return all;
}

}  // namespace laminar::apps
