#include "laminar/pipeline/halo_options.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"

namespace laminar::pipeline {

void validate(const HaloOptions& o) {
  const auto smoothing = [&](double share, const char* option) {
    if (!(share >= 0 && share < 1)) {
      throw UsageError(fmt::format("--{} is {}, expected 0 <= share < 1", option, share));
    }
    if (share > 0 && !o.stale) throw UsageError(fmt::format("--{} is of --stale-halos, which is not given", option));
  };
  smoothing(o.row_smoothing, "halo-smoothing");
  smoothing(o.gradient_smoothing, "halo-gradient-smoothing");
  if (!(o.rate > 0 && o.rate <= 1)) {
    throw UsageError(fmt::format("--boundary-rate is {}, expected 0 < share <= 1", o.rate));
  }
  if (o.stale && o.samples()) {
    throw UsageError(
        "--boundary-rate can't go with --stale-halos: a row that is not sent would be missing in the next epoch too; "
        "use one of the two");
  }
}

std::vector<std::int32_t> sample_halo(double rate, std::uint64_t seed, Index epoch, Index reader,
                                      std::span<const core::VertexId> ids) {
  std::vector<std::int32_t> chosen;
  if (ids.empty()) return chosen;
  const core::RandomKey name = core::random_key(seed, "boundary");
  const core::RandomKey key =
      core::random_key((std::uint64_t{name.k1} << 32) | name.k0, static_cast<std::uint64_t>(epoch),
                       static_cast<std::uint64_t>(reader), 0, 0);
  const auto number = [&](core::VertexId v, std::uint32_t what) {
    const auto block = core::random_block(key, static_cast<std::uint32_t>(v), what, 0);
    return (std::uint64_t{block[1]} << 32) | block[0];
  };
  const double u = static_cast<double>(number(*std::min_element(ids.begin(), ids.end()), 1) >> 11) * 0x1p-53;
  const auto count =
      std::min(ids.size(), static_cast<std::size_t>(std::floor(rate * static_cast<double>(ids.size()) + u)));
  std::vector<std::pair<std::uint64_t, std::int32_t>> drawn;
  drawn.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) drawn.emplace_back(number(ids[i], 0), static_cast<std::int32_t>(i));
  std::nth_element(drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(count == ids.size() ? 0 : count),
                   drawn.end());
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(drawn[i].second);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace laminar::pipeline
