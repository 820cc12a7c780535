/* The event loop: timers in order, stops inside callbacks, signals as data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "harness/supervise/loop.h"

enum { TIMERS = 500 };
static uint64_t fired[TIMERS];
static uint32_t fired_count;

static void note_deadline(void *context)
{
    fired[fired_count++] = ((struct bp_timer *)context)->deadline_ns;
}

static void timers_fire_in_order(void **state)
{
    static struct bp_timer timers[TIMERS];
    struct bp_loop loop;
    struct bp_error err;
    unsigned seed = 5;
    (void)state;
    assert_int_equal(bp_loop_open(&loop, &err), 0);
    uint64_t now = bp_clock_ns();
    for (int i = 0; i < TIMERS; i++) {
        timers[i] = (struct bp_timer){.expired = note_deadline, .context = &timers[i]};
        uint64_t deadline = now + (uint64_t)(rand_r(&seed) % 20000000);
        assert_int_equal(bp_loop_start_timer(&loop, &timers[i], deadline, &err), 0);
    }
    for (int i = 0; i < TIMERS; i += 3) /* a third is stopped again, from anywhere in the heap */
        bp_loop_stop_timer(&loop, &timers[i]);
    uint32_t expected = TIMERS - (TIMERS + 2) / 3;
    while (loop.timer_count > 0)
        assert_int_equal(bp_loop_step(&loop, &err), 0);
    assert_int_equal(fired_count, expected);
    for (uint32_t i = 1; i < fired_count; i++)
        assert_true(fired[i - 1] <= fired[i]);
    bp_loop_close(&loop);
}

struct pair {
    struct bp_loop *loop;
    struct bp_watch watches[2];
    int delivered;
};

static void stop_both(void *context, uint32_t events)
{
    struct pair *pair = context;
    (void)events;
    pair->delivered++;
    bp_loop_unwatch(pair->loop, &pair->watches[0]);
    bp_loop_unwatch(pair->loop, &pair->watches[1]);
}

static void stopped_watch_gets_no_event_of_the_same_batch(void **state)
{
    struct bp_loop loop;
    struct bp_error err;
    struct pair pair = {.loop = &loop};
    int pipes[2][2];
    (void)state;
    assert_int_equal(bp_loop_open(&loop, &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        pair.watches[i] = (struct bp_watch){pipes[i][0], stop_both, &pair, false};
        assert_int_equal(bp_loop_watch(&loop, &pair.watches[i], EPOLLIN, &err), 0);
        assert_int_equal(write(pipes[i][1], "x", 1), 1);
    }
    assert_int_equal(bp_loop_step(&loop, &err), 0);
    assert_int_equal(pair.delivered, 1);
    for (int i = 0; i < 2; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    bp_loop_close(&loop);
}

static void signals_are_counted_not_fatal(void **state)
{
    struct bp_loop loop;
    struct bp_error err;
    (void)state;
    assert_int_equal(bp_loop_open(&loop, &err), 0);
    kill(getpid(), SIGTERM);
    assert_int_equal(bp_loop_step(&loop, &err), 0);
    assert_int_equal(loop.stop_signal, SIGTERM);
    assert_int_equal(loop.stop_count, 1);
    bp_loop_close(&loop);
}

struct notices {
    uint32_t rotate, status;
};

static void count_notice(void *context, enum bp_notice notice)
{
    struct notices *notices = context;
    if (notice == BP_NOTICE_ROTATE)
        notices->rotate++;
    else
        notices->status++;
}

static void sigusr1_and_sighup_are_no_stop(void **state)
{
    struct bp_loop loop;
    struct bp_error err;
    struct notices notices = {0};
    (void)state;
    assert_int_equal(bp_loop_open(&loop, &err), 0);
    loop.notice = count_notice;
    loop.notice_context = &notices;
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGHUP);
    assert_int_equal(bp_loop_step(&loop, &err), 0);
    assert_int_equal(notices.rotate, 1);
    assert_int_equal(notices.status, 1);
    assert_int_equal(loop.stop_signal, 0);
    bp_loop_close(&loop);
}

static void sighup_stops_when_nobody_takes_notice(void **state)
{
    struct bp_loop loop;
    struct bp_error err;
    (void)state;
    assert_int_equal(bp_loop_open(&loop, &err), 0);
    kill(getpid(), SIGHUP);
    assert_int_equal(bp_loop_step(&loop, &err), 0);
    assert_int_equal(loop.stop_signal, SIGHUP);
    bp_loop_close(&loop);
}

/* In a session of its own with a terminal of its own, whose other end is then closed: what the
 * SIGHUP comes to. 1: a stop; 2: a notice. */
static int after_hang_up(bool ignored)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct bp_loop loop;
        struct bp_error err;
        struct notices notices = {0};
        signal(SIGHUP, ignored ? SIG_IGN : SIG_DFL);
        setsid();
        int terminal = open(ptsname(master), O_RDWR); /* becomes the session's */
        if (terminal < 0 || bp_loop_open(&loop, &err) < 0)
            _exit(99);
        loop.notice = count_notice;
        loop.notice_context = &notices;
        close(master);
        struct pollfd gone = {.fd = terminal, .events = POLLHUP};
        if (poll(&gone, 1, 5000) != 1) /* until the parent's end is closed too */
            _exit(96);
        kill(getpid(), SIGHUP); /* as a shell hands it on */
        if (bp_loop_step(&loop, &err) < 0)
            _exit(98);
        _exit(loop.stop_signal == SIGHUP ? 1 : notices.rotate > 0 ? 2 : 97);
    }
    close(master);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void terminal_that_is_gone_stops(void **state)
{
    (void)state;
    assert_int_equal(after_hang_up(false), 1);
}

static void terminal_that_is_gone_does_not_matter_under_nohup(void **state)
{
    (void)state;
    assert_int_equal(after_hang_up(true), 2);
}

struct answer {
    struct bp_loop *loop;
    struct bp_timer deadline;
    struct bp_watch watch;
    bool late, came;
};

static void note_late(void *context)
{
    ((struct answer *)context)->late = true;
}

static void note_answer(void *context, uint32_t events)
{
    struct answer *answer = context;
    (void)events;
    answer->came = true;
    bp_loop_unwatch(answer->loop, &answer->watch);
}

/* A process that stops this one for four seconds, as a shell does, and has it answered only after a
 * tenth of a second of its running again. */
static pid_t stop_me_and_answer(int pipe_fd)
{
    pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    usleep(50000);
    kill(parent, SIGSTOP);
    usleep(4000000);
    kill(parent, SIGCONT);
    usleep(100000);
    _exit(write(pipe_fd, "x", 1) == 1 ? 0 : 1);
}

/* Whoever is waited for may have stood still too: it gets again what was left of its time. */
static void a_deadline_does_not_pass_while_stopped(void **state)
{
    struct bp_loop loop;
    struct bp_error err;
    int ends[2], status;
    (void)state;
    assert_int_equal(bp_loop_open(&loop, &err), 0);
    assert_int_equal(pipe(ends), 0);
    struct answer answer = {.loop = &loop,
                            .deadline = {.expired = note_late, .context = &answer},
                            .watch = {.fd = ends[0], .ready = note_answer, .context = &answer}};
    assert_int_equal(bp_loop_watch(&loop, &answer.watch, EPOLLIN, &err), 0);
    assert_int_equal(bp_loop_start_timer(&loop, &answer.deadline, bp_clock_ns() + 2000000000, &err),
                     0);
    pid_t child = stop_me_and_answer(ends[1]);
    while (!answer.came && !answer.late)
        assert_int_equal(bp_loop_step(&loop, &err), 0);
    assert_false(answer.late);
    while (!answer.late)
        assert_int_equal(bp_loop_step(&loop, &err), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
    close(ends[1]);
    bp_loop_close(&loop);
}

#ifdef BP_FAULT_INJECTION
struct seen_scopes {
    struct bp_loop *loop;
    struct bp_watch watch;
    uint32_t of_watch, of_timer;
};

static void see_at_watch(void *context, uint32_t events)
{
    struct seen_scopes *seen = context;
    (void)events;
    seen->of_watch = bp_fault_scope();
    bp_loop_unwatch(seen->loop, &seen->watch);
}

static void see_at_timer(void *context)
{
    ((struct seen_scopes *)context)->of_timer = bp_fault_scope();
}

static void events_are_in_the_scope_of_whoever_waits(void **state)
{
    struct bp_loop loop;
    struct bp_error err;
    int ends[2];
    struct seen_scopes seen = {.loop = &loop};
    (void)state;
    assert_int_equal(bp_loop_open(&loop, &err), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    uint32_t watcher = bp_fault_new_scope("run"), sleeper = bp_fault_new_scope("judge");
    seen.watch = (struct bp_watch){.fd = ends[0], .ready = see_at_watch, .context = &seen};
    struct bp_timer timer = {.expired = see_at_timer, .context = &seen};
    bp_fault_enter(watcher);
    assert_int_equal(bp_loop_watch(&loop, &seen.watch, EPOLLIN, &err), 0);
    bp_fault_enter(sleeper);
    assert_int_equal(bp_loop_start_timer(&loop, &timer, bp_clock_ns(), &err), 0);
    bp_fault_enter(BP_FAULT_SCOPE_HARNESS);
    while (seen.watch.active || loop.timer_count > 0)
        assert_int_equal(bp_loop_step(&loop, &err), 0);
    assert_int_equal(seen.of_watch, watcher);
    assert_int_equal(seen.of_timer, sleeper);
    assert_int_equal(bp_fault_scope(), BP_FAULT_SCOPE_HARNESS);
    bp_loop_close(&loop);
    close(ends[0]);
    close(ends[1]);
}
#endif

int main(void)
{
    signal(SIGHUP, SIG_DFL); /* these tests may have been started under nohup */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order),
        cmocka_unit_test(stopped_watch_gets_no_event_of_the_same_batch),
        cmocka_unit_test(signals_are_counted_not_fatal),
        cmocka_unit_test(sigusr1_and_sighup_are_no_stop),
        cmocka_unit_test(sighup_stops_when_nobody_takes_notice),
        cmocka_unit_test(terminal_that_is_gone_stops),
        cmocka_unit_test(terminal_that_is_gone_does_not_matter_under_nohup),
        cmocka_unit_test(a_deadline_does_not_pass_while_stopped),
#ifdef BP_FAULT_INJECTION
        cmocka_unit_test(events_are_in_the_scope_of_whoever_waits),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
