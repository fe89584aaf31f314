#pragma once

namespace laminar::apps {

/// The frame of an executable: calls `run` and returns its exit code. An exception becomes one line on stderr,
/// "NAME: error: ...", and exit code 2 for a UsageError (with a hint at --help), 1 for any other; so does a standard
/// output that could not be written. What a compiler said of a plugin stands before the line, as it said it.
int run_application(const char* name, int argc, char** argv, int (*run)(int argc, char** argv));

}  // namespace laminar::apps
