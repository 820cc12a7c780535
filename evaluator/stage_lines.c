/* The lines child: source lines of addresses in an instrumented object. It runs nothing of a candidate,
 * holds no secret and has the judge's policy, as reading a hostile object may go wrong. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "evaluator/lines.h"
#include "evaluator/stage.h"

/* libelf may want to swap bytes in place: a private mapping can be written to. */
static int find_lines(const struct bp_msg_lines_request *request, int object_fd,
                      struct bp_msg_lines_result *result, struct bp_error *err)
{
    int seals = fcntl(object_fd, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || request->object_bytes == 0)
        return bp_fail(err, BP_ERR_PROTOCOL, "the object is not sealed");
    void *object =
        mmap(NULL, request->object_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, object_fd, 0);
    if (object == MAP_FAILED)
        return bp_fail_errno(err, "cannot map the object");
    *result = (struct bp_msg_lines_result){.line_count = request->code_count};
    for (uint32_t i = 0; i < request->code_count; i++)
        if (request->codes[i].address != 0)
            bp_lines_find(object, request->object_bytes, request->codes[i].address,
                          &result->lines[i]);
    munmap(object, request->object_bytes);
    return 0;
}

static int serve_one(struct bp_channel *channel, struct bp_error *err)
{
    BP_AUTO_FREE void *request = NULL;
    struct bp_msg_lines_result result;
    int received = bp_channel_receive_only(channel, BP_MESSAGE_lines_request, &request, err);
    if (received <= 0)
        return received;
    int fds[1];
    if (bp_channel_receive_fds(channel, fds, 1, err) < 0)
        return -1;
    BP_AUTO_FD int object_fd = fds[0];
    if (find_lines(request, object_fd, &result, err) < 0 ||
        bp_channel_send(channel, BP_MESSAGE_lines_result, &result, err) < 0)
        return -1;
    return 1;
}

int bp_stage_lines(struct bp_channel *channel)
{
    struct bp_error err;
    int served;
    do
        served = serve_one(channel, &err);
    while (served > 0);
    if (served < 0)
        bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
    return served < 0 ? 20 : 0;
}
