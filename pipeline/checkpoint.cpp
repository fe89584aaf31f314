/// A checkpoint is an HDF5 file:
///
///   /            attributes format = "laminar-checkpoint", version, config (JSON), epoch, best_epoch, best
///   /data        attributes: what it was trained on
///   /weights     one dataset a parameter, by name: after the last epoch
///   /best_weights, /optimizer    likewise; an optimizer's are SLOT/PARAMETER
///   /tables      history, LAYER.PART/TABLE, where there is any; /layout: part, chunk and place of each vertex then
///   /history     records [epochs, columns] and times_ms [epochs, columns], attribute `columns`
///
/// and, after the HDF5 part, a seal of 16 bytes: "LMNRSEAL" and the FNV-1a hash of all bytes before it, little-endian.
/// HDF5 tools ignore it. It is checked first, as libhdf5 may crash on damaged files.
/// Modification times are not stored, so that equal states give equal bytes in all but times_ms.
#include "laminar/pipeline/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <H5Cpp.h>
#include <fmt/format.h>

#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/hash.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/config.hpp"

namespace laminar::pipeline {

using core::NamedTensor;
using core::Tensor;

namespace {

constexpr std::string_view kFormat = "laminar-checkpoint";
constexpr std::int64_t kVersion = 1;
// HDF5 wants a name even for a file in memory, and reads a file of that name if there is one.
constexpr const char* kNoFile = "/dev/null/checkpoint.h5";
constexpr std::string_view kSealMark = "LMNRSEAL";
constexpr std::size_t kSealBytes = 16;
constexpr std::size_t kImageGrowthBytes = std::size_t{1} << 20;
constexpr hsize_t kLargestSide = hsize_t{1} << 31;

const H5::PredType& file_type(core::DType dtype) {
  return dtype == core::DType::kFloat32 ? H5::PredType::IEEE_F32LE : H5::PredType::IEEE_F64LE;
}
const H5::PredType& memory_type(core::DType dtype) {
  return dtype == core::DType::kFloat32 ? H5::PredType::NATIVE_FLOAT : H5::PredType::NATIVE_DOUBLE;
}

/// What follows the HDF5 part whose bytes are `body`.
std::string seal_of(std::string_view body) {
  core::Fnv1a hash;
  hash.add(std::as_bytes(std::span(body)));
  std::string seal(kSealMark);
  for (int byte = 0; byte < 8; ++byte) seal += static_cast<char>(hash.value() >> (8 * byte) & 0xff);
  return seal;
}

/// Throws Error unless the file ends with the seal of what is before it.
void check_seal(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::string_view all = bytes;
  if (!in || all.size() < kSealBytes || all.substr(all.size() - kSealBytes, kSealMark.size()) != kSealMark) {
    throw Error("it is no Laminar checkpoint, or is cut short");
  }
  const std::string_view body = all.substr(0, all.size() - kSealBytes);
  if (all.substr(body.size()) != seal_of(body)) throw Error("it is damaged: its contents do not match their checksum");
}

// --- writing ---

void put(H5::H5Object& object, const char* name, std::string_view text) {
  const H5::StrType type(H5::PredType::C_S1, std::max<std::size_t>(text.size(), 1));
  const std::string padded = text.empty() ? std::string(1, '\0') : std::string(text);
  object.createAttribute(name, type, H5::DataSpace(H5S_SCALAR)).write(type, padded.data());
}

void put(H5::H5Object& object, const char* name, std::int64_t value) {
  object.createAttribute(name, H5::PredType::STD_I64LE, H5::DataSpace(H5S_SCALAR))
      .write(H5::PredType::NATIVE_INT64, &value);
}

void put(H5::H5Object& object, const char* name, const std::vector<std::string>& texts) {
  put(object, name, static_cast<std::int64_t>(texts.size()));
  for (std::size_t i = 0; i < texts.size(); ++i) put(object, fmt::format("{}.{}", name, i).c_str(), texts[i]);
}

H5::DSetCreatPropList no_times() {
  H5::DSetCreatPropList list;
  H5Pset_obj_track_times(list.getId(), false);
  return list;
}

void put(H5::Group& group, const std::string& name, const Tensor& t) {
  const std::array<hsize_t, 2> shape = {static_cast<hsize_t>(t.rows()), static_cast<hsize_t>(t.cols())};
  group.createDataSet(name, file_type(t.dtype()), H5::DataSpace(2, shape.data()), no_times())
      .write(t.raw(), memory_type(t.dtype()));
}

void put(H5::Group& group, const char* name, const std::vector<std::int32_t>& values) {
  const hsize_t count = values.size();
  group.createDataSet(name, H5::PredType::STD_I32LE, H5::DataSpace(1, &count), no_times())
      .write(values.data(), H5::PredType::NATIVE_INT32);
}

/// By name, so that equal states give equal files whatever order they are held in.
void put(H5::H5File& file, const std::string& group_name, std::vector<NamedTensor> tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  H5::Group group = file.createGroup(group_name);
  for (const NamedTensor& t : tensors) {
    const auto slash = t.name.find('/');
    if (slash != std::string::npos && !group.nameExists(t.name.substr(0, slash))) {
      group.createGroup(t.name.substr(0, slash));
    }
    put(group, t.name, t.value);
  }
}

// --- history: what of an epoch is stored, once for both directions ---

struct Column {
  const char* name;
  double (*get)(const EpochRecord&);
  void (*set)(EpochRecord&, double);
};

#define LAMINAR_COLUMN(field)                                                                     \
  Column {                                                                                        \
#field, [](const EpochRecord& e) { return static_cast<double>(e.field); },                      \
        [](EpochRecord& e, double v) { e.field = static_cast<std::decay_t<decltype(e.field)>>(v); } \
  }

const std::array kRecordColumns = {LAMINAR_COLUMN(epoch),
                                   LAMINAR_COLUMN(loss),
                                   LAMINAR_COLUMN(learning_rate),
                                   LAMINAR_COLUMN(gradient_norm),
                                   LAMINAR_COLUMN(evaluated),
                                   LAMINAR_COLUMN(evaluation.train_metric),
                                   LAMINAR_COLUMN(evaluation.val_metric),
                                   LAMINAR_COLUMN(evaluation.test_metric),
                                   LAMINAR_COLUMN(evaluation.val_loss),
                                   LAMINAR_COLUMN(bytes)};
const std::array kTimeColumns = {LAMINAR_COLUMN(epoch_ms),     LAMINAR_COLUMN(forward_ms),
                                 LAMINAR_COLUMN(loss_ms),      LAMINAR_COLUMN(backward_ms),
                                 LAMINAR_COLUMN(optimizer_ms), LAMINAR_COLUMN(evaluation_ms)};
#undef LAMINAR_COLUMN

void put(H5::Group& group, const char* name, const std::vector<EpochRecord>& epochs, std::span<const Column> columns) {
  const auto rows = static_cast<Index>(epochs.size());
  Tensor values(rows, static_cast<Index>(columns.size()), core::DType::kFloat64);
  std::string names;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    names += fmt::format("{}{}", c == 0 ? "" : ",", columns[c].name);
    for (Index r = 0; r < rows; ++r) {
      values.set(r, static_cast<Index>(c), columns[c].get(epochs[static_cast<std::size_t>(r)]));
    }
  }
  put(group, name, values);
  H5::DataSet written = group.openDataSet(name);
  put(written, "columns", names);
}

// --- reading; H5 exceptions and laminar::Error both mean a bad file ---

std::string get_text(const H5::H5Object& object, const std::string& name) {
  const H5::Attribute attribute = object.openAttribute(name);
  if (attribute.getTypeClass() != H5T_STRING || attribute.getSpace().getSimpleExtentNpoints() != 1) {
    throw Error(fmt::format("attribute '{}' is no text", name));
  }
  std::string text;
  attribute.read(attribute.getStrType(), text);
  if (const auto end = text.find('\0'); end != std::string::npos) text.resize(end);
  return text;
}

std::int64_t get_integer(const H5::H5Object& object, const std::string& name) {
  const H5::Attribute attribute = object.openAttribute(name);
  if (attribute.getTypeClass() != H5T_INTEGER || attribute.getSpace().getSimpleExtentNpoints() != 1) {
    throw Error(fmt::format("attribute '{}' is no integer", name));
  }
  std::int64_t value = 0;
  attribute.read(H5::PredType::NATIVE_INT64, &value);
  return value;
}

Tensor get_tensor(const H5::Group& group, const std::string& name) {
  const H5::DataSet dataset = group.openDataSet(name);
  const H5::DataSpace space = dataset.getSpace();
  std::array<hsize_t, 2> shape{};
  if (dataset.getTypeClass() != H5T_FLOAT || space.getSimpleExtentNdims() != 2) {
    throw Error(fmt::format("'{}' is no matrix of floating-point numbers", name));
  }
  space.getSimpleExtentDims(shape.data());
  const auto dtype = dataset.getFloatType().getSize() == 4 ? core::DType::kFloat32 : core::DType::kFloat64;
  // What is stored must be what is claimed, before memory is taken for it.
  const bool possible = shape[0] < kLargestSide && shape[1] < kLargestSide &&
                        dataset.getStorageSize() == shape[0] * shape[1] * core::size_of(dtype);
  if (!possible) throw Error(fmt::format("'{}' claims to be [{}, {}], but is not stored so", name, shape[0], shape[1]));
  Tensor t(static_cast<Index>(shape[0]), static_cast<Index>(shape[1]), dtype);
  dataset.read(t.raw(), memory_type(dtype));
  return t;
}

std::vector<std::int32_t> get_integers(const H5::Group& group, const std::string& name) {
  const H5::DataSet dataset = group.openDataSet(name);
  const H5::DataSpace space = dataset.getSpace();
  if (dataset.getTypeClass() != H5T_INTEGER || space.getSimpleExtentNdims() != 1) {
    throw Error(fmt::format("'{}' is no list of integers", name));
  }
  hsize_t count = 0;
  space.getSimpleExtentDims(&count);
  if (count >= kLargestSide || dataset.getStorageSize() != count * sizeof(std::int32_t)) {
    throw Error(fmt::format("'{}' claims to hold {} numbers, but is not stored so", name, count));
  }
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  dataset.read(values.data(), H5::PredType::NATIVE_INT32);
  return values;
}

std::vector<NamedTensor> get_tensors(const H5::Group& group, const std::string& prefix = {}) {
  std::vector<NamedTensor> tensors;
  for (hsize_t i = 0; i < group.getNumObjs(); ++i) {
    const std::string name = group.getObjnameByIdx(i);
    if (group.childObjType(name) == H5O_TYPE_GROUP) {
      if (!prefix.empty()) throw Error(fmt::format("group '{}/{}' is nested too deep", prefix, name));
      for (NamedTensor& t : get_tensors(group.openGroup(name), name + "/")) tensors.push_back(std::move(t));
    } else {
      tensors.push_back({prefix + name, get_tensor(group, name)});
    }
  }
  return tensors;
}

void get(const H5::Group& group, const char* name, std::vector<EpochRecord>& epochs, std::span<const Column> columns) {
  const Tensor values = get_tensor(group, name);
  if (values.cols() != static_cast<Index>(columns.size()) || values.dtype() != core::DType::kFloat64) {
    throw Error(fmt::format("'/history/{}' has {} columns, expected {} of 64-bit numbers", name, values.cols(),
                            columns.size()));
  }
  if (!epochs.empty() && values.rows() != static_cast<Index>(epochs.size())) {
    throw Error(fmt::format("'/history/{}' has {} rows, expected {}", name, values.rows(), epochs.size()));
  }
  epochs.resize(static_cast<std::size_t>(values.rows()));
  for (Index r = 0; r < values.rows(); ++r) {
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const double v = values.at(r, static_cast<Index>(c));
      columns[c].set(epochs[static_cast<std::size_t>(r)], v);
    }
  }
}

core::Task task_from(std::int64_t number) {
  if (number < 0 || number > static_cast<std::int64_t>(core::Task::kRegression)) {
    throw Error(fmt::format("task {} is not known", number));
  }
  return static_cast<core::Task>(number);
}

DataSignature get_signature(const H5::Group& data) {
  DataSignature s;
  s.name = get_text(data, "name");
  s.num_vertices = get_integer(data, "num_vertices");
  s.num_features = get_integer(data, "num_features");
  s.task = task_from(get_integer(data, "task"));
  s.num_outputs = get_integer(data, "num_outputs");
  s.graph_fingerprint = static_cast<std::uint64_t>(get_integer(data, "graph_fingerprint"));
  s.content_fingerprint = static_cast<std::uint64_t>(get_integer(data, "content_fingerprint"));
  s.num_edge_features = data.attrExists("num_edge_features") ? get_integer(data, "num_edge_features") : -1;
  const std::int64_t names = get_integer(data, "output_names");
  if (names != 0 && names != s.num_outputs) throw Error(fmt::format("{} names for {} outputs", names, s.num_outputs));
  for (std::int64_t i = 0; i < names; ++i) s.output_names.push_back(get_text(data, fmt::format("output_names.{}", i)));
  return s;
}

Checkpoint read_open(const H5::H5File& file) {
  const H5::Group root = file.openGroup("/");
  if (!root.attrExists("format") || get_text(root, "format") != kFormat) {
    throw Error("it is an HDF5 file, but no Laminar checkpoint");
  }
  if (const auto version = get_integer(root, "version"); version != kVersion) {
    throw Error(fmt::format("it has version {}; this program reads version {}", version, kVersion));
  }
  Checkpoint c;
  from_json(get_text(root, "config"), c.model, c.options);
  c.data = get_signature(file.openGroup("/data"));
  c.weights = get_tensors(file.openGroup("/weights"));
  c.best_weights = get_tensors(file.openGroup("/best_weights"));
  c.optimizer = get_tensors(file.openGroup("/optimizer"));
  const H5::Group history = file.openGroup("/history");
  get(history, "records", c.epochs, kRecordColumns);
  get(history, "times_ms", c.epochs, kTimeColumns);
  if (root.nameExists("tables")) {
    c.tables = get_tensors(file.openGroup("/tables"));
    const H5::Group layout = file.openGroup("/layout");
    c.part_of = get_integers(layout, "part_of");
    c.chunk_of = get_integers(layout, "chunk_of");
    c.place_of = get_integers(layout, "place_of");
  }
  c.epoch = get_integer(root, "epoch");
  c.best_epoch = get_integer(root, "best_epoch");
  if (c.epoch != static_cast<Index>(c.epochs.size()) || c.best_epoch < 0 || c.best_epoch > c.epoch ||
      c.best_weights.empty() != (c.best_epoch == 0)) {
    throw Error(fmt::format("epoch {}, best epoch {} and {} records don't fit together", c.epoch, c.best_epoch,
                            c.epochs.size()));
  }
  if (c.best_epoch > 0) c.best = c.epochs[static_cast<std::size_t>(c.best_epoch - 1)].evaluation;
  return c;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Checkpoint& c) {
  H5::Exception::dontPrint();
  // Made in memory: HDF5 crashes when the process ends if a file could not be flushed to a full disk.
  std::vector<char> image;
  try {
    H5::FileAccPropList in_memory;
    in_memory.setCore(kImageGrowthBytes, false);
    H5::H5File file(kNoFile, H5F_ACC_TRUNC, H5::FileCreatPropList::DEFAULT, in_memory);
    H5::Group root = file.openGroup("/");
    put(root, "format", kFormat);
    put(root, "version", kVersion);
    put(root, "config", to_json(c.model, c.options));
    put(root, "epoch", c.epoch);
    put(root, "best_epoch", c.best_epoch);
    H5::Group data = file.createGroup("/data");
    put(data, "name", c.data.name);
    put(data, "num_vertices", c.data.num_vertices);
    put(data, "num_features", c.data.num_features);
    put(data, "task", static_cast<std::int64_t>(c.data.task));
    put(data, "num_outputs", c.data.num_outputs);
    put(data, "graph_fingerprint", static_cast<std::int64_t>(c.data.graph_fingerprint));
    put(data, "content_fingerprint", static_cast<std::int64_t>(c.data.content_fingerprint));
    put(data, "num_edge_features", c.data.num_edge_features);
    put(data, "output_names", c.data.output_names);
    put(file, "/weights", c.weights);
    put(file, "/best_weights", c.best_weights);
    put(file, "/optimizer", c.optimizer);
    if (!c.tables.empty()) {
      put(file, "/tables", c.tables);
      H5::Group layout = file.createGroup("/layout");
      put(layout, "part_of", c.part_of);
      put(layout, "chunk_of", c.chunk_of);
      put(layout, "place_of", c.place_of);
    }
    H5::Group history = file.createGroup("/history");
    put(history, "records", c.epochs, kRecordColumns);
    put(history, "times_ms", c.epochs, kTimeColumns);
    file.flush(H5F_SCOPE_GLOBAL);
    image.resize(static_cast<std::size_t>(std::max<ssize_t>(H5Fget_file_image(file.getId(), nullptr, 0), 0)));
    if (image.empty() || H5Fget_file_image(file.getId(), image.data(), image.size()) < 0) {
      throw H5::FileIException("write_checkpoint", "no file image");
    }
  } catch (const H5::Exception& e) {
    throw Error(
        fmt::format("{}: the checkpoint can't be made ({}); is there enough memory?", path.string(), e.getDetailMsg()));
  }
  const std::string seal = seal_of({image.data(), image.size()});
  image.insert(image.end(), seal.begin(), seal.end());
  core::write_file(path, {image.data(), image.size()});
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  H5::Exception::dontPrint();
  if (!std::filesystem::exists(path)) throw Error(fmt::format("{}: there is no such checkpoint", path.string()));
  try {
    check_seal(path);
    return read_open(H5::H5File(path.string(), H5F_ACC_RDONLY));
  } catch (const H5::Exception& e) {
    throw Error(fmt::format("{}: no readable checkpoint ({})", path.string(), e.getDetailMsg()));
  } catch (const Error& e) {
    throw Error(fmt::format("{}: {}", path.string(), e.what()));
  }
}

void load_weights(const std::vector<NamedTensor>& weights, const core::ParameterList& parameters) {
  if (weights.size() != parameters.size()) {
    throw Error(fmt::format("the checkpoint has {} weight matrices, the model {}", weights.size(), parameters.size()));
  }
  for (const auto& p : parameters) {
    const auto found =
        std::find_if(weights.begin(), weights.end(), [&](const NamedTensor& t) { return t.name == p->name; });
    if (found == weights.end()) throw Error(fmt::format("the checkpoint has no weights '{}'", p->name));
    try {
      p->value.copy_from(found->value);
    } catch (const Error& e) {
      throw Error(fmt::format("weights '{}': {}", p->name, e.what()));
    }
  }
}

layers::Model make_model(const Checkpoint& c, bool last, core::MemoryPool* pool) {
  core::DatasetSchema schema;
  schema.name = c.data.name;
  schema.num_features = c.data.num_features;
  schema.task = c.data.task;
  schema.num_outputs = c.data.num_outputs;
  schema.num_edge_features = std::max<Index>(c.data.num_edge_features, 0);
  layers::Model model(c.model, schema, pool);
  load_weights(last || c.best_weights.empty() ? c.weights : c.best_weights, model.parameters());
  return model;
}

}  // namespace laminar::pipeline
