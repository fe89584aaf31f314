#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "laminar/core/error.hpp"

/// Plugin headers into shared libraries, by the system's compiler and through a cache.
namespace laminar::layers {

/// A source that the compiler refused. what() is one line with the command to repeat.
class CompileError : public Error {
 public:
  CompileError(const std::string& what, std::string output) : Error(what), output_(std::move(output)) {}
  /// What the compiler said, as it said it.
  const std::string& output() const { return output_; }

 private:
  std::string output_;
};

/// What to make of a source: a library to load, or a program that runs (a plugin's own test).
enum class CompileKind : std::uint8_t { kPlugin, kProgram };

/// A compiled source. As long as a copy of its lock lives, nobody replaces or removes the file, and nobody, this thread
/// included, can compile another source of its name.
struct Compiled {
  std::filesystem::path file;
  /// As a shell reads it; it writes into the present folder.
  std::string command;
  /// Warnings; empty if the file was in the cache.
  std::string output;
  bool cached = false;
  double compile_ms = 0;
  std::shared_ptr<void> lock;
};

/// Compiles a .hpp or .cpp, or finds what was made of it before: by its content and that of the files of its own that
/// it includes, the compiler (its --version), the flags, and the content of the Laminar libraries of this process. The
/// compiler is $CXX, or the one that built Laminar if it is there, or c++; flags are those that Laminar was built with,
/// sanitizers included; Laminar's headers are found beside its libraries, in a build tree and in an installation.
///
/// Of several processes that want the same, one compiles and the others wait for it: on each host the first of those
/// that a launcher of MPI has started there, as its environment says (OMPI_COMM_WORLD_LOCAL_RANK, MPI_LOCALRANKID,
/// SLURM_LOCALID and their like); the others compile only if nothing has come of it for as long as their patience
/// lasts. Without a launcher it is the first to come. Throws CompileError; Error if there is no such file, no compiler,
/// no headers, or no place for the cache.
Compiled compile_source(const std::filesystem::path& source, CompileKind kind = CompileKind::kPlugin,
                        std::chrono::milliseconds patience = std::chrono::seconds(10));

/// Where compiled plugins are kept: $LAMINAR_CACHE_DIR, or laminar/plugins in $XDG_CACHE_HOME or ~/.cache, or
/// laminar-UID in the folder for temporary files. Made if it isn't there. Throws Error if it can't be, or if others
/// than this user own it or may write to it.
std::filesystem::path plugin_cache_folder();

}  // namespace laminar::layers
