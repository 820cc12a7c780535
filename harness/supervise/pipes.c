#include "harness/supervise/pipes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"

void bp_pipes_close(struct bp_pipes *pipes)
{
    int *all[] = {pipes->requests, pipes->answers, pipes->control, pipes->log, pipes->status};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bp_close_fd(&all[i][0]);
        bp_close_fd(&all[i][1]);
    }
}

static int make_all(struct bp_pipes *pipes, struct bp_error *err)
{
    int on = 1;
    if (bp_fault(BP_FAULT_pipe) || bp_fault(BP_FAULT_socketpair) ||
        pipe2(pipes->requests, O_CLOEXEC) < 0 || pipe2(pipes->answers, O_CLOEXEC) < 0 ||
        pipe2(pipes->log, O_CLOEXEC) < 0 || pipe2(pipes->status, O_CLOEXEC) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pipes->control) < 0 ||
        setsockopt(pipes->control[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        return bp_fail_errno(err, "cannot make the pipes of a child");
    if (bp_io_set_nonblocking(pipes->requests[1], err) < 0 ||
        bp_io_set_nonblocking(pipes->answers[0], err) < 0 ||
        bp_io_set_nonblocking(pipes->log[0], err) < 0)
        return -1;
    return 0;
}

int bp_pipes_open(struct bp_pipes *pipes, struct bp_error *err)
{
    memset(pipes, -1, sizeof *pipes);
    if (make_all(pipes, err) == 0)
        return 0;
    bp_pipes_close(pipes);
    return -1;
}
