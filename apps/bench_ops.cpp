#include "laminar/apps/bench_ops.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/bench_checks.hpp"
#include "laminar/apps/machine_limits.hpp"
#include "laminar/apps/progress.hpp"
#include "laminar/apps/work_limits.hpp"
#include "laminar/core/aggregation.hpp"
#include "laminar/core/dense.hpp"
#include "laminar/core/dropout.hpp"
#include "laminar/core/elementwise.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/layer_norm.hpp"
#include "laminar/core/loss.hpp"
#include "laminar/core/optimizer.hpp"
#include "laminar/core/random.hpp"
#include "laminar/core/work_log.hpp"
#include "laminar/datasets/generators.hpp"
#include "laminar/partition/layout.hpp"
#include "laminar/pipeline/statistics.hpp"

namespace laminar::apps {

using core::Adjacency;
using core::Block;
using core::DType;
using core::Index;
using core::MemoryPurpose;
using core::Parameter;
using core::Tape;
using core::Tensor;
using core::Var;
using core::VertexId;
using core::WorkEntry;

namespace {

constexpr Index kClasses = 40;
constexpr Index kHeads = 8;
/// Vertices of a community, about.
constexpr Index kCommunity = 4096;

/// Vertices in the order of their communities, which is how laminar-convert --relabel would like to have them.
core::Graph by_community(const core::Graph& graph, const std::vector<std::int32_t>& community, Index communities) {
  const partition::Partition one_chunk{1, std::vector<std::int32_t>(community.size(), 0)};
  return partition::Layout({communities, community}, one_chunk).renumber(graph);
}

class OpsBench {
 public:
  OpsBench(const OpsBenchOptions& options, core::Arena& arena)
      : o_(options), arena_(arena), pool_(core::MemoryPool::create()) {
    // What a kernel reads and writes, about: so the limit profits from caches as the kernel does.
    const auto touched = static_cast<std::size_t>(4 * o_.vertices * o_.width) * sizeof(float);
    limits_.emplace_back(arena, copy_gbps(arena.threads(), touched));
    x_ = random("x", o_.vertices, o_.width);
    g_ = random("g", o_.vertices, o_.width);
    w_ = random("w", o_.width, o_.width);
  }

  OpsFigures run() {
    dense();
    const Index communities = std::max<Index>(1, (o_.vertices + kCommunity - 1) / kCommunity);
    const datasets::ImportResult made = datasets::generate_sbm(
        {.vertices = o_.vertices, .degree = o_.degree, .classes = communities, .feature_dim = 0, .seed = o_.seed});
    figures_.vertices = made.data.graph->num_vertices();
    figures_.edges = made.data.graph->num_edges();
    const Block random_order = Block::whole(*made.data.graph);
    weighted_sum(random_order, "random order");
    weighted_sum(Block::whole(by_community(*made.data.graph, made.data.labels.classes, communities)), "by community");
    maximum(random_order);
    if (o_.width % kHeads == 0) attention(random_order);
    passes();
    norm();
    loss();
    optimizer();
    return std::move(figures_);
  }

 private:
  using Build = std::function<Var(Tape&, Var)>;

  Tensor random(std::string_view name, Index rows, Index cols) const {
    Tensor t(rows, cols, DType::kFloat32, pool_.get());
    const core::RandomKey key = core::random_key(o_.seed, name);
    auto* values = t.data<float>();
    core::parallel_for(t.size(), Index{1} << 14, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        values[i] = static_cast<float>(2 * core::random_uniform(key, static_cast<std::uint64_t>(i)) - 1);
      }
    });
    return t;
  }

  Parameter parameter(const std::string& name, Index rows, Index cols) const {
    return {.name = name, .value = random(name, rows, cols), .gradient = Tensor::zeros(rows, cols, DType::kFloat32)};
  }

  /// Runs it once, and then as often as asked; each kernel that it calls becomes a row, `note` behind its name.
  void measure(const std::string& note, const std::function<void()>& work) {
    struct Times {
      WorkEntry first;
      std::vector<double> ms;
    };
    std::vector<Times> kernels;
    for (Index i = -1; i < o_.repeats; ++i) {
      core::WorkLog log;
      {
        const core::WorkRecording recording(log);
        work();
      }
      const std::vector<WorkEntry> entries = log.take();
      if (i < 0) {
        for (const WorkEntry& e : entries) kernels.push_back({e, {}});
        continue;
      }
      for (std::size_t k = 0; k < kernels.size(); ++k) kernels[k].ms.push_back(entries.at(k).ms);
    }
    for (Times& k : kernels) add_row(k.first, note, k.ms);
  }

  void add_row(const WorkEntry& e, const std::string& note, const std::vector<double>& ms) {
    const auto [least, largest] = std::minmax_element(ms.begin(), ms.end());
    const auto calls = static_cast<double>(e.calls);
    const Limit limit = limits_.front().of(e.work);
    const double median = std::max(pipeline::median(ms), 1e-6);
    figures_.rows.push_back({.label = note.empty() ? label_of(e.work) : fmt::format("{}, {}", label_of(e.work), note),
                             .flops = calls * e.work.flops,
                             .bytes = calls * e.work.bytes,
                             .unit = std::string(rate_unit(e.work)),
                             .rate = rate_of(e.work, median / calls),
                             .median_ms = median,
                             .least_ms = *least,
                             .largest_ms = *largest,
                             .limit_ms = calls * limit.ms,
                             .bound = std::string(name_of(limit.bound))});
  }

  struct Passed {
    Tensor y, dx;
  };
  /// Forward and backward of an operation of x with g as what comes back, measured.
  Passed pass(const std::string& note, const Build& build) {
    Passed result;
    measure(note, [&] {
      result = {};
      Tape tape({.pool = pool_, .training = true, .seed = o_.seed});
      const Var x = tape.input(x_, true);
      const Var y = build(tape, x);
      result.y = tape.value(y);
      const Var outputs[] = {y};
      tape.finish_forward(outputs);
      tape.add_gradient(y, g_);
      tape.backward();
      result.dx = tape.take_gradient(x);
    });
    return result;
  }

  void dense() {
    const Index n = o_.vertices;
    const Index d = o_.width;
    const auto rows = sampled_rows(n);
    Tensor y(n, d, DType::kFloat32, pool_.get());
    // Row r of a b, or of a b^T.
    const auto plain = [&](const Tensor& a, Index r, bool transposed) {
      std::vector<double> sum(static_cast<std::size_t>(d), 0.0);
      for (Index k = 0; k < d; ++k) {
        for (Index c = 0; c < d; ++c) sum[c] += a.at(r, k) * (transposed ? w_.at(c, k) : w_.at(k, c));
      }
      return sum;
    };
    measure("", [&] { core::multiply(x_, w_, y); });
    check_rows("multiply", y, rows, [&](Index r) { return plain(x_, r, false); });
    measure("", [&] { core::multiply_transposed(g_, w_, y); });
    check_rows("multiply_transposed", y, rows, [&](Index r) { return plain(g_, r, true); });
    Tensor dw;
    measure("", [&] {
      dw = Tensor::zeros(d, d, DType::kFloat32, pool_.get());
      core::add_outer_product(x_, g_, dw, *pool_);
    });
    check_rows("add_outer_product", dw, sampled_rows(d), [&](Index k) {
      std::vector<double> sum(static_cast<std::size_t>(d), 0.0);
      for (Index i = 0; i < n; ++i) {
        for (Index c = 0; c < d; ++c) sum[c] += x_.at(i, k) * g_.at(i, c);
      }
      return sum;
    });
  }

  void weighted_sum(const Block& block, const std::string& order) {
    const Passed r = pass(order, [&](Tape& tape, Var x) {
      return core::sum(tape, block, core::src(block.sources(tape, x)) * core::symmetric_norm());
    });
    const auto a = block.adjacency(core::symmetric_norm(), DType::kFloat32);
    const auto rows = sampled_rows(o_.vertices);
    check_rows("sum", r.y, rows, [&](Index i) { return plain_sum(*a, x_, i); });
    check_rows("sum, backward", r.dx, rows, [&](Index j) { return plain_transposed_sum(*a, g_, j); });
  }

  void maximum(const Block& block) {
    const Passed r = pass("random order",
                          [&](Tape& tape, Var x) { return core::max(tape, block, core::src(block.sources(tape, x))); });
    const auto a = block.adjacency({.weights = true}, DType::kFloat32);
    const auto rows = sampled_rows(o_.vertices);
    check_rows("max", r.y, rows, [&](Index i) { return plain_max(*a, x_, i); });
    check_rows(
        "max, backward", r.dx, rows, [&](Index j) { return plain_max_gradient(*a, x_, g_, j); }, 1);
  }

  void attention(const Block& block) {
    Parameter source = parameter("source", 1, o_.width);
    Parameter target = parameter("target", 1, o_.width);
    const Passed r = pass(fmt::format("{} heads", kHeads), [&](Tape& tape, Var x) {
      const core::Sources z = block.sources(tape, x);
      const auto score = core::dot(core::src(z), source) + core::dot(core::dst(z), target);
      return core::softmax_sum(tape, block, core::leaky_relu(score), core::src(z), {.heads = kHeads});
    });
    const auto a = block.adjacency({core::Normalization::kNone, true, false}, DType::kFloat32);
    const PlainAttention plain{*a, x_, source.value, target.value, kHeads};
    const auto rows = sampled_rows(o_.vertices);
    check_rows("attention", r.y, rows, [&](Index i) { return plain.row(i); });
    check_rows(
        "attention, backward", r.dx, rows, [&](Index j) { return plain.gradient(g_, j); }, 1);
  }

  /// Row r of f(x, g) element by element.
  template <class F>
  std::vector<double> elements(Index r, const F& f) const {
    std::vector<double> row;
    for (Index c = 0; c < o_.width; ++c) row.push_back(f(x_.at(r, c), g_.at(r, c)));
    return row;
  }

  void passes() {
    const auto rows = sampled_rows(o_.vertices);
    const Passed relu = pass("", [&](Tape& tape, Var x) { return core::activate(tape, x, core::Activation::kRelu); });
    check_rows("relu", relu.y, rows,
               [&](Index r) { return elements(r, [](double x, double) { return std::max(x, 0.0); }); });
    check_rows(
        "relu, backward", relu.dx, rows,
        [&](Index r) { return elements(r, [](double x, double g) { return x > 0 ? g : 0; }); }, 1);

    std::vector<VertexId> ids(static_cast<std::size_t>(o_.vertices));
    std::iota(ids.begin(), ids.end(), VertexId{0});
    constexpr double kRate = 0.5;
    const Passed dropped = pass("", [&](Tape& tape, Var x) { return core::dropout(tape, x, kRate, ids); });
    check_dropout(dropped, kRate);

    constexpr double kA = 0.9;
    constexpr double kB = 0.1;
    const Passed combined =
        pass("", [&](Tape& tape, Var x) { return core::combine(tape, kA, x, kB, tape.input(g_, false)); });
    check_rows(
        "combine", combined.y, rows,
        [&](Index r) { return elements(r, [](double x, double g) { return kA * x + kB * g; }); }, 1);
    check_rows(
        "combine, backward", combined.dx, rows,
        [&](Index r) { return elements(r, [](double, double g) { return kA * g; }); }, 1);
  }

  /// What is kept is scaled alike in both directions, and it is about as much as asked.
  void check_dropout(const Passed& r, double rate) const {
    Index kept = 0;
    const auto rows = sampled_rows(o_.vertices);
    for (const Index i : rows) {
      for (Index c = 0; c < o_.width; ++c) {
        const bool is_kept = r.dx.at(i, c) != 0 || g_.at(i, c) == 0;
        const double factor = is_kept ? 1 / (1 - rate) : 0;
        if (is_kept) ++kept;
        if (std::abs(r.y.at(i, c) - factor * x_.at(i, c)) > 1e-3 ||
            std::abs(r.dx.at(i, c) - factor * g_.at(i, c)) > 1e-3) {
          throw Error(fmt::format("[dropout] element ({}, {}) is {} of {}, and its gradient {} of {}", i, c,
                                  r.y.at(i, c), x_.at(i, c), r.dx.at(i, c), g_.at(i, c)));
        }
      }
    }
    const auto n = static_cast<double>(static_cast<Index>(rows.size()) * o_.width);
    // Six standard deviations.
    if (std::abs(static_cast<double>(kept) - n * (1 - rate)) > 6 * std::sqrt(n * rate * (1 - rate)) + 1) {
      throw Error(fmt::format("[dropout] {} of {} elements were kept at a rate of {}", kept, n, rate));
    }
  }

  void norm() {
    Parameter gain = parameter("gain", 1, o_.width);
    Parameter shift = parameter("shift", 1, o_.width);
    const Passed r = pass("", [&](Tape& tape, Var x) { return core::layer_norm(tape, x, gain, shift); });
    const auto n = static_cast<double>(o_.width);
    struct Moments {
      double mean, r;
    };
    const auto moments = [&](Index i) {
      const std::vector<double> x = row_of(x_, i);
      const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
      double squares = 0;
      for (const double v : x) squares += (v - mean) * (v - mean);
      return Moments{mean, 1 / std::sqrt(squares / n + 1e-5)};
    };
    const auto rows = sampled_rows(o_.vertices);
    check_rows("layer_norm", r.y, rows, [&](Index i) {
      const Moments m = moments(i);
      std::vector<double> y = row_of(x_, i);
      for (Index c = 0; c < o_.width; ++c) y[c] = gain.value.at(0, c) * (y[c] - m.mean) * m.r + shift.value.at(0, c);
      return y;
    });
    check_rows(
        "layer_norm, backward", r.dx, rows,
        [&](Index i) {
          const Moments m = moments(i);
          std::vector<double> q = row_of(g_, i);
          std::vector<double> u = row_of(x_, i);
          double q_mean = 0;
          double qu_mean = 0;
          for (Index c = 0; c < o_.width; ++c) {
            u[c] = (u[c] - m.mean) * m.r;
            q[c] *= gain.value.at(0, c);
            q_mean += q[c] / n;
            qu_mean += q[c] * u[c] / n;
          }
          for (Index c = 0; c < o_.width; ++c) q[c] = m.r * (q[c] - q_mean - u[c] * qu_mean);
          return q;
        },
        1);
  }

  void loss() {
    const Index n = o_.vertices;
    const Tensor logits = random("logits", n, kClasses);
    Tensor gradient(n, kClasses, DType::kFloat32, pool_.get());
    std::vector<std::int32_t> classes;
    for (Index i = 0; i < n; ++i) classes.push_back(static_cast<std::int32_t>(i % kClasses));
    std::vector<VertexId> rows(static_cast<std::size_t>(n));
    std::iota(rows.begin(), rows.end(), VertexId{0});
    const auto count = static_cast<double>(n);
    measure("", [&] { core::cross_entropy(logits, classes, rows, count, &gradient); });
    check_rows("cross_entropy", gradient, sampled_rows(n), [&](Index i) {
      std::vector<double> p = row_of(logits, i);
      double sum = 0;
      for (double& v : p) sum += v = std::exp(v);
      for (double& v : p) v /= sum * count;
      p[static_cast<std::size_t>(classes[static_cast<std::size_t>(i)])] -= 1 / count;
      return p;
    });
  }

  void optimizer() {
    const Index n = std::min<Index>(o_.vertices, 8192);
    Parameter p = parameter("adam", n, o_.width);
    p.gradient = random("adam gradient", n, o_.width);
    const Tensor before = p.value.clone();
    constexpr double kRate = 0.01;
    {
      Parameter first = p;
      first.value = before.clone();
      const auto once = core::make_optimizer({});
      Parameter* const all[] = {&first};
      once->step(all, kRate);
      // In the first step m / sqrt(v) is the gradient's sign.
      check_rows("adam", first.value, sampled_rows(n), [&](Index r) {
        std::vector<double> row = row_of(before, r);
        for (Index c = 0; c < o_.width; ++c) {
          const double g = p.gradient.at(r, c);
          row[c] -= kRate * g / (std::abs(g) + 1e-8);
        }
        return row;
      });
    }
    const auto adam = core::make_optimizer({}, pool_);
    Parameter* const all[] = {&p};
    measure(fmt::format("{} rows", n), [&] { adam->step(all, kRate); });
  }

  OpsBenchOptions o_;
  core::Arena& arena_;
  std::shared_ptr<core::MemoryPool> pool_;
  std::vector<WorkLimits> limits_;
  Tensor x_, g_, w_;
  OpsFigures figures_;
};

std::string size_text(double bytes) { return bytes > 0 ? "arrays of " + bytes_text(bytes) : "operands in cache"; }

/// The row of that beginning; null if there is none.
const OpRow* find_row(const OpsFigures& f, const std::string& begin, const std::string& end) {
  const auto found = std::find_if(f.rows.begin(), f.rows.end(),
                                  [&](const OpRow& r) { return r.label.starts_with(begin) && r.label.ends_with(end); });
  return found == f.rows.end() ? nullptr : &*found;
}

}  // namespace

OpsFigures measure_ops(const OpsBenchOptions& o) {
  core::Arena arena(o.threads);
  const int threads = arena.threads();
  const CacheSizes caches = cache_sizes();
  const std::size_t far = o.stream_mib > 0 ? static_cast<std::size_t>(o.stream_mib) << 20 : default_stream_bytes();
  std::vector<MachineSpeed> speeds;
  const std::pair<const char*, std::size_t> levels[] = {
      {"memory", far},
      {"last-level cache", std::min(caches.last_level / 2, far / 2)},
      {"second-level cache", std::min(caches.second_level / 2 * static_cast<std::size_t>(threads), far / 4)}};
  for (const auto& [name, bytes] : levels) {
    const auto size = static_cast<double>(bytes);
    speeds.push_back({fmt::format("{}, read", name), read_gbps(threads, bytes), size});
    speeds.push_back({fmt::format("{}, copy", name), copy_gbps(threads, bytes), size});
  }
  speeds.push_back({"dense products", dense_peak_gflops(threads), 0});
  OpsFigures figures;
  // The log is on the thread that calls the kernels, and an arena may hand its work to another.
  arena.execute([&] { figures = OpsBench(o, arena).run(); });
  figures.speeds = std::move(speeds);
  return figures;
}

std::string limits_table(const OpsFigures& f) {
  std::string text = fmt::format("{:<26} {:>15}\n", "this machine", "rate");
  for (const MachineSpeed& s : f.speeds) {
    text += fmt::format("{:<26} {:>7.1f} {:<7}  {}\n", s.name, s.rate, s.bytes > 0 ? "GB/s" : "GFLOP/s",
                        size_text(s.bytes));
  }
  return text;
}

std::string ops_table(const OpsFigures& f) {
  std::size_t width = 10;
  for (const OpRow& r : f.rows) width = std::max(width, r.label.size());
  std::string text = fmt::format("block model of {} vertices, {} edges\n", count_text(f.vertices), count_text(f.edges));
  text += fmt::format("{:<{}} {:>13} {:>15} {:>9} {:>17} {:>9} {:>9}  {}\n", "kernel", width, "amount", "rate", "ms",
                      "least to most", "limit ms", "of limit", "limited by");
  for (const OpRow& r : f.rows) {
    const bool counts_flops = r.unit == "GFLOP/s";
    text +=
        fmt::format("{:<{}} {:>13} {:>15} {:>9} {:>17} {:>9} {:>7.0f} %  {}\n", r.label, width,
                    fmt::format("{:.3f} {}", (counts_flops ? r.flops : r.bytes) / 1e9, counts_flops ? "GFLOP" : "GB"),
                    fmt::format("{:.1f} {}", r.rate, r.unit), ms_text(r.median_ms),
                    fmt::format("{} to {}", ms_text(r.least_ms), ms_text(r.largest_ms)), ms_text(r.limit_ms),
                    100 * r.share(), r.bound);
  }
  return text;
}

nlohmann::ordered_json ops_json(const OpsFigures& f) {
  nlohmann::ordered_json j = {{"vertices", f.vertices}, {"edges", f.edges}};
  j["limits"] = nlohmann::ordered_json::array();
  for (const MachineSpeed& s : f.speeds) {
    j["limits"].push_back(
        {{"name", s.name}, {"unit", s.bytes > 0 ? "GB/s" : "GFLOP/s"}, {"rate", s.rate}, {"bytes", s.bytes}});
  }
  j["kernels"] = nlohmann::ordered_json::array();
  for (const OpRow& r : f.rows) {
    j["kernels"].push_back({{"label", r.label},
                            {"flops", r.flops},
                            {"bytes", r.bytes},
                            {"unit", r.unit},
                            {"rate", r.rate},
                            {"ms", r.median_ms},
                            {"ms_least", r.least_ms},
                            {"ms_most", r.largest_ms},
                            {"limit_ms", r.limit_ms},
                            {"bound", r.bound},
                            {"share", r.share()}});
  }
  return j;
}

std::string ops_result_line(const OpsFigures& f) {
  std::string text = fmt::format("RESULT kernels={} read_gbps={:.3f} copy_gbps={:.3f} dense_gflops={:.3f}",
                                 f.rows.size(), f.speeds.at(0).rate, f.speeds.at(1).rate, f.speeds.back().rate);
  const auto share = [&](const char* key, const std::string& begin, const std::string& end) {
    if (const OpRow* row = find_row(f, begin, end)) text += fmt::format(" {}_share={:.4f}", key, row->share());
  };
  share("dense", "x W", "");
  share("sum", "sum,", "random order");
  share("ordered_sum", "sum,", "by community");
  share("attention", "attention,", "heads");
  return text;
}

}  // namespace laminar::apps
