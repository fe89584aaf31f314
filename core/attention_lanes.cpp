/// Attention's kernels for eight heads of 8 or 16 columns, and for one head of 16 to 128: the usual ones of a hidden
/// and of an output layer. The heads of one edge fill a register of eight numbers, and of one head eight edges do.
///
/// A few rows at a time: first the weights of all their edges, then the sums that these weight. An exponential is a
/// long chain of instructions that each wait for the one before, so that an edge taken through both at once would leave
/// the processor waiting; weights of several edges overlap, and so do sums. The weights in between stay in the first
/// cache.
#include "laminar/core/attention_lanes.hpp"

#include "laminar/core/attention_of_heads.hpp"
#include "laminar/core/attention_of_one.hpp"
#include "laminar/core/wide_registers.hpp"

namespace laminar::core {
namespace {

using namespace lanes;

/// Whether all eight of a group of heads are there, and of a width that they have kernels for.
bool has_eights(Index heads, Index width) { return heads % kLanes == 0 && (width == 16 || width == 8); }
bool is_one(Index heads, Index width) { return heads == 1 && width >= kColumns && width <= 8 * kColumns; }

/// f<k>() with k pieces that hold a row of d columns.
template <class F>
LAMINAR_INLINE void with_pieces(Index d, const F& f) {
  const Index pieces = (d + kColumns - 1) / kColumns;
  if (pieces <= 2) return f.template operator()<2>();
  if (pieces == 3) return f.template operator()<3>();
  if (pieces == 4) return f.template operator()<4>();
  f.template operator()<8>();
}

template <bool kWide, class T>
LAMINAR_INLINE void forward_any(const AttentionForward<T>& what, Index begin, Index end) {
  if (what.edges.heads == 1) {
    return with_pieces(what.edges.width, [&]<Index kPieces>() LAMINAR_INLINE_LAMBDA {
      forward_one<T, kWide, kPieces>(what, begin, end);
    });
  }
  for (Index h = 0; h < what.edges.heads; h += kLanes) {
    what.edges.width == 16 ? forward_heads<T, kWide, 16>(what, begin, end, h)
                           : forward_heads<T, kWide, 8>(what, begin, end, h);
  }
}

template <bool kWide, class T>
LAMINAR_INLINE void backward_any(const AttentionBackward<T>& what, Index begin, Index end) {
  if (what.edges.heads == 1) {
    return with_pieces(what.edges.width, [&]<Index kPieces>() LAMINAR_INLINE_LAMBDA {
      backward_one<T, kWide, kPieces>(what, begin, end);
    });
  }
  for (Index h = 0; h < what.edges.heads; h += kLanes) {
    what.edges.width == 16 ? backward_heads<T, kWide, 16>(what, begin, end, h)
                           : backward_heads<T, kWide, 8>(what, begin, end, h);
  }
}

/// A falling leaky ReLU has no largest score where the largest source is.
template <class T>
bool fits(const AttentionEdges<T>& edges) {
  return edges.slope >= 0 && (has_eights(edges.heads, edges.width) || is_one(edges.heads, edges.width));
}

}  // namespace

template <class T>
bool attention_forward_lanes(const AttentionForward<T>& what, Index begin, Index end) {
  if (!fits(what.edges)) return false;
  run_by_registers([&what, begin, end]<bool kWide>() LAMINAR_INLINE_LAMBDA { forward_any<kWide>(what, begin, end); });
  return true;
}

template <class T>
bool attention_backward_lanes(const AttentionBackward<T>& what, Index begin, Index end) {
  if (!fits(what.edges)) return false;
  run_by_registers([&what, begin, end]<bool kWide>() LAMINAR_INLINE_LAMBDA { backward_any<kWide>(what, begin, end); });
  return true;
}

template bool attention_forward_lanes(const AttentionForward<float>&, Index, Index);
template bool attention_forward_lanes(const AttentionForward<Bfloat16>&, Index, Index);
template bool attention_backward_lanes(const AttentionBackward<float>&, Index, Index);
template bool attention_backward_lanes(const AttentionBackward<Bfloat16>&, Index, Index);

}  // namespace laminar::core
