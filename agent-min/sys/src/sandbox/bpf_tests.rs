//! What a filter answers to each call, told by an interpreter of the few instructions that filters are made
//! of.

use nix::libc;

use super::super::Role;
use super::super::calls::{self, DIAGNOSTICS, NETWORK};
use super::super::seccomp::filter;
use super::*;

/// What the kernel would do with a call.
pub(in crate::sandbox) fn answer(
    program: &[sock_filter],
    architecture: u32,
    number: u32,
    arguments: [u64; 6],
) -> u32 {
    let load = |offset: u32| match offset {
        NUMBER => number,
        ARCHITECTURE => architecture,
        _ => {
            let argument = arguments[(offset - ARGUMENTS) as usize / 8];
            if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
    };
    let (mut at, mut register) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        match code {
            LOAD => register = load(k),
            AND => register &= k,
            JUMP_IF_EQUAL => at += usize::from(if register == k { jt } else { jf }),
            RETURN => return k,
            other => panic!("{other:#x} is no instruction of ours"),
        }
    }
}

const HERE: u32 = calls::ARCHITECTURE;
const ALLOW: u32 = Answer::Allow.code();
const KILL: u32 = Answer::KillProcess.code();
const UPPER_HALF: u64 = 1 << 40;
/// asm-generic/ioctls.h: types into a terminal what its user seems to have typed.
const TIOCSTI: u64 = 0x5412;

fn of(role: Role, number: libc::c_long, arguments: &[u64]) -> u32 {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    answer(filter(role), HERE, number as u32, all)
}

fn lists() -> [(Role, &'static [&'static [Call]]); 2] {
    [(Role::Network, NETWORK), (Role::Diagnostics, DIAGNOSTICS)]
}

#[test]
fn exactly_the_listed_calls_pass() {
    for (role, list) in lists() {
        for number in 0..1024_u32 {
            let entries: Vec<&Call> =
                list.iter().copied().flatten().filter(|call| call.number == number).collect();
            let unchecked = entries.iter().find(|call| call.checks.is_empty());
            // Arguments that satisfy no check of any entry.
            let expected = unchecked.map_or(KILL, |call| call.answer.code());
            assert_eq!(answer(filter(role), HERE, number, [!0; 6]), expected, "{role:?} {number}");
        }
    }
}

#[test]
fn every_entry_says_who_calls_it_and_none_is_there_twice() {
    for (_, list) in lists() {
        let entries: Vec<&Call> = list.iter().copied().flatten().collect();
        for (at, entry) in entries.iter().enumerate() {
            assert!(entry.caller.contains(':'), "{entry:?}");
            // After an entry without conditions, another one for the same call would never be reached.
            let earlier = entries[..at].iter().filter(|other| other.number == entry.number);
            assert!(earlier.copied().all(|other| !other.checks.is_empty()), "{entry:?}");
        }
    }
}

#[test]
fn calls_of_another_architecture_and_of_x32_never_pass() {
    for role in [Role::Network, Role::Diagnostics] {
        let read = libc::SYS_read as u32;
        assert_eq!(answer(filter(role), HERE, read, [0; 6]), ALLOW);
        for other in [0, HERE ^ 1, HERE ^ 0x8000_0000, 0x4000_0003 ^ 0x8000_0000] {
            assert_eq!(answer(filter(role), other, read, [0; 6]), KILL);
        }
        assert_eq!(answer(filter(role), HERE, read | 0x4000_0000, [0; 6]), KILL);
    }
}

#[test]
fn no_memory_becomes_executable_and_no_file_is_mapped() {
    #[cfg(target_pointer_width = "64")]
    let mmap = libc::SYS_mmap;
    #[cfg(target_pointer_width = "32")]
    let mmap = libc::SYS_mmap2;
    let (read, write, execute) = (libc::PROT_READ as u64, libc::PROT_WRITE as u64, libc::PROT_EXEC as u64);
    let private = libc::MAP_PRIVATE as u64;
    let anonymous = private | libc::MAP_ANONYMOUS as u64;
    for role in [Role::Network, Role::Diagnostics] {
        for (protection, verdict) in [
            (0, ALLOW),
            (read, ALLOW),
            (read | write, ALLOW),
            (execute, KILL),
            (read | write | execute, KILL),
            (read | UPPER_HALF, KILL),
        ] {
            assert_eq!(of(role, libc::SYS_mprotect, &[0, 0, protection]), verdict, "{protection:x}");
            assert_eq!(of(role, mmap, &[0, 0, protection, anonymous]), verdict, "{protection:x}");
            assert_eq!(of(role, mmap, &[0, 0, protection, private]), KILL, "{protection:x}");
        }
    }
}

#[test]
fn descriptors_and_sockets_have_no_settings_but_those_listed() {
    #[cfg(target_pointer_width = "64")]
    let fcntl = libc::SYS_fcntl;
    #[cfg(target_pointer_width = "32")]
    let fcntl = libc::SYS_fcntl64;
    let not_a_terminal = Answer::Errno(libc::ENOTTY as u16).code();
    for role in [Role::Network, Role::Diagnostics] {
        for command in [libc::F_GETFL, libc::F_SETFL, libc::F_GETFD, libc::F_SETFD] {
            assert_eq!(of(role, fcntl, &[3, command as u64]), ALLOW);
            // The kernel doesn't look at the upper half, and a C library may leave anything in it.
            assert_eq!(of(role, fcntl, &[3, command as u64 | UPPER_HALF]), ALLOW);
        }
        for command in [libc::F_DUPFD, libc::F_SETLK, libc::F_SETOWN, libc::F_NOTIFY] {
            assert_eq!(of(role, fcntl, &[3, command as u64]), KILL);
        }
        assert_eq!(of(role, libc::SYS_ioctl, &[3, calls::FIONBIO]), ALLOW);
        assert_eq!(of(role, libc::SYS_ioctl, &[3, TIOCSTI]), not_a_terminal);
        let (socket, tcp) = (libc::SOL_SOCKET as u64, libc::IPPROTO_TCP as u64);
        let is_network = role == Role::Network;
        for (level, option, of_network, of_diagnostics) in [
            (tcp, libc::TCP_NODELAY, true, false),
            (socket, libc::SO_SNDTIMEO, false, true),
            (socket, libc::SO_ATTACH_FILTER, false, false),
            (tcp, libc::TCP_REPAIR, false, false),
        ] {
            let verdict =
                if is_network && of_network || !is_network && of_diagnostics { ALLOW } else { KILL };
            assert_eq!(of(role, libc::SYS_setsockopt, &[3, level, option as u64]), verdict, "{option}");
        }
    }
}

#[test]
fn only_the_diagnostics_open_files_and_only_to_read() {
    for (flags, verdict) in [
        (libc::O_RDONLY | libc::O_CLOEXEC, ALLOW),
        (libc::O_RDONLY | libc::O_DIRECTORY, ALLOW),
        (libc::O_WRONLY, KILL),
        (libc::O_RDWR, KILL),
        (libc::O_CREAT, KILL),
        (libc::O_TRUNC, KILL),
        (libc::O_TMPFILE | libc::O_RDWR, KILL),
    ] {
        assert_eq!(of(Role::Diagnostics, libc::SYS_openat, &[0, 0, flags as u64]), verdict, "{flags:o}");
        assert_eq!(of(Role::Network, libc::SYS_openat, &[0, 0, flags as u64]), KILL);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(of(Role::Diagnostics, libc::SYS_open, &[0, flags as u64]), verdict, "{flags:o}");
    }
}

#[test]
fn only_the_diagnostics_make_sockets_and_only_clients() {
    let (unix, inet, netlink, packet) = (libc::AF_UNIX, libc::AF_INET, libc::AF_NETLINK, libc::AF_PACKET);
    let (stream, dgram, raw) = (libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW);
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    for (domain, kind, protocol, verdict) in [
        (unix, stream, 0, ALLOW),
        (inet, stream | flags, 0, ALLOW),
        (libc::AF_INET6, stream, libc::IPPROTO_TCP, ALLOW),
        (inet, stream, 262, KILL), // MPTCP
        (inet, dgram, 0, ALLOW),
        (libc::AF_INET6, dgram | flags, libc::IPPROTO_UDP, ALLOW),
        (inet, dgram, libc::IPPROTO_ICMP, KILL),
        (inet, raw, 0, KILL),
        (unix, dgram, 0, KILL),
        (packet, stream, 0, KILL),
        (netlink, raw | flags, libc::NETLINK_SOCK_DIAG, ALLOW),
        (netlink, dgram, libc::NETLINK_SOCK_DIAG, ALLOW),
        (netlink, dgram, libc::NETLINK_ROUTE, KILL),
        (netlink, stream, libc::NETLINK_SOCK_DIAG, KILL),
    ] {
        let arguments = [domain, kind, protocol].map(|argument| argument as u64);
        assert_eq!(of(Role::Diagnostics, libc::SYS_socket, &arguments), verdict, "{arguments:?}");
        assert_eq!(of(Role::Network, libc::SYS_socket, &arguments), KILL);
    }
    for call in [libc::SYS_bind, libc::SYS_listen] {
        assert_eq!((of(Role::Network, call, &[]), of(Role::Diagnostics, call, &[])), (KILL, KILL));
    }
}

#[test]
fn the_network_process_can_not_turn_its_listening_socket_into_a_client() {
    for (number, at, allowed, denied) in [
        (libc::SYS_sendto, 3, libc::MSG_NOSIGNAL, libc::MSG_FASTOPEN),
        (libc::SYS_sendto, 3, 0, libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL),
        (libc::SYS_shutdown, 1, libc::SHUT_WR, libc::SHUT_RD),
        (libc::SYS_shutdown, 1, libc::SHUT_WR, libc::SHUT_RDWR),
    ] {
        for (argument, verdict) in [(allowed, ALLOW), (denied, KILL)] {
            let mut arguments = [0; 6];
            arguments[at] = argument as u64;
            assert_eq!(of(Role::Network, number, &arguments), verdict, "{number} {argument:x}");
            assert_eq!(of(Role::Diagnostics, number, &arguments), ALLOW);
        }
    }
    for call in [libc::SYS_connect, libc::SYS_sendmsg, libc::SYS_sendmmsg] {
        assert_eq!(of(Role::Network, call, &[]), KILL);
    }
}

#[test]
fn locks_inherit_no_priorities() {
    for role in [Role::Network, Role::Diagnostics] {
        for (operation, verdict) in [
            (libc::FUTEX_WAIT, ALLOW),
            (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, ALLOW),
            (libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME, ALLOW),
            (libc::FUTEX_LOCK_PI, KILL),
            (libc::FUTEX_CMP_REQUEUE_PI | libc::FUTEX_PRIVATE_FLAG, KILL),
            (libc::FUTEX_WAIT_REQUEUE_PI, KILL),
        ] {
            assert_eq!(of(role, libc::SYS_futex, &[0, operation as u64]), verdict, "{operation}");
        }
    }
}

#[test]
fn nothing_starts_a_thread_or_a_program_or_reaches_another_process() {
    for call in [
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_kill,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_pidfd_open,
        libc::SYS_io_uring_setup,
        libc::SYS_bpf,
        libc::SYS_unshare,
        libc::SYS_mount,
        libc::SYS_keyctl,
        libc::SYS_seccomp,
        libc::SYS_setsockopt,
        libc::SYS_memfd_create,
    ] {
        for role in [Role::Network, Role::Diagnostics] {
            assert_eq!(of(role, call, &[]), KILL, "{call}");
        }
    }
}
