#include "laminar/tests/support/tensors.hpp"

#include <cstring>

namespace laminar::testing {

using namespace core;

std::unique_ptr<Parameter> random_parameter(const std::string& name, Index rows, Index cols, DType dtype,
                                            std::uint64_t seed) {
  auto p = std::make_unique<Parameter>();
  p->name = name;
  p->value = random_tensor(rows, cols, dtype, seed);
  p->gradient = Tensor::zeros(rows, cols, dtype);
  return p;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols() || a.dtype() != b.dtype()) return false;
  return a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

}  // namespace laminar::testing
