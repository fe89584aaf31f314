#pragma once

#include "laminar/apps/command_line.hpp"

/// The option --plugin FILE, which may be given several times.
namespace laminar::apps {

/// Loads every file that --plugin names in a command line. To be called before the table of options is made, so that
/// the options of the plugins' layers are in it. Throws as layers::load_plugin() does, and UsageError if a name is
/// missing.
void load_plugins(int argc, const char* const* argv);

/// The row of the table; what it names has been loaded by then.
Option plugin_option();

}  // namespace laminar::apps
