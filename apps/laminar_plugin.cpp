// laminar-plugin: makes, builds and checks plugins.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/apps/application.hpp"
#include "laminar/apps/command_line.hpp"
#include "laminar/apps/outputs.hpp"
#include "laminar/apps/plugin_check.hpp"
#include "laminar/apps/plugin_skeleton.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/layers/layer_checks.hpp"
#include "laminar/layers/plugin_compiler.hpp"
#include "laminar/layers/plugin_loader.hpp"
#include "laminar/layers/program.hpp"

namespace {

namespace fs = std::filesystem;
namespace apps = laminar::apps;
namespace layers = laminar::layers;
namespace core = laminar::core;
using laminar::Error;
using laminar::UsageError;

struct Command {
  std::string verb;
  std::string subject;
  fs::path out;
  bool verbose = false;
  bool help = false;
  bool version = false;
};

constexpr const char* kHelp = R"(Usage: laminar-plugin new NAME
       laminar-plugin build FILE.hpp [--out FILE.so]
       laminar-plugin check FILE

A plugin is a header with one layer or more, for the option --plugin of laminar-train, laminar-predict, laminar-info
and laminar-parallel-bench.

  new     writes NAME.hpp, a commented layer that works as it stands, and NAME_test.cpp, its test
  build   compiles a header into a shared library, which --plugin takes too: for machines without a compiler
  check   loads a header or a shared library and checks its layers: gradients in float64, vertices renumbered, chunks
          against the whole graph, sparse features, history; runs FILE_test.cpp, if it stands beside FILE; shows
          time and memory beside gcn. The last line is
            RESULT layers=... checks=... failed=...
          and the exit code is 1 if a check has failed

{}
The compiler is $CXX, or the one that built Laminar, or c++. What it makes is kept in $LAMINAR_CACHE_DIR, or
laminar/plugins in $XDG_CACHE_HOME or ~/.cache, and taken from there when nothing has changed.

Exit codes: 0 done, 1 failed, 2 a wrong option.

Examples:
  laminar-plugin new my_conv
  laminar-plugin check my_conv.hpp
  laminar-train graph.h5 --plugin my_conv.hpp --layer my_conv --layers 8
)";

int make_new(const Command& c) {
  const fs::path header = c.subject + ".hpp";
  const fs::path test = c.subject + "_test.cpp";
  const std::string text = apps::plugin_skeleton(c.subject);
  const auto known = layers::Registry::instance().names();
  if (std::find(known.begin(), known.end(), c.subject) != known.end()) {
    throw UsageError(fmt::format("there is a layer named '{}' already; name yours otherwise", c.subject));
  }
  for (const fs::path& path : {header, test}) {
    if (fs::exists(path)) throw Error(fmt::format("{} is there already; it is left as it is", path.string()));
  }
  core::write_file(header, text);
  core::write_file(test, apps::plugin_skeleton_test(c.subject));
  fmt::print("{} and {} are written; next: laminar-plugin check {}\n", header.string(), test.string(), header.string());
  return 0;
}

std::string read_bytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  if (!in) throw Error(fmt::format("{}: it can't be read", path.string()));
  return bytes;
}

/// What the compiler did, for people.
void print_compilation(const Command& c, const layers::Compiled& compiled) {
  fmt::print(stderr, "{}", compiled.output);
  if (c.verbose) fmt::print("{}\n", compiled.command);
}

std::string how_long(const layers::Compiled& compiled) {
  return compiled.cached ? std::string("compiled before")
                         : fmt::format("compiled in {:.1f} s", compiled.compile_ms / 1e3);
}

int build(const Command& c) {
  const fs::path out = c.out.empty() ? fs::path(fs::path(c.subject).stem().string() + ".so") : c.out;
  const std::vector<apps::NamedFile> outputs = {{"out", out}};
  const std::vector<apps::NamedFile> inputs = {{"the header", c.subject}};
  apps::check_outputs(outputs, inputs);
  layers::Compiled compiled = layers::compile_source(c.subject);
  print_compilation(c, compiled);
  const std::string bytes = read_bytes(compiled.file);
  // A library that can't be loaded is of no use elsewhere. Loading takes the lock.
  compiled.lock.reset();
  const auto names = layers::load_plugin(c.subject);
  core::write_file(out, bytes);
  fmt::print("{}: {}, {}\n", out.string(), fmt::join(names, ", "), how_long(compiled));
  return 0;
}

/// A line a check, as it comes.
class Report {
 public:
  void print(const std::string& name, bool passed, const std::string& text, const std::vector<std::string>& failures) {
    ++checks_;
    if (!passed) ++failed_;
    fmt::print("  {:<13} {:<7} {}\n", name, passed ? "ok" : "FAILED", text);
    for (const std::string& failure : failures) fmt::print("    {}\n", failure);
    std::fflush(stdout);
  }
  int checks() const { return checks_; }
  int failed() const { return failed_; }

 private:
  int checks_ = 0;
  int failed_ = 0;
};

void check_layer(const std::string& name, Report& report) {
  for (const layers::checks::LayerCheck& check : layers::checks::layer_checks()) {
    const auto result = check.run(name);
    const bool not_asked = result.cases == 0 && result.failures.empty();
    const std::string figures =
        not_asked ? std::string("not asked of such a layer")
                  : fmt::format("{} cases, worst {:.1g} of {:.0g}", result.cases, result.worst, result.allowed);
    report.print(check.name, result.failures.empty(),
                 fmt::format("{} ({})", check.what,
                             result.allowed > 0 || not_asked ? figures : fmt::format("{} cases", result.cases)),
                 result.failures);
  }
  const std::string what = "in 8 chunks with history, gradients become exact";
  try {
    const double error = apps::history_gradient_error(name);
    report.print("oracle", error <= apps::kHistoryTolerance,
                 fmt::format("{} (off by {:.1g} of {:.0g})", what, error, apps::kHistoryTolerance), {});
  } catch (const Error& error) {
    report.print("oracle", false, what, {error.what()});
  }
}

/// The program beside the plugin, if there is one.
void run_own_test(const Command& c, Report& report) {
  const fs::path plugin = c.subject;
  const fs::path test = plugin.parent_path() / (plugin.stem().string() + "_test.cpp");
  if (!fs::exists(test)) return;
  const layers::Compiled compiled = layers::compile_source(test, layers::CompileKind::kProgram);
  print_compilation(c, compiled);
  const auto result = layers::run_program({compiled.file.string()});
  std::vector<std::string> said;
  std::istringstream lines(result.output);
  for (std::string line; result.code != 0 && std::getline(lines, line);) said.push_back(line);
  report.print("own test", result.code == 0, fmt::format("{} ({})", test.string(), how_long(compiled)), said);
}

void print_cost(const std::string& name) {
  const auto costs = apps::layer_costs({name, "gcn"});
  const auto& a = costs[0];
  const auto& b = costs[1];
  const double ms = a.forward_ms + a.backward_ms;
  fmt::print(
      "  {:<13} {:<7} forward {:.1f} ms, backward {:.1f} ms, together {:.2f} x gcn; memory {:.1f} MiB, {:.2f} x gcn\n",
      "cost", "", a.forward_ms, a.backward_ms, ms / (b.forward_ms + b.backward_ms), a.peak_mib,
      a.peak_mib / b.peak_mib);
}

int check(const Command& c) {
  const bool is_library = fs::path(c.subject).extension() == ".so";
  if (!is_library) {
    const layers::Compiled compiled = layers::compile_source(c.subject);
    print_compilation(c, compiled);
    fmt::print("{}: {}\n", c.subject, how_long(compiled));
  }
  const auto names = layers::load_plugin(c.subject);
  Report report;
  for (const std::string& name : names) {
    fmt::print("{}: {}\n", name, layers::Registry::instance().info(name).summary);
    check_layer(name, report);
    // A layer that throws has been told of.
    if (report.failed() == 0) print_cost(name);
  }
  if (!is_library) run_own_test(c, report);
  fmt::print("RESULT layers={} checks={} failed={}\n", names.size(), report.checks(), report.failed());
  return report.failed() == 0 ? 0 : 1;
}

int run(int argc, char** argv) {
  Command c;
  apps::CommandLine line({"command", "subject"});
  line.group("Options");
  line.add(apps::option("command", c.verb, "NAME", ""));
  line.add(apps::option("subject", c.subject, "NAME", ""));
  apps::Option out = apps::option("out", c.out, "FILE", "build: where the shared library goes (default: NAME.so here)");
  out.letter = 'o';
  line.add(std::move(out));
  apps::Option verbose = apps::flag("verbose", c.verbose, "also print the command that compiles it");
  verbose.letter = 'v';
  line.add(std::move(verbose));
  apps::Option help = apps::flag("help", c.help, "print this text");
  help.letter = 'h';
  line.add(std::move(help));
  line.add(apps::flag("version", c.version, "print the version"));
  line.apply(line.parse(argc, argv));
  if (c.help) {
    fmt::print(fmt::runtime(kHelp), line.help());
    return 0;
  }
  if (c.version) {
    fmt::print("laminar-plugin {}\n", LAMINAR_VERSION);
    return 0;
  }
  const std::vector<std::string> verbs = {"new", "build", "check"};
  if (std::find(verbs.begin(), verbs.end(), c.verb) == verbs.end()) {
    throw UsageError(c.verb.empty() ? std::string("expected new, build or check")
                                    : fmt::format("'{}' is not known, expected new, build or check{}", c.verb,
                                                  apps::suggestion(c.verb, verbs)));
  }
  if (c.subject.empty()) {
    throw UsageError(fmt::format("laminar-plugin {} needs {}", c.verb, c.verb == "new" ? "a name" : "a file"));
  }
  if (!c.out.empty() && c.verb != "build") throw UsageError("--out is of laminar-plugin build");
  if (c.verb == "new") return make_new(c);
  return c.verb == "build" ? build(c) : check(c);
}

}  // namespace

int main(int argc, char** argv) { return apps::run_application("laminar-plugin", argc, argv, run); }
