"""Runs the program under test and looks at what it leaves behind: processes, files, mounts."""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x20000
MS_PRIVATE_RECURSIVE = 0x44000
OBJECTS_KEPT = 32 + 6  # of harness/supervise/object_cache.h, and those at work

# What a build with fault injection says at each start; the rest of its output is that of any other.
BANNER = re.compile(r"^bulletproof: FAULT INJECTION BUILD[^\n]*\n", re.MULTILINE)

libc = ctypes.CDLL(None, use_errno=True)


def isolate():
    """Whatever the program orphans becomes a child of this process, and what it mounts is seen here
    and nowhere else. Without the right to a mount namespace it has none to mount either."""
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    if libc.unshare(CLONE_NEWNS) == 0:
        libc.mount(None, b"/", None, MS_PRIVATE_RECURSIVE, None)


def descendants():
    """{pid: command name} of every process below this one, zombies among them."""
    parents = {}
    names = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        parents[int(entry)] = int(rest[1])
        names[int(entry)] = f"{name} ({rest[0]})"
    found = {}
    for pid in parents:
        ancestor = pid
        while ancestor in parents and ancestor != os.getpid():
            ancestor = parents[ancestor]
        if ancestor == os.getpid() and pid != os.getpid():
            found[pid] = names[pid]
    return found


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return len(file.read().splitlines())


def own_descriptors(pid, of_a_child):
    """How many descriptors the program holds. Left out are `of_a_child` for each child of the moment, and
    one for each object, as many as a session keeps of those it compiled last and works on."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = len(file.read().split())
    held = list(os.scandir(f"/proc/{pid}/fd"))
    objects = {os.stat(entry.path).st_ino for entry in held
               if os.readlink(entry.path).startswith("/memfd:object")}
    return len(held) - min(len(objects), OBJECTS_KEPT) - of_a_child * children


def small_disk(test, parent, size):
    """A file system of that size for the test alone, as a directory below `parent`; without the right
    to mount one the test is skipped."""
    disk = os.path.join(parent, "disk")
    os.mkdir(disk)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk],
                           capture_output=True, text=True, check=False)
    if mount.returncode != 0:
        test.skipTest(f"no disk to fill: {mount.stderr.strip()}")
    test.addCleanup(subprocess.run, ["umount", disk], check=True)
    return disk


# The machine's ceilings are measured once for all programs of a test, and not into a HOME of theirs.
CACHE = tempfile.TemporaryDirectory(prefix="bulletproof-test-cache-")


class Program:
    """One run of the program in an empty working directory that is also its TMPDIR and HOME."""

    _lock = threading.Lock()
    _running = set()

    def __init__(self, arguments):
        self.directory = tempfile.mkdtemp(prefix="bulletproof-test-")
        self.started = time.monotonic()
        environment = dict(os.environ, TMPDIR=self.directory, HOME=self.directory,
                           XDG_CACHE_HOME=CACHE.name)
        self._output = open(os.path.join(self.directory, ".stdout"), "w+b")
        self._errors = open(os.path.join(self.directory, ".stderr"), "w+b")
        with self._lock:
            self.process = subprocess.Popen(
                arguments, cwd=self.directory, env=environment, stdin=subprocess.DEVNULL,
                stdout=self._output, stderr=self._errors, start_new_session=True)
            self._running.add(self.process.pid)

    def wait(self, timeout):
        """The exit status, or None when it had to be killed at the timeout."""
        status = None
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.seconds = time.monotonic() - self.started
        self.output = self._text(self._output)
        self.errors = BANNER.sub("", self._text(self._errors))
        with self._lock:
            self._running.discard(self.process.pid)
        return status

    @staticmethod
    def _text(file):
        file.seek(0)
        text = file.read().decode("utf-8", errors="replace")
        file.close()
        return text

    def leftovers(self, killed=False, grace=0.0):
        """What is still there `grace` seconds after the end. A program that was killed leaves its
        dead children to be reaped here; any other must have reaped them itself. Orphans of programs
        that run beside this one cannot be told from its own: there must be none at any time."""
        until = time.monotonic() + grace
        while True:
            orphans = self._orphans()
            for pid in list(orphans) if killed else []:
                if os.waitpid(pid, os.WNOHANG)[0] == pid:
                    del orphans[pid]
            if not orphans or time.monotonic() >= until:
                break
            time.sleep(0.02)
        found = [f"process {pid} {name}" for pid, name in orphans.items()]
        for pid in orphans:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass  # another thread has found the same one
        files = [name for name in os.listdir(self.directory) if name not in (".stdout", ".stderr")]
        return found + [f"file {name}" for name in files]

    @classmethod
    def _orphans(cls):
        with cls._lock:
            below = descendants()
            running = set(cls._running)
        parents = {}
        for pid in below:
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    text = file.read()
                parents[pid] = int(text[text.rindex(")") + 2:].split()[1])
            except OSError:
                continue
        return {pid: below[pid] for pid, parent in parents.items()
                if parent == os.getpid() and pid not in running}

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)
