/* A frozen process stands still, whatever its first thread is doing in the kernel. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "harness/supervise/freeze.h"

#define FILLED_BYTES (512ull << 20) /* of the page of zeros: a tenth of a second, and no memory */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

struct shared {
    _Atomic uint64_t count; /* what the second thread does */
    _Atomic int filling;    /* the first is about to be in the kernel */
};

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void *count_for_ever(void *argument)
{
    struct shared *shared = argument;
    for (;;)
        atomic_fetch_add(&shared->count, 1);
    return NULL;
}

static _Noreturn void run_child(struct shared *shared)
{
    pthread_t thread;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
    void *place =
        mmap(NULL, FILLED_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED || pthread_create(&thread, NULL, count_for_ever, shared) != 0)
        _exit(1);
    madvise(place, FILLED_BYTES, MADV_NOHUGEPAGE);
    while (atomic_load(&shared->count) == 0)
        sched_yield();
    atomic_store(&shared->filling, 1);
    madvise(place, FILLED_BYTES, MADV_POPULATE_READ);
    for (;;)
        pause();
}

static pid_t start_child(struct shared *shared, int *pidfd)
{
    pid_t pid = fork();
    if (pid == 0)
        run_child(shared);
    assert_true(pid > 0);
    *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_true(*pidfd >= 0);
    while (!atomic_load(&shared->filling)) {
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
        sleep_ms(1);
    }
    sleep_ms(5);
    return pid;
}

static void test_other_thread_stands(void **state)
{
    (void)state;
    struct bp_error err;
    enum bp_freeze found;
    BP_AUTO_FD int pidfd = -1;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    pid_t pid = start_child(shared, &pidfd);
    assert_int_equal(bp_freeze(pidfd, pid, &found, &err), 0);
    assert_int_equal(found, BP_FREEZE_STANDS);
    uint64_t before = atomic_load(&shared->count);
    sleep_ms(30);
    assert_int_equal(atomic_load(&shared->count), before);
    assert_int_equal(bp_thaw(pidfd, &err), 0);
    while (atomic_load(&shared->count) == before)
        sleep_ms(1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(bp_freeze(pidfd, pid, &found, &err), 0);
    assert_int_equal(found, BP_FREEZE_STANDS);
    assert_int_equal(bp_thaw(pidfd, &err), 0);
    munmap(shared, sizeof *shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_other_thread_stands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
