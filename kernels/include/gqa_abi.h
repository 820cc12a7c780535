/* gqa_abi.h: the plain data that crosses between harness and kernel, ABI 1.
 *
 * Valid C11 and C++14, without any #include, so that hipRTC, NVRTC, clang and the harness's own
 * compiler all see the same bytes. kernels/CONTRACT.md explains every field. */
#ifndef GQA_ABI_H
#define GQA_ABI_H

#define GQA_ABI 1
#define GQA_MAX_LAUNCHES 4

typedef signed int gqa_i32;
typedef unsigned int gqa_u32;
typedef unsigned short gqa_u16;
typedef long long gqa_i64;
typedef unsigned long long gqa_u64;

/* The problem. Strides count elements; the head dimension is contiguous in all four tensors.
 * Tensor shapes: q, o [batch][q_heads][q_len][head_dim]; k, v [batch][kv_heads][kv_len][head_dim]
 * when the strides are the dense ones; a kernel must use the strides. */
struct gqa_shape {
    gqa_i32 abi; /* GQA_ABI */
    gqa_i32 batch;
    gqa_i32 q_heads; /* a multiple of kv_heads */
    gqa_i32 kv_heads;
    gqa_i32 q_len;  /* query tokens per sequence */
    gqa_i32 kv_len; /* key/value tokens per sequence (the longest, when kv_lens is set) */
    gqa_i32 head_dim;
    gqa_i32 causal;      /* 1: query i sees keys j <= i + (kv_len - q_len), aligned bottom-right */
    gqa_i32 window;      /* 0: none; W: also j > i + (kv_len - q_len) - W */
    gqa_i32 reserved;    /* 0 */
    gqa_i64 q_stride[3]; /* batch, head, token */
    gqa_i64 k_stride[3];
    gqa_i64 v_stride[3];
    gqa_i64 o_stride[3];
    const gqa_i32 *kv_lens; /* device pointer, [batch], or null: kv_len for every sequence */
    float scale;            /* multiplies q.k before the softmax */
    gqa_i32 reserved2;      /* 0 */
};

/* What gqa_plan answers: the launches as data. The harness checks it against the device's limits
 * before anything is launched. */
struct gqa_launch {
    gqa_u32 grid[3];
    gqa_u32 block[3];
    gqa_u32 dynamic_lds; /* bytes of dynamic shared memory per block */
};

struct gqa_launch_plan {
    gqa_u32 launches; /* 1..GQA_MAX_LAUNCHES: gqa_kernel0 .. in order, on one stream */
    struct gqa_launch launch[GQA_MAX_LAUNCHES];
    gqa_u32 unsupported;     /* enum gqa_reason; 0 = this shape is supported */
    gqa_u64 workspace_bytes; /* arbitrary contents at every call; 256-byte aligned */
};

/* Why a plan refuses a shape. Other values are a kernel's own and are shown as numbers. */
enum gqa_reason {
    GQA_SUPPORTED = 0,
    GQA_UNSUPPORTED_HEAD_DIM = 1,
    GQA_UNSUPPORTED_Q_LEN = 2,
    GQA_UNSUPPORTED_KV_LEN = 3,
    GQA_UNSUPPORTED_GROUP = 4, /* q_heads / kv_heads */
    GQA_UNSUPPORTED_MASK = 5,  /* causal, window or kv_lens */
    GQA_UNSUPPORTED_OTHER = 6
};

#ifdef __cplusplus
#define GQA_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define GQA_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif
GQA_STATIC_ASSERT(sizeof(struct gqa_shape) == 152, "gqa_shape layout");
GQA_STATIC_ASSERT(sizeof(struct gqa_launch) == 28, "gqa_launch layout");
GQA_STATIC_ASSERT(sizeof(struct gqa_launch_plan) == 128, "gqa_launch_plan layout");

#endif
