#pragma once

#include "laminar/apps/report.hpp"

/// What a training might have given: curves that fall and rise as real ones do, drawn from a seed.
struct ReportShape {
  laminar::core::Task task = laminar::core::Task::kClassification;
  laminar::core::Index classes = 7;
  laminar::core::Index runs = 1;
  laminar::core::Index epochs = 200;
  laminar::core::Index eval_every = 1;
  bool clipped = false;
  bool early_stop = false;
  laminar::pipeline::Topology topology = {};
};
laminar::apps::ReportData make_report_data(const ReportShape& shape);
