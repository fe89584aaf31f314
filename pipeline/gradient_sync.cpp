#include "laminar/pipeline/gradient_sync.hpp"

#include <utility>

#include "laminar/core/clip.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::pipeline {

using core::Tensor;

namespace {

// Buckets of all-reduces beside those of layers, which are numbered by layer.
constexpr std::int32_t kEncoderBucket = -1;
constexpr std::int32_t kHeadBucket = -2;

double sum_of_squares(const Tensor& t) {
  double sum = 0;
  core::dispatch(t.dtype(), [&]<class T>(T) {
    const T* p = t.data<T>();
    sum = core::parallel_sum(t.size(), 1 << 14, [&](Index begin, Index end) {
      double s = 0;
      for (Index i = begin; i < end; ++i) s += static_cast<double>(p[i]) * static_cast<double>(p[i]);
      return s;
    });
  });
  return sum;
}

}  // namespace

GradientSync::GradientSync(const layers::Model& model, const DevicePlace& place, bool shared_encoder,
                           Communicator* communicator)
    : model_(model), place_(place), shared_encoder_(shared_encoder), communicator_(communicator) {
  for (const auto& p : model.parameters()) parameters_.push_back(p.get());
}

std::vector<Index> GradientSync::peers(bool all_stages) const {
  std::vector<Index> group;
  for (Index s = all_stages ? 0 : place_.stage; s < (all_stages ? place_.num_stages : place_.stage + 1); ++s) {
    for (Index p = 0; p < place_.num_parts; ++p) group.push_back(s * place_.num_parts + p);
  }
  return group;
}

void GradientSync::begin_layer(Index layer, Cause cause) {
  if (place_.num_parts == 1) return;
  std::vector<Tensor> gradients;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (model_.layer_of(static_cast<Index>(i)) == layer) gradients.push_back(parameters_[i]->gradient);
  }
  if (gradients.empty()) return;
  communicator_->begin_all_reduce(peers(false), static_cast<std::int32_t>(layer), std::move(gradients), cause);
  communicator_->progress();
}

void GradientSync::finish(Cause cause) {
  if (communicator_ == nullptr) return;
  std::vector<Tensor> encoder, head;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto index = static_cast<Index>(i);
    if (model_.layer_of(index) >= 0) continue;
    (model_.is_of_encoder(index) ? encoder : head).push_back(parameters_[i]->gradient);
  }
  if (!encoder.empty() && (shared_encoder_ || place_.num_parts > 1)) {
    communicator_->begin_all_reduce(peers(shared_encoder_), kEncoderBucket, std::move(encoder), cause);
  }
  if (!head.empty() && place_.num_parts > 1) {
    communicator_->begin_all_reduce(peers(false), kHeadBucket, std::move(head), cause);
  }
  communicator_->finish_all_reduces();
}

bool GradientSync::counts_here(std::size_t i) const {
  return place_.part == 0 && (place_.is_first() || !model_.is_of_encoder(static_cast<Index>(i)));
}

double GradientSync::clip(double max_norm) const {
  if (communicator_ == nullptr) return core::clip_gradients(parameters_, max_norm);
  double own = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (counts_here(i)) own += sum_of_squares(parameters_[i]->gradient);
  }
  return core::clip_gradients(parameters_, max_norm,
                              [&](double) { return communicator_->sum(std::vector<double>{own}).front(); });
}

}  // namespace laminar::pipeline
