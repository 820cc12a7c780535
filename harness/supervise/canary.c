#include "harness/supervise/canary.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/persist.h"
#include "harness/supervise/child.h"

#define REQUEST_MS 5000.0
#define AT_ONCE 8
#define ROUNDS 4
#define PAUSE_MS 50.0 /* before the second round; each later one is twice as long */
#define BAIT_FD 64
/* Of each policy a look, and every act behind its filter and behind its candidate's. */
#define MAX_ATTEMPTS (BP_POLICY_COUNT * (1 + 2 * BP_CANARY_ACT_COUNT))

/* One child: it looks at the layers of a policy, or commits an act behind a filter. */
struct attempt {
    struct canary *canary;
    struct bp_child *child;
    enum bp_policy_id policy;
    bool candidate;
    uint32_t act; /* BP_CANARY_ACT_COUNT: a look */
    bool answered;
    bool settled;            /* what it was for is known */
    struct bp_error why_not; /* of the last child, when it is not settled */
};

struct canary {
    const struct bp_child_settings *settings;
    struct bp_canary_facts facts;
    struct bp_canary_report *report;
    struct attempt attempts[MAX_ATTEMPTS];
    uint32_t count;
    uint32_t running;
};

BP_PRINTF(3, 4)
static void mark(struct canary *canary, enum bp_layer layer, const char *fmt, ...)
{
    struct bp_canary_report *report = canary->report;
    if (report->states[layer] == BP_LAYER_MISSING)
        return;
    report->states[layer] = BP_LAYER_MISSING;
    va_list arguments;
    va_start(arguments, fmt);
    vsnprintf(report->why[layer], sizeof report->why[layer], fmt, arguments);
    va_end(arguments);
}

static enum bp_layer filter_of(const struct attempt *attempt)
{
    return attempt->candidate ? BP_LAYER_candidate_filter : BP_LAYER_seccomp;
}

/* ---- one child ---- */

static void request(struct attempt *attempt)
{
    const struct bp_canary_facts *facts = &attempt->canary->facts;
    struct bp_msg_canary_request message = {.act = attempt->act,
                                            .candidate = attempt->candidate,
                                            .root = facts->root,
                                            .namespaces = facts->namespaces,
                                            .pid_ns = facts->pid_ns,
                                            .mnt_ns = facts->mnt_ns,
                                            .net_ns = facts->net_ns,
                                            .ipc_ns = facts->ipc_ns};
    if (bp_child_request(attempt->child, BP_MESSAGE_canary_request, &message, NULL, 0, REQUEST_MS,
                         &attempt->why_not) < 0)
        bp_child_stop(attempt->child);
}

/* The text has a part for each missing layer, in order, separated by "; ". */
static void take_look(struct attempt *attempt, const struct bp_msg_canary_result *result)
{
    const char *part = result->text;
    for (int layer = 0; layer < BP_LAYER_COUNT; layer++) {
        if (!(result->missing & 1u << layer))
            continue;
        int length = (int)strcspn(part, ";");
        mark(attempt->canary, (enum bp_layer)layer, "in stage %s: %.*s",
             bp_policy_name(attempt->policy), length, part);
        part += length + (part[length] ? 2 : 0);
    }
}

/* An errno value that a stage's filter gives stopped the act as well as the end of the process does; the
 * candidate's filter lets no forbidden call return. */
static void take_act(struct attempt *attempt, const struct bp_msg_canary_result *result)
{
    if (!attempt->candidate && (result->error == EACCES || result->error == ENOSYS))
        return;
    mark(attempt->canary, filter_of(attempt), "in stage %s: the act '%s' %s%s",
         bp_policy_name(attempt->policy), bp_canary_act_name((enum bp_canary_act)attempt->act),
         result->error ? "reached the kernel: " : "succeeded",
         result->error ? strerror((int)result->error) : "");
}

static void canary_answer(void *context, struct bp_child *child, enum bp_message_type type,
                          const void *message)
{
    struct attempt *attempt = context;
    if (type == BP_MESSAGE_ready) {
        request(attempt);
        return;
    }
    attempt->answered = true;
    if (type == BP_MESSAGE_failure)
        mark(attempt->canary, filter_of(attempt), "in stage %s: %.400s",
             bp_policy_name(attempt->policy), ((const struct bp_msg_failure *)message)->message);
    else if (attempt->act == BP_CANARY_ACT_COUNT)
        take_look(attempt, message);
    else
        take_act(attempt, message);
    bp_child_stop(child);
}

/* Stopped in the act is what is wanted; anything else without an answer proves nothing, and is done
 * again. */
static void canary_ended(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct attempt *attempt = context;
    bool killed = end->cause == BP_CHILD_EXITED && end->wait_status >= 0 &&
                  WIFSIGNALED(end->wait_status) && WTERMSIG(end->wait_status) == SIGSYS;
    bool stopped = attempt->act < BP_CANARY_ACT_COUNT && (end->cause == BP_CHILD_DENIED || killed);
    attempt->settled = attempt->answered || stopped;
    if (!attempt->settled)
        bp_fail(&attempt->why_not, BP_ERR_UNAVAILABLE,
                "in stage %s: the canary ended without an answer: %.100s%.200s",
                bp_policy_name(attempt->policy), end->text, bp_child_log(child));
    attempt->canary->running--;
    bp_child_release(&attempt->child);
}

static const struct bp_child_handlers handlers = {canary_answer, canary_ended};

static int start(struct canary *canary, struct attempt *attempt, struct bp_error *err)
{
    struct bp_child_options options = {
        .loop = canary->settings->loop,
        .worker_path = canary->settings->worker_path,
        .stage = "canary",
        .policy = attempt->policy,
        .limits = {.device = canary->settings->device_node},
        .log_max_bytes = canary->settings->log_max_bytes,
        .handlers = &handlers,
        .context = attempt,
    };
    return bp_child_start(&options, &attempt->child, err);
}

/* ---- all of them ---- */

static void plan_acts(struct canary *canary, enum bp_policy_id id, bool candidate)
{
    for (uint32_t act = 0; act < BP_CANARY_ACT_COUNT; act++) {
        if (act == BP_CANARY_ACT_executable && bp_policy_get(id)->writable_code)
            continue;
        canary->attempts[canary->count++] =
            (struct attempt){.canary = canary, .policy = id, .candidate = candidate, .act = act};
    }
}

static void plan(struct canary *canary, uint32_t policies)
{
    for (int policy = 0; policy < BP_POLICY_COUNT; policy++) {
        enum bp_policy_id id = (enum bp_policy_id)policy;
        if (!(policies & 1u << policy))
            continue;
        canary->attempts[canary->count++] =
            (struct attempt){.canary = canary, .policy = id, .act = BP_CANARY_ACT_COUNT};
        plan_acts(canary, id, false);
        if (bp_policy_get(id)->candidate_filter)
            plan_acts(canary, id, true);
    }
}

static int turn(struct canary *canary, struct bp_error *err)
{
    struct bp_loop *loop = canary->settings->loop;
    if (bp_loop_step(loop, err) < 0)
        return -1;
    if (loop->stop_signal)
        return bp_fail(err, BP_ERR_INTERRUPTED, "stopped by SIG%s",
                       sigabbrev_np(loop->stop_signal));
    return 0;
}

static void wake(void *context)
{
    *(bool *)context = true;
}

static int pause_for(struct canary *canary, double ms, struct bp_error *err)
{
    struct bp_loop *loop = canary->settings->loop;
    bool over = false;
    struct bp_timer timer = {.expired = wake, .context = &over};
    int result = bp_loop_start_timer(loop, &timer, bp_clock_ns() + (uint64_t)(ms * 1e6), err);
    while (!over && result == 0)
        result = turn(canary, err);
    bp_loop_stop_timer(loop, &timer);
    return result;
}

/* A child for every attempt that is not settled. */
static int run_round(struct canary *canary, struct bp_error *err)
{
    for (uint32_t i = 0; i < canary->count; i++) {
        struct attempt *attempt = &canary->attempts[i];
        if (attempt->settled)
            continue;
        while (canary->running >= AT_ONCE)
            if (turn(canary, err) < 0)
                return -1;
        if (start(canary, attempt, &attempt->why_not) == 0) {
            canary->running++;
            canary->report->children++;
        } else if (!bp_persist_is_worth(&attempt->why_not)) {
            *err = attempt->why_not;
            return -1;
        }
    }
    while (canary->running > 0)
        if (turn(canary, err) < 0)
            return -1;
    return 0;
}

static const struct attempt *find_unsettled(const struct canary *canary)
{
    for (uint32_t i = 0; i < canary->count; i++)
        if (!canary->attempts[i].settled)
            return &canary->attempts[i];
    return NULL;
}

/* What could not be found out is no error of the machine's but a hole, for all that is known. */
static int give_up(struct canary *canary, struct bp_error *err)
{
    for (uint32_t i = 0; i < canary->count; i++) {
        const struct attempt *attempt = &canary->attempts[i];
        if (attempt->settled)
            continue;
        if (bp_persist_is_worth(&attempt->why_not)) {
            *err = attempt->why_not;
            return -1;
        }
        mark(canary, filter_of(attempt), "%.400s", attempt->why_not.msg);
    }
    return 0;
}

static int run_all(struct canary *canary, struct bp_error *err)
{
    const struct attempt *unsettled;
    double pause_ms = PAUSE_MS;
    for (uint32_t round = 1;; round++, pause_ms *= 2) {
        if (run_round(canary, err) < 0)
            return -1;
        if (!(unsettled = find_unsettled(canary)))
            return 0;
        if (round == ROUNDS)
            return give_up(canary, err);
        bp_log(BP_LOG_WARNING, "canary", "%s; another child in %.0f ms", unsettled->why_not.msg,
               pause_ms);
        if (pause_for(canary, pause_ms, err) < 0)
            return -1;
    }
}

/* Layers that this machine does not grant, or that an ordinary user does not need. */
static void mark_not_granted(const struct bp_canary_facts *facts, struct bp_canary_report *report)
{
    static const struct {
        enum bp_layer layer;
        uint64_t flag;
    } rows[] = {{BP_LAYER_pidns, CLONE_NEWPID}, {BP_LAYER_mntns, CLONE_NEWNS},
                {BP_LAYER_netns, CLONE_NEWNET}, {BP_LAYER_ipcns, CLONE_NEWIPC},
                {BP_LAYER_root, CLONE_NEWNS},   {BP_LAYER_readonly, CLONE_NEWNS}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (facts->namespaces & rows[i].flag)
            continue;
        report->states[rows[i].layer] = BP_LAYER_NOT_GRANTED;
        snprintf(report->why[rows[i].layer], BP_TEXT_LINE,
                 "this kernel or container grants no such namespace to this user");
    }
    if (facts->root)
        return;
    report->states[BP_LAYER_user] = BP_LAYER_NOT_GRANTED;
    snprintf(report->why[BP_LAYER_user], BP_TEXT_LINE,
             "not needed: the supervisor is an ordinary user");
}

int bp_canary_run(const struct bp_child_settings *settings, uint32_t policies,
                  struct bp_canary_report *report, struct bp_error *err)
{
    struct canary canary = {.settings = settings, .report = report};
    uint64_t from_ns = bp_clock_ns();
    *report = (struct bp_canary_report){0};
    bp_canary_look(&canary.facts);
    canary.facts.namespaces = bp_launch_namespaces();
    mark_not_granted(&canary.facts, report);
    plan(&canary, policies);
    /* One that exec would keep: everything else of ours is close-on-exec, and would prove nothing. */
    BP_AUTO_FD int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    BP_AUTO_FD int bait = fcntl(null, F_DUPFD, BAIT_FD);
    if (bait < 0)
        return bp_fail_errno(err, "descriptor of the canary");
    int result = run_all(&canary, err);
    for (uint32_t i = 0; i < canary.count; i++)
        bp_child_release(&canary.attempts[i].child);
    report->spent_ms = bp_ns_to_ms(bp_clock_ns() - from_ns);
    return result;
}

int bp_canary_require(const struct bp_canary_report *report, uint32_t required,
                      struct bp_error *err)
{
    for (int layer = 0; layer < BP_LAYER_COUNT; layer++)
        if (report->states[layer] == BP_LAYER_MISSING)
            return bp_fail(err, BP_ERR_UNAVAILABLE, "the sandbox has a hole: layer %s: %s",
                           bp_layer_name((enum bp_layer)layer), report->why[layer]);
    for (int layer = 0; layer < BP_LAYER_COUNT; layer++)
        if ((required & 1u << layer) && report->states[layer] == BP_LAYER_NOT_GRANTED)
            return bp_fail(err, BP_ERR_UNAVAILABLE,
                           "sandbox.require: layer %s is not to be had: %s",
                           bp_layer_name((enum bp_layer)layer), report->why[layer]);
    return 0;
}

int bp_canary_insist(const struct bp_canary_report *report, uint32_t required, bool degraded,
                     struct bp_error *err)
{
    bp_log(BP_LOG_INFO, "canary", "%u children in %.0f ms", report->children, report->spent_ms);
    if (bp_canary_require(report, required, err) == 0)
        return 0;
    if (!degraded)
        return bp_fail_within(err, "refusing to start (--allow-degraded does all the same)");
    bp_log(BP_LOG_ERROR, "canary", "DEGRADED: %s; kernels may escape", err->msg);
    return 0;
}
