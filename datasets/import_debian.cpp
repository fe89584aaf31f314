#include "laminar/datasets/import_debian.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/debian_packages.hpp"
#include "laminar/datasets/package_features.hpp"
#include "laminar/datasets/transforms.hpp"

namespace laminar::datasets {

using core::Index;
using core::VertexId;

namespace {

// A virtual package that more packages provide says little of any one of them.
constexpr std::size_t kMaxProviders = 256;

using Packages = std::vector<DebianPackage>;

/// Resolves names to the packages that satisfy them.
class Resolver {
 public:
  explicit Resolver(const Packages& packages) {
    for (std::size_t p = 0; p < packages.size(); ++p) {
      names_.emplace(packages[p].name, std::vector{static_cast<VertexId>(p)});
    }
    for (std::size_t p = 0; p < packages.size(); ++p) {
      for (const auto name : relation_names(packages[p].provides)) {
        if (std::binary_search(packages.begin(), packages.end(), name, ByName{})) continue;
        auto& providers = names_[name];
        const auto v = static_cast<VertexId>(p);
        if (providers.size() < kMaxProviders && (providers.empty() || providers.back() != v)) providers.push_back(v);
      }
    }
  }

  /// Empty if nothing in the lists satisfies the name.
  std::span<const VertexId> operator()(std::string_view name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? std::span<const VertexId>{} : std::span<const VertexId>(found->second);
  }

 private:
  struct ByName {
    bool operator()(const DebianPackage& p, std::string_view name) const { return p.name < name; }
    bool operator()(std::string_view name, const DebianPackage& p) const { return name < p.name; }
  };
  std::unordered_map<std::string_view, std::vector<VertexId>> names_;
};

core::Labels section_labels(const Packages& packages) {
  core::Labels labels;
  for (const auto& package : packages) {
    if (!package.section.empty()) labels.names.push_back(package.section);
  }
  std::sort(labels.names.begin(), labels.names.end());
  labels.names.erase(std::unique(labels.names.begin(), labels.names.end()), labels.names.end());
  if (labels.names.empty()) return labels;
  labels.task = core::Task::kClassification;
  labels.num_outputs = static_cast<Index>(labels.names.size());
  for (const auto& package : packages) {
    const auto at = std::lower_bound(labels.names.begin(), labels.names.end(), package.section);
    labels.classes.push_back(package.section.empty() ? -1 : static_cast<std::int32_t>(at - labels.names.begin()));
  }
  return labels;
}

/// Over all that an import uses, so that equal fingerprints mean equal graphs.
std::string fingerprint_of(const Packages& packages) {
  std::uint64_t hash = fnv1a("");
  for (const auto& p : packages) {
    for (const auto* field : {&p.name, &p.version, &p.section, &p.description, &p.tags, &p.relations, &p.provides}) {
      hash = fnv1a(*field, hash);
      hash = fnv1a(std::string_view("\0", 1), hash);
    }
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace

ImportResult import_debian(const std::filesystem::path& folder, const ImportOptions& options) {
  if (options.features_dim < 1 || options.features_dim > std::numeric_limits<std::int32_t>::max()) {
    throw UsageError(fmt::format("{} feature columns were asked for; expected 1 or more", options.features_dim));
  }
  const DebianLists lists = read_debian_lists(folder);
  const Packages& packages = lists.packages;
  if (packages.empty()) {
    throw Error(
        fmt::format("{}: the {} package lists there hold no package; run `apt-get update` as root, or name "
                    "another folder with --lists",
                    folder.string(), lists.files));
  }
  const Resolver resolve(packages);
  EdgeList edges;
  std::size_t unresolved = 0;
  for (std::size_t p = 0; p < packages.size(); ++p) {
    for (const auto name : relation_names(packages[p].relations)) {
      const auto providers = resolve(name);
      unresolved += providers.empty() ? 1 : 0;
      for (const VertexId provider : providers) {
        edges.source.push_back(provider);
        edges.target.push_back(static_cast<VertexId>(p));
      }
    }
  }
  remove_self_loops(edges);
  remove_duplicates(edges);

  ImportResult result;
  GraphData& data = result.data;
  const auto n = static_cast<Index>(packages.size());
  data.graph = std::make_shared<const core::Graph>(make_graph(n, edges, true));
  data.labels = section_labels(packages);
  data.features = package_features(packages, options.features_dim);
  for (const auto& package : packages) data.vertex_names.push_back(package.name);

  result.fingerprint = fingerprint_of(packages);
  data.name = "debian";
  data.provenance = fmt::format(
      "apt package lists ({} files), fingerprint {}; edges dependency -> dependent; labels = section; "
      "features = hashed words of name, description and tags without the sections' words",
      lists.files, result.fingerprint);
  if (lists.malformed > 0) {
    result.notes.push_back(fmt::format("{} stanzas without a name or a version were skipped", lists.malformed));
  }
  if (lists.superseded > 0) {
    result.notes.push_back(
        fmt::format("{} packages are in the lists more than once; the newest version counts", lists.superseded));
  }
  if (unresolved > 0) {
    result.notes.push_back(
        fmt::format("{} relations name a package that is in no list; they make no edge", unresolved));
  }
  check(data, "debian");
  return result;
}

}  // namespace laminar::datasets
