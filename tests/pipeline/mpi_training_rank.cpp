// One rank of a training under MPI: `laminar_mpi_training KEY=VALUE ...` (see mpi_training.hpp), started by mpirun.
// Beside those: end=SIGNAL, by=RANK, after=MILLISECONDS: that rank gets this signal then. file_bytes: no file of rank 0
// may grow beyond, as on a full disk. Prints one line, "rank 0: done ..." or "rank 0: error: ...", and returns 0 or 1.
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/mpi_transport.hpp"
#include "laminar/tests/pipeline/mpi_training.hpp"

namespace {

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace laminar;
  std::string rank = "rank ?";
  try {
    std::map<std::string, std::string> words;
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      words[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
    }
    const testing::TrainingSpec spec(std::move(words));
    const auto transport = pipeline::make_mpi_transport();
    rank = transport->device_name(transport->rank());
    if (const auto signal = static_cast<int>(spec.number("end", 0)); signal > 0) {
      if (transport->rank() == spec.number("by", 0)) {
        std::thread([signal, after = spec.number("after", 0)] {
          std::this_thread::sleep_for(std::chrono::milliseconds(after));
          ::kill(::getpid(), signal);
        }).detach();
      }
    }
    if (const auto most = spec.number("file_bytes", 0); most > 0 && transport->rank() == 0) {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{static_cast<rlim_t>(most), static_cast<rlim_t>(most)};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw Error("no limit");
    }
    try {
      const std::string result = testing::train(spec, transport.get());
      say(fmt::format("{}: done{}", rank, result));
    } catch (const Error& error) {
      transport->fail(error.what());
      throw;
    }
  } catch (const std::exception& error) {
    say(fmt::format("{}: error: {}", rank, error.what()));
    return 1;
  }
  return 0;
}
