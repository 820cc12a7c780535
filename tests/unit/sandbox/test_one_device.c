/* A child sees the node of one GPU alone, on a machine with several that are made of files. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/landlock.h"
#include "sandbox/mounts.h"

#define SKIPPED 77
#define NO_MACHINE 2
#define FAILED 1

static int make_file(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    return fd < 0 ? -1 : close(fd);
}

/* In a mount namespace of this process's own. */
static int make_machine(const char *const *nodes)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", "/dev", "tmpfs", 0, "mode=0755") < 0 || mkdir("/dev/dri", 0755) < 0)
        return -1;
    for (; *nodes; nodes++)
        if (make_file(*nodes) < 0)
            return -1;
    return 0;
}

static int confine(enum bp_policy_id id, uint32_t device, bool with_landlock)
{
    struct bp_policy_narrowed room;
    struct bp_mounts mounts;
    struct bp_error err;
    const struct bp_policy *policy = bp_policy_narrow(id, device, &room);
    if (bp_mounts_make(policy, -1, CLONE_NEWNS, 1 << 20, 0, 0, &mounts, &err) < 0 ||
        (with_landlock && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                           bp_landlock_restrict(policy, "/tmp", &err) < 0))) {
        fprintf(stderr, "%s\n", err.msg);
        return -1;
    }
    return 0;
}

static int errno_of_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

struct scene {
    enum bp_policy_id policy;
    uint32_t device;
    bool with_landlock; /* AMD's policy wants files of sysfs that only its driver makes */
    const char *nodes[5];
    const char *open[4], *closed;
};

static int play(const struct scene *scene)
{
    if (make_machine(scene->nodes) < 0)
        return NO_MACHINE;
    if (confine(scene->policy, scene->device, scene->with_landlock) < 0)
        return FAILED;
    for (size_t i = 0; scene->open[i]; i++)
        if (errno_of_open(scene->open[i]) != 0)
            return FAILED;
    return !scene->closed || errno_of_open(scene->closed) == ENOENT ? 0 : FAILED;
}

static void one_node_alone(void **state)
{
    static const struct scene scenes[] = {
        {BP_POLICY_RUN_NVIDIA,
         2,
         true,
         {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidia1"},
         {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia1"},
         "/dev/nvidia0"},
        {BP_POLICY_RUN_NVIDIA,
         0,
         true,
         {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidia1"},
         {"/dev/nvidia0", "/dev/nvidia1"},
         NULL},
        {BP_POLICY_RUN_AMD,
         129,
         false,
         {"/dev/kfd", "/dev/dri/renderD128", "/dev/dri/renderD129"},
         {"/dev/kfd", "/dev/dri/renderD128"},
         "/dev/dri/renderD129"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(play(&scenes[i]));
        assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == NO_MACHINE) {
            print_message("skipped: no mount namespace, or no tmpfs in it\n");
            skip();
        }
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_node_alone)};
    if (geteuid() != 0) {
        printf("skipped: only root makes device nodes out of files\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
