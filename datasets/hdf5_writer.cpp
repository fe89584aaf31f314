#include "laminar/datasets/hdf5_writer.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>

#include "laminar/core/atomic_file.hpp"
#include "laminar/core/error.hpp"
#include "laminar/datasets/hdf5_handle.hpp"

namespace laminar::datasets {

using core::Index;

namespace {

constexpr Index kChunkBytes = Index{1} << 20;
constexpr std::size_t kGrowBytes = std::size_t{4} << 20;
// Arrays up to this size are compressed at any gain.
constexpr std::size_t kSmallBytes = std::size_t{1} << 20;
// Larger ones if the bytes tried become at most this share of themselves: decompression takes longer than reading.
constexpr double kWorthwhile = 0.8;
constexpr std::size_t kTriedBytes = std::size_t{1} << 16;
constexpr std::size_t kTries = 4;
// HDF5 wants a name even for a file in memory, and reads a file of that name if there is one.
constexpr const char* kNoFile = "/dev/null/graph.h5";

/// The file while it is made. libhdf5 can't close a file whose data it failed to write (it crashes when the process
/// ends), so it writes to memory, and the disk is this file's own business.
struct Image {
  void* bytes = nullptr;
  ~Image() { std::free(bytes); }
};

// HDF5's core driver calls these; at the end of the file the image stays here instead of being freed.
void* image_malloc(std::size_t size, H5FD_file_image_op_t, void*) { return std::malloc(size); }
void* image_realloc(void* bytes, std::size_t size, H5FD_file_image_op_t, void*) { return std::realloc(bytes, size); }
void* image_memcpy(void* to, const void* from, std::size_t size, H5FD_file_image_op_t, void*) {
  return std::memcpy(to, from, size);
}
herr_t image_free(void* bytes, H5FD_file_image_op_t operation, void* image) {
  if (operation == H5FD_FILE_IMAGE_OP_FILE_CLOSE) {
    std::free(std::exchange(static_cast<Image*>(image)->bytes, bytes));
  } else {
    std::free(bytes);
  }
  return 0;
}
void* image_share(void* image) { return image; }
herr_t image_unshare(void*) { return 0; }

/// Whether deflate makes enough of `bytes` bytes of elements, shuffled: tried on a few places spread over them.
bool worth_compressing(const void* data, std::size_t bytes, std::size_t element_bytes, int level) {
  if (bytes <= kSmallBytes) return true;
  const std::size_t elements = kTriedBytes / element_bytes;
  if (elements == 0) return true;
  const auto* from = static_cast<const unsigned char*>(data);
  std::vector<unsigned char> shuffled(elements * element_bytes);
  std::vector<unsigned char> packed(compressBound(shuffled.size()));
  std::size_t packed_bytes = 0;
  for (std::size_t t = 0; t < kTries; ++t) {
    const std::size_t last = bytes / element_bytes - elements;
    const unsigned char* at = from + last * t / (kTries - 1) * element_bytes;
    for (std::size_t i = 0; i < elements; ++i) {
      for (std::size_t b = 0; b < element_bytes; ++b) shuffled[b * elements + i] = at[i * element_bytes + b];
    }
    auto size = static_cast<uLongf>(packed.size());
    if (compress2(packed.data(), &size, shuffled.data(), shuffled.size(), level) != Z_OK) return true;
    packed_bytes += size;
  }
  return static_cast<double>(packed_bytes) <= kWorthwhile * static_cast<double>(kTries * shuffled.size());
}

}  // namespace

struct Hdf5Writer::State {
  explicit State(const std::filesystem::path& p) : path(p), target(p) {}
  std::filesystem::path path;
  core::AtomicFile target;
  int compression = 0;
  Image image;
  Hdf5Handle file;

  [[noreturn]] void fail(std::string_view object, std::string_view reason) const {
    throw Error(fmt::format("{}: {}: can't be written ({})", path.string(), object, reason));
  }
  [[noreturn]] void fail(std::string_view object) const { fail(object, hdf5_reason()); }

  void write(const std::string& object, std::span<const Index> shape, std::size_t count, hid_t file_type,
             hid_t memory_type, const void* data) const {
    std::vector<hsize_t> dims(shape.begin(), shape.end());
    std::size_t expected = 1;
    for (const hsize_t d : dims) expected *= d;
    if (expected != count) {
      throw Error(fmt::format("{}: {}: {} values for a shape of {}", path.string(), object, count, expected));
    }
    const Hdf5Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose);
    const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    if (count > 0) {
      const auto element_bytes = static_cast<Index>(H5Tget_size(file_type));
      Index row_bytes = element_bytes;
      for (std::size_t d = 1; d < dims.size(); ++d) row_bytes *= static_cast<Index>(dims[d]);
      std::vector<hsize_t> chunk = dims;
      chunk[0] = std::clamp<hsize_t>(static_cast<hsize_t>(kChunkBytes / row_bytes), 1, dims[0]);
      H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data());
      const auto memory_bytes = H5Tget_size(memory_type);
      if (compression > 0 && worth_compressing(data, count * memory_bytes, memory_bytes, compression)) {
        H5Pset_shuffle(creation.get());
        H5Pset_deflate(creation.get(), static_cast<unsigned>(compression));
      }
      H5Pset_fletcher32(creation.get());
    }
    Hdf5Handle array(
        H5Dcreate2(file.get(), object.c_str(), file_type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
        H5Dclose);
    if (!array) fail(object);
    if (count > 0 && H5Dwrite(array.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) fail(object);
    if (!array.reset()) fail(object);
  }

  void write_attribute(const std::string& object, const std::string& name, hid_t space, hid_t file_type,
                       hid_t memory_type, const void* data) const {
    const Hdf5Handle attribute(H5Acreate_by_name(file.get(), object.c_str(), name.c_str(), file_type, space,
                                                 H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                               H5Aclose);
    if (!attribute || H5Awrite(attribute.get(), memory_type, data) < 0) fail(object);
  }
};

namespace {

/// UTF-8 of `size` bytes, or H5T_VARIABLE.
Hdf5Handle text_type(std::size_t size) {
  Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), size);
  if (size != H5T_VARIABLE) H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  return type;
}

/// The texts side by side in fields of the longest one's size.
std::vector<char> pack(std::span<const std::string> texts, std::size_t& size) {
  size = 1;
  for (const auto& t : texts) size = std::max(size, t.size());
  std::vector<char> bytes(size * texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) std::copy(texts[i].begin(), texts[i].end(), bytes.data() + i * size);
  return bytes;
}

Hdf5Handle one_dimension(std::size_t size) {
  const hsize_t dims[1] = {size};
  return {H5Screate_simple(1, dims, nullptr), H5Sclose};
}

}  // namespace

Hdf5Writer::Hdf5Writer(const std::filesystem::path& path, int compression, Start start)
    : state_(std::make_unique<State>(path)) {
  silence_hdf5();
  if (compression < 0 || compression > 9) {
    throw UsageError(fmt::format("compression level {} was asked for; expected 0 to 9", compression));
  }
  state_->compression = compression;
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  // The newer object headers carry checksums and hold attributes of any size.
  H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110);
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
  H5Pset_fapl_core(access.get(), kGrowBytes, false);
  H5FD_file_image_callbacks_t callbacks = {image_malloc, image_memcpy,  image_realloc, image_free,
                                           image_share,  image_unshare, &state_->image};
  H5Pset_file_image_callbacks(access.get(), &callbacks);
  if (start == Start::kEmpty) {
    state_->file = Hdf5Handle(H5Fcreate(kNoFile, H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose);
  } else {
#if H5_VERSION_GE(1, 10, 7)
    // The target is read once and never written, so others may have it open.
    H5Pset_file_locking(access.get(), false, true);
#endif
    state_->file = Hdf5Handle(H5Fopen(path.c_str(), H5F_ACC_RDWR, access.get()), H5Fclose);
  }
  if (!state_->file) state_->fail("/");
}

Hdf5Writer::~Hdf5Writer() = default;

bool Hdf5Writer::has(const std::string& object) const {
  const htri_t exists = H5Lexists(state_->file.get(), object.c_str(), H5P_DEFAULT);
  if (exists < 0) state_->fail(object);
  return exists > 0;
}

void Hdf5Writer::remove(const std::string& object) {
  if (H5Ldelete(state_->file.get(), object.c_str(), H5P_DEFAULT) < 0) state_->fail(object);
}

void Hdf5Writer::create_group(const std::string& object) {
  const Hdf5Handle group(H5Gcreate2(state_->file.get(), object.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                         H5Gclose);
  if (!group) state_->fail(object);
}

void Hdf5Writer::write(const std::string& object, std::initializer_list<Index> shape,
                       std::span<const std::int64_t> values) {
  state_->write(object, shape, values.size(), H5T_STD_I64LE, H5T_NATIVE_INT64, values.data());
}

void Hdf5Writer::write(const std::string& object, std::initializer_list<Index> shape,
                       std::span<const std::int32_t> values) {
  state_->write(object, shape, values.size(), H5T_STD_I32LE, H5T_NATIVE_INT32, values.data());
}

void Hdf5Writer::write(const std::string& object, std::initializer_list<Index> shape,
                       std::span<const std::uint8_t> values) {
  state_->write(object, shape, values.size(), H5T_STD_U8LE, H5T_NATIVE_UINT8, values.data());
}

void Hdf5Writer::write(const std::string& object, std::initializer_list<Index> shape, std::span<const float> values) {
  state_->write(object, shape, values.size(), H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, values.data());
}

void Hdf5Writer::write_strings(const std::string& object, std::span<const std::string> values) {
  std::size_t size = 1;
  const auto bytes = pack(values, size);
  const Hdf5Handle type = text_type(size);
  const auto count = static_cast<Index>(values.size());
  state_->write(object, std::span(&count, 1), values.size(), type.get(), type.get(), bytes.data());
}

void Hdf5Writer::set_attribute(const std::string& object, const std::string& attribute, std::string_view value) {
  const Hdf5Handle type = text_type(H5T_VARIABLE);
  const std::string text(value);
  const char* const pointer = text.c_str();
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  state_->write_attribute(object, attribute, space.get(), type.get(), type.get(), &pointer);
}

void Hdf5Writer::set_attribute(const std::string& object, const std::string& attribute, std::int64_t value) {
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  state_->write_attribute(object, attribute, space.get(), H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void Hdf5Writer::set_attribute(const std::string& object, const std::string& attribute, bool value) {
  const std::uint8_t byte = value ? 1 : 0;
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  state_->write_attribute(object, attribute, space.get(), H5T_STD_U8LE, H5T_NATIVE_UINT8, &byte);
}

void Hdf5Writer::set_attribute(const std::string& object, const std::string& attribute,
                               std::span<const std::int64_t> values) {
  const Hdf5Handle space = one_dimension(values.size());
  state_->write_attribute(object, attribute, space.get(), H5T_STD_I64LE, H5T_NATIVE_INT64, values.data());
}

void Hdf5Writer::set_attribute(const std::string& object, const std::string& attribute,
                               std::span<const std::string> values) {
  const Hdf5Handle type = text_type(H5T_VARIABLE);
  std::vector<const char*> pointers;
  for (const auto& value : values) pointers.push_back(value.c_str());
  const Hdf5Handle space = one_dimension(values.size());
  state_->write_attribute(object, attribute, space.get(), type.get(), type.get(), pointers.data());
}

void Hdf5Writer::commit() {
  if (H5Fflush(state_->file.get(), H5F_SCOPE_LOCAL) < 0) state_->fail("/");
  const ssize_t size = H5Fget_file_image(state_->file.get(), nullptr, 0);
  if (size < 0 || !state_->file.reset()) state_->fail("/");
  state_->target.write({static_cast<const char*>(state_->image.bytes), static_cast<std::size_t>(size)});
  state_->target.commit();
}

}  // namespace laminar::datasets
