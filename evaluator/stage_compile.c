/* The compile child: sources in, objects out; it never sees inputs or a device. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "evaluator/compile_gpu.h"
#include "evaluator/device.h"
#include "evaluator/stage.h"

/* The source as text with a NUL behind it; the caller frees it. */
static int read_source(int fd, uint64_t size, char **source, struct bp_error *err)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return bp_fail_errno(err, "no source");
    if ((uint64_t)info.st_size != size)
        return bp_fail(err, BP_ERR_PROTOCOL, "source of %lld bytes announced as %llu",
                       (long long)info.st_size, (unsigned long long)size);
    BP_AUTO_FREE char *text = malloc(size + 1);
    if (!text)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a source of %llu bytes",
                       (unsigned long long)size);
    if (lseek(fd, 0, SEEK_SET) < 0)
        return bp_fail_errno(err, "source");
    if (bp_io_read_full(fd, text, size, err) < 0)
        return bp_fail_within(err, "source");
    text[size] = '\0';
    *source = bp_steal_pointer(&text);
    return 0;
}

static int compile(const struct bp_msg_compile_request *request, int source_fd, int object_fd,
                   struct bp_msg_compile_result *result, struct bp_error *err)
{
    BP_AUTO_FREE char *source = NULL;
    if (read_source(source_fd, request->source_bytes, &source, err) < 0)
        return -1;
    /* For a GPU's code no device need be there: it is compiled by its architecture's name. */
    if (bp_gpu_arch_find(request->arch))
        return bp_compile_gpu(request, source, object_fd, result, err);
    const struct bp_device *device = bp_device_find(request->device);
    if (!device)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "this worker has no device '%s'", request->device);
    return device->compile(request, source, object_fd, result, err);
}

/* 1 after an answered request, 0 at the end, -1. */
static int serve_one(struct bp_channel *channel, struct bp_msg_compile_result *result,
                     struct bp_error *err)
{
    BP_AUTO_FREE void *request = NULL;
    int received = bp_channel_receive_only(channel, BP_MESSAGE_compile_request, &request, err);
    if (received <= 0)
        return received;
    int fds[2];
    if (bp_channel_receive_fds(channel, fds, 2, err) < 0)
        return -1;
    BP_AUTO_FD int source_fd = fds[0];
    BP_AUTO_FD int object_fd = fds[1];
    if (compile(request, source_fd, object_fd, result, err) < 0 ||
        bp_channel_send(channel, BP_MESSAGE_compile_result, result, err) < 0)
        return -1;
    return 1;
}

int bp_stage_compile_amd_open(struct bp_error *err)
{
    return bp_compile_gpu_open(BP_GPU_AMD, err);
}

int bp_stage_compile_nvidia_open(struct bp_error *err)
{
    return bp_compile_gpu_open(BP_GPU_NVIDIA, err);
}

int bp_stage_compile(struct bp_channel *channel)
{
    struct bp_error err;
    BP_AUTO_FREE struct bp_msg_compile_result *result = malloc(sizeof *result);
    if (!result) {
        bp_channel_fail(channel, BP_VERDICT_INFRA, "no memory");
        return 20;
    }
    int served;
    do
        served = serve_one(channel, result, &err);
    while (served > 0);
    if (served < 0)
        bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
    return served < 0 ? 20 : 0;
}
