#include "laminar/core/dataset.hpp"

namespace laminar::core {

std::string_view name_of(Task task) {
  switch (task) {
    case Task::kNone:
      return "none";
    case Task::kClassification:
      return "classification";
    case Task::kMultiLabel:
      return "multi-label";
    case Task::kRegression:
      return "regression";
  }
  return "none";
}

void Dataset::visit_rows(const WantedRows& wanted, const std::function<void(const GraphRows&)>& visit) const {
  const auto whole = graph();
  GraphRows rows;
  rows.end = whole->num_vertices();
  rows.offsets = whole->in_offsets();
  rows.sources = whole->in_sources();
  if (wanted.weights) rows.weights = whole->in_weights();
  if (wanted.edge_features) rows.edge_features = edge_features();
  visit(rows);
}

}  // namespace laminar::core
