#pragma once

#include <memory>

#include "laminar/core/memory.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/part_map.hpp"

namespace laminar::pipeline {

/// Brings rows of a table from the parts that own them to those that read them, and gradients back. The devices of one
/// stage call it for the same (chunk, layer) in the same order. A chunk of -1 means all chunks at once.
class Halo {
 public:
  /// Part q of this device's stage is device first_device + q. All must outlive it.
  Halo(const PartMap& map, Communicator& communicator, Index first_device, std::shared_ptr<core::MemoryPool> pool);

  /// Sends the rows of `own` that other parts read; row i of `own` is table row `first_row` + i.
  void send(const core::Tensor& own, Index first_row, Index chunk, Index layer, Cause cause);
  /// Receives the other parts' rows into `table` [map.num_rows(), d]; calls `arrived(rows)` for each range that came.
  template <class F>
  void receive(core::Tensor& table, Index chunk, Index layer, Cause cause, F&& arrived) {
    for (Index q = 0; q < map_.num_parts(); ++q) {
      const Range rows = received_rows(q, chunk);
      if (rows.size() == 0) continue;
      receive_range(q, table, rows, chunk, layer, cause);
      arrived(rows);
    }
  }
  void receive(core::Tensor& table, Index chunk, Index layer, Cause cause) {
    receive(table, chunk, layer, cause, [](const Range&) {});
  }

  /// The way back: sends the halo rows of `table` to their owners.
  void send_gradients(const core::Tensor& table, Index chunk, Index layer, Cause cause);
  /// Adds what the others want of this part's rows to `own`, part by part; row i of `own` is table row `first_row` + i.
  void receive_gradients(core::Tensor& own, Index first_row, Index chunk, Index layer, Cause cause);

 private:
  Range received_rows(Index peer, Index chunk) const;
  std::vector<std::int32_t> sent_rows(Index peer, Index chunk, Index first_row) const;
  void receive_range(Index peer, core::Tensor& table, const Range& rows, Index chunk, Index layer, Cause cause);

  const PartMap& map_;
  Communicator& communicator_;
  Index first_device_;
  std::shared_ptr<core::MemoryPool> pool_;
};

}  // namespace laminar::pipeline
