#include "laminar/datasets/hdf5_chunks.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/datasets/hdf5_handle.hpp"
#include "laminar/datasets/hdf5_reader.hpp"
#include "laminar/datasets/hdf5_writer.hpp"
#include "laminar/tests/support/temporary_folder.hpp"

using namespace laminar;
using namespace laminar::datasets;
using core::Index;

namespace {

constexpr std::uint64_t kAnyBytes = std::uint64_t{1} << 40;

/// Writes arrays as other programs would.
class File {
 public:
  explicit File(const std::string& path)
      : handle_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose) {
    REQUIRE(handle_);
  }

  struct Form {
    hid_t type;
    std::vector<hsize_t> chunk;
    std::vector<H5Z_filter_t> filters = {};
  };

  /// `values` of `memory_type`, rows x cols (cols 0: one dimension). `written` rows only, if not all.
  void add(const std::string& name, const Form& form, hsize_t rows, hsize_t cols, hid_t memory_type,
           const void* values) {
    const hsize_t dims[2] = {rows, cols};
    const int rank = cols == 0 ? 1 : 2;
    const Hdf5Handle space(H5Screate_simple(rank, dims, nullptr), H5Sclose);
    const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    if (!form.chunk.empty()) H5Pset_chunk(creation.get(), rank, form.chunk.data());
    for (const H5Z_filter_t filter : form.filters) {
      if (filter == H5Z_FILTER_DEFLATE) H5Pset_deflate(creation.get(), 4);
      if (filter == H5Z_FILTER_SHUFFLE) H5Pset_shuffle(creation.get());
      if (filter == H5Z_FILTER_FLETCHER32) H5Pset_fletcher32(creation.get());
    }
    const Hdf5Handle array(
        H5Dcreate2(handle_.get(), name.c_str(), form.type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
        H5Dclose);
    REQUIRE(array);
    if (values != nullptr) {
      REQUIRE(H5Dwrite(array.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    }
  }

 private:
  Hdf5Handle handle_;
};

template <class T>
std::vector<T> numbers(std::size_t count) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<T>((i * 2654435761U) % 100'003) - T{50'000};
  return values;
}

/// read_chunks() of an array of `path`.
template <class T>
bool read(const std::string& path, const std::string& name, Index begin, Index end, Index cols, NumberKind kind,
          std::vector<T>& out) {
  const Hdf5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  const Hdf5Handle array(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  REQUIRE(array);
  out.assign(static_cast<std::size_t>((end - begin) * cols), T{});
  return read_chunks(array.get(), begin, end, cols, kind, kAnyBytes, out.data());
}

const std::vector<std::vector<H5Z_filter_t>> kFilters = {
    {},
    {H5Z_FILTER_DEFLATE},
    {H5Z_FILTER_FLETCHER32},
    {H5Z_FILTER_SHUFFLE},
    {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE},
    {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32},
    {H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32, H5Z_FILTER_DEFLATE}};

template <class T>
void check_kind(hid_t stored, hid_t memory, NumberKind kind) {
  const testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "a.h5").string();
  const Index rows = 1000;
  const Index cols = 3;
  const std::vector<T> list = numbers<T>(rows);
  const std::vector<T> table = numbers<T>(rows * cols);
  {
    File file(path);
    for (std::size_t f = 0; f < kFilters.size(); ++f) {
      file.add("list" + std::to_string(f), {stored, {64}, kFilters[f]}, rows, 0, memory, list.data());
      file.add("table" + std::to_string(f), {stored, {64, cols}, kFilters[f]}, rows, cols, memory, table.data());
    }
  }
  std::vector<T> out;
  for (std::size_t f = 0; f < kFilters.size(); ++f) {
    CAPTURE(f);
    for (const auto& [begin, end] : {std::pair<Index, Index>{0, rows}, {1, 65}, {64, 128}, {37, 999}, {900, rows}}) {
      CAPTURE(begin);
      REQUIRE(read(path, "list" + std::to_string(f), begin, end, 1, kind, out));
      CHECK(std::equal(out.begin(), out.end(), list.begin() + begin));
      REQUIRE(read(path, "table" + std::to_string(f), begin, end, cols, kind, out));
      CHECK(std::equal(out.begin(), out.end(), table.begin() + begin * cols));
    }
  }
}

}  // namespace

TEST_CASE("chunks are decoded as libhdf5 encodes them, on any number of threads") {
  for (const int threads : {1, 4}) {
    core::Arena arena(threads);
    arena.execute([] {
      check_kind<float>(H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, NumberKind::kFloat32);
      check_kind<std::int32_t>(H5T_STD_I32LE, H5T_NATIVE_INT32, NumberKind::kInt32);
      check_kind<std::int64_t>(H5T_STD_I64LE, H5T_NATIVE_INT64, NumberKind::kInt64);
      check_kind<std::int64_t>(H5T_STD_I32LE, H5T_NATIVE_INT64, NumberKind::kInt64);
    });
  }
}

TEST_CASE("checksums of long chunks, of sums that are multiples of 65535 and of odd sizes of chunks") {
  const testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "a.h5").string();
  const std::vector<H5Z_filter_t> filters = {H5Z_FILTER_FLETCHER32};
  std::vector<std::vector<std::int32_t>> arrays = {std::vector<std::int32_t>(5000, -1),
                                                   std::vector<std::int32_t>(5000, 0), numbers<std::int32_t>(300'000)};
  {
    File file(path);
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      file.add(std::to_string(i), {H5T_STD_I32LE, {arrays[i].size()}, filters}, arrays[i].size(), 0, H5T_NATIVE_INT32,
               arrays[i].data());
    }
  }
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    CAPTURE(i);
    CHECK(read(path, std::to_string(i), 0, static_cast<Index>(arrays[i].size()), 1, NumberKind::kInt32, out));
    CHECK(out == arrays[i]);
  }
}

TEST_CASE("large arrays are compressed if that makes enough of them, and all are checksummed") {
  const testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "a.h5").string();
  const Index count = 400'000;
  std::vector<std::int32_t> noise(count);
  std::vector<std::int32_t> steps(count);
  std::uint32_t state = 1;
  for (Index i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    noise[i] = static_cast<std::int32_t>(state ^ state >> 16);
    steps[i] = static_cast<std::int32_t>(i / 10);
  }
  {
    Hdf5Writer writer(path, 1);
    writer.write("/noise", {count}, noise);
    writer.write("/steps", {count}, steps);
    writer.write("/few", {1000}, std::span(noise).first(1000));
    writer.commit();
  }
  const Hdf5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  const auto filters = [&](const char* name) {
    const Hdf5Handle array(H5Dopen2(file.get(), name, H5P_DEFAULT), H5Dclose);
    const Hdf5Handle creation(H5Dget_create_plist(array.get()), H5Pclose);
    return H5Pget_nfilters(creation.get());
  };
  CHECK(filters("/noise") == 1);
  CHECK(filters("/steps") == 3);
  CHECK(filters("/few") == 3);
  std::vector<std::int32_t> out(count);
  const Hdf5Reader reader(path);
  reader.read_rows("/noise", 0, count, out.data());
  CHECK(out == noise);
  reader.read_rows("/steps", 0, count, out.data());
  CHECK(out == steps);
}

TEST_CASE("what is left to libhdf5, and read by it all the same") {
  const testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "a.h5").string();
  const std::vector<double> values = numbers<double>(600);
  {
    File file(path);
    file.add("contiguous", {H5T_IEEE_F32LE, {}}, 200, 3, H5T_NATIVE_DOUBLE, values.data());
    file.add("float64", {H5T_IEEE_F64LE, {10, 3}}, 200, 3, H5T_NATIVE_DOUBLE, values.data());
    file.add("big_endian", {H5T_IEEE_F32BE, {10, 3}}, 200, 3, H5T_NATIVE_DOUBLE, values.data());
    file.add("columns", {H5T_IEEE_F32LE, {10, 2}}, 200, 3, H5T_NATIVE_DOUBLE, values.data());
    file.add("integers", {H5T_STD_I32LE, {10, 3}}, 200, 3, H5T_NATIVE_DOUBLE, values.data());
    file.add("few", {H5T_IEEE_F32LE, {199, 3}}, 200, 3, H5T_NATIVE_DOUBLE, values.data());
    file.add("never_written", {H5T_IEEE_F32LE, {10, 3}}, 200, 3, H5T_NATIVE_DOUBLE, nullptr);
  }
  const Hdf5Reader reader(path);
  std::vector<float> out;
  for (const char* name : {"contiguous", "float64", "big_endian", "columns", "integers", "few", "never_written"}) {
    CAPTURE(std::string(name));
    CHECK_FALSE(read(path, name, 5, 195, 3, NumberKind::kFloat32, out));
    std::string object = "/";
    object += name;
    reader.read_rows(object, 5, 195, out.data());
    for (std::size_t i = 0; i < out.size(); ++i) {
      REQUIRE(out[i] == (std::string(name) == "never_written" ? 0.0F : static_cast<float>(values[15 + i])));
    }
  }
}

TEST_CASE("a damaged chunk is an error, whatever it is damaged in") {
  const testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "a.h5").string();
  const std::vector<float> values = numbers<float>(3000);
  {
    File file(path);
    file.add("x", {H5T_IEEE_F32LE, {500}, kFilters[5]}, 3000, 0, H5T_NATIVE_FLOAT, values.data());
  }
  std::string bytes;
  {
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  // Where zlib's streams begin, at level 4.
  std::vector<std::size_t> starts;
  for (std::size_t at = bytes.find("\x78\x5e"); at != std::string::npos; at = bytes.find("\x78\x5e", at + 1)) {
    starts.push_back(at);
  }
  REQUIRE(starts.size() >= 6);
  std::vector<float> out;
  for (const std::size_t start : starts) {
    for (const std::size_t offset : {std::size_t{0}, std::size_t{60}, std::size_t{300}}) {
      std::string damaged = bytes;
      damaged[start + offset] = static_cast<char>(damaged[start + offset] ^ 0x10);
      std::ofstream(path, std::ios::binary) << damaged;
      CHECK_FALSE(read(path, "x", 0, 3000, 1, NumberKind::kFloat32, out));
      const Hdf5Reader reader(path);
      CHECK_THROWS_WITH_AS(reader.read_rows("/x", 0, 3000, out.data()),
                           doctest::Contains("/x: rows 0..3000 can't be read"), Error);
    }
  }
}
