/* What a process does to itself: what it uses up, what it is, how it ends, what it compiles and loads. */
#include "tests/unit/sandbox/acts.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/sandbox/fake_worker.h"

static void nap(time_t seconds)
{
    struct timespec time = {.tv_sec = seconds};
    nanosleep(&time, NULL);
}

ACT(many_descriptors)
{
    for (int i = 0; i < 5000; i++)
        if (fcntl(0, F_DUPFD_CLOEXEC, 0) < 0) {
            snprintf(text, size, "%s", i < 300 ? "few" : "many");
            return errno;
        }
    return 0;
}

ACT(memory)
{
    size_t bytes = 1ULL << 40;
    void *got = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return got == MAP_FAILED ? errno : 0;
}

ACT(descriptors)
{
    size_t used = 0;
    for (int fd = 0; fd < 1024 && used + 8 < size; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            used += (size_t)snprintf(text + used, size - used, "%s%d", used ? " " : "", fd);
    return 0;
}

ACT(environment)
{
    size_t used = 0;
    for (char **entry = environ; *entry && used < size; entry++)
        used += (size_t)snprintf(text + used, size - used, "%s;", *entry);
    return 0;
}

ACT(namespaces)
{
    static const char *const links[] = {"/proc/self/ns/pid", "/proc/self/ns/mnt",
                                        "/proc/self/ns/net", "/proc/self/ns/ipc", "/proc/self"};
    size_t used = 0;
    for (unsigned i = 0; i < sizeof links / sizeof links[0]; i++) {
        char target[64];
        ssize_t length = readlink(links[i], target, sizeof target);
        if (length < 0)
            return errno;
        used += (size_t)snprintf(text + used, size - used, "%.*s;", (int)length, target);
    }
    return 0;
}

ACT(dumpable)
{
    snprintf(text, size, "dumpable %d", prctl(PR_GET_DUMPABLE));
    return 0;
}

ACT(exit7)
{
    _exit(7);
}

ACT(abort)
{
    abort();
}

__attribute__((no_sanitize("undefined", "address"))) ACT(segv)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
    return 0;
}

ACT(sigkill)
{
    RESULT(kill(getpid(), SIGKILL));
}

ACT(burn)
{
    for (volatile unsigned long i = 0; i + 1 > 0; i++)
        continue;
    return 0;
}

ACT(sleep)
{
    nap(60);
    return 0;
}

/* Great-grandchildren whose parents have gone, holding the log pipe. */
ACT(daemons)
{
    for (int i = 0; i < 100; i++) {
        long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (child < 0)
            return errno;
        if (child == 0) {
            if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0)
                nap(60);
            _exit(0);
        }
        while (waitpid((pid_t)child, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    return 0;
}

ACT(daemons_stay)
{
    int result = act_daemons(text, size);
    if (result)
        return result;
    fake_worker_say("daemons", 0, "");
    nap(60);
    return 0;
}

ACT(load_object)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fake_worker_object);
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        snprintf(text, size, "%s", dlerror());
        return EINVAL;
    }
    int (*answer)(void);
    *(void **)&answer = dlsym(object, "fake_object_answer");
    return answer && answer() == 42 ? 0 : EINVAL;
}

static int run_compiler(const char *source, char *text, size_t size)
{
    int fd = open("k.c", O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd < 0)
        return errno;
    if (write(fd, source, strlen(source)) < 0)
        return errno;
    close(fd);
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/usr/bin/clang", "clang", "-O2", "-march=native", "-shared", "-fPIC", "-fuse-ld=lld",
              "-nostdlib", "-x", "c", "k.c", "-o", "k.so", (char *)NULL);
        _exit(126);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return errno;
    struct stat made;
    snprintf(text, size, "status %d object %s", status,
             stat("k.so", &made) == 0 && made.st_size > 0 ? "made" : "missing");
    return 0;
}

ACT(compile)
{
    return run_compiler("int f(int x) { return x + 1; }\n", text, size);
}

ACT(compile_passwd)
{
    return run_compiler("#include \"/etc/passwd\"\nint f(void) { return 1; }\n", text, size);
}

ACT(compile_incbin)
{
    return run_compiler("__asm__(\".incbin \\\"/etc/passwd\\\"\");\nint f(void) { return 1; }\n",
                        text, size);
}

/* clang-format off: a table */
const struct act own_acts[] = {
    ROW(many_descriptors),
    ROW(memory),
    ROW(descriptors),
    ROW(environment),
    ROW(namespaces),
    ROW(dumpable),
    ROW(exit7),
    ROW(abort),
    ROW(segv),
    ROW(sigkill),
    ROW(burn),
    ROW(sleep),
    ROW(daemons),
    ROW(daemons_stay),
    ROW(load_object),
    ROW(compile),
    ROW(compile_passwd),
    ROW(compile_incbin),
    {NULL, NULL},
};
/* clang-format on */
