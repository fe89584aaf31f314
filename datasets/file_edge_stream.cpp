#include "laminar/datasets/file_edge_stream.hpp"

#include <algorithm>

#include "laminar/datasets/graph_reader.hpp"

namespace laminar::datasets {

using core::EdgeId;
using core::Index;
using core::VertexId;

namespace {

constexpr Index kBlockRows = Index{1} << 16;
constexpr EdgeId kBlockEntries = EdgeId{1} << 19;

}  // namespace

struct FileEdgeStream::State {
  explicit State(const std::filesystem::path& path) : file(path), csr(inspect_csr(file.file(), "/graph")) {}
  GraphFile file;
  CsrGroup csr;
  /// Of rows [first_row, first_row + offsets.size() - 1).
  Index first_row = 0;
  std::vector<EdgeId> offsets = {0};
  /// Sources of rows [begin, end).
  Index begin = 0;
  Index end = 0;
  std::vector<VertexId> sources;
  Index at = 0;
};

FileEdgeStream::FileEdgeStream(const std::filesystem::path& path) : state_(std::make_unique<State>(path)) {}
FileEdgeStream::~FileEdgeStream() = default;

const core::DatasetSchema& FileEdgeStream::schema() const { return state_->file.schema(); }
core::Split FileEdgeStream::split(std::string_view name) const { return state_->file.split(name); }
Index FileEdgeStream::num_vertices() const { return state_->csr.rows; }
EdgeId FileEdgeStream::num_entries() const { return state_->csr.entries; }

void FileEdgeStream::rewind() {
  State& s = *state_;
  s.at = s.begin = s.end = s.first_row = 0;
  s.offsets = {0};
}

void FileEdgeStream::read_block() {
  State& s = *state_;
  if (s.at >= s.first_row + static_cast<Index>(s.offsets.size()) - 1) {
    s.offsets = read_offsets(s.file.file(), s.csr, s.at, std::min(s.csr.rows, s.at + kBlockRows));
    s.first_row = s.at;
  }
  const auto first = s.offsets.begin() + (s.at - s.first_row);
  // At least one row, and then as many as fit.
  const auto fits = std::upper_bound(first + 1, s.offsets.end(), *first + kBlockEntries);
  const auto last = std::max(first + 1, fits - 1);
  s.begin = s.at;
  s.end = s.first_row + (last - s.offsets.begin());
  s.sources = read_integers(s.file.file(), s.csr.indices(), *first, *last, 0, s.csr.cols);
}

bool FileEdgeStream::next(Row& row) {
  State& s = *state_;
  if (s.at == s.csr.rows) return false;
  if (s.at >= s.end || s.at < s.begin) read_block();
  const EdgeId block = s.offsets[s.begin - s.first_row];
  const EdgeId from = s.offsets[s.at - s.first_row] - block;
  const EdgeId to = s.offsets[s.at - s.first_row + 1] - block;
  row.vertex = static_cast<VertexId>(s.at++);
  row.neighbours =
      std::span<const VertexId>(s.sources).subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
  return true;
}

}  // namespace laminar::datasets
