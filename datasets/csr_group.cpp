#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/datasets/graph_reader.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;

namespace {

Index list_length(const Hdf5Reader& file, const std::string& object, bool numbers) {
  const auto info = file.array_info(object);
  const bool good = info.kind == ElementKind::kInteger || (numbers && info.kind == ElementKind::kFloat);
  if (!good || info.shape.size() != 1) {
    file.fail(object, fmt::format("is {}, expected a list of {}", info.text, numbers ? "numbers" : "integers"));
  }
  return info.shape[0];
}

}  // namespace

CsrGroup inspect_csr(const Hdf5Reader& file, const std::string& group) {
  if (!file.has_group(group)) file.fail(group, "is missing, or not a group in the csr_matrix encoding");
  const std::string encoding = file.string_attribute(group, "encoding-type");
  if (encoding != "csr_matrix") {
    file.fail(group, fmt::format("encoding-type is '{}', expected 'csr_matrix'", encoding));
  }
  if (file.has_attribute(group, "encoding-version")) {
    const std::string version = file.string_attribute(group, "encoding-version");
    if (version != "0.1.0") file.fail(group, fmt::format("encoding-version is '{}', expected '0.1.0'", version));
  }
  const auto shape = file.integers_attribute(group, "shape");
  if (shape.size() != 2 || shape[0] < 0 || shape[1] < 0) {
    file.fail(group, fmt::format("the attribute 'shape' is [{}], expected two sizes", fmt::join(shape, ", ")));
  }
  CsrGroup csr{.group = group, .rows = shape[0], .cols = shape[1]};
  if (csr.rows > std::numeric_limits<std::int32_t>::max() || csr.cols > std::numeric_limits<std::int32_t>::max()) {
    file.fail(group, fmt::format("shape is [{}, {}], expected sizes below 2^31", csr.rows, csr.cols));
  }
  const Index offsets = list_length(file, csr.offsets(), false);
  if (offsets != csr.rows + 1) {
    file.fail(csr.offsets(), fmt::format("has {} entries, expected {} (rows + 1)", offsets, csr.rows + 1));
  }
  csr.entries = list_length(file, csr.indices(), false);
  csr.has_data = file.has_array(csr.data());
  if (csr.has_data) {
    const Index values = list_length(file, csr.data(), true);
    if (values != csr.entries) {
      file.fail(csr.data(), fmt::format("has {} entries, expected {}, as many as indices", values, csr.entries));
    }
  }
  return csr;
}

std::vector<EdgeId> read_offsets(const Hdf5Reader& file, const CsrGroup& csr, Index begin, Index end) {
  std::vector<EdgeId> offsets(static_cast<std::size_t>(end - begin) + 1);
  const std::string object = csr.offsets();
  file.read_rows(object, begin, end + 1, offsets.data());
  if (begin == 0 && offsets.front() != 0) {
    file.fail(object, fmt::format("entry 0 is {}, expected 0", offsets.front()));
  }
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const EdgeId lowest = i == 0 ? 0 : offsets[i - 1];
    if (offsets[i] < lowest || offsets[i] > csr.entries) {
      file.fail(object, fmt::format("entry {} is {}, expected {}..{}; entries must not fall, nor pass the number of "
                                    "indices",
                                    begin + static_cast<Index>(i), offsets[i], lowest, csr.entries));
    }
  }
  if (end == csr.rows && offsets.back() != csr.entries) {
    file.fail(object,
              fmt::format("entry {} is {}, expected {}, the number of indices", end, offsets.back(), csr.entries));
  }
  return offsets;
}

std::vector<std::int32_t> read_integers(const Hdf5Reader& file, const std::string& object, Index begin, Index end,
                                        std::int64_t lowest, std::int64_t limit) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(end - begin));
  file.read_rows(object, begin, end, values.data());
  const Index bad = core::first_where(end - begin, [&](Index i) { return values[i] < lowest || values[i] >= limit; });
  if (bad < end - begin) {
    std::int64_t value = 0;
    file.read_rows(object, begin + bad, begin + bad + 1, &value);
    file.fail(object, fmt::format("entry {} is {}, expected {}..{}; the file is damaged or was written wrongly",
                                  begin + bad, value, lowest, limit - 1));
  }
  return values;
}

void read_numbers(const Hdf5Reader& file, const std::string& object, Index begin, Index end, Index cols, float* out) {
  file.read_rows(object, begin, end, out);
  const Index count = (end - begin) * cols;
  const Index at = core::first_where(count, [&](Index i) { return !std::isfinite(out[i]); });
  if (at == count) return;
  if (cols == 1) file.fail(object, fmt::format("entry {} is {}, expected a finite number", begin + at, out[at]));
  file.fail(object,
            fmt::format("row {}, column {} is {}, expected a finite number", begin + at / cols, at % cols, out[at]));
}

void FileRows::check_range(Index begin, Index end) const {
  if (begin < 0 || begin > end || end > rows_) {
    file_.fail(object_, fmt::format("rows {}..{} were asked for, but there are {}", begin, end, rows_));
  }
}

core::Tensor FileRows::read_dense(Index begin, Index end) const {
  if (sparse()) file_.fail(object_, "the features are sparse; read them with read_sparse()");
  check_range(begin, end);
  core::Tensor rows(end - begin, cols_, core::DType::kFloat32);
  read_numbers(file_, object_, begin, end, cols_, rows.data<float>());
  return rows;
}

core::SparseMatrix FileRows::read_sparse(Index begin, Index end) const {
  if (!sparse()) file_.fail(object_, "the features are dense; read them with read_dense()");
  check_range(begin, end);
  if (cols_ > kMaxSparseColumns) {
    file_.fail(object_, fmt::format("has {} columns, expected at most {}", cols_, kMaxSparseColumns));
  }
  auto offsets = read_offsets(file_, *csr_, begin, end);
  const EdgeId first = offsets.front();
  const EdgeId last = offsets.back();
  auto columns = read_integers(file_, csr_->indices(), first, last, 0, cols_);
  std::vector<float> values(columns.size(), 1.0F);
  if (csr_->has_data) read_numbers(file_, csr_->data(), first, last, 1, values.data());
  for (EdgeId& o : offsets) o -= first;
  return {end - begin, cols_, std::move(offsets), std::move(columns), std::move(values)};
}

}  // namespace laminar::datasets
