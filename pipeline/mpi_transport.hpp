#pragma once

#include <memory>
#include <string>

#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// How ranks notice that one of them is gone.
struct HeartbeatOptions {
  /// Seconds without a sign of life after which a rank counts as lost. Bytes of a long message are signs of life.
  double timeout_s = 15;
  /// Seconds between heartbeats: 1, or a fifth of a short timeout.
  double interval_s() const;
  /// With the timeout that LAMINAR_HEARTBEAT_TIMEOUT_S names, if it does. Throws UsageError unless it is a number of at
  /// least 0.1.
  static HeartbeatOptions from_environment();
};

/// Whether this process was started by a launcher of MPI programs (mpirun, mpiexec, srun), to be seen from its
/// environment: MPI itself is not touched, so a process of its own never starts it.
bool under_mpi();

/// What MPI this is built with and runs on, e.g. "Open MPI v4.1.4"; "none" if it is built without.
std::string mpi_library();

/// A device is a rank of MPI: starts MPI and connects this rank with all others. Once in a process, by one thread; the
/// destructor ends MPI, when all ranks have come to theirs.
///
/// One thread of its own makes all calls of MPI, so any implementation will do; it sleeps between looks (20 to 200
/// microseconds) and wakes at once for what is to be sent, so that ranks can share cores. Messages of any length go in
/// pieces, so that heartbeats pass between them.
///
/// A rank that fails tells all others why; one that is killed or stopped is missed after HeartbeatOptions::timeout_s:
/// either way receive() and send() throw Error on all others, naming the rank, its host and its process. If then not
/// all ranks come to their destructors within 5 seconds, this one leaves without ending MPI, upon which the launcher
/// ends the job. A transport that is destroyed by an exception counts as failed.
///
/// Throws Error if there is no MPI in this build, if MPI does not start or has been started, or if it knows fewer ranks
/// than the launcher started (which means that the launcher belongs to another MPI); UsageError if the timeout is not
/// at least 0.1 s.
std::unique_ptr<Transport> make_mpi_transport(const HeartbeatOptions& heartbeat = HeartbeatOptions::from_environment());

}  // namespace laminar::pipeline
