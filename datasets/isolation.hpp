#pragma once

#include <functional>
#include <string>

// Internal to datasets/.
namespace laminar::datasets {

/// Runs `work` in a child process and returns its result: for calls into libhdf5 that damaged files make read or write
/// out of bounds, divide by zero or loop. The child sees this process's memory and open files as they are now, prints
/// nothing and is ended after `max_seconds` of processor time, or if it stands still for `patience_seconds` besides.
/// That is tried once more: a child waits for good for a lock that another thread held at the fork, which is chance.
/// `subject` names what is read, for errors.
/// Throws Error if the child crashes, does not end, throws, or returns more than `max_bytes`.
std::string run_isolated(const std::string& subject, std::size_t max_bytes, unsigned max_seconds,
                         const std::function<std::string()>& work, unsigned patience_seconds = 30);

}  // namespace laminar::datasets
