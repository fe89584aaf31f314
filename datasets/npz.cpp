#include "laminar/datasets/npz.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zip.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/memory_budget.hpp"

namespace laminar::datasets {

using core::Index;

namespace {

// Deflate packs at most 1032 to 1.
constexpr std::uint64_t kMaxRatio = 1040;
// What importing takes for a byte that is unpacked: as it stands, and as 64-bit integers or float32.
constexpr std::uint64_t kMemoryPerByte = 3;
constexpr std::uint64_t kSmallBytes = std::uint64_t{1} << 16;
constexpr std::size_t kLongestStart = (std::size_t{1} << 16) + 12;

struct CloseEntry {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

template <class T>
T load(const unsigned char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Position of the i-th element in C order of a one- or two-dimensional array.
std::size_t place(const NpyArray& array, std::size_t i) {
  if (!array.fortran_order || array.shape.size() < 2) return i;
  const auto rows = static_cast<std::size_t>(array.shape[0]);
  const auto cols = static_cast<std::size_t>(array.shape[1]);
  return (i % cols) * rows + i / cols;
}

/// Element `i` as T, which must be wide enough for the array's type except for 64-bit unsigned integers.
template <class T>
T element(const NpyArray& array, std::size_t i) {
  const unsigned char* at = array.bytes.data() + i * array.item_bytes;
  const bool is_signed = array.kind == 'i';
  if (array.kind == 'f')
    return array.item_bytes == 4 ? static_cast<T>(load<float>(at)) : static_cast<T>(load<double>(at));
  switch (array.item_bytes) {
    case 1:
      return is_signed ? static_cast<T>(load<std::int8_t>(at)) : static_cast<T>(load<std::uint8_t>(at));
    case 2:
      return is_signed ? static_cast<T>(load<std::int16_t>(at)) : static_cast<T>(load<std::uint16_t>(at));
    case 4:
      return is_signed ? static_cast<T>(load<std::int32_t>(at)) : static_cast<T>(load<std::uint32_t>(at));
    default:
      return is_signed ? static_cast<T>(load<std::int64_t>(at)) : static_cast<T>(load<std::uint64_t>(at));
  }
}

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

}  // namespace

struct NpzFile::State {
  explicit State(std::uint64_t max_memory_bytes) : budget(max_memory_bytes) {}
  std::string path;
  zip_t* archive = nullptr;
  MemoryBudget budget;
};

NpzFile::NpzFile(const std::filesystem::path& path, std::uint64_t max_memory_bytes)
    : state_(std::make_unique<State>(max_memory_bytes)) {
  state_->path = path.string();
  if (!std::filesystem::is_regular_file(path)) throw Error(fmt::format("{}: there is no such file", state_->path));
  int code = 0;
  state_->archive = zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code);
  if (state_->archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw Error(fmt::format("{}: expected a NumPy archive (.npz): {}", state_->path, reason));
  }
}

NpzFile::~NpzFile() { zip_discard(state_->archive); }

const std::string& NpzFile::path() const { return state_->path; }

void NpzFile::fail(const std::string& array, const std::string& text) const {
  throw Error(fmt::format("{}: {}: {}", state_->path, array, text));
}

bool NpzFile::has(const std::string& array) const {
  return zip_name_locate(state_->archive, (array + ".npy").c_str(), 0) >= 0;
}

NpyArray NpzFile::read(const std::string& array) const {
  const std::string name = array + ".npy";
  zip_stat_t stat;
  zip_stat_init(&stat);
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_INDEX;
  if (!has(array)) fail(array, "is missing");
  if (zip_stat(state_->archive, name.c_str(), 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded) {
    fail(array, "its entry in the archive is damaged");
  }
  if (stat.size > kSmallBytes && stat.size / kMaxRatio > stat.comp_size) {
    fail(array, fmt::format("claims to unpack {} bytes to {}; the archive is damaged", stat.comp_size, stat.size));
  }
  if (!state_->budget.take(kMemoryPerByte * stat.size)) {
    fail(array, state_->budget.complaint(fmt::format("what unpacks to {} bytes here", stat.size)));
  }
  const std::unique_ptr<zip_file_t, CloseEntry> file(zip_fopen_index(state_->archive, stat.index, 0));
  if (!file) fail(array, fmt::format("can't be unpacked: {}", zip_strerror(state_->archive)));
  const auto fill = [&](unsigned char* out, std::size_t count) {
    while (count > 0) {
      const zip_int64_t got = zip_fread(file.get(), out, count);
      if (got <= 0) {
        const char* reason = got < 0 ? zip_file_strerror(file.get()) : "it ends early";
        fail(array, fmt::format("can't be unpacked: {}; the archive is damaged", reason));
      }
      out += got;
      count -= static_cast<std::size_t>(got);
    }
  };
  std::vector<unsigned char> start(static_cast<std::size_t>(std::min<zip_uint64_t>(stat.size, kLongestStart)));
  fill(start.data(), start.size());
  std::size_t header_bytes = 0;
  NpyArray result = parse_npy_header(start, stat.size, fmt::format("{}: {}", state_->path, array), header_bytes);
  result.bytes.resize(static_cast<std::size_t>(stat.size) - header_bytes);
  std::copy(start.begin() + static_cast<std::ptrdiff_t>(header_bytes), start.end(), result.bytes.begin());
  fill(result.bytes.data() + (start.size() - header_bytes), static_cast<std::size_t>(stat.size) - start.size());
  // The checksum is compared where the data ends.
  unsigned char beyond = 0;
  if (zip_fread(file.get(), &beyond, 1) != 0) fail(array, "can't be unpacked: the checksum or the size is wrong");
  return result;
}

namespace {

void match_shape(const NpzFile& file, const std::string& name, const NpyArray& array, std::vector<Index>& shape,
                 const char* kinds, const char* expected) {
  bool good = std::strchr(kinds, array.kind) != nullptr && array.shape.size() == shape.size();
  for (std::size_t d = 0; good && d < shape.size(); ++d) good = shape[d] < 0 || shape[d] == array.shape[d];
  if (!good) {
    std::vector<std::string> sizes;
    for (const Index s : shape) sizes.push_back(s < 0 ? "any" : std::to_string(s));
    file.fail(name, fmt::format("is {}, expected {} [{}]", array.text(), expected, fmt::join(sizes, ", ")));
  }
  shape = array.shape;
}

}  // namespace

std::vector<std::int64_t> integers_of(const NpyArray& array, const std::string& where) {
  if (std::strchr("iub", array.kind) == nullptr) {
    throw Error(fmt::format("{}: is {}, expected integers", where, array.text()));
  }
  std::vector<std::int64_t> values(static_cast<std::size_t>(array.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = element<std::int64_t>(array, place(array, i));
  return values;
}

std::vector<float> numbers_of(const NpyArray& array, const std::string& where) {
  if (std::strchr("fiub", array.kind) == nullptr) {
    throw Error(fmt::format("{}: is {}, expected numbers", where, array.text()));
  }
  std::vector<float> values(static_cast<std::size_t>(array.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = element<float>(array, place(array, i));
    if (!std::isfinite(values[i])) {
      throw Error(fmt::format("{}: entry {} is {}, expected a finite number", where, i, values[i]));
    }
  }
  return values;
}

NpyArray read_npy(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) throw Error(fmt::format("{}: there is no such file", path.string()));
  std::ifstream file(path, std::ios::binary);
  const std::uint64_t total = std::filesystem::file_size(path);
  std::vector<unsigned char> start(static_cast<std::size_t>(std::min<std::uint64_t>(total, kLongestStart)));
  const auto fill = [&](unsigned char* out, std::size_t count) {
    if (!file.read(reinterpret_cast<char*>(out), static_cast<std::streamsize>(count))) {
      throw Error(fmt::format("{}: can't be read", path.string()));
    }
  };
  fill(start.data(), start.size());
  std::size_t header_bytes = 0;
  NpyArray array = parse_npy_header(start, total, path.string(), header_bytes);
  array.bytes.resize(static_cast<std::size_t>(total) - header_bytes);
  std::copy(start.begin() + static_cast<std::ptrdiff_t>(header_bytes), start.end(), array.bytes.begin());
  const std::size_t had = start.size() - header_bytes;
  fill(array.bytes.data() + had, array.bytes.size() - had);
  return array;
}

std::vector<std::int64_t> NpzFile::integers(const std::string& array, std::vector<Index>& shape) const {
  const NpyArray raw = read(array);
  match_shape(*this, array, raw, shape, "iub", "integers");
  return integers_of(raw, fmt::format("{}: {}", path(), array));
}

std::vector<float> NpzFile::numbers(const std::string& array, std::vector<Index>& shape) const {
  const NpyArray raw = read(array);
  match_shape(*this, array, raw, shape, "fiub", "numbers");
  return numbers_of(raw, fmt::format("{}: {}", path(), array));
}

std::vector<std::string> NpzFile::strings(const std::string& array) const {
  const NpyArray raw = read(array);
  if (raw.kind != 'U' || raw.shape.size() != 1) fail(array, fmt::format("is {}, expected a list of text", raw.text()));
  std::vector<std::string> texts(static_cast<std::size_t>(raw.size()));
  const std::size_t length = raw.item_bytes / 4;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (std::size_t c = 0; c < length; ++c) {
      const auto code = load<std::uint32_t>(raw.bytes.data() + i * raw.item_bytes + 4 * c);
      if (code == 0) break;
      if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        fail(array, fmt::format("entry {} holds the character {:#x}, which does not exist", i, code));
      }
      append_utf8(texts[i], code);
    }
  }
  return texts;
}

}  // namespace laminar::datasets
