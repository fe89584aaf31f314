#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace laminar::layers {

/// Loads a plugin, so that its layers are in the registry until the process ends: a shared library (.so), or a source
/// (.hpp, .h, .cpp), which is compiled first; see compile_source(). The layers' names. A file that is loaded already
/// gives its names again. Thread-safe.
///
/// Throws CompileError, and Error, naming the file: it isn't there, is of another kind, can't be loaded, was built for
/// another Laminar, registers no layer, or one whose name is taken or whose description is wrong. Then none of its
/// layers is registered.
std::vector<std::string> load_plugin(const std::filesystem::path& file);

}  // namespace laminar::layers
