#include "laminar/tests/support/table_exchange.hpp"

namespace laminar::testing {

using namespace core;

void scatter_add(const Block& block, const Tensor& rows, Tensor& to) {
  for (Index r = 0; r < rows.rows(); ++r) {
    const Index v = block.source_vertices()[r];
    for (Index c = 0; c < rows.cols(); ++c) to.set(v, c, to.at(v, c) + rows.at(r, c));
  }
}

}  // namespace laminar::testing
