#include "evaluator/verdict.h"

#include <string.h>

static const struct {
    const char *name;
    enum bp_blame blame;
    enum bp_retry retry;
    int exit_code;
    const char *meaning;
} verdicts[BP_VERDICT_COUNT] = {
#define ROW(name, blame, retry, exit_code, meaning)                                                \
    [BP_VERDICT_##name] = {#name, BP_BLAME_##blame, BP_RETRY_##retry, exit_code, meaning},
    BP_VERDICT_LIST(ROW)
#undef ROW
};

static const char *const stages[BP_STAGE_COUNT] = {
#define ROW(name) [BP_STAGE_##name] = #name,
    BP_STAGE_LIST(ROW)
#undef ROW
};

const char *bp_verdict_name(enum bp_verdict verdict)
{
    return verdicts[verdict].name;
}

bool bp_verdict_parse(const char *name, enum bp_verdict *verdict)
{
    for (int i = 0; i < BP_VERDICT_COUNT; i++) {
        if (strcmp(name, verdicts[i].name) == 0) {
            *verdict = (enum bp_verdict)i;
            return true;
        }
    }
    return false;
}

const char *bp_verdict_meaning(enum bp_verdict verdict)
{
    return verdicts[verdict].meaning;
}

enum bp_blame bp_verdict_blame(enum bp_verdict verdict)
{
    return verdicts[verdict].blame;
}

enum bp_retry bp_verdict_retry(enum bp_verdict verdict)
{
    return verdicts[verdict].retry;
}

int bp_verdict_exit_code(enum bp_verdict verdict)
{
    return verdicts[verdict].exit_code;
}

const char *bp_stage_name(enum bp_stage stage)
{
    return stages[stage];
}

bool bp_stage_parse(const char *name, enum bp_stage *stage)
{
    for (int i = 0; i < BP_STAGE_COUNT; i++) {
        if (strcmp(name, stages[i]) == 0) {
            *stage = (enum bp_stage)i;
            return true;
        }
    }
    return false;
}
