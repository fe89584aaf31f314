#pragma once

#include "laminar/core/block.hpp"
#include "laminar/core/tensor.hpp"
#include "laminar/layers/table_exchange.hpp"

namespace laminar::testing {

using layers::checks::TableExchange;

/// to[block.source_vertices()[r]] += rows[r], for all source rows.
void scatter_add(const core::Block& block, const core::Tensor& rows, core::Tensor& to);

}  // namespace laminar::testing
