#include "laminar/core/gemm.hpp"

#include <Eigen/Core>
#ifdef LAMINAR_HAS_ONEDNN
#include <dnnl.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#endif

#include <array>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::core {
namespace {

template <class T>
void eigen_gemm(const GemmShape& s, const T* a, const T* b, T* c, bool accumulate) {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using In = Eigen::Map<const Matrix>;
  const In left(a, s.transpose_a ? s.k : s.m, s.transpose_a ? s.m : s.k);
  const In right(b, s.transpose_b ? s.n : s.k, s.transpose_b ? s.k : s.n);
  Eigen::Map<Matrix> out(c, s.m, s.n);
  if (!accumulate) out.setZero();
  if (s.transpose_a) {
    if (s.transpose_b) {
      out.noalias() += left.transpose() * right.transpose();
    } else {
      out.noalias() += left.transpose() * right;
    }
  } else if (s.transpose_b) {
    out.noalias() += left * right.transpose();
  } else {
    out.noalias() += left * right;
  }
}

void widened_gemm(const GemmShape& s, const Bfloat16* a, const Bfloat16* b, float* c, bool accumulate) {
  const std::vector<float> left(a, a + s.m * s.k);
  const std::vector<float> right(b, b + s.k * s.n);
  eigen_gemm(s, left.data(), right.data(), c, accumulate);
}

}  // namespace

void gemm(const GemmShape& s, const double* a, const double* b, double* c, bool accumulate) {
  eigen_gemm(s, a, b, c, accumulate);
}

#ifdef LAMINAR_HAS_ONEDNN

namespace {

/// oneDNN 2.6's AVX-512 product moves the stack pointer into a buffer on the heap, where a signal handler's frame would
/// overwrite what is beside it. So handlers wait until the product is done.
class SignalBlock {
 public:
  SignalBlock() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalBlock() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  sigset_t before_;
};

/// Our tasks are the parallelism: the library's own threads would fight over the cores. The setting is per thread.
void keep_single_threaded() {
  thread_local const bool single_threaded = [] {
    omp_set_num_threads(1);
    return true;
  }();
  static_cast<void>(single_threaded);
}

void check(dnnl_status_t status, const GemmShape& s) {
  if (status == dnnl_success) return;
  throw Error(fmt::format("[gemm] oneDNN refused a [{}, {}] x [{}, {}] product (status {})", s.m, s.k, s.k, s.n,
                          static_cast<int>(status)));
}

/// Owns one of oneDNN's handles.
template <class T, dnnl_status_t (*kDestroy)(T*)>
struct Destroy {
  void operator()(T* p) const { kDestroy(p); }
};
template <class T, dnnl_status_t (*kDestroy)(T*)>
using Handle = std::unique_ptr<T, Destroy<T, kDestroy>>;
using Stream = Handle<dnnl_stream, dnnl_stream_destroy>;
using Attributes = Handle<dnnl_primitive_attr, dnnl_primitive_attr_destroy>;
using PostOps = Handle<dnnl_post_ops, dnnl_post_ops_destroy>;
using Description = Handle<dnnl_primitive_desc, dnnl_primitive_desc_destroy>;
using Primitive = Handle<dnnl_primitive, dnnl_primitive_destroy>;
using Memory = Handle<dnnl_memory, dnnl_memory_destroy>;

/// Never destroyed, as threads may end, and their products with them, after static objects have.
dnnl_engine_t engine() {
  static const dnnl_engine_t made = [] {
    dnnl_engine_t e = nullptr;
    if (dnnl_engine_create(&e, dnnl_cpu, 0) != dnnl_success)
      throw Error("[gemm] oneDNN has no engine for this machine");
    return e;
  }();
  return made;
}

/// A product of one shape, as one thread runs it; oneDNN keeps the code that they share.
class Product {
 public:
  Product(const GemmShape& s, bool accumulate) : shape_(s) {
    const dnnl_memory_desc_t a = matrix(s.m, s.k, s.transpose_a, dnnl_bf16);
    const dnnl_memory_desc_t b = matrix(s.k, s.n, s.transpose_b, dnnl_bf16);
    const dnnl_memory_desc_t c = matrix(s.m, s.n, false, dnnl_f32);
    dnnl_primitive_attr_t attributes = nullptr;
    check(dnnl_primitive_attr_create(&attributes), s);
    const Attributes owned(attributes);
    if (accumulate) {
      dnnl_post_ops_t after = nullptr;
      check(dnnl_post_ops_create(&after), s);
      const PostOps kept(after);
      check(dnnl_post_ops_append_sum(after, 1.0F), s);
      check(dnnl_primitive_attr_set_post_ops(attributes, after), s);
    }
    dnnl_matmul_desc_t matmul;
    check(dnnl_matmul_desc_init(&matmul, &a, &b, nullptr, &c), s);
    dnnl_primitive_desc_t description = nullptr;
    check(dnnl_primitive_desc_create(&description, &matmul, attributes, engine(), nullptr), s);
    const Description described(description);
    dnnl_primitive_t primitive = nullptr;
    check(dnnl_primitive_create(&primitive, description), s);
    primitive_.reset(primitive);
    a_ = memory(a);
    b_ = memory(b);
    c_ = memory(c);
    dnnl_stream_t stream = nullptr;
    check(dnnl_stream_create(&stream, engine(), dnnl_stream_default_flags), s);
    stream_.reset(stream);
  }

  void run(const Bfloat16* a, const Bfloat16* b, float* c) const {
    // The library's handles are not const, but sources are only read.
    check(dnnl_memory_set_data_handle(a_.get(), const_cast<Bfloat16*>(a)), shape_);
    check(dnnl_memory_set_data_handle(b_.get(), const_cast<Bfloat16*>(b)), shape_);
    check(dnnl_memory_set_data_handle(c_.get(), c), shape_);
    const std::array<dnnl_exec_arg_t, 3> arguments = {
        {{DNNL_ARG_SRC, a_.get()}, {DNNL_ARG_WEIGHTS, b_.get()}, {DNNL_ARG_DST, c_.get()}}};
    check(dnnl_primitive_execute(primitive_.get(), stream_.get(), static_cast<int>(arguments.size()), arguments.data()),
          shape_);
    check(dnnl_stream_wait(stream_.get()), shape_);
  }

 private:
  dnnl_memory_desc_t matrix(Index rows, Index cols, bool transposed, dnnl_data_type_t type) const {
    const dnnl_dims_t sizes = {rows, cols};
    const dnnl_dims_t strides = {transposed ? 1 : cols, transposed ? rows : 1};
    dnnl_memory_desc_t made;
    check(dnnl_memory_desc_init_by_strides(&made, 2, sizes, type, strides), shape_);
    return made;
  }
  Memory memory(const dnnl_memory_desc_t& description) const {
    dnnl_memory_t made = nullptr;
    check(dnnl_memory_create(&made, &description, engine(), DNNL_MEMORY_NONE), shape_);
    return Memory(made);
  }

  GemmShape shape_;
  Primitive primitive_;
  Memory a_, b_, c_;
  Stream stream_;
};

}  // namespace

void gemm(const GemmShape& s, const Bfloat16* a, const Bfloat16* b, float* c, bool accumulate) {
  if (s.m == 0 || s.n == 0) return;
  if (s.k == 0) return widened_gemm(s, a, b, c, accumulate);
  using Key = std::tuple<bool, bool, Index, Index, Index, bool>;
  // Panels of a training have few shapes; a thread that met more than this starts over.
  constexpr std::size_t kMost = 256;
  thread_local std::map<Key, Product> products;
  keep_single_threaded();
  const Key key{s.transpose_a, s.transpose_b, s.m, s.n, s.k, accumulate};
  auto found = products.find(key);
  if (found == products.end()) {
    if (products.size() >= kMost) products.clear();
    found = products.try_emplace(key, s, accumulate).first;
  }
  const SignalBlock no_signals;
  found->second.run(a, b, c);
}

bool has_fast_bfloat16_gemm() {
  static const bool fast = [] {
    // Of the library's names for instruction sets each has the bits of those before it.
    constexpr auto kAmx = static_cast<unsigned>(dnnl_cpu_isa_avx512_core_amx);
    return (static_cast<unsigned>(dnnl_get_effective_cpu_isa()) & kAmx) == kAmx;
  }();
  return fast;
}

void gemm(const GemmShape& s, const float* a, const float* b, float* c, bool accumulate) {
  if (s.m == 0 || s.n == 0) return;
  if (s.k == 0) return eigen_gemm(s, a, b, c, accumulate);
  keep_single_threaded();
  const SignalBlock no_signals;
  const dnnl_status_t status =
      dnnl_sgemm(s.transpose_a ? 'T' : 'N', s.transpose_b ? 'T' : 'N', s.m, s.n, s.k, 1.0F, a,
                 s.transpose_a ? s.m : s.k, b, s.transpose_b ? s.k : s.n, accumulate ? 1.0F : 0.0F, c, s.n);
  check(status, s);
}

const char* gemm_library() {
  static const std::string name = [] {
    const dnnl_version_t* v = dnnl_version();
    return fmt::format("oneDNN {}.{}.{}", v->major, v->minor, v->patch);
  }();
  return name.c_str();
}

#else

void gemm(const GemmShape& s, const Bfloat16* a, const Bfloat16* b, float* c, bool accumulate) {
  widened_gemm(s, a, b, c, accumulate);
}

bool has_fast_bfloat16_gemm() { return false; }

void gemm(const GemmShape& s, const float* a, const float* b, float* c, bool accumulate) {
  eigen_gemm(s, a, b, c, accumulate);
}

const char* gemm_library() {
  static const std::string name =
      fmt::format("Eigen {}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION);
  return name.c_str();
}

#endif

}  // namespace laminar::core
