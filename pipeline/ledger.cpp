#include "laminar/pipeline/ledger.hpp"

namespace laminar::pipeline {

std::string_view name_of(Cause cause) {
  static constexpr std::array<std::string_view, kNumCauses> kNames = {
      "stage_forward", "stage_backward", "halo_forward", "halo_backward", "weights", "framing", "evaluation", "other"};
  return kNames[static_cast<std::size_t>(cause)];
}

std::uint64_t Ledger::training_bytes() const {
  std::uint64_t total = 0;
  for (const std::uint64_t count : bytes) total += count;
  return total - (*this)[Cause::kEvaluation] - (*this)[Cause::kOther];
}

Ledger& Ledger::operator+=(const Ledger& other) {
  for (std::size_t c = 0; c < kNumCauses; ++c) {
    bytes[c] += other.bytes[c];
    messages[c] += other.messages[c];
  }
  return *this;
}

Ledger Ledger::operator-(const Ledger& earlier) const {
  Ledger since = *this;
  for (std::size_t c = 0; c < kNumCauses; ++c) {
    since.bytes[c] -= earlier.bytes[c];
    since.messages[c] -= earlier.messages[c];
  }
  return since;
}

}  // namespace laminar::pipeline
