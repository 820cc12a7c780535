/* wave.h: state of the emulated machine, and what a decoded instruction is. */
#ifndef EMU_WAVE_H
#define EMU_WAVE_H

#include "evaluator/emulator/isa/dispatch.h"
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

enum { EMU_LANES = 32, EMU_VGPRS = 256 };

/* Places in emu_wave.sgpr, our own numbers: generations disagree on the encodings. */
enum {
    EMU_VCC = 106,
    EMU_TTMP = 108, /* 16 of them */
    EMU_M0 = 125,
    EMU_EXEC = 126,
    EMU_NULL = 128, /* written, never read: the parser makes a read of null a constant */
    EMU_SGPRS = 132,
};

/* Bits of the MODE register. */
enum {
    EMU_MODE_ROUND = 0x0f,
    EMU_MODE_DENORM_32_SHIFT = 4, /* two bits: 1 inputs, 2 outputs are kept */
    EMU_MODE_DENORM_16_64_SHIFT = 6,
    EMU_MODE_DX10_CLAMP = 1 << 8, /* a clamped NaN is 0 */
};

/* Classes that instructions are counted by, in the order of struct emu_counters. */
enum emu_class {
    EMU_SALU,
    EMU_VALU,
    EMU_MATRIX,
    EMU_LDS,
    EMU_VMEM,
    EMU_SMEM,
    EMU_WAIT,
    EMU_BRANCH,
    EMU_OTHER,
    EMU_CLASSES,
};

struct emu_wave;
struct emu_instruction;
struct emu_lanes;

typedef void emu_handler(struct emu_wave *wave, const struct emu_instruction *op);
/* One vector operation on 32 lanes, active or not: reads l's sources, writes its results. */
typedef void emu_lanes_fn(struct emu_lanes *l);
/* One scalar operation; *scc is read or written as the operation says. */
typedef uint64_t emu_scalar_fn(uint64_t a, uint64_t b, uint64_t c, uint32_t *scc);
/* What an atomic operation leaves in memory. */
typedef uint64_t emu_atomic_fn(uint64_t old, uint64_t data, uint64_t compare);

/* One mnemonic, without encoding suffix. `operands` describes the text's operands in order,
 * destinations before `=`, one letter each:
 *
 *   b 32 bits        q 64 bits, literals zero-extended   l 64 bits, literals sign-extended
 *   f float          d double          h half     w 16-bit integer
 *   p two halves     r two 16-bit integers        m float or half (fma_mix)
 *   c lane mask      n registers, as many as the instruction says
 *   k 16-bit signed literal            u 16-bit unsigned literal
 *   D the first destination once more, not in the text
 *   x not in a register: left to the handler
 *
 * A mask that the text leaves out is VCC. `?` first: the destination may be missing.
 * `*`: the operands are not read. */
struct emu_row {
    const char *name;
    const char *operands;
    enum emu_class class;
    emu_handler *handler;
    union {
        emu_lanes_fn *lanes;
        emu_scalar_fn *scalar;
        emu_atomic_fn *atomic;
    };
    uint32_t detail; /* what the handler's file says */
};

enum emu_operand_kind { EMU_ABSENT, EMU_VGPR, EMU_SGPR, EMU_CONSTANT };

/* Parts of a register that SDWA, op_sel, .l and .h select. */
enum emu_part {
    EMU_DWORD,
    EMU_BYTE_0,
    EMU_BYTE_1,
    EMU_BYTE_2,
    EMU_BYTE_3,
    EMU_WORD_0,
    EMU_WORD_1,
};

struct emu_operand {
    uint8_t kind;
    uint8_t type;  /* letter of the row */
    uint8_t part;  /* enum emu_part */
    uint8_t count; /* registers */
    uint16_t index;
    bool negative;
    bool absolute;
    bool sign_extend;  /* the part */
    bool modified;     /* any of the above, or a type that is converted */
    uint8_t low, high; /* packed: which half of the register becomes the lower, the upper */
    uint8_t negative_low, negative_high;
    uint64_t value;    /* of a constant */
    const void *lanes; /* a constant, 32 times: 4 or 8 bytes each, by type */
};

/* In a row's detail, whatever its handler has there. */
#define EMU_HAS_TARGET (UINT32_C(1) << 30) /* a branch: its target is in the immediate */
#define EMU_IS_LAST (UINT32_C(1) << 31)    /* the instruction behind it is not reached from it */

/* detail of a vector operation: its 16-bit result goes to the upper half of the destination. */
enum { EMU_UPPER_HALF = 1 };

enum emu_dpp_kind { EMU_DPP_NONE, EMU_DPP_16, EMU_DPP_8 };

struct emu_dpp {
    uint8_t kind;
    uint8_t row_mask, bank_mask;
    bool bound_ctrl; /* an invalid source reads as 0 */
    bool fetch_inactive;
    int8_t source[EMU_LANES]; /* lane that is read, -1: none */
};

enum emu_unused { EMU_UNUSED_PAD, EMU_UNUSED_SEXT, EMU_UNUSED_PRESERVE };

struct emu_instruction {
    emu_handler *handler;
    uint8_t class;
    uint8_t destinations, sources;
    bool plain; /* VALU: 32-bit operands without modifiers, no DPP, SDWA or clamp */
    bool clamp;
    uint8_t unused; /* SDWA: enum emu_unused */
    bool sdwa;
    bool idxen, offen;  /* buffer addressing */
    uint8_t op_sel;     /* as written, one bit an entry */
    float scale;        /* output modifier; 1: none */
    uint32_t immediate; /* lower half of the first word: SOPP, SOPK and DS keep it there */
    int32_t offset, offset1;
    const struct emu_row *row;
    const struct emu_instruction *next;   /* the one behind it in memory */
    const struct emu_instruction *target; /* of a branch */
    const struct emu_instruction *dual;   /* second half of a VOPD */
    uint64_t address;
    uint32_t bytes;
    struct emu_operand dst[2];
    struct emu_operand src[5];
    const struct emu_dpp *dpp;
    const char *text;    /* as the disassembler prints it */
    const char *problem; /* why it cannot be executed, when the handler is emu_unimplemented */
};

enum emu_wave_state { EMU_RUNNING, EMU_AT_BARRIER, EMU_ENDED };

struct emu_machine;

struct emu_wave {
    _Alignas(64) uint32_t vgpr[EMU_VGPRS][EMU_LANES];
    uint32_t sgpr[EMU_SGPRS];
    uint32_t scc;
    uint32_t mode;
    enum emu_wave_state state;
    const struct emu_instruction *at; /* being executed */
    const struct emu_instruction *next;
    struct emu_machine *machine;
    uint8_t *scratch; /* [EMU_LANES][machine->private_bytes] */
};

enum { EMU_PAGES = 256 }; /* remembered answers of may_access */

struct emu_page {
    uint64_t readable; /* page number + 1, 0: nothing known */
    uint64_t writable;
};

/* What a dispatch shares among its waves; they run one at a time. */
struct emu_machine {
    const struct emu_dispatch *dispatch;
    struct emu_outcome *outcome;
    struct emu_program *program;
    uint64_t entry; /* address of the kernel's first instruction */
    int generation; /* 10, 11, 12 */
    uint64_t counts[EMU_CLASSES];
    uint64_t executed;
    uint32_t slice;      /* instructions until the next look at budget, stop and the other waves */
    uint32_t slice_full; /* what it was */
    struct emu_wave *running;
    uint8_t *lds;
    uint32_t lds_bytes;
    uint32_t private_bytes;
    struct emu_page pages[EMU_PAGES];
    volatile uint64_t touched, touched_bytes; /* the newest access to memory */
    sigjmp_buf escape;
};

/* Ends the dispatch. `format` is for people; the instruction is added by itself. */
__attribute__((noreturn, format(printf, 4, 5))) void
emu_raise(struct emu_wave *wave, enum emu_end end, uint64_t address, const char *format, ...);

static inline uint32_t emu_exec(const struct emu_wave *wave)
{
    return wave->sgpr[EMU_EXEC];
}

static inline bool emu_active(uint32_t exec, int lane)
{
    return exec >> lane & 1;
}

#endif
