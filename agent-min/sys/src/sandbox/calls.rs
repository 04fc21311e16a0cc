//! The system calls that a sealed process may make, and who makes each. Everything else ends the process.
//!
//! What is made once, at the start, is not here: threads, sockets, the reactor's descriptors exist by then.
//! musl is what the agent is built with; glibc, on a developer's machine, makes the same calls.

use nix::libc::{self, c_long};

use super::bpf::{Answer, Call, Check};

/// What linux/audit.h calls the architecture: its ELF machine, 64 bits (1 << 31), little-endian (1 << 30).
pub(super) const ARCHITECTURE: u32 = if cfg!(target_arch = "x86_64") {
    0xc000_003e
} else if cfg!(target_arch = "x86") {
    0x4000_0003
} else if cfg!(target_arch = "aarch64") {
    0xc000_00b7
} else if cfg!(target_arch = "arm") {
    0x4000_0028
} else if cfg!(target_arch = "riscv64") {
    0xc000_00f3
} else {
    panic!("no list of system calls for this architecture")
};

/// How the filter, and nothing else, answers sysinfo(2).
pub(super) const PROBE_ERRNO: i32 = libc::EDOM;

/// The network process, most frequent calls first.
pub(super) const NETWORK: &[&[Call]] =
    &[STREAMS, SERVER, TIME, MEMORY, THREADS, SETTINGS, NETWORK_SETTINGS, WORD_SIZE, OLD, HARMLESS];

/// The diagnostics.
pub(super) const DIAGNOSTICS: &[&[Call]] = &[
    STREAMS,
    FILES,
    CLIENT,
    TIME,
    MEMORY,
    THREADS,
    SETTINGS,
    WORD_SIZE,
    FILES_WORD_SIZE,
    OLD,
    FILES_OLD,
    HARMLESS,
];

const STREAMS: &[Call] = &[
    allow(libc::SYS_recvfrom, "std: reading a TcpStream; our channel"),
    allow(libc::SYS_read, "polling: its eventfd and timerfd; std: a File"),
    allow(libc::SYS_write, "polling: its eventfd; std: standard error"),
    allow(libc::SYS_writev, "std: write_vectored, which rustls writes records with"),
    allow(libc::SYS_readv, "std: read_vectored"),
    allow(libc::SYS_close, "std: dropping a connection or a file"),
    allow(libc::SYS_ppoll, "musl: poll where there is no older call"),
];

/// Nothing here makes a connection. Without the first two checks something would: a listening socket whose
/// reading is shut down is a fresh one again (inet_shutdown in net/ipv4/af_inet.c), and sending with
/// MSG_FASTOPEN connects it, past landlock too (tcp_sendmsg_fastopen in net/ipv4/tcp.c).
const SERVER: &[Call] = &[
    allow(libc::SYS_sendto, "std: writing a TcpStream; our channel")
        .when(&[Check::int_has_none(3, libc::MSG_FASTOPEN as u64)]),
    allow(libc::SYS_shutdown, "std: ending what we send").when(&[Check::int(1, &[libc::SHUT_WR as u64])]),
    allow(libc::SYS_epoll_pwait, "polling: waiting"),
    allow(libc::SYS_epoll_ctl, "polling: a connection comes or goes"),
    allow(libc::SYS_accept4, "std: a connection, with CLOEXEC"),
    allow(libc::SYS_timerfd_settime, "polling: the next deadline"),
];

const TIME: &[Call] = &[
    allow(libc::SYS_clock_gettime, "musl: Instant and SystemTime where the vDSO doesn't serve them"),
    allow(libc::SYS_clock_nanosleep, "std: thread::sleep"),
    allow(libc::SYS_nanosleep, "musl: nanosleep"),
];

/// Nothing that is mapped can be executed, or is a file. Protections and flags are words to the kernel.
const MEMORY: &[Call] = &[
    allow(libc::SYS_brk, "musl: malloc"),
    allow(libc::SYS_munmap, "musl: free, the end of a thread"),
    allow(libc::SYS_madvise, "musl: free"),
    allow(libc::SYS_mremap, "musl: realloc"),
    allow(libc::SYS_mprotect, "musl: malloc").when(&[READ_WRITE]),
    allow(MMAP, "musl: malloc").when(&[READ_WRITE, ANONYMOUS]),
];

const READ_WRITE: Check = Check::word_has_only(2, (libc::PROT_READ | libc::PROT_WRITE) as u64);
const ANONYMOUS: Check = Check::word_has(3, libc::MAP_ANONYMOUS as u64, &[libc::MAP_ANONYMOUS as u64]);

const THREADS: &[Call] = &[
    allow(libc::SYS_futex, "std: Mutex, Condvar, parking").when(&[PLAIN_FUTEX]),
    allow(libc::SYS_sched_yield, "std: yield_now in spin loops of concurrent-queue"),
    allow(libc::SYS_getrandom, "ring: keys and nonces; std: the seed of a HashMap"),
    allow(libc::SYS_rt_sigreturn, "the kernel: a signal handler returns"),
    allow(libc::SYS_restart_syscall, "the kernel: a call goes on after SIGSTOP and SIGCONT"),
    allow(libc::SYS_rt_sigprocmask, "musl: the end of a thread, abort"),
    allow(libc::SYS_rt_sigaction, "std: its handler of stack overflows gives up; musl: abort"),
    allow(libc::SYS_sigaltstack, "std: the end of a thread with that handler"),
    allow(libc::SYS_getpid, "std: process::id"),
    allow(libc::SYS_gettid, "musl: abort"),
    // The reactor's thread may still be about to make these when the filter comes; glibc aborts if they fail.
    #[cfg(all(target_env = "gnu", target_pointer_width = "64"))]
    allow(libc::SYS_rseq, "glibc: the beginning of a thread"),
    #[cfg(target_env = "gnu")]
    allow(libc::SYS_set_robust_list, "glibc: the beginning of a thread"),
    allow(libc::SYS_exit, "musl: the end of a thread"),
    allow(libc::SYS_exit_group, "musl: the end of the process"),
];

/// None that inherits priorities: nobody here uses those, and they have had the kernel's worst faults.
const PLAIN_FUTEX: Check = Check::int_without(
    1,
    (libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) as u64,
    &[
        libc::FUTEX_WAIT as u64,
        libc::FUTEX_WAKE as u64,
        libc::FUTEX_REQUEUE as u64,
        libc::FUTEX_WAIT_BITSET as u64,
        libc::FUTEX_WAKE_BITSET as u64,
    ],
);

/// Commands and options are `int` to the kernel.
const SETTINGS: &[Call] = &[
    allow(FCNTL, "async-io: nonblocking mode; std: what it checks of descriptors").when(&[Check::int(
        1,
        &[libc::F_GETFL as u64, libc::F_SETFL as u64, libc::F_GETFD as u64, libc::F_SETFD as u64],
    )]),
    allow(libc::SYS_ioctl, "std: set_nonblocking").when(&[Check::int(1, &[FIONBIO])]),
    allow(libc::SYS_getsockopt, "std: take_error")
        .when(&[Check::int(1, &[libc::SOL_SOCKET as u64]), Check::int(2, &[libc::SO_ERROR as u64])]),
    allow(libc::SYS_getsockname, "std: local_addr"),
];

/// asm-generic/ioctls.h; the C libraries don't agree on its type.
pub(super) const FIONBIO: u64 = 0x5421;

const NETWORK_SETTINGS: &[Call] = &[allow(libc::SYS_setsockopt, "std: set_nodelay")
    .when(&[Check::int(1, &[libc::IPPROTO_TCP as u64]), Check::int(2, &[libc::TCP_NODELAY as u64])])];

/// Opening is for reading only; flags are `int` to the kernel. Which files, landlock says.
const FILES: &[Call] = &[
    allow(libc::SYS_openat, "std: File::open, read_dir").when(&[Check::int_has_none(2, WRITES)]),
    allow(libc::SYS_statx, "std: metadata"),
    allow(libc::SYS_lseek, "std: Seek"),
    allow(libc::SYS_pread64, "std: read_at, the end of a long log"),
    allow(libc::SYS_getdents64, "musl: read_dir"),
    allow(libc::SYS_readlinkat, "musl: read_link"),
    allow(libc::SYS_adjtimex, "diagnostics: how well the clock is kept; setting it takes a right"),
    allow(libc::SYS_clock_adjtime, "musl: the same"),
];

const WRITES: u64 =
    (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u64;

/// Which services answer on this host, and what they say: HTTP, the sockets of php-fpm and MariaDB, name servers, and
/// the kernel's list of listening sockets. Where a stream goes, the kernel's filter can't see: nothing here
/// listens.
const CLIENT: &[Call] = &[
    allow(libc::SYS_socket, "std: TcpStream, UnixStream").when(&[
        Check::int(0, &[libc::AF_UNIX as u64, libc::AF_INET as u64, libc::AF_INET6 as u64]),
        Check::int_without(1, SOCKET_FLAGS, &[libc::SOCK_STREAM as u64]),
        Check::int(2, &[0, libc::IPPROTO_TCP as u64]),
    ]),
    allow(libc::SYS_socket, "diagnostics: questions to name servers").when(&[
        Check::int(0, &[libc::AF_INET as u64, libc::AF_INET6 as u64]),
        Check::int_without(1, SOCKET_FLAGS, &[libc::SOCK_DGRAM as u64]),
        Check::int(2, &[0, libc::IPPROTO_UDP as u64]),
    ]),
    allow(libc::SYS_socket, "diagnostics: sock_diag(7)").when(&[
        Check::int(0, &[libc::AF_NETLINK as u64]),
        Check::int_without(1, SOCKET_FLAGS, &[libc::SOCK_DGRAM as u64, libc::SOCK_RAW as u64]),
        Check::int(2, &[NETLINK_SOCK_DIAG]),
    ]),
    allow(libc::SYS_connect, "std: TcpStream, UnixStream"),
    allow(libc::SYS_sendto, "std: writing a TcpStream, a UdpSocket; diagnostics: sock_diag(7)"),
    allow(libc::SYS_shutdown, "std: ending a connection"),
    allow(libc::SYS_getpeername, "std: peer_addr"),
    allow(libc::SYS_setsockopt, "std: set_read_timeout, set_write_timeout")
        .when(&[Check::int(1, &[libc::SOL_SOCKET as u64]), Check::int(2, TIMEOUTS)]),
];

const SOCKET_FLAGS: u64 = (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as u64;
/// linux/netlink.h
const NETLINK_SOCK_DIAG: u64 = 4;
/// The last two are those of 64-bit time on 32-bit machines, SO_RCVTIMEO_NEW and SO_SNDTIMEO_NEW of
/// asm-generic/socket.h. On 64-bit ones nobody uses them.
const TIMEOUTS: &[u64] = &[libc::SO_RCVTIMEO as u64, libc::SO_SNDTIMEO as u64, 66, 67];

#[cfg(target_pointer_width = "64")]
const MMAP: c_long = libc::SYS_mmap;
#[cfg(target_pointer_width = "32")]
const MMAP: c_long = libc::SYS_mmap2;
#[cfg(target_pointer_width = "64")]
const FCNTL: c_long = libc::SYS_fcntl;
#[cfg(target_pointer_width = "32")]
const FCNTL: c_long = libc::SYS_fcntl64;

#[cfg(target_pointer_width = "64")]
const WORD_SIZE: &[Call] = &[];
#[cfg(target_pointer_width = "64")]
const FILES_WORD_SIZE: &[Call] = &[
    allow(libc::SYS_fstat, "musl: fstat"),
    allow(libc::SYS_newfstatat, "musl: stat"),
    allow(libc::SYS_statfs, "diagnostics: a full disk"),
    allow(libc::SYS_fstatfs, "diagnostics: a full disk"),
];

/// The calls with 64-bit time, which musl and rustix make first. They have the same numbers on every 32-bit
/// machine (asm-generic/unistd.h, arch/arm/tools/syscall.tbl, arch/x86/entry/syscalls/syscall_32.tbl); the C
/// library's headers lack some.
#[cfg(target_pointer_width = "32")]
const WORD_SIZE: &[Call] = &[
    allow(403, "musl: clock_gettime64, as clock_gettime"),
    allow(407, "musl: clock_nanosleep_time64, as clock_nanosleep"),
    allow(411, "rustix: timerfd_settime64, as timerfd_settime"),
    allow(414, "musl: ppoll_time64, as ppoll"),
    allow(422, "musl: futex_time64, as futex").when(&[PLAIN_FUTEX]),
];
#[cfg(target_pointer_width = "32")]
const FILES_WORD_SIZE: &[Call] = &[
    allow(libc::SYS__llseek, "musl: lseek"),
    allow(libc::SYS_fstat64, "musl: fstat"),
    allow(libc::SYS_fstatat64, "musl: stat"),
    allow(libc::SYS_statfs64, "diagnostics: a full disk"),
    allow(libc::SYS_fstatfs64, "diagnostics: a full disk"),
    allow(405, "musl: clock_adjtime64, as clock_adjtime"),
];

/// Calls that newer architectures never had. Not i686's socketcall: its arguments lie in memory, where no
/// filter can look, and musl makes the calls of their own first. Where they are missing, before Linux 4.3,
/// there is no filter.
#[cfg(any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm"))]
const OLD: &[Call] = &[
    allow(libc::SYS_poll, "std: connect_timeout; ours: readable"),
    #[cfg(not(target_arch = "x86_64"))]
    allow(libc::SYS_sigreturn, "the kernel: a signal handler returns"),
];
#[cfg(any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm"))]
const FILES_OLD: &[Call] = &[
    allow(libc::SYS_open, "musl: open").when(&[Check::int_has_none(1, WRITES)]),
    allow(libc::SYS_readlink, "musl: read_link"),
    #[cfg(target_arch = "x86_64")]
    allow(libc::SYS_stat, "musl: stat"),
    #[cfg(target_arch = "x86_64")]
    allow(libc::SYS_lstat, "musl: lstat"),
    // Where there is no statx, before Linux 4.11.
    #[cfg(not(target_arch = "x86_64"))]
    allow(libc::SYS_stat64, "musl: stat"),
    #[cfg(not(target_arch = "x86_64"))]
    allow(libc::SYS_lstat64, "musl: lstat"),
];
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm")))]
const OLD: &[Call] = &[];
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm")))]
const FILES_OLD: &[Call] = &[];

/// What libraries try and can do without. The rest of these calls' uses is above.
const HARMLESS: &[Call] = &[
    refuse(libc::SYS_sysinfo, PROBE_ERRNO, "ours: whether the filter is in force; musl: the number of pages"),
    refuse(libc::SYS_ioctl, libc::ENOTTY, "musl: isatty"),
    refuse(libc::SYS_prctl, libc::EINVAL, "std, glibc: names of threads and of memory"),
    refuse(libc::SYS_sched_getaffinity, libc::EPERM, "std: available_parallelism; glibc: arenas of malloc"),
    // A signal can't be limited to our own threads here; refused, abort goes on to crash, which is as good an
    // end.
    refuse(libc::SYS_tkill, libc::EPERM, "musl: abort"),
    refuse(libc::SYS_tgkill, libc::EPERM, "glibc: abort"),
    refuse(libc::SYS_membarrier, libc::ENOSYS, "event-listener: a faster fence"),
    #[cfg(target_arch = "riscv64")]
    // riscv_hwprobe of arch/riscv/include/uapi/asm/unistd.h
    refuse(258, libc::ENOSYS, "std: is_riscv_feature_detected"),
];

const fn allow(number: c_long, caller: &'static str) -> Call {
    Call { number: number as u32, checks: &[], answer: Answer::Allow, caller }
}

const fn refuse(number: c_long, errno: i32, caller: &'static str) -> Call {
    Call { number: number as u32, checks: &[], answer: Answer::Errno(errno as u16), caller }
}

impl Call {
    const fn when(mut self, checks: &'static [Check]) -> Self {
        self.checks = checks;
        self
    }
}
