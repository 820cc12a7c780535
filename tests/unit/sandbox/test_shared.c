/* What is made once for all children, by root, takes nothing from what holds each of them: two compile
 * children side by side. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/worker_fd.h"
#include "tests/unit/sandbox/lab.h"

#define PATIENCE_MS 20000

static struct neighbour {
    struct lab_pipes pipes;
    struct bp_launched launched;
    pid_t worker;
} neighbours[2];

static pid_t first_child(pid_t pid)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &child), 1);
    fclose(file);
    return child;
}

static int start(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct neighbour *one = &neighbours[i];
        struct bp_error err;
        lab_pipes_open(&one->pipes);
        if (lab_launch(&one->pipes, BP_POLICY_COMPILE_CPU, "sleep", NULL, FAKE_WORKER,
                       &one->launched, &err) < 0)
            fail_msg("%s", err.msg);
        lab_pipes_close(&one->pipes, 1);
        struct pollfd ready = {.fd = one->pipes.answers[0], .events = POLLIN};
        char line[512] = "";
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        assert_true(read(one->pipes.answers[0], line, sizeof line - 1) > 0);
        assert_int_equal(strncmp(line, "ready", 5), 0);
        one->worker = first_child(one->launched.pid);
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bp_launch_kill(&neighbours[i].launched);
        waitpid(neighbours[i].launched.pid, NULL, 0);
        while (!bp_launch_release(&neighbours[i].launched))
            usleep(1000);
        lab_pipes_close(&neighbours[i].pipes, 0);
    }
    bp_launch_close_supervisor();
    return 0;
}

static void namespace_of(pid_t pid, const char *kind, char name[64])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
    ssize_t length = readlink(path, name, 63);
    assert_true(length > 0);
    name[length] = '\0';
}

static void namespaces_are_not_the_supervisors(void **state)
{
    (void)state;
    static const char *const kinds[] = {"pid", "mnt", "net", "ipc"};
    for (int k = 0; k < 4; k++) {
        char own[64], first[64], second[64];
        namespace_of(getpid(), kinds[k], own);
        namespace_of(neighbours[0].worker, kinds[k], first);
        namespace_of(neighbours[1].worker, kinds[k], second);
        assert_string_not_equal(own, first);
        assert_string_not_equal(own, second);
        if (k < 2) /* those in which one could leave something */
            assert_string_not_equal(first, second);
    }
}

static int make_file(pid_t pid, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/%d/root/%s", (int)pid, name);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    return fd < 0 ? errno : close(fd);
}

static void private_directories_are_apart(void **state)
{
    (void)state;
    assert_int_equal(make_file(neighbours[0].worker, "tmp/mine"), 0);
    assert_int_equal(make_file(neighbours[0].worker, "tmp/mine"), EEXIST);
    assert_int_equal(make_file(neighbours[1].worker, "tmp/mine"), 0);
}

static void nobody_changes_the_root(void **state)
{
    (void)state;
    static const char *const places[] = {"", "dev/null", "proc"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[128];
        struct statvfs mounted;
        snprintf(path, sizeof path, "/proc/%d/root/%s", (int)neighbours[0].worker, places[i]);
        assert_int_equal(statvfs(path, &mounted), 0);
        assert_true(mounted.f_flag & ST_RDONLY);
    }
    assert_int_equal(make_file(neighbours[0].worker, "file"), EROFS);
}

static bool holds_only_the_status(pid_t init)
{
    char path[64];
    unsigned others = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)init);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        others += entry->d_name[0] != '.' && atoi(entry->d_name) != BP_FD_STATUS;
    closedir(directory);
    return others == 0;
}

/* The init goes its way beside the worker. */
static void init_keeps_no_descriptor(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int waited_ms = 0;
        while (!holds_only_the_status(neighbours[i].launched.pid) && waited_ms++ < PATIENCE_MS)
            usleep(1000);
        assert_in_range(waited_ms, 0, PATIENCE_MS);
    }
}

/* The bounding set is emptied for the children, and all they need is inheritable. */
static void supervisor_keeps_its_capabilities(void **state)
{
    (void)state;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3];
    for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
        assert_int_not_equal(prctl(PR_CAPBSET_READ, capability), 1);
    assert_int_equal(syscall(SYS_capget, &header, held), 0);
    assert_true(held[0].effective & held[0].inheritable & (1u << CAP_SYS_ADMIN));
}

static void supervisor_blocks_no_signal(void **state)
{
    (void)state;
    sigset_t blocked;
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &blocked), 0);
    assert_int_equal(sigisemptyset(&blocked), 1);
}

int main(int argc, char **argv)
{
    lab_start(argc, argv);
    if (geteuid() != 0 || !(lab_namespaces & CLONE_NEWNS) || (lab_namespaces & CLONE_NEWUSER)) {
        printf("skipped: nothing is shared but by a root who may make namespaces\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(namespaces_are_not_the_supervisors),
        cmocka_unit_test(private_directories_are_apart),
        cmocka_unit_test(nobody_changes_the_root),
        cmocka_unit_test(init_keeps_no_descriptor),
        cmocka_unit_test(supervisor_keeps_its_capabilities),
        cmocka_unit_test(supervisor_blocks_no_signal),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
