#include "sandbox/filter.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/weaken.h"

#define IS_EQUAL_TEST(code) ((code) == (BPF_JMP | BPF_JEQ | BPF_K))

static unsigned write_self(struct sock_filter *code, unsigned length, uint32_t self)
{
    unsigned written = 0;
    for (unsigned i = 0; i < length; i++)
        if (IS_EQUAL_TEST(code[i].code) && code[i].k == BP_FILTER_SELF) {
            code[i].k = self;
            written++;
        }
    return written;
}

int bp_filter_install(unsigned id, enum bp_filter_mode mode, int *listener, struct bp_error *err)
{
    static const unsigned flags[] = {
        [BP_FILTER_QUIET] = 0,
        [BP_FILTER_LISTEN] = SECCOMP_FILTER_FLAG_NEW_LISTENER,
        [BP_FILTER_LISTEN_THREADS] = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC |
                                     SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
    };
    /* With a listener all the same: by it the supervisor knows the stage's process. */
    static const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    static const struct bp_filter_program open_door = {&allow, 1, 0};
    bool is_open = id >= BP_FILTER_CANDIDATE_CPU && id <= BP_FILTER_CANDIDATE_NVIDIA &&
                   bp_weakened(BP_DEFENCE_candidate_filter);
    const struct bp_filter_program *program = is_open ? &open_door : &bp_filter_programs[id];
    size_t bytes = program->length * sizeof *program->code;
    BP_AUTO_FREE struct sock_filter *code = malloc(bytes);
    if (!code)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a seccomp filter");
    memcpy(code, program->code, bytes);
    if (write_self(code, program->length, (uint32_t)getpid()) != program->self_count)
        return bp_fail(err, BP_ERR_STATE, "seccomp filter %u is damaged", id);

    struct sock_fprog loaded = {.len = program->length, .filter = code};
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags[mode], &loaded);
    if (result < 0)
        return bp_fail_errno(err, "seccomp filter %u", id);
    if (mode != BP_FILTER_QUIET)
        *listener = (int)result;
    return 0;
}
