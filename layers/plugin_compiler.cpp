#include "laminar/layers/plugin_compiler.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "laminar/core/atomic_file.hpp"
#include "laminar/core/hash.hpp"
#include "laminar/core/parameter.hpp"
#include "laminar/layers/program.hpp"

namespace laminar::layers {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

/// Entries of one plugin that a cache keeps: it is compiled for several Laminars, compilers and edits.
constexpr std::size_t kKeptEntries = 8;

constexpr const char* kNoCompilerHint =
    "install one, name it in CXX, or pass the .so that `laminar-plugin build` makes on a machine that has one";

Words words_of(const std::string& text) {
  std::istringstream in(text);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string shell_text(const Words& words) {
  std::string text;
  for (const std::string& word : words) {
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                            "_-+=.,:/@%") == std::string::npos;
    std::string quoted;
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += fmt::format("{}{}", text.empty() ? "" : " ", plain ? word : fmt::format("'{}'", quoted));
  }
  return text;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  if (!in) throw Error(fmt::format("{}: it can't be read: {}", path.string(), std::strerror(errno)));
  return text;
}

std::uint64_t hash_of(std::string_view text) {
  core::Fnv1a hash;
  hash.add(text.size());
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    hash.add(word);
  }
  hash.add(std::as_bytes(std::span(text.substr(at))));
  return hash.value();
}

struct Compiler {
  Words words;
  std::string version;
};

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "this host";
}

/// Whether a launcher started this process beside others, and another one is the first of this host.
bool follows_another() {
  for (const char* name : {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "MV2_COMM_WORLD_LOCAL_RANK",
                           "PALS_LOCAL_RANKID", "SLURM_LOCALID"}) {
    if (const char* rank = std::getenv(name)) return std::string_view(rank) != "0";
  }
  return false;
}

Compiler find_compiler() {
  Words tried;
  for (const std::string& candidate : {std::string(std::getenv("CXX") != nullptr ? std::getenv("CXX") : ""),
                                       std::string(LAMINAR_CXX_COMPILER), std::string("c++")}) {
    Compiler compiler{words_of(candidate), {}};
    if (compiler.words.empty()) continue;
    tried.push_back(candidate);
    Words question = compiler.words;
    question.emplace_back("--version");
    ProgramResult answer = run_program(question);
    if (answer.code == 0) {
      compiler.version = std::move(answer.output);
      return compiler;
    }
    // What the user asked for and can't have must not become something else.
    if (tried.size() == 1 && std::getenv("CXX") != nullptr) break;
  }
  throw Error(fmt::format("no C++ compiler was found on {}, tried {}; {}", host_name(), fmt::join(tried, ", "),
                          kNoCompilerHint));
}

/// The file of the library that `symbol` is in.
fs::path library_of(const void* symbol) {
  Dl_info info{};
  if (::dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) throw Error("Laminar's libraries can't be found");
  return fs::absolute(info.dli_fname);
}

/// Laminar as this process runs it.
struct Installation {
  fs::path core;
  fs::path layers;
  std::vector<fs::path> include_folders;
};

Installation find_installation() {
  Installation here;
  here.core = library_of(reinterpret_cast<const void*>(&core::zero_gradients));
  here.layers = library_of(reinterpret_cast<const void*>(&plugin_cache_folder));
  bool has_plugin = false;
  bool has_layers = false;
  // Beside the libraries: in an installation, and in a build tree, where laminar/plugin.hpp has a folder of its own.
  for (const char* place : {LAMINAR_INCLUDE_FROM_LIBRARIES, "../include", "../include_plugin"}) {
    const fs::path folder = (here.layers.parent_path() / place).lexically_normal();
    const bool plugin = fs::exists(folder / "laminar/plugin.hpp");
    const bool layers = fs::exists(folder / "laminar/layers/registry.hpp");
    const bool known =
        std::find(here.include_folders.begin(), here.include_folders.end(), folder) != here.include_folders.end();
    if ((plugin || layers) && !known) here.include_folders.push_back(folder);
    has_plugin = has_plugin || plugin;
    has_layers = has_layers || layers;
  }
  if (!has_plugin || !has_layers) {
    throw Error(
        fmt::format("Laminar's headers are not beside its libraries in {}; they are part of an installation. "
                    "Without them pass the .so that `laminar-plugin build` makes where they are",
                    here.layers.parent_path().string()));
  }
  return here;
}

/// The compiler's words but for where the result and the list of includes go.
Words command_words(const Compiler& compiler, const Installation& here, const fs::path& source, CompileKind kind) {
  Words words = compiler.words;
  for (const std::string& word : words_of(LAMINAR_PLUGIN_FLAGS)) words.push_back(word);
  for (const char* word : {"-std=c++20", "-Wall", "-Wextra", "-fPIC"}) words.emplace_back(word);
  for (const fs::path& folder : here.include_folders) words.push_back("-I" + folder.string());
  if (kind == CompileKind::kPlugin) {
    // Two plugins may have classes of one name. A header is no source file to a compiler, so it goes into an empty one.
    words.insert(words.end(), {"-fvisibility=hidden", "-shared", "-x", "c++", "-include", source.string(), "/dev/null",
                               "-x", "none"});
  } else {
    words.insert(words.end(), {"-x", "c++", source.string(), "-x", "none"});
    words.push_back("-Wl,-rpath," + here.layers.parent_path().string());
  }
  words.insert(words.end(), {here.layers.string(), here.core.string()});
  return words;
}

/// Files named in a makefile rule as compilers write it, without the target.
std::vector<fs::path> prerequisites(const std::string& rule) {
  std::vector<fs::path> files;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) files.emplace_back(std::exchange(word, {}));
  };
  for (std::size_t i = rule.find(": ") + 1; i < rule.size(); ++i) {
    const char c = rule[i];
    if (c == '\\' && i + 1 < rule.size()) {
      if (rule[++i] != '\n') word += rule[i];
    } else if (c == ' ' || c == '\n') {
      end_word();
    } else {
      word += c;
    }
  }
  end_word();
  return files;
}

/// "HASH PATH" a line, of each file that `source` includes beside Laminar's and the system's headers; paths relative to
/// its folder, as equal sources in other folders include other files.
std::string manifest_of(const fs::path& source, const std::vector<fs::path>& included, const Installation& here) {
  std::string text;
  for (const fs::path& file : included) {
    const fs::path path = fs::absolute(file).lexically_normal();
    const bool is_ours = std::any_of(here.include_folders.begin(), here.include_folders.end(),
                                     [&](const fs::path& f) { return path.string().starts_with(f.string() + "/"); });
    if (is_ours || path == source || path == "/dev/null") continue;
    text +=
        fmt::format("{:016x} {}\n", hash_of(read_file(path)), path.lexically_relative(source.parent_path()).string());
  }
  return text;
}

bool is_current(const fs::path& manifest, const fs::path& source) {
  std::istringstream lines(read_file(manifest));
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 18) return false;
    const fs::path path = source.parent_path() / line.substr(17);
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) return false;
    if (fmt::format("{:016x}", hash_of(read_file(path))) != line.substr(0, 16)) return false;
  }
  return true;
}

/// Held by one process at a time. The file stays, as removing it would let two processes hold two locks of one name.
std::shared_ptr<void> lock_file(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) throw Error(fmt::format("{}: it can't be opened: {}", path.string(), std::strerror(errno)));
  std::shared_ptr<void> lock(nullptr, [file](void*) { ::close(file); });
  while (::flock(file, LOCK_EX) != 0) {
    if (errno != EINTR) throw Error(fmt::format("{}: it can't be locked: {}", path.string(), std::strerror(errno)));
  }
  return lock;
}

/// Removes all but the entries of `stem` that were used last.
void drop_old_entries(const fs::path& folder, const std::string& stem) {
  std::vector<std::pair<fs::file_time_type, fs::path>> entries;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(folder, ignored)) {
    const fs::path& path = file.path();
    const bool of_stem = path.stem().string().size() == stem.size() + 17 &&
                         path.stem().string().starts_with(stem + "-") && path.extension() == ".bin";
    if (of_stem) entries.emplace_back(file.last_write_time(ignored), path);
  }
  std::sort(entries.rbegin(), entries.rend());
  for (std::size_t i = kKeptEntries; i < entries.size(); ++i) {
    fs::remove(entries[i].second, ignored);
    fs::remove(fs::path(entries[i].second).replace_extension(".deps"), ignored);
  }
}

std::string stem_of(const fs::path& source) {
  std::string stem = source.stem().string();
  for (char& c : stem) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!plain) c = '_';
  }
  return stem;
}

/// `folder` if it is this user's alone, made if need be; nothing if it can't be made.
bool make_private(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return false;
  struct stat status {};
  if (::lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || ::access(folder.c_str(), W_OK) != 0) {
    return false;
  }
  // What is loaded from here runs as this user.
  if (status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    throw Error(
        fmt::format("{}: compiled plugins are not kept in a folder that others own or may write to; name another "
                    "one in LAMINAR_CACHE_DIR",
                    folder.string()));
  }
  return true;
}

}  // namespace

fs::path plugin_cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value == nullptr ? "" : value);
  };
  if (const fs::path asked = variable("LAMINAR_CACHE_DIR"); !asked.empty()) {
    fs::path folder = fs::absolute(asked);
    if (make_private(folder)) return folder;
    throw Error(fmt::format("LAMINAR_CACHE_DIR is {}, where no folder can be made or written to", asked.string()));
  }
  std::vector<fs::path> places;
  if (const fs::path xdg = variable("XDG_CACHE_HOME"); xdg.is_absolute()) {
    places.push_back(xdg / "laminar" / "plugins");
  } else if (const fs::path home = variable("HOME"); home.is_absolute()) {
    places.push_back(home / ".cache" / "laminar" / "plugins");
  }
  places.push_back(fs::temp_directory_path() / fmt::format("laminar-{}", ::geteuid()));
  for (const fs::path& place : places) {
    if (make_private(place)) return place;
  }
  throw Error(fmt::format("compiled plugins can be kept neither in {}; name a folder in LAMINAR_CACHE_DIR",
                          fmt::join(
                              [&] {
                                Words names;
                                for (const fs::path& p : places) names.push_back(p.string());
                                return names;
                              }(),
                              " nor in ")));
}

Compiled compile_source(const fs::path& given, CompileKind kind, std::chrono::milliseconds patience) {
  std::error_code ignored;
  if (!fs::is_regular_file(given, ignored)) {
    throw Error(fmt::format("{}: there is no such file to compile", given.string()));
  }
  const fs::path source = fs::absolute(given).lexically_normal();
  const Compiler compiler = find_compiler();
  const Installation here = find_installation();
  const Words words = command_words(compiler, here, source, kind);

  core::Fnv1a key;
  key.add(hash_of(read_file(source)));
  key.add(hash_of(compiler.version));
  key.add(hash_of(read_file(here.core)));
  key.add(hash_of(read_file(here.layers)));
  for (const std::string& word : words) {
    if (word != source.string()) key.add(hash_of(word));
  }
  const std::string stem = stem_of(source);
  const fs::path folder = plugin_cache_folder();
  const fs::path target = folder / fmt::format("{}-{:016x}.bin", stem, key.value());
  const fs::path manifest = fs::path(target).replace_extension(".deps");

  Compiled result;
  result.file = target;
  Words repeated = words;
  repeated.insert(repeated.end(), {"-o", source.stem().string() + (kind == CompileKind::kPlugin ? ".so" : "")});
  result.command = shell_text(repeated);
  const auto is_there = [&] { return fs::exists(target) && fs::exists(manifest) && is_current(manifest, source); };
  const fs::path lock = folder / (stem + ".lock");
  result.lock = lock_file(lock);
  const auto end = std::chrono::steady_clock::now() + patience;
  while (follows_another() && !is_there() && std::chrono::steady_clock::now() < end) {
    // The first one may not have come yet, or it has more to do before.
    result.lock.reset();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    result.lock = lock_file(lock);
  }
  if (is_there()) {
    fs::last_write_time(target, fs::file_time_type::clock::now(), ignored);
    result.cached = true;
    return result;
  }
  const fs::path unfinished = folder / (stem + ".unfinished");
  const fs::path rule = folder / (stem + ".rule");
  Words full = words;
  full.insert(full.end(), {"-MMD", "-MF", rule.string(), "-o", unfinished.string()});
  const auto start = std::chrono::steady_clock::now();
  ProgramResult compilation = run_program(full);
  result.compile_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  if (compilation.code != 0) {
    fs::remove(unfinished, ignored);
    fs::remove(rule, ignored);
    throw CompileError(fmt::format("{}: it does not compile; the compiler's words stand above, and this repeats it: {}",
                                   given.string(), result.command),
                       std::move(compilation.output));
  }
  // The file's name must not be there before the list of what it was made of.
  core::write_file(manifest, manifest_of(source, prerequisites(read_file(rule)), here));
  fs::rename(unfinished, target);
  fs::remove(rule, ignored);
  drop_old_entries(folder, stem);
  result.output = std::move(compilation.output);
  return result;
}

}  // namespace laminar::layers
