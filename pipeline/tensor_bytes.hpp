#pragma once

#include <vector>

#include "laminar/core/optimizer.hpp"
#include "laminar/pipeline/transport.hpp"

namespace laminar::pipeline {

/// Named tensors as one message, and back. unpack() throws Error if the bytes are not what pack() made.
Bytes pack(const std::vector<core::NamedTensor>& tensors);
std::vector<core::NamedTensor> unpack(const Bytes& bytes);

}  // namespace laminar::pipeline
