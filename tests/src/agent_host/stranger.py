# What an account without rights tries on each process and file of a running agent. One line each: what it tried,
# and `done` or the error.
#
#     stranger.py UID MONITOR NETWORK DIRECTORY [signals]
import ctypes, os, resource, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
uid, monitor, network, root = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
sockets = [(pid, fd) for pid in (monitor, network) for fd in os.listdir(f"/proc/{pid}/fd")]
# The kernel lets everybody in a session continue its members.
os.setsid()
os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)

def attempt(what, act):
    try:
        act(); print(what, "done")
    except OSError as error:
        print(what, error.strerror)

def call(function, *arguments):
    if function(*arguments) < 0:
        error = ctypes.get_errno(); raise OSError(error, os.strerror(error))
    return result

def read(path):
    with open(path, "rb", buffering=0) as file: file.read(1)

def peek(pid):
    buffer = ctypes.create_string_buffer(8)
    class Part(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    here, there = Part(ctypes.addressof(buffer), 8), Part(0x400000, 8)
    call(libc.process_vm_readv, pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)

libc.ptrace.restype = ctypes.c_long
for name, pid in (("monitor", monitor), ("network", network)):
    for file in ("mem", "environ", "maps", "auxv", "stack", "syscall", "io"):
        attempt(f"{name}: read {file}", lambda: read(f"/proc/{pid}/{file}"))
    attempt(f"{name}: write mem", lambda: os.close(os.open(f"/proc/{pid}/mem", os.O_WRONLY)))
    attempt(f"{name}: list fd", lambda: os.listdir(f"/proc/{pid}/fd"))
    attempt(f"{name}: enter cwd", lambda: os.chdir(f"/proc/{pid}/cwd"))
    attempt(f"{name}: enter root", lambda: os.chdir(f"/proc/{pid}/root/"))
    attempt(f"{name}: read exe", lambda: read(f"/proc/{pid}/exe"))
    attempt(f"{name}: ptrace", lambda: call(libc.ptrace, 16, pid, 0, 0))
    attempt(f"{name}: process_vm_readv", lambda: peek(pid))
    attempt(f"{name}: oom_score_adj", lambda: open(f"/proc/{pid}/oom_score_adj", "w").write("1000"))
    if len(sys.argv) > 5:
        attempt(f"{name}: prlimit", lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (8, 8)))
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL, 0):
            attempt(f"{name}: signal {int(number)}", lambda: os.kill(pid, number))
    # pidfd_getfd(2) has this number on every machine, and no function in the C library.
    pidfd = os.pidfd_open(pid)
    for fd in range(3, 12): attempt(f"{name}: pidfd_getfd {fd}", lambda: call(libc.syscall, 438, pidfd, fd, 0))
for pid, fd in sockets:
    name = "monitor" if pid == monitor else "network"
    attempt(f"{name}: open fd {fd}", lambda: os.close(os.open(f"/proc/{pid}/fd/{fd}", os.O_RDWR)))
for file in ("bundle/agent.key", "bundle/receipt.key", "state/state"):
    attempt(f"read {file}", lambda: read(f"{root}/{file}"))
for directory in ("bundle", "state", "state/empty"):
    for file in sorted(os.listdir(f"{root}/bundle") if directory == "bundle" else ["state"]):
        path = f"{root}/{directory}/{file}"
        if not os.path.lexists(path): continue
        attempt(f"write {directory}/{file}", lambda: os.close(os.open(path, os.O_WRONLY)))
        attempt(f"unlink {directory}/{file}", lambda: os.unlink(path))
        attempt(f"rename {directory}/{file}", lambda: os.rename(path, path + "x"))
        attempt(f"chmod {directory}/{file}", lambda: os.chmod(path, 0o666))
    attempt(f"symlink in {directory}", lambda: os.symlink("/etc/passwd", f"{root}/{directory}/x"))
    attempt(f"link in {directory}", lambda: os.link("/bin/sh", f"{root}/{directory}/y"))
    attempt(f"mkfifo in {directory}", lambda: os.mkfifo(f"{root}/{directory}/z"))
attempt("neighbour: read bundle/ca.pem", lambda: read(f"{root}/bundle/ca.pem"))
attempt("neighbour: read own environ", lambda: read("/proc/self/status"))
