/* filter_generate: build-time program that turns calls.c into BPF through libseccomp and prints it
 * as C. A prebuilt program loads in a tenth of the time that building one takes, and the worker
 * does without the library. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sandbox/calls.h"

static const uint32_t actions[] = {
    [BP_CALL_ALLOW] = SCMP_ACT_ALLOW,          [BP_CALL_NOTIFY] = SCMP_ACT_NOTIFY,
    [BP_CALL_KILL] = SCMP_ACT_KILL_PROCESS,    [BP_CALL_DENY] = SCMP_ACT_ERRNO(EACCES),
    [BP_CALL_ABSENT] = SCMP_ACT_ERRNO(ENOSYS), [BP_CALL_TRACE] = SCMP_ACT_TRACE(0),
};

static void die(const char *what, const char *name, int error)
{
    fprintf(stderr, "filter_generate: %s %s: %s\n", what, name, strerror(error));
    exit(1);
}

static void add_rule(scmp_filter_ctx filter, const struct bp_call_rule *rule)
{
    int call = seccomp_syscall_resolve_name(rule->call);
    if (call == __NR_SCMP_ERROR)
        die("unknown call", rule->call, ENOSYS);
    if (call < 0) /* not on this architecture */
        return;
    struct scmp_arg_cmp conditions[BP_CALL_CONDITIONS];
    for (unsigned i = 0; i < rule->condition_count; i++)
        conditions[i] = SCMP_CMP(rule->conditions[i].argument, SCMP_CMP_MASKED_EQ,
                                 rule->conditions[i].mask, rule->conditions[i].value);
    int result = seccomp_rule_add_exact_array(filter, actions[rule->action], call,
                                              rule->condition_count, conditions);
    if (result < 0)
        die("rule for", rule->call, -result);
}

static scmp_filter_ctx build(const struct bp_filter_calls *calls)
{
    scmp_filter_ctx filter = seccomp_init(actions[calls->otherwise]);
    if (!filter)
        die("seccomp_init", "", ENOMEM);
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0) /* 2: binary tree over the call numbers */
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (result < 0)
        die("attribute", "", -result);
    for (unsigned s = 0; s < BP_FILTER_SETS && calls->sets[s]; s++)
        for (unsigned r = 0; r < calls->sets[s]->count; r++)
            add_rule(filter, &calls->sets[s]->rules[r]);
    return filter;
}

static void print(FILE *out, unsigned id, const struct sock_filter *code, size_t length,
                  unsigned *self_count)
{
    *self_count = 0;
    fprintf(out, "static const struct sock_filter program%u[] = {\n", id);
    for (size_t i = 0; i < length; i++) {
        fprintf(out, "    {0x%02x, %u, %u, 0x%08x},\n", code[i].code, code[i].jt, code[i].jf,
                code[i].k);
        *self_count += code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && code[i].k == BP_FILTER_SELF;
    }
    fprintf(out, "};\n\n");
}

static size_t generate(FILE *out, unsigned id, unsigned *self_count)
{
    static struct sock_filter code[BPF_MAXINSNS];
    scmp_filter_ctx filter = build(&bp_filter_calls[id]);
    int fd = memfd_create("bpf", MFD_CLOEXEC);
    if (fd < 0)
        die("memfd", "", errno);
    int result = seccomp_export_bpf(filter, fd);
    if (result < 0)
        die("export", "", -result);
    ssize_t bytes = pread(fd, code, sizeof code, 0);
    if (bytes <= 0)
        die("read", "", errno);
    close(fd);
    seccomp_release(filter);
    size_t length = (size_t)bytes / sizeof *code;
    print(out, id, code, length, self_count);
    return length;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: filter_generate OUTPUT.c\n");
        return 2;
    }
    FILE *out = fopen(argv[1], "w");
    if (!out)
        die("open", argv[1], errno);
    /* Without this libseccomp refuses notifications where the build machine's kernel lacks them. */
    if (seccomp_api_set(6) < 0)
        die("libseccomp is too old", "(level 6 wanted)", ENOSYS);

    size_t lengths[BP_FILTER_COUNT];
    unsigned self_counts[BP_FILTER_COUNT];
    fprintf(out, "/* Made by filter_generate from sandbox/calls.c. */\n"
                 "#include \"sandbox/filter.h\"\n\n");
    for (unsigned id = 0; id < BP_FILTER_COUNT; id++)
        lengths[id] = generate(out, id, &self_counts[id]);
    fprintf(out, "const struct bp_filter_program bp_filter_programs[BP_FILTER_COUNT] = {\n");
    for (unsigned id = 0; id < BP_FILTER_COUNT; id++)
        fprintf(out, "    [%u] = {program%u, %zu, %u},\n", id, id, lengths[id], self_counts[id]);
    fprintf(out, "};\n");
    if (fclose(out) != 0)
        die("write", argv[1], errno);
    return 0;
}
