#include "laminar/apps/prediction_file.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "laminar/apps/curves.hpp"
#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/hdf5_writer.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using core::Task;

constexpr int kCompression = 1;
constexpr std::int64_t kVersion = 1;

bool is_csv(const std::filesystem::path& path) { return path.extension() == ".csv"; }

std::span<const float> floats(const core::Tensor& t) { return {t.data<float>(), static_cast<std::size_t>(t.size())}; }

void write_hdf5(const std::filesystem::path& path, const Predictions& p) {
  const Index n = p.outputs.rows();
  const Index width = p.outputs.cols();
  datasets::Hdf5Writer file(path, kCompression);
  file.set_attribute("/", "format", std::string_view("laminar-predictions"));
  file.set_attribute("/", "version", kVersion);
  file.set_attribute("/", "task", core::name_of(p.task));
  if (!p.output_names.empty()) file.set_attribute("/", "classes", std::span<const std::string>(p.output_names));
  if (p.task == Task::kClassification) {
    std::vector<std::int32_t> classes;
    for (Index v = 0; v < n; ++v) classes.push_back(p.predicted_class(v));
    file.write("/class", {n}, std::span<const std::int32_t>(classes));
  } else if (p.task == Task::kMultiLabel) {
    std::vector<std::uint8_t> labels;
    for (Index v = 0; v < n; ++v) {
      for (Index c = 0; c < width; ++c) labels.push_back(p.has_label(v, c) ? 1 : 0);
    }
    file.write("/labels", {n, width}, std::span<const std::uint8_t>(labels));
  }
  if (p.probabilities) {
    file.write(p.task == Task::kRegression ? "/values" : "/probabilities", {n, width}, floats(p.probabilities));
  }
  if (p.embeddings) file.write("/embeddings", {n, p.embeddings.cols()}, floats(p.embeddings));
  if (!p.vertex_names.empty()) file.write_strings("/names", p.vertex_names);
  file.commit();
}

std::string csv_header(const Predictions& p) {
  std::string header = p.vertex_names.empty() ? "vertex" : "vertex,name";
  if (p.task == Task::kClassification) header += p.output_names.empty() ? ",class" : ",class,class_name";
  const auto columns = [&](const char* what) {
    for (Index c = 0; c < p.outputs.cols(); ++c) {
      const std::string name = p.output_names.empty() ? std::to_string(c) : p.output_names[static_cast<std::size_t>(c)];
      header += ',';
      header += csv_field(fmt::format("{}_{}", what, name));
    }
  };
  if (p.task == Task::kMultiLabel) columns("label");
  if (p.probabilities) columns(p.task == Task::kRegression ? "value" : "probability");
  for (Index c = 0; p.embeddings && c < p.embeddings.cols(); ++c) header += fmt::format(",embedding_{}", c);
  return header + "\n";
}

std::string csv_text(const Predictions& p) {
  std::string csv = csv_header(p);
  const auto append_text = [&](const std::string& text) {
    csv += ',';
    csv += csv_field(text);
  };
  const auto append_row = [&](const core::Tensor& t, Index v) {
    for (const float x :
         floats(t).subspan(static_cast<std::size_t>(v * t.cols()), static_cast<std::size_t>(t.cols()))) {
      fmt::format_to(std::back_inserter(csv), ",{}", x);
    }
  };
  for (Index v = 0; v < p.outputs.rows(); ++v) {
    csv += std::to_string(v);
    if (!p.vertex_names.empty()) append_text(p.vertex_names[static_cast<std::size_t>(v)]);
    if (p.task == Task::kClassification) {
      const std::int32_t c = p.predicted_class(v);
      append_text(std::to_string(c));
      if (!p.output_names.empty()) append_text(p.output_names[static_cast<std::size_t>(c)]);
    }
    for (Index c = 0; p.task == Task::kMultiLabel && c < p.outputs.cols(); ++c) csv += p.has_label(v, c) ? ",1" : ",0";
    if (p.probabilities) append_row(p.probabilities, v);
    if (p.embeddings) append_row(p.embeddings, v);
    csv += '\n';
  }
  return csv;
}

}  // namespace

void check_prediction_name(std::string_view option, const std::filesystem::path& path) {
  if (path.empty() || is_csv(path) || path.extension() == ".h5" || path.extension() == ".hdf5") return;
  throw UsageError(fmt::format("--{} is '{}', expected a name that ends in .h5 or .csv", option, path.string()));
}

void write_predictions(const std::filesystem::path& path, const Predictions& predictions) {
  if (is_csv(path)) {
    core::write_file(path, csv_text(predictions));
  } else {
    write_hdf5(path, predictions);
  }
}

}  // namespace laminar::apps
