#include "laminar/core/work_log.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace laminar::core {
namespace {

constexpr std::array<std::string_view, kNumWorkKinds> kNames = {"dense",       "sum",  "attention",
                                                                "elementwise", "loss", "optimizer"};

thread_local WorkLog* current_log = nullptr;

/// Whether two calls belong into one entry. Arrays are told apart by where they are.
bool is_same(const Work& a, const Work& b) {
  const auto shape = [](const Work& w) {
    const GemmShape& p = w.product;
    return std::array<Index, 6>{p.m, p.n, p.k, p.transpose_a ? 1 : 0, p.transpose_b ? 1 : 0, w.width};
  };
  const auto pattern = [](const Work& w) {
    return std::tuple(w.gather.offsets.data(), w.gather.offsets.size(), w.gather.width);
  };
  return a.kind == b.kind && a.op == b.op && a.dtype == b.dtype && a.flops == b.flops && a.bytes == b.bytes &&
         shape(a) == shape(b) && pattern(a) == pattern(b);
}

}  // namespace

std::string_view name_of(WorkKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

Work dense_work(std::string_view op, DType dtype, const GemmShape& product) {
  const auto m = static_cast<double>(product.m);
  const auto n = static_cast<double>(product.n);
  const auto k = static_cast<double>(product.k);
  return {.kind = WorkKind::kDense,
          .op = op,
          .dtype = dtype,
          .width = product.n,
          .flops = 2 * m * n * k,
          .bytes = (m * k + k * n + m * n) * static_cast<double>(size_of(dtype)),
          .product = product};
}

Work gather_work(WorkKind kind, std::string_view op, DType dtype, const GatherPattern& gather, Index width,
                 double flops_per_number) {
  const double read = static_cast<double>(gather.entries()) * static_cast<double>(gather.width);
  const double written = static_cast<double>(gather.rows()) * static_cast<double>(width);
  return {.kind = kind,
          .op = op,
          .dtype = dtype,
          .width = width,
          .flops = flops_per_number * read,
          .bytes = (read + written) * static_cast<double>(size_of(dtype)),
          .gather = gather};
}

Work pass_work(WorkKind kind, std::string_view op, DType dtype, Index rows, Index width, double tensors) {
  const double numbers = static_cast<double>(rows) * static_cast<double>(width);
  return {.kind = kind,
          .op = op,
          .dtype = dtype,
          .width = width,
          .bytes = tensors * numbers * static_cast<double>(size_of(dtype))};
}

std::vector<WorkEntry> WorkLog::take() { return std::exchange(entries_, {}); }

void WorkLog::add(const Work& work, double ms) {
  auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const WorkEntry& e) { return is_same(e.work, work); });
  if (found == entries_.end()) found = entries_.insert(entries_.end(), {.work = work});
  ++found->calls;
  found->ms += ms;
}

WorkRecording::WorkRecording(WorkLog& log) : before_(std::exchange(current_log, &log)) {}
WorkRecording::~WorkRecording() { current_log = before_; }

WorkScope::WorkScope(const Work& work) : log_(current_log) {
  if (log_ == nullptr) return;
  work_ = work;
  outer_ = std::exchange(log_->open_, this);
  start_ = std::chrono::steady_clock::now();
}

WorkScope::~WorkScope() {
  if (log_ == nullptr) return;
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  log_->open_ = outer_;
  if (outer_ != nullptr) outer_->inner_ms_ += ms;
  log_->add(work_, ms - inner_ms_);
}

}  // namespace laminar::core
