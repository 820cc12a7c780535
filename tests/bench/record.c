/* record: what the record of a run costs, early and after a long history. One JSON object.
 *
 *     record fill DIR COUNT     a synthetic run of COUNT evaluations in DIR, which exists and is empty
 *     record resume DIR         opens it and loads it back, and writes its summary
 *
 * DIR's file system is what is measured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "harness/report/artifacts.h"
#include "tests/bench/synthetic.h"

#define EVENTS 1000
#define WINDOW 500 /* evaluations that an early and a late figure are medians of */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, size_t count, double share)
{
    qsort(values, count, sizeof *values, by_value);
    size_t at = (size_t)(share * (double)count);
    return values[at < count ? at : count - 1];
}

static long status_kb(const char *field)
{
    char line[256];
    long kb = -1;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && kb < 0 && fgets(line, sizeof line, status))
        if (strncmp(line, field, strlen(field)) == 0)
            kb = strtol(line + strlen(field) + 1, NULL, 10);
    if (status)
        fclose(status);
    return kb;
}

static int measure_events(struct bp_store *store, struct bp_error *err)
{
    static double times_ms[EVENTS];
    for (int i = 0; i < EVENTS; i++) {
        uint64_t start_ns = bp_clock_ns();
        if (bp_store_event(store, "probe", "{\"device\":\"cpu\",\"passed\":true,\"ms\":1.5}", err) <
                0 ||
            bp_store_flush(store, err) < 0)
            return -1;
        times_ms[i] = bp_ns_to_ms(bp_clock_ns() - start_ns);
    }
    printf("{\"events\": %d, \"event_median_ms\": %.3f, ", EVENTS, quantile(times_ms, EVENTS, 0.5));
    printf("\"event_p99_ms\": %.3f", quantile(times_ms, EVENTS, 0.99));
    return 0;
}

struct window {
    double search_ms[WINDOW], queue_ms[WINDOW], commit_ms[WINDOW];
};

static void note(struct window *window, uint32_t number, const struct synthetic_cost *cost)
{
    window->search_ms[number % WINDOW] = cost->search_ms;
    window->queue_ms[number % WINDOW] = cost->queue_ms;
    window->commit_ms[number % WINDOW] = cost->commit_ms;
}

static void print_window(struct window *window, const char *name)
{
    printf(", \"%s\": {\"search_ms\": %.4f, \"queue_ms\": %.4f, \"commit_ms\": %.3f, ", name,
           quantile(window->search_ms, WINDOW, 0.5), quantile(window->queue_ms, WINDOW, 0.5),
           quantile(window->commit_ms, WINDOW, 0.5));
    printf("\"commit_p95_ms\": %.3f, \"rss_kb\": %ld}", quantile(window->commit_ms, WINDOW, 0.95),
           status_kb("VmRSS"));
}

static int fill(struct synthetic *run, const char *dir, uint32_t count, struct bp_error *err)
{
    static struct window window;
    struct synthetic_cost cost;
    if (synthetic_create(run, dir, err) < 0 || measure_events(run->store, err) < 0)
        return -1;
    for (uint32_t number = 1; number <= count; number++) {
        if (synthetic_step(run, &cost, err) < 0)
            return -1;
        note(&window, number, &cost);
        if (number == 1000)
            print_window(&window, "at_1000");
    }
    print_window(&window, "at_end");
    printf(", \"evaluations\": %u}\n", count);
    return 0;
}

static int write_summary(const char *dir, struct bp_store *store, double *took_ms,
                         struct bp_error *err)
{
    uint64_t start_ns = bp_clock_ns();
    if (bp_artifacts_summary(dir, "{\n  \"status\": \"running\"", store, err) < 0)
        return -1;
    *took_ms = bp_ns_to_ms(bp_clock_ns() - start_ns);
    return 0;
}

static int resume(struct synthetic *run, const char *dir, uint32_t count, struct bp_error *err)
{
    char path[4200];
    struct stat info = {0};
    double summary_ms;
    (void)count;
    uint64_t start_ns = bp_clock_ns();
    if (synthetic_resume(run, dir, err) < 0)
        return -1;
    double resume_ms = bp_ns_to_ms(bp_clock_ns() - start_ns);
    if (write_summary(dir, run->store, &summary_ms, err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/run.db", dir);
    if (stat(path, &info) < 0)
        return bp_fail_errno(err, "cannot stat %s", path);
    printf("{\"evaluations\": %u, \"resume_ms\": %.1f, \"summary_ms\": %.1f, \"rss_kb\": %ld, "
           "\"peak_kb\": %ld, \"database_bytes\": %lld}\n",
           run->ledger.count, resume_ms, summary_ms, status_kb("VmRSS"), status_kb("VmHWM"),
           (long long)info.st_size);
    return 0;
}

static const struct verb {
    const char *name;
    int arguments;
    int (*run)(struct synthetic *run, const char *dir, uint32_t count, struct bp_error *err);
} verbs[] = {{"fill", 4, fill}, {"resume", 3, resume}};

int main(int argc, char **argv)
{
    struct synthetic run = {0};
    struct bp_error err = {0}, closing;
    const struct verb *verb = NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (argc == verbs[i].arguments && strcmp(argv[1], verbs[i].name) == 0)
            verb = &verbs[i];
    uint32_t count = argc == 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    if (!verb || (argc == 4 && count < 1000)) {
        fprintf(stderr, "usage: record fill DIR COUNT (1000 at least) | record resume DIR\n");
        return 2;
    }
    int result = verb->run(&run, argv[2], count, &err);
    if (run.store && synthetic_close(&run, &closing) < 0 && result == 0) {
        err = closing;
        result = -1;
    }
    if (result < 0)
        fprintf(stderr, "record: %s\n", err.msg);
    return result < 0;
}
