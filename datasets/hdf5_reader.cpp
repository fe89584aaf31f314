#include "laminar/datasets/hdf5_reader.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/hdf5_chunks.hpp"
#include "laminar/datasets/hdf5_handle.hpp"
#include "laminar/datasets/hdf5_strings.hpp"

namespace laminar::datasets {

using core::Index;

namespace {

// Deflate packs at most 1032 to 1. An array that claims more than twice that for its stored bytes is not real.
constexpr std::uint64_t kMaxRatio = 2064;
constexpr std::uint64_t kSmallBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxAttributeBytes = std::uint64_t{1} << 26;
constexpr std::uint64_t kLargeChunkBytes = std::uint64_t{1} << 26;
constexpr int kMaxRank = 4;

ElementKind kind_of(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
    case H5T_ENUM:
      return ElementKind::kInteger;
    case H5T_FLOAT:
      return ElementKind::kFloat;
    case H5T_STRING:
      return ElementKind::kString;
    default:
      return ElementKind::kOther;
  }
}

std::string type_text(hid_t type) {
  const std::size_t bits = 8 * H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return fmt::format("{}int{}", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits);
    case H5T_ENUM:
      return "bool";
    case H5T_FLOAT:
      return fmt::format("float{}", bits);
    case H5T_STRING:
      return "string";
    default:
      return "an unsupported type";
  }
}

}  // namespace

struct Hdf5Reader::State {
  std::string path;
  std::uint64_t file_bytes = 0;
  AttributeTexts attribute_texts;
  Hdf5Handle file;
  // Open arrays, so that row after row uses the same chunk cache.
  std::map<std::string, Hdf5Handle> arrays;

  [[noreturn]] void fail(std::string_view object, std::string_view text) const {
    throw Error(fmt::format("{}: {}: {}", path, object, text));
  }

  /// The object's type; H5O_TYPE_UNKNOWN if there is none.
  H5O_type_t object_type(const std::string& object) const {
    silence_hdf5();
    if (object != "/") {
      for (std::size_t slash = object.find('/', 1);; slash = object.find('/', slash + 1)) {
        const std::string prefix = object.substr(0, slash);
        H5L_info_t link{};
        if (H5Lexists(file.get(), prefix.c_str(), H5P_DEFAULT) <= 0) return H5O_TYPE_UNKNOWN;
        if (H5Lget_info(file.get(), prefix.c_str(), &link, H5P_DEFAULT) < 0) fail(prefix, "the link is damaged");
        if (link.type != H5L_TYPE_HARD && link.type != H5L_TYPE_SOFT) {
          fail(prefix, "is a link to another file; copy what it points to into this one");
        }
        if (H5Oexists_by_name(file.get(), prefix.c_str(), H5P_DEFAULT) <= 0) fail(prefix, "the link leads nowhere");
        if (slash == std::string::npos) break;
      }
    }
    H5O_info_t info{};
    if (H5Oget_info_by_name2(file.get(), object.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) {
      fail(object, fmt::format("the object is damaged ({})", hdf5_reason()));
    }
    return info.type;
  }

  static std::vector<Index> shape_of(hid_t space) {
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || rank > kMaxRank) return std::vector<Index>(kMaxRank + 1, 0);
    std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
    H5Sget_simple_extent_dims(space, dims.data(), nullptr);
    std::vector<Index> shape;
    for (const hsize_t d : dims) {
      shape.push_back(static_cast<Index>(std::min<hsize_t>(d, std::numeric_limits<Index>::max())));
    }
    return shape;
  }

  /// Bytes of `shape` elements of `type`; saturates.
  static std::uint64_t bytes_of(const std::vector<Index>& shape, std::uint64_t element_bytes) {
    std::uint64_t bytes = element_bytes;
    for (const Index d : shape) {
      if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(d), &bytes)) {
        return std::numeric_limits<std::uint64_t>::max();
      }
    }
    return bytes;
  }

  void check_layout(const std::string& object, hid_t array, std::uint64_t bytes, std::uint64_t element_bytes) const {
    const Hdf5Handle creation(H5Dget_create_plist(array), H5Pclose);
    const H5D_layout_t layout = creation ? H5Pget_layout(creation.get()) : H5D_LAYOUT_ERROR;
    if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED) {
      fail(object, "has a layout that can't be read (virtual, or damaged)");
    }
    if (layout == H5D_CONTIGUOUS && H5Pget_external_count(creation.get()) != 0) {
      fail(object, "keeps its values in another file; copy them into this one");
    }
    if (layout == H5D_CHUNKED) {
      hsize_t chunk[kMaxRank] = {};
      const int rank = H5Pget_chunk(creation.get(), kMaxRank, chunk);
      if (rank < 1 || rank > kMaxRank) fail(object, "its chunk shape is damaged");
      std::uint64_t chunk_bytes = element_bytes;
      for (int d = 0; d < rank; ++d) {
        if (chunk[d] == 0 || __builtin_mul_overflow(chunk_bytes, chunk[d], &chunk_bytes) ||
            chunk_bytes > std::max(kLargeChunkBytes, bytes)) {
          fail(object, "its chunks are larger than the array itself; the file is damaged");
        }
      }
    }
    const std::uint64_t stored = std::min<std::uint64_t>(H5Dget_storage_size(array), file_bytes);
    if (bytes > kSmallBytes && (stored == 0 || bytes / stored > kMaxRatio)) {
      fail(object,
           fmt::format("declares {} bytes, but the file stores only {} for it; it is damaged or was never filled",
                       bytes, stored));
    }
  }

  hid_t array(const std::string& object) {
    const auto found = arrays.find(object);
    if (found != arrays.end()) return found->second.get();
    const H5O_type_t type = object_type(object);
    if (type == H5O_TYPE_UNKNOWN) fail(object, "is missing");
    if (type != H5O_TYPE_DATASET) fail(object, "expected an array, found a group");
    Hdf5Handle handle(H5Dopen2(file.get(), object.c_str(), H5P_DEFAULT), H5Dclose);
    if (!handle) fail(object, fmt::format("can't be opened ({})", hdf5_reason()));
    const Hdf5Handle space(H5Dget_space(handle.get()), H5Sclose);
    const Hdf5Handle element(H5Dget_type(handle.get()), H5Tclose);
    if (!space || !element || H5Sget_simple_extent_type(space.get()) == H5S_NO_CLASS) {
      fail(object, "its shape or type is damaged");
    }
    const auto shape = shape_of(space.get());
    if (shape.size() > kMaxRank) fail(object, fmt::format("has more than {} dimensions", kMaxRank));
    const std::uint64_t element_bytes = H5Tget_size(element.get());
    check_layout(object, handle.get(), bytes_of(shape, element_bytes), element_bytes);
    return arrays.emplace(object, std::move(handle)).first->second.get();
  }

  Hdf5Handle attribute(const std::string& object, const std::string& name) const {
    silence_hdf5();
    Hdf5Handle handle(H5Aopen_by_name(file.get(), object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    if (!handle) fail(object, fmt::format("the attribute '{}' is missing or damaged", name));
    return handle;
  }

  /// Number of values, checked; a scalar has one.
  std::size_t attribute_size(const std::string& object, const std::string& name, hid_t handle, hid_t type) const {
    const Hdf5Handle space(H5Aget_space(handle), H5Sclose);
    const hssize_t count = space ? H5Sget_simple_extent_npoints(space.get()) : -1;
    const std::uint64_t element_bytes = H5Tget_size(type);
    if (count < 0 || element_bytes == 0 || static_cast<std::uint64_t>(count) > kMaxAttributeBytes / element_bytes) {
      fail(object, fmt::format("the attribute '{}' is damaged or far too large", name));
    }
    return static_cast<std::size_t>(count);
  }

  void read_rows(const std::string& object, Index begin, Index end, NumberKind kind, void* out) {
    const hid_t handle = array(object);
    const Hdf5Handle space(H5Dget_space(handle), H5Sclose);
    const auto shape = shape_of(space.get());
    if (shape.empty() || shape.size() > 2) fail(object, "expected an array of one or two dimensions");
    if (begin < 0 || begin > end || end > shape[0]) {
      fail(object, fmt::format("rows {}..{} were asked for, but there are {}", begin, end, shape[0]));
    }
    if (begin == end || (shape.size() == 2 && shape[1] == 0)) return;
    if (read_chunks(handle, begin, end, shape.size() == 2 ? shape[1] : 1, kind, file_bytes, out)) return;
    const hid_t memory_type = kind == NumberKind::kInt32   ? H5T_NATIVE_INT32
                              : kind == NumberKind::kInt64 ? H5T_NATIVE_INT64
                                                           : H5T_NATIVE_FLOAT;
    const hsize_t start[2] = {static_cast<hsize_t>(begin), 0};
    const hsize_t count[2] = {static_cast<hsize_t>(end - begin),
                              shape.size() == 2 ? static_cast<hsize_t>(shape[1]) : hsize_t{1}};
    const Hdf5Handle memory(H5Screate_simple(static_cast<int>(shape.size()), count, nullptr), H5Sclose);
    if (!memory || H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start, nullptr, count, nullptr) < 0 ||
        H5Dread(handle, memory_type, memory.get(), space.get(), H5P_DEFAULT, out) < 0) {
      fail(object,
           fmt::format("rows {}..{} can't be read ({}); the file is damaged or compressed by a filter that isn't "
                       "installed",
                       begin, end, hdf5_reason()));
    }
  }
};

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  silence_hdf5();
  state_->path = path.string();
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw Error(fmt::format("{}: there is no such file", state_->path));
  if (!std::filesystem::is_regular_file(status)) throw Error(fmt::format("{}: is not a file", state_->path));
  state_->file_bytes = std::filesystem::file_size(path, error);
  if (error) throw Error(fmt::format("{}: can't be read: {}", state_->path, error.message()));
  state_->attribute_texts = probe_structure(path, state_->file_bytes);
  state_->file = Hdf5Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!state_->file) {
    const std::string reason = hdf5_reason();
    throw Error(fmt::format("{}: expected an HDF5 file that can be read: {}", state_->path, reason));
  }
}

Hdf5Reader::~Hdf5Reader() = default;

const std::string& Hdf5Reader::path() const { return state_->path; }

void Hdf5Reader::fail(std::string_view object, std::string_view text) const { state_->fail(object, text); }

bool Hdf5Reader::has_group(const std::string& object) const { return state_->object_type(object) == H5O_TYPE_GROUP; }

bool Hdf5Reader::has_array(const std::string& object) const { return state_->object_type(object) == H5O_TYPE_DATASET; }

std::vector<std::string> Hdf5Reader::children(const std::string& group) const {
  silence_hdf5();
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  const Hdf5Handle handle(H5Gopen2(state_->file.get(), group.c_str(), H5P_DEFAULT), H5Gclose);
  if (!handle || H5Literate(handle.get(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, collect, &names) < 0) {
    fail(group, fmt::format("the group can't be listed ({})", hdf5_reason()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool Hdf5Reader::has_attribute(const std::string& object, const std::string& attribute) const {
  silence_hdf5();
  const htri_t exists = H5Aexists_by_name(state_->file.get(), object.c_str(), attribute.c_str(), H5P_DEFAULT);
  if (exists < 0) fail(object, fmt::format("its attributes can't be read ({})", hdf5_reason()));
  return exists > 0;
}

std::vector<std::int64_t> Hdf5Reader::integers_attribute(const std::string& object,
                                                         const std::string& attribute) const {
  const Hdf5Handle handle = state_->attribute(object, attribute);
  const Hdf5Handle type(H5Aget_type(handle.get()), H5Tclose);
  if (!type || kind_of(type.get()) != ElementKind::kInteger) {
    fail(object, fmt::format("the attribute '{}' is {}, expected an integer", attribute,
                             type ? type_text(type.get()) : "damaged"));
  }
  std::vector<std::int64_t> values(state_->attribute_size(object, attribute, handle.get(), type.get()));
  if (!values.empty() && H5Aread(handle.get(), H5T_NATIVE_INT64, values.data()) < 0) {
    fail(object, fmt::format("the attribute '{}' can't be read ({})", attribute, hdf5_reason()));
  }
  return values;
}

std::int64_t Hdf5Reader::integer_attribute(const std::string& object, const std::string& attribute) const {
  const auto values = integers_attribute(object, attribute);
  if (values.size() != 1) {
    fail(object, fmt::format("the attribute '{}' has {} values, expected 1", attribute, values.size()));
  }
  return values.front();
}

std::vector<std::string> Hdf5Reader::strings_attribute(const std::string& object, const std::string& attribute) const {
  const Hdf5Handle handle = state_->attribute(object, attribute);
  const Hdf5Handle type(H5Aget_type(handle.get()), H5Tclose);
  if (!type || kind_of(type.get()) != ElementKind::kString) {
    fail(object,
         fmt::format("the attribute '{}' is {}, expected text", attribute, type ? type_text(type.get()) : "damaged"));
  }
  const std::size_t count = state_->attribute_size(object, attribute, handle.get(), type.get());
  const auto known = state_->attribute_texts.find({object, attribute});
  if (known != state_->attribute_texts.end() && known->second.size() == count) return known->second;
  return read_attribute_strings(fmt::format("{}: {}: the attribute '{}'", path(), object, attribute), handle.get(),
                                count, state_->file_bytes);
}

std::string Hdf5Reader::string_attribute(const std::string& object, const std::string& attribute) const {
  auto texts = strings_attribute(object, attribute);
  if (texts.size() != 1) {
    fail(object, fmt::format("the attribute '{}' has {} values, expected 1", attribute, texts.size()));
  }
  return std::move(texts.front());
}

ArrayInfo Hdf5Reader::array_info(const std::string& object) const {
  const hid_t handle = state_->array(object);
  const Hdf5Handle space(H5Dget_space(handle), H5Sclose);
  const Hdf5Handle type(H5Dget_type(handle), H5Tclose);
  ArrayInfo info;
  info.kind = kind_of(type.get());
  info.shape = State::shape_of(space.get());
  info.text = fmt::format("{} [{}]", type_text(type.get()), fmt::join(info.shape, ", "));
  return info;
}

void Hdf5Reader::read_rows(const std::string& object, Index begin, Index end, std::int64_t* out) const {
  state_->read_rows(object, begin, end, NumberKind::kInt64, out);
}

void Hdf5Reader::read_rows(const std::string& object, Index begin, Index end, std::int32_t* out) const {
  state_->read_rows(object, begin, end, NumberKind::kInt32, out);
}

void Hdf5Reader::read_rows(const std::string& object, Index begin, Index end, float* out) const {
  state_->read_rows(object, begin, end, NumberKind::kFloat32, out);
}

std::vector<std::string> Hdf5Reader::read_strings(const std::string& object) const {
  const auto info = array_info(object);
  if (info.kind != ElementKind::kString || info.shape.size() != 1) {
    fail(object, fmt::format("is {}, expected a list of strings", info.text));
  }
  return read_array_strings(fmt::format("{}: {}", path(), object), state_->array(object),
                            static_cast<std::size_t>(info.shape[0]), state_->file_bytes);
}

}  // namespace laminar::datasets
