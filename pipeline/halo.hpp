#pragma once

#include <memory>
#include <span>
#include <vector>

#include "laminar/core/memory.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/part_map.hpp"

namespace laminar::pipeline {

/// Brings rows of a table from the parts that own them to those that read them, and gradients back. The devices of one
/// stage call it for the same (chunk, layer) in the same order. A chunk of -1 means all chunks at once.
class Halo {
 public:
  /// Part q of this device's stage is device first_device + q. Messages of halos with another `item` are kept apart.
  /// All must outlive it.
  Halo(const PartMap& map, Communicator& communicator, Index first_device, std::shared_ptr<core::MemoryPool> pool,
       std::uint8_t item = 0);

  /// From now on only those rows of each chunk travel that sample_halo() draws for `epoch`, and they count 1 / rate
  /// times; those that don't are 0. Evaluation is not affected, nor are calls for all chunks. `ids`: the file id of
  /// each table row. Chunks are sampled one by one.
  void sample(double rate, std::uint64_t seed, Index epoch, std::span<const core::VertexId> ids);

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

  /// The same in two steps, for gradients that are to be kept: how many rows come, from all parts together; receives
  /// them into `packed` [num_gradient_rows, d], part after part; adds them to `own`. Not for sampled halos.
  Index num_gradient_rows(Index chunk) const;
  void receive_packed(core::Tensor& packed, Index chunk, Index layer, Cause cause);
  void add_packed(const core::Tensor& packed, core::Tensor& own, Index first_row, Index chunk) const;

 private:
  struct Sampled {
    /// Own rows that go to a part, and table rows that come from it.
    std::vector<std::int32_t> sent;
    std::vector<std::int32_t> received;
  };
  Range received_rows(Index peer, Index chunk) const;
  std::vector<std::int32_t> sent_rows(Index peer, Index chunk, Index first_row) const;
  void receive_range(Index peer, core::Tensor& table, const Range& rows, Index chunk, Index layer, Cause cause);
  Tag tag_of(Tag::Kind kind, Index chunk, Index layer) const;
  /// Null if all rows travel.
  const Sampled* sampled(Index peer, Index chunk, Cause cause) const;
  std::vector<double> factors(std::size_t rows) const;

  const PartMap& map_;
  Communicator& communicator_;
  Index first_device_;
  std::shared_ptr<core::MemoryPool> pool_;
  std::uint8_t item_;
  /// By part * chunks + chunk; empty if all rows travel.
  std::vector<Sampled> sampled_;
  double scale_ = 1;
};

}  // namespace laminar::pipeline
