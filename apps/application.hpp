#pragma once

#include <functional>
#include <memory>

#include "laminar/pipeline/transport.hpp"

namespace laminar::apps {

/// The frame of an executable: calls `run` and returns its exit code. An exception becomes one line on stderr,
/// "NAME: error: ...", and exit code 2 for a UsageError (with a hint at --help), 1 for any other; so does a standard
/// output that could not be written. What a compiler said of a plugin stands before the line, as it said it.
int run_application(const char* name, int argc, char** argv, int (*run)(int argc, char** argv));

/// The part of one rank of several: calls `run`. If it throws, the others are told, and one rank lets its exception
/// pass: rank 0 if it is there and listens, else the one that failed, else the first that is left. The rest return 1
/// without a word, after a moment: a launcher ends all ranks as soon as one has failed, and so perhaps the one that
/// speaks before it did.
int run_on_rank(std::unique_ptr<pipeline::Transport> rank, const std::function<int(pipeline::Transport&)>& run);

}  // namespace laminar::apps
