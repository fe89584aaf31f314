#include "laminar/pipeline/tensor_bytes.hpp"

#include <cstring>
#include <string>

#include "laminar/core/error.hpp"

namespace laminar::pipeline {
namespace {

void put(Bytes& bytes, const void* data, std::size_t size) {
  const auto* first = static_cast<const std::byte*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

class Reader {
 public:
  explicit Reader(const Bytes& bytes) : bytes_(bytes) {}
  bool at_end() const { return at_ == bytes_.size(); }
  /// Before anything of that size is made.
  void need(std::size_t size) const {
    if (size > bytes_.size() - at_) throw Error("[unpack] the message is cut short");
  }
  void get(void* to, std::size_t size) {
    need(size);
    if (size > 0) std::memcpy(to, bytes_.data() + at_, size);
    at_ += size;
  }
  std::int64_t number() {
    std::int64_t value = 0;
    get(&value, sizeof value);
    if (value < 0) throw Error("[unpack] the message is damaged");
    return value;
  }

 private:
  const Bytes& bytes_;
  std::size_t at_ = 0;
};

}  // namespace

Bytes pack(const std::vector<core::NamedTensor>& tensors) {
  Bytes bytes;
  for (const core::NamedTensor& t : tensors) {
    const std::int64_t header[] = {static_cast<std::int64_t>(t.name.size()), t.value.rows(), t.value.cols(),
                                   static_cast<std::int64_t>(t.value.dtype())};
    put(bytes, header, sizeof header);
    put(bytes, t.name.data(), t.name.size());
    put(bytes, t.value.raw(), t.value.bytes());
  }
  return bytes;
}

std::vector<core::NamedTensor> unpack(const Bytes& bytes) {
  std::vector<core::NamedTensor> tensors;
  Reader reader(bytes);
  while (!reader.at_end()) {
    const auto length = static_cast<std::size_t>(reader.number());
    const Index rows = reader.number();
    const Index cols = reader.number();
    const std::int64_t type = reader.number();
    if (type > static_cast<std::int64_t>(core::DType::kBfloat16)) throw Error("[unpack] the message is damaged");
    const auto dtype = static_cast<core::DType>(type);
    reader.need(length);
    std::string name(length, '\0');
    reader.get(name.data(), length);
    const auto most = static_cast<Index>(bytes.size() / core::size_of(dtype));
    if (rows > 0 && cols > most / rows) throw Error("[unpack] the message is cut short");
    core::Tensor value(rows, cols, dtype);
    reader.get(value.raw(), value.bytes());
    tensors.push_back({std::move(name), std::move(value)});
  }
  return tensors;
}

}  // namespace laminar::pipeline
