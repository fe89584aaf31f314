#pragma once

/// Marks a hot function to be compiled for several instruction sets, the best one being chosen when the library loads,
/// so that one binary is fast everywhere; by levels of the architecture, as names of processors would match only these.
/// What it calls must be LAMINAR_INLINE to be compiled along. Contraction to fused multiply-add is off in the whole
/// project, so every version gives the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define LAMINAR_MULTIVERSION __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define LAMINAR_MULTIVERSION
#endif
#define LAMINAR_INLINE [[gnu::always_inline]] inline
/// The same for a lambda, after its parameters.
#define LAMINAR_INLINE_LAMBDA __attribute__((always_inline))
/// Before a loop of few iterations that don't depend on each other: it becomes vector instructions and is not written
/// out one after the other.
#if defined(__GNUC__) && !defined(__clang__)
#define LAMINAR_LANES _Pragma("GCC unroll 1") _Pragma("GCC ivdep")
#else
#define LAMINAR_LANES
#endif
