#pragma once

#include "laminar/layers/registry.hpp"

/// What a plugin that was built for another Laminar has: another stamp, and functions that must not be called.
static const laminar::layers::AbiStamp kOldStamp{laminar::layers::kPluginApi, "0.0", 12345};
static const laminar::layers::detail::Registration kOldLayer(
    &kOldStamp, []() -> laminar::layers::LayerInfo { std::abort(); }, nullptr);
