#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "laminar/core/gemm.hpp"
#include "laminar/core/tensor.hpp"
#include "laminar/core/types.hpp"

/// Where the time of a training goes: kernels say at their entry what they are about to do (WorkScope), and whoever
/// wants to know keeps a WorkLog on the thread that calls them. Without a log a scope looks at one thread-local pointer
/// and no clock.
namespace laminar::core {

enum class WorkKind : std::uint8_t {
  kDense,        ///< products of dense matrices
  kSum,          ///< aggregations over edges, sparse products
  kAttention,    ///< edge softmax, its scores and their gradients
  kElementwise,  ///< activation, dropout, norms, combinations, sums of gradients
  kLoss,
  kOptimizer,
};
inline constexpr std::size_t kNumWorkKinds = 6;

/// "dense", "sum", "attention", "elementwise", "loss", "optimizer".
std::string_view name_of(WorkKind kind);

/// Rows of a table that a kernel reads, in the order of a CSR matrix: row r reads table rows indices[offsets[r]] ..
/// indices[offsets[r + 1] - 1]. The arrays belong to the graph and must still be there when somebody looks at them.
struct GatherPattern {
  std::span<const EdgeId> offsets;
  std::span<const std::int32_t> indices;
  Index table_rows = 0;
  /// Numbers read a table row.
  Index width = 0;
  EdgeId entries() const { return offsets.empty() ? 0 : offsets.back() - offsets.front(); }
  Index rows() const { return offsets.empty() ? 0 : static_cast<Index>(offsets.size()) - 1; }
};

/// One call of a kernel.
struct Work {
  WorkKind kind = WorkKind::kElementwise;
  /// Text that lives as long as the program.
  std::string_view op;
  DType dtype = DType::kFloat32;
  /// Columns of the result.
  Index width = 0;
  /// Multiplications and additions; 0 where memory decides.
  double flops = 0;
  /// Bytes of tensors read and written, a row as often as it is read; indices, masks and what a row keeps beside are
  /// not counted.
  double bytes = 0;
  /// Of a dense product: the whole of it.
  GemmShape product = {};
  /// Of a kernel that gathers rows; no entries otherwise.
  GatherPattern gather = {};
};

/// A product c = op(a) op(b) of that shape: 2 m n k operations; all three matrices pass by once.
Work dense_work(std::string_view op, DType dtype, const GemmShape& product);
/// A result of `width` columns for each row of `gather`, of `flops_per_number` operations a number read.
Work gather_work(WorkKind kind, std::string_view op, DType dtype, const GatherPattern& gather, Index width,
                 double flops_per_number = 2);
/// A pass over tensors of one shape, rows x width numbers each: `tensors` of them are read or written.
Work pass_work(WorkKind kind, std::string_view op, DType dtype, Index rows, Index width, double tensors);
inline Work pass_work(WorkKind kind, std::string_view op, const Tensor& like, double tensors) {
  return pass_work(kind, op, like.dtype(), like.rows(), like.cols(), tensors);
}

/// All calls of one kernel with one shape: of `work`, flops and bytes are those of one call.
struct WorkEntry {
  Work work;
  std::int64_t calls = 0;
  double ms = 0;
};

class WorkScope;

/// What the kernels that one thread calls have done. They are entered by the thread that drives a device, so a training
/// on one device is recorded whole by a log on the thread that calls Trainer::run(). One thread at a time.
class WorkLog {
 public:
  /// By the order of first calls.
  const std::vector<WorkEntry>& entries() const { return entries_; }
  /// The entries, and forgets them.
  std::vector<WorkEntry> take();

 private:
  friend class WorkScope;
  friend class WorkRecording;
  void add(const Work& work, double ms);
  std::vector<WorkEntry> entries_;
  WorkScope* open_ = nullptr;
};

/// As long as it lives, `log` (which must outlive it) records what this thread calls; then the one before does again.
class WorkRecording {
 public:
  explicit WorkRecording(WorkLog& log);
  ~WorkRecording();
  WorkRecording(const WorkRecording&) = delete;
  WorkRecording& operator=(const WorkRecording&) = delete;

 private:
  WorkLog* before_;
};

/// At the top of a kernel: records its time from here to the end of the block. What scopes inside take is theirs alone,
/// so all entries together are never more than the time that passed.
class WorkScope {
 public:
  explicit WorkScope(const Work& work);
  ~WorkScope();
  WorkScope(const WorkScope&) = delete;
  WorkScope& operator=(const WorkScope&) = delete;

 private:
  WorkLog* log_;
  WorkScope* outer_ = nullptr;
  double inner_ms_ = 0;
  Work work_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace laminar::core
