/* gpu_arch.h: what the architectures that kernels are compiled for can hold, and the occupancy that
 * follows. A table of our own: libraries tell some of these numbers wrongly, others not without a
 * device. Plain data, pure arithmetic.
 *
 * Sources: LLVM's AMDGPUUsage and AMDGPUBaseInfo.cpp (registers, granules, waves); AMD's instruction
 * set documents (LDS); the compute capabilities table of the CUDA C programming guide. */
#ifndef BP_EVALUATOR_GPU_ARCH_H
#define BP_EVALUATOR_GPU_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A unit (compute unit, work-group processor, multiprocessor) has 4 SIMDs (on NVIDIA: partitions), each
 * with registers of its own; a block lives in one unit. */
#define BP_GPU_SIMDS 4

enum bp_gpu_kind { BP_GPU_AMD, BP_GPU_NVIDIA, BP_GPU_KIND_COUNT };

struct bp_gpu_arch {
    const char *name; /* as in the compilers' options: "gfx1030", "sm_90" */
    enum bp_gpu_kind kind;
    uint32_t wave_size;        /* that kernels are compiled for */
    uint32_t block_threads;    /* per block */
    uint32_t lds_bytes;        /* per block, static and dynamic */
    uint32_t lds_static_max;   /* per block, static: more is dynamic only */
    uint32_t lds_unit_bytes;   /* per unit */
    uint32_t registers;        /* vector registers per SIMD and lane, accumulation ones included */
    uint32_t register_step;    /* that they are allocated in */
    uint32_t register_max;     /* per thread, accumulation ones included */
    uint32_t scalar_registers; /* per SIMD; 0: they limit nothing */
    uint32_t waves;            /* per SIMD at most */
};

/* Null for an architecture that is not in the table. */
const struct bp_gpu_arch *bp_gpu_arch_find(const char *name);

/* The index-th of the table, null behind the last. */
const struct bp_gpu_arch *bp_gpu_arch_at(size_t index);

/* Whether emulator/target.c has it too: what a device "emu:NAME" can be. */
bool bp_gpu_arch_is_emulated(const char *name);

/* Every name, comma separated. */
void bp_gpu_arch_names(char *text, size_t size);

/* What one kernel takes. */
struct bp_gpu_usage {
    uint32_t registers;        /* vector, per lane, accumulation ones included */
    uint32_t scalar_registers; /* per wave */
    uint32_t lds_bytes;        /* per block */
    uint32_t block_threads;    /* of the largest block it may be launched with */
};

/* Waves per SIMD that can be resident at once, up to arch->waves; 0 when one block does not fit. */
uint32_t bp_gpu_occupancy(const struct bp_gpu_arch *arch, const struct bp_gpu_usage *usage);

#endif
