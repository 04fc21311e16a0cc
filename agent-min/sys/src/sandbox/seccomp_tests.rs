//! The filters on a real kernel: what must work works, everything else ends the process, and a kernel without
//! them is reported.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, IntoRawFd};
use std::sync::mpsc;
use std::time::Duration;

use nix::libc::c_long;

use super::super::bpf::{Call, Check};
use super::super::testing::{Child, in_child, in_child_keeping, is_root, killed};
use super::super::{Confinement, Identity, Plan, enter, landlock};
use super::*;
use crate::role::End;

/// Seals as `role`, without the other walls, and does `work`.
fn sealed(role: Role, work: impl FnOnce() -> String) -> Child {
    in_child(|_| {
        nix::sys::prctl::set_no_new_privs().expect("no new privileges");
        assert_eq!(install(role), Some(Punishment::Process));
        work()
    })
}

/// asm-generic/ioctls.h
const TCGETS: u64 = 0x5401;

fn call(number: c_long, arguments: [u64; 6]) -> String {
    let [a, b, c, d, e, f] = arguments.map(|argument| argument as libc::c_ulong);
    // SAFETY: these calls are denied before the kernel looks at their arguments, or take no pointers; in a
    // child that is there for nothing else.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    format!("{result} {}", if result < 0 { Errno::last_raw() } else { 0 })
}

#[test]
fn a_server_works_within_the_filter() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.write_all(b"ping").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    });
    let child = in_child_keeping(&[listener.as_fd()], |_| {
        let (tell, told) = mpsc::channel::<u32>();
        let worker = std::thread::spawn(move || told.recv().map(|number| number + 1));
        nix::sys::prctl::set_no_new_privs().expect("no new privileges");
        assert_eq!(install(Role::Network), Some(Punishment::Process));
        let (mut stream, _peer) = listener.accept().expect("a connection");
        stream.set_nonblocking(true).expect("a mode");
        stream.set_nonblocking(false).expect("a mode");
        stream.set_nodelay(true).expect("a setting");
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes).expect("four bytes");
        let large = vec![1_u8; 8 << 20];
        std::thread::sleep(Duration::from_millis(1));
        let seeds = std::collections::HashMap::from([(1, 2)]);
        tell.send(41).expect("a listener");
        let answer = worker.join().expect("a thread").expect("a number");
        write!(stream, "{} {} {} {answer}", String::from_utf8_lossy(&bytes), large.len(), seeds.len())
            .expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("an end");
        "served".into()
    });
    assert_eq!(child.report, "served");
    assert_eq!(client.join().expect("a client"), "ping 8388608 1 42");
    assert_eq!(child.end(), End::Status(0));
}

#[test]
fn every_denied_call_ends_the_process() {
    let (read, execute) = (libc::PROT_READ as u64, libc::PROT_EXEC as u64);
    let anonymous = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let at = libc::AT_FDCWD as u64;
    let path = c"/etc/shadow".as_ptr() as u64;
    let inet = [libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0, 0, 0, 0];
    let network_only = [
        ("openat", libc::SYS_openat, [at, path, 0, 0, 0, 0]),
        ("socket", libc::SYS_socket, inet),
        ("connect", libc::SYS_connect, [3, 0, 0, 0, 0, 0]),
        ("sendto that connects", libc::SYS_sendto, [3, 0, 0, libc::MSG_FASTOPEN as u64, 0, 0]),
        ("shutdown of a listening socket", libc::SYS_shutdown, [3, libc::SHUT_RDWR as u64, 0, 0, 0, 0]),
    ];
    let of_both = [
        ("openat to write", libc::SYS_openat, [at, path, libc::O_WRONLY as u64, 0, 0, 0]),
        ("socket of packets", libc::SYS_socket, [libc::AF_PACKET as u64, libc::SOCK_RAW as u64, 0, 0, 0, 0]),
        ("bind", libc::SYS_bind, [3, 0, 0, 0, 0, 0]),
        ("listen", libc::SYS_listen, [3, 1, 0, 0, 0, 0]),
        ("ptrace", libc::SYS_ptrace, [libc::PTRACE_TRACEME as u64, 0, 0, 0, 0, 0]),
        ("execve", libc::SYS_execve, [c"/bin/true".as_ptr() as u64, 0, 0, 0, 0, 0]),
        ("clone", libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0]),
        ("clone3", libc::SYS_clone3, [0; 6]),
        ("mount", libc::SYS_mount, [0; 6]),
        ("bpf", libc::SYS_bpf, [0; 6]),
        ("io_uring_setup", libc::SYS_io_uring_setup, [1, 0, 0, 0, 0, 0]),
        ("keyctl", libc::SYS_keyctl, [0; 6]),
        ("unshare", libc::SYS_unshare, [libc::CLONE_NEWUSER as u64, 0, 0, 0, 0, 0]),
        ("kill", libc::SYS_kill, [1, 0, 0, 0, 0, 0]),
        ("userfaultfd", libc::SYS_userfaultfd, [0; 6]),
        ("perf_event_open", libc::SYS_perf_event_open, [0; 6]),
        ("setresuid", libc::SYS_setresuid, [0; 6]),
        ("mprotect to execute", libc::SYS_mprotect, [0, 4096, read | execute, 0, 0, 0]),
        ("mmap to execute", MMAP, [0, 4096, read | execute, anonymous, u64::MAX, 0]),
        ("mmap of a file", MMAP, [0, 4096, read, libc::MAP_PRIVATE as u64, 0, 0]),
        ("setsockopt", libc::SYS_setsockopt, [3, libc::SOL_SOCKET as u64, libc::SO_DEBUG as u64, 0, 0, 0]),
        ("fcntl", FCNTL, [0, libc::F_DUPFD as u64, 0, 0, 0, 0]),
        ("a number that no call has", 9_999, [0; 6]),
    ];
    let cases =
        [Role::Network, Role::Diagnostics].into_iter().flat_map(|role| of_both.map(|case| (role, case)));
    let cases = cases.chain(network_only.map(|case| (Role::Network, case)));
    for (role, (name, number, arguments)) in cases {
        let child = sealed(role, || call(number, arguments));
        assert_eq!(child.ended(), killed(), "{role:?}: {name}");
    }
}

#[cfg(target_pointer_width = "64")]
const MMAP: c_long = libc::SYS_mmap;
#[cfg(target_pointer_width = "32")]
const MMAP: c_long = libc::SYS_mmap2;
#[cfg(target_pointer_width = "64")]
const FCNTL: c_long = libc::SYS_fcntl;
#[cfg(target_pointer_width = "32")]
const FCNTL: c_long = libc::SYS_fcntl64;

#[test]
fn harmless_calls_get_an_error_and_the_process_goes_on() {
    for role in [Role::Network, Role::Diagnostics] {
        for (number, arguments, errno) in [
            (libc::SYS_ioctl, [0, TCGETS, 0, 0, 0, 0], libc::ENOTTY),
            (libc::SYS_prctl, [libc::PR_SET_NAME as u64, 0, 0, 0, 0, 0], libc::EINVAL),
            (libc::SYS_sched_getaffinity, [0; 6], libc::EPERM),
            (libc::SYS_tkill, [1, 0, 0, 0, 0, 0], libc::EPERM),
            (libc::SYS_sysinfo, [0; 6], PROBE_ERRNO),
        ] {
            let child = sealed(role, || call(number, arguments));
            assert_eq!(child.ended(), (format!("-1 {errno}"), End::Status(0)));
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_through_the_doors_of_other_architectures_end_the_process() {
    // As 32-bit code would: number 20 is getpid there, and the permitted writev here.
    let int_0x80 = || {
        let result: u64;
        // SAFETY: an interrupt that the kernel answers in a register; no memory is touched.
        unsafe { std::arch::asm!("int 0x80", inlateout("rax") 20_u64 => result, options(nostack)) };
        result.to_string()
    };
    let child = in_child(|_| int_0x80());
    if child.end() != End::Status(0) {
        eprintln!("this kernel has no calls of 32-bit programs");
    }
    let child = sealed(Role::Network, int_0x80);
    assert_eq!(child.ended(), killed());
    let child = sealed(Role::Network, || call(0x4000_0000 | libc::SYS_getpid, [0; 6]));
    assert_eq!(child.ended(), killed());
}

#[test]
fn a_thread_that_was_there_before_is_inside_too_and_ends_them_all() {
    let child = in_child(|_| {
        let (tell, told) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _told = told.recv();
            call(libc::SYS_socket, [0; 6])
        });
        nix::sys::prctl::set_no_new_privs().expect("no new privileges");
        assert_eq!(install(Role::Network), Some(Punishment::Process));
        let _sent = tell.send(());
        thread.join().unwrap_or_default()
    });
    assert_eq!(child.ended(), killed());
}

#[test]
fn a_process_that_aborts_ends() {
    let child = sealed(Role::Network, || std::process::abort());
    assert!(matches!(child.end(), End::Signal(signal) if signal != libc::SIGSYS));
}

/// Enters and seals on a kernel that answers `absent` with errors, as one that doesn't have them; what is
/// missing.
fn on_a_kernel_without(absent: &'static [Call]) -> Result<String, String> {
    let root = tempfile::tempdir().expect("a directory");
    let child = in_child(|keep| {
        let old = Assembly::of(ARCHITECTURE, &[absent], Answer::Allow);
        let (program, _) = old.room().split_at(old.length());
        load(program).expect("a filter");
        let leak = File::open("/dev/null").expect("a descriptor").into_raw_fd();
        let identity = Identity { uid: 4711, gid: 4712, groups: vec![4713] };
        let confinement = Confinement::Network { root: root.path() };
        let strength = match enter(&Plan { identity, keep: &keep, confinement }) {
            Ok(entered) => entered.seal(),
            Err(error) => return error.to_string(),
        };
        // SAFETY: asks about a number.
        assert_eq!(unsafe { libc::fcntl(leak, libc::F_GETFD) }, -1, "it is closed");
        let missing = strength.missing().filter(|name| !name.starts_with("landlock-"));
        format!("missing: {}", missing.collect::<Vec<_>>().join(" "))
    });
    match child.report.strip_prefix("missing: ") {
        Some(missing) => {
            assert_eq!(child.status("Uid"), "4711 4711 4711 4711");
            assert_eq!(
                (child.status("Gid"), child.status("Groups")),
                ("4712 4712 4712 4712".into(), "4713".into())
            );
            Ok(missing.into())
        }
        None => Err(child.report),
    }
}

const fn lacks(number: c_long, errno: i32) -> Call {
    Call { number: number as u32, checks: &[], answer: Answer::Errno(errno as u16), caller: "tests: " }
}

#[test]
fn a_kernel_that_only_says_that_it_has_changed_the_user_is_not_believed() {
    #[cfg(target_pointer_width = "64")]
    const CHANGES: [c_long; 3] = [libc::SYS_setgroups, libc::SYS_setresgid, libc::SYS_setresuid];
    #[cfg(target_pointer_width = "32")]
    const CHANGES: [c_long; 3] = [libc::SYS_setgroups32, libc::SYS_setresgid32, libc::SYS_setresuid32];
    /// They do nothing and succeed, or fail.
    const LIES: [[Call; 1]; 3] = [[lacks(CHANGES[0], 0)], [lacks(CHANGES[1], 0)], [lacks(CHANGES[2], 0)]];
    const FAILURES: [[Call; 1]; 3] = [
        [lacks(CHANGES[0], libc::EPERM)],
        [lacks(CHANGES[1], libc::EPERM)],
        [lacks(CHANGES[2], libc::EAGAIN)],
    ];
    const GIVES_ROOT_BACK: [Call; 1] = [Call { checks: &[Check::int(0, &[0])], ..LIES[2][0] }];
    if !is_root("a_kernel_that_only_says_that_it_has_changed_the_user_is_not_believed") {
        return;
    }
    for lie in &LIES {
        let error = on_a_kernel_without(lie).expect_err("not believed");
        assert_eq!(error, "the kernel says that user and groups have changed, and shows others");
    }
    let error = on_a_kernel_without(&GIVES_ROOT_BACK).expect_err("not believed");
    assert_eq!(error, "root could be regained after the change of the user");
    for (failure, step) in FAILURES.iter().zip(["leave the groups", "change the group", "change the user"]) {
        let error = on_a_kernel_without(failure).expect_err("still root");
        assert!(error.starts_with(&format!("can't {step}: ")), "{error}");
    }
}

#[test]
fn an_old_kernel_is_entered_all_the_same_and_what_it_lacks_is_named() {
    const NO_LANDLOCK: Call = lacks(libc::SYS_landlock_create_ruleset, libc::ENOSYS);
    const LANDLOCK_OFF: Call = lacks(libc::SYS_landlock_create_ruleset, libc::EOPNOTSUPP);
    const NO_SECCOMP: Call = lacks(libc::SYS_seccomp, libc::ENOSYS);
    const NO_CLOSE_RANGE: Call = lacks(libc::SYS_close_range, libc::ENOSYS);
    const NO_KILL_PROCESS: Call = Call {
        checks: &[Check::int(0, &[GET_ACTION_AVAIL as u64])],
        ..lacks(libc::SYS_seccomp, libc::EOPNOTSUPP)
    };
    if !is_root("an_old_kernel_is_entered_all_the_same_and_what_it_lacks_is_named") {
        return;
    }
    let has_landlock = in_child(|_| landlock::restrict(None).to_string()).report != "0";
    let landlock = if has_landlock { "" } else { "landlock" };
    for (absent, missing) in [
        (&[].as_slice(), landlock),
        (&[NO_CLOSE_RANGE].as_slice(), landlock),
        (&[NO_LANDLOCK].as_slice(), "landlock"),
        (&[LANDLOCK_OFF].as_slice(), "landlock"),
        (&[NO_SECCOMP].as_slice(), &format!("{landlock} seccomp kill-process")),
        (&[NO_KILL_PROCESS].as_slice(), &format!("{landlock} kill-process")),
        (&[NO_LANDLOCK, NO_SECCOMP].as_slice(), "landlock seccomp kill-process"),
    ] {
        assert_eq!(on_a_kernel_without(absent).as_deref(), Ok(missing.trim()));
    }
}
