#include "laminar/tests/datasets/support.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <doctest/doctest.h>
#include <hdf5.h>
#include <zlib.h>

namespace laminar::datasets::test {

std::size_t TemporaryFolder::entries() const {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path())) ++count;
  return count;
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_gzip(const std::filesystem::path& path, const std::string& text) {
  const gzFile file = ::gzopen(path.c_str(), "wb");
  REQUIRE(::gzwrite(file, text.data(), static_cast<unsigned>(text.size())) == static_cast<int>(text.size()));
  REQUIRE(::gzclose(file) == Z_OK);
}

void write_bytes(const std::filesystem::path& path, std::string_view bytes) {
  // A new file is faster than an old one cut to nothing, which some file systems write through to the disk.
  std::filesystem::remove(path);
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::optional<std::filesystem::path> real_data(const char* test) {
  const char* folder = std::getenv("LAMINAR_TEST_DATA");
  if (folder != nullptr && *folder != '\0') return folder;
  std::printf("skipped: %s: the environment variable LAMINAR_TEST_DATA does not name the folder of real graphs\n",
              test);
  return std::nullopt;
}

GraphData small_graph() {
  GraphData data;
  data.name = "small";
  data.provenance = "made by hand, with ümlauts";
  const std::vector<core::VertexId> source = {1, 2, 0, 3, 3, 4, 0};
  const std::vector<core::VertexId> target = {0, 0, 1, 1, 2, 3, 3};
  const std::vector<double> weight = {1.5, -2, 3, 0.25, 1, 7, 8};
  data.graph = std::make_shared<const core::Graph>(core::Graph::from_edges(5, source, target, weight, true));
  data.features = core::Tensor(5, 3, core::DType::kFloat32);
  for (core::Index i = 0; i < 15; ++i) data.features.data<float>()[i] = static_cast<float>(i) / 4 - 1;
  data.edge_features = core::Tensor(7, 2, core::DType::kFloat32);
  for (core::Index i = 0; i < 14; ++i) data.edge_features.data<float>()[i] = static_cast<float>(i);
  data.labels.task = core::Task::kClassification;
  data.labels.num_outputs = 3;
  data.labels.classes = {0, 2, -1, 1, 2};
  data.labels.names = {"red", "green", "blue"};
  data.splits = {{"0", {0}, {1}, {3, 4}}, {"random", {0, 3}, {1}, {4}}};
  data.vertex_names = {"a", "bb", "", "dé", "eeeee"};
  data.partitions = {{"mine", "blocks", 2, 7, data.graph->fingerprint(), {0, 0, 1, 1, 1}}};
  return data;
}

namespace {

void must(bool good, const std::string& what) {
  if (!good) throw std::runtime_error("the test's own HDF5 call failed: " + what);
}

hid_t text_type() {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> p;
  for (const auto& t : texts) p.push_back(t.c_str());
  return p;
}

}  // namespace

RawHdf5::RawHdf5(const std::filesystem::path& path, Mode mode)
    : file_(mode == Mode::kCreate ? H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)
                                  : H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT)) {
  must(file_ >= 0, path.string());
}

RawHdf5::~RawHdf5() { H5Fclose(file_); }

void RawHdf5::group(const std::string& object) {
  const hid_t group = H5Gcreate2(file_, object.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  must(group >= 0, object);
  H5Gclose(group);
}

void RawHdf5::remove(const std::string& object) { must(H5Ldelete(file_, object.c_str(), H5P_DEFAULT) >= 0, object); }

void RawHdf5::remove_attribute(const std::string& object, const std::string& name) {
  must(H5Adelete_by_name(file_, object.c_str(), name.c_str(), H5P_DEFAULT) >= 0, object + " " + name);
}

void RawHdf5::put_array(const std::string& object, const std::vector<std::uint64_t>& shape, std::int64_t type,
                        const void* values, std::uint64_t chunk) {
  if (H5Lexists(file_, object.c_str(), H5P_DEFAULT) > 0) remove(object);
  std::vector<hsize_t> dims(shape.begin(), shape.end());
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  if (chunk > 0) {
    for (hsize_t& d : dims) d = std::min<hsize_t>(d, chunk);
    H5Pset_chunk(creation, static_cast<int>(dims.size()), dims.data());
    H5Pset_deflate(creation, 4);
  }
  const hid_t array = H5Dcreate2(file_, object.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  must(array >= 0, object);
  if (values != nullptr) must(H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, object);
  H5Dclose(array);
  H5Pclose(creation);
  H5Sclose(space);
}

void RawHdf5::put(const std::string& object, std::vector<std::uint64_t> shape, const std::vector<double>& values,
                  std::uint64_t chunk) {
  put_array(object, shape, H5T_NATIVE_DOUBLE, values.data(), chunk);
}

void RawHdf5::put(const std::string& object, std::vector<std::uint64_t> shape, const std::vector<float>& values,
                  std::uint64_t chunk) {
  put_array(object, shape, H5T_NATIVE_FLOAT, values.data(), chunk);
}

void RawHdf5::put(const std::string& object, std::vector<std::uint64_t> shape, const std::vector<std::int64_t>& values,
                  std::uint64_t chunk) {
  put_array(object, shape, H5T_NATIVE_INT64, values.data(), chunk);
}

void RawHdf5::put(const std::string& object, std::vector<std::uint64_t> shape, const std::vector<std::int32_t>& values,
                  std::uint64_t chunk) {
  put_array(object, shape, H5T_NATIVE_INT32, values.data(), chunk);
}

void RawHdf5::put(const std::string& object, const std::vector<std::string>& values) {
  const hid_t type = text_type();
  put_array(object, {values.size()}, type, pointers(values).data(), 0);
  H5Tclose(type);
}

void RawHdf5::put_empty(const std::string& object, std::vector<std::uint64_t> shape) {
  put_array(object, shape, H5T_NATIVE_FLOAT, nullptr, 1024);
}

void RawHdf5::external_link(const std::string& object, const std::string& file, const std::string& target) {
  if (H5Lexists(file_, object.c_str(), H5P_DEFAULT) > 0) remove(object);
  must(H5Lcreate_external(file.c_str(), target.c_str(), file_, object.c_str(), H5P_DEFAULT, H5P_DEFAULT) >= 0, object);
}

void RawHdf5::put_attribute(const std::string& object, const std::string& name, std::optional<std::uint64_t> count,
                            std::int64_t type, const void* values) {
  if (H5Aexists_by_name(file_, object.c_str(), name.c_str(), H5P_DEFAULT) > 0) remove_attribute(object, name);
  const hsize_t dims[1] = {count.value_or(1)};
  const hid_t space = count ? H5Screate_simple(1, dims, nullptr) : H5Screate(H5S_SCALAR);
  const hid_t attribute =
      H5Acreate_by_name(file_, object.c_str(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  must(attribute >= 0 && H5Awrite(attribute, type, values) >= 0, object + " " + name);
  H5Aclose(attribute);
  H5Sclose(space);
}

void RawHdf5::attribute(const std::string& object, const std::string& name, std::int64_t value) {
  put_attribute(object, name, std::nullopt, H5T_NATIVE_INT64, &value);
}

void RawHdf5::attribute(const std::string& object, const std::string& name, const std::vector<std::int64_t>& values) {
  put_attribute(object, name, values.size(), H5T_NATIVE_INT64, values.data());
}

void RawHdf5::attribute(const std::string& object, const std::string& name, const std::string& value) {
  const hid_t type = text_type();
  const char* text = value.c_str();
  put_attribute(object, name, std::nullopt, type, &text);
  H5Tclose(type);
}

void RawHdf5::attribute(const std::string& object, const std::string& name, const std::vector<std::string>& values) {
  const hid_t type = text_type();
  put_attribute(object, name, values.size(), type, pointers(values).data());
  H5Tclose(type);
}

void RawHdf5::bool_attribute(const std::string& object, const std::string& name, bool value) {
  const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
  for (const std::int8_t member : {std::int8_t{0}, std::int8_t{1}}) {
    H5Tenum_insert(type, member == 0 ? "FALSE" : "TRUE", &member);
  }
  const std::int8_t byte = value ? 1 : 0;
  put_attribute(object, name, std::nullopt, type, &byte);
  H5Tclose(type);
}

void write_like_h5py(const std::filesystem::path& path) {
  const GraphData data = small_graph();
  RawHdf5 file(path, RawHdf5::Mode::kCreate);
  file.attribute("/", "format", "laminar-graph");
  file.attribute("/", "version", 1);
  file.attribute("/", "name", data.name);
  file.attribute("/", "provenance", data.provenance);
  file.bool_attribute("/", "directed", true);
  file.attribute("/", "num_vertices", 5);
  file.attribute("/", "num_edges", 7);
  file.group("/graph");
  file.attribute("/graph", "encoding-type", "csr_matrix");
  file.attribute("/graph", "encoding-version", "0.1.0");
  file.attribute("/graph", "shape", std::vector<std::int64_t>{5, 5});
  const auto& g = *data.graph;
  // Row 3 holds sources 0 and 4, here out of order, and the edges' features with them.
  file.put("/graph/indptr", {6}, std::vector<std::int32_t>{0, 2, 4, 5, 7, 7});
  file.put("/graph/indices", {7}, std::vector<std::int32_t>{1, 2, 0, 3, 3, 4, 0}, 4);
  file.put("/graph/data", {7}, std::vector<double>{1.5, -2, 3, 0.25, 1, 7, 8});
  file.group("/edges");
  file.put("/edges/features", {7, 2}, std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 10, 11});
  file.group("/vertices");
  file.put("/vertices/features", {5, 3},
           std::vector<float>(data.features.data<float>(), data.features.data<float>() + data.features.size()), 2);
  file.put("/vertices/labels", {5}, data.labels.classes);
  file.attribute("/vertices/labels", "classes", data.labels.names);
  file.put("/vertices/names", data.vertex_names);
  file.group("/splits");
  for (const auto& split : data.splits) {
    const std::string group = "/splits/" + split.name;
    file.group(group);
    file.put(group + "/train", {split.train.size()}, split.train);
    file.put(group + "/val", {split.val.size()}, split.val);
    file.put(group + "/test", {split.test.size()}, split.test);
  }
  file.group("/partitions");
  file.put("/partitions/mine", {5}, data.partitions[0].assignment);
  file.attribute("/partitions/mine", "strategy", "blocks");
  file.attribute("/partitions/mine", "parts", 2);
  file.attribute("/partitions/mine", "seed", 7);
  file.attribute("/partitions/mine", "graph_fingerprint", static_cast<std::int64_t>(g.fingerprint()));
}

}  // namespace laminar::datasets::test
