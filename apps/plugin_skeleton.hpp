#pragma once

#include <string>

namespace laminar::apps {

/// The texts that `laminar-plugin new NAME` writes: a commented layer that works as it stands, and its test, a program.
/// Both are of a layer named `name` (a-z, 0-9 and _, a letter first). Throws UsageError for another name.
std::string plugin_skeleton(const std::string& name);
std::string plugin_skeleton_test(const std::string& name);

}  // namespace laminar::apps
