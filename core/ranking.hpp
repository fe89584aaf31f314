#pragma once

#include <span>
#include <utility>
#include <vector>

#include "laminar/core/types.hpp"

/// How well scores put positives before negatives. All are exact, do not depend on the order of their input, and are
/// NaN where they are not defined or where a score is not finite. Thread-safe.
namespace laminar::core {

/// A score, and whether it is a positive's.
using Scored = std::pair<double, bool>;

/// The probability that a positive scores higher than a negative, ties counting half: U / (P N), with P positives, N
/// negatives and the Mann-Whitney statistic U = (sum of the positives' ranks) - P (P + 1) / 2, ranks from 1 by
/// ascending score, equal scores sharing their mean rank. Needs positives and negatives.
double roc_auc(std::vector<Scored> scored);

/// sum over thresholds t, from the highest score down, of (recall_t - recall_before) * precision_t; equal scores are
/// one threshold. What scikit-learn calls average_precision_score. Needs positives and negatives.
double average_precision(std::vector<Scored> scored);

/// The share of positives whose score is above the k-th highest of the negatives (ties lose); 1 where there are fewer
/// than k negatives. As Hits@K in the Open Graph Benchmark. Needs positives; throws Error unless k >= 1.
double hits_at(Index k, std::span<const double> positives, std::span<const double> negatives);

/// The mean over positives of 1 / rank, the rank of a positive among all the negatives being the mean of what it is if
/// it wins and if it loses all ties: 1 + (negatives above it) + (ties) / 2. Needs positives.
double mean_reciprocal_rank(std::span<const double> positives, std::span<const double> negatives);

}  // namespace laminar::core
