/* moody_worker: stands in the worker's place, alone in a directory. A file there named as its stage
 * says how the next children of that stage behave, a character each, taken from the front:
 *   x   exits at once        f   claims GPU_FAULT, being asked to run
 *   l   claims LAUNCH_ERROR  anything else, or nothing left: becomes the real worker */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "evaluator/channel.h"
#include "tests/lib/confined.h"

static char take_mood(const char *stage)
{
    char path[PATH_MAX + 64], moods[64];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    char *slash = length > 0 ? memrchr(path, '/', (size_t)length) : NULL;
    if (!slash)
        return 0;
    snprintf(slash, 64, "/%s", stage);
    BP_AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return 0;
    length = read(fd, moods, sizeof moods);
    if (length <= 0)
        return 0;
    if (pwrite(fd, moods + 1, (size_t)length - 1, 0) < 0 || ftruncate(fd, length - 1) < 0)
        return 0;
    return moods[0];
}

/* A run child without a candidate that says what it is told to say. */
static int claim(int argc, char **argv, enum bp_verdict verdict)
{
    static const enum bp_message_type allowed[] = {BP_MESSAGE_run_request, BP_MESSAGE_COUNT};
    struct bp_channel channel;
    struct bp_error err;
    enum bp_message_type type;
    void *request = NULL;
    if (!confined_start(argc, argv, "run", &channel) ||
        bp_channel_receive(&channel, allowed, &type, &request, &err) <= 0)
        return 98;
    free(request);
    bp_channel_fail(&channel, verdict, "as told");
    return 0;
}

int main(int argc, char **argv)
{
    char mood = argc > 1 ? take_mood(argv[1]) : 0;
    if (mood == 'x')
        return 7;
    if (mood == 'f')
        return claim(argc, argv, BP_VERDICT_GPU_FAULT);
    if (mood == 'l')
        return claim(argc, argv, BP_VERDICT_LAUNCH_ERROR);
    execv(WORKER, argv);
    return 96;
}
