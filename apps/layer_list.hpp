#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace laminar::apps {

/// Every registered layer with its source, options, defaults and paper; for people, and as an array.
std::string layers_text();
nlohmann::ordered_json layers_json();

}  // namespace laminar::apps
