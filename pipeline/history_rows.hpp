#pragma once

#include "laminar/core/tensor.hpp"

/// Small loops over rows that are kept from epoch to epoch. Shapes and dtypes must be equal. Thread-safe on other rows.
namespace laminar::pipeline {

/// How far kept rows are from the truth: sums over the rows that were written in an epoch.
struct StalenessError {
  /// |new - old|^2 and |new|^2.
  double difference = 0;
  double norm = 0;
  StalenessError& operator+=(const StalenessError& other) {
    difference += other.difference;
    norm += other.norm;
    return *this;
  }
};

/// Sums of (fresh - old)^2 and fresh^2 over all elements.
StalenessError difference(const core::Tensor& fresh, const core::Tensor& old);

/// to = (1 - keep) fresh + keep to; a copy if `keep` is 0.
void blend(core::Tensor& to, const core::Tensor& fresh, double keep);

/// to += factor * from.
void add(core::Tensor& to, double factor, const core::Tensor& from);

}  // namespace laminar::pipeline
