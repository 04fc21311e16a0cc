//! What a process of the agent finds when it begins, and that it ends with us.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::libc;
use nix::unistd::{ForkResult, fork};

use super::*;
use crate::channel::Channel;
use crate::process::ProcessMark;
use crate::wait::readable;

fn ended(process: &mut RoleProcess) -> End {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !process.has_ended() {
        assert!(Instant::now() < deadline, "it still runs");
        readable([process.watch()], Some(Instant::now() + Duration::from_millis(20)));
    }
    process.reap().expect("an end")
}

#[test]
fn it_gets_its_descriptors_in_order_and_no_other() {
    // The program's own standard output is ours; what it sees is read from /proc while it waits for its
    // input.
    let (first, _first_end) = Channel::pair().expect("a pair");
    let (second, _second_end) = Channel::pair().expect("a pair");
    let leak = File::open("/dev/null").expect("a descriptor");
    nix::fcntl::fcntl(&leak, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).expect("a flag");
    for keep in
        [vec![], vec![first.as_fd()], vec![second.as_fd(), first.as_fd(), leak.as_fd(), second.as_fd()]]
    {
        let mut process = start(c"/bin/sleep", c"600", &keep).expect("a process");
        let directory = format!("/proc/{}/fd", process.id());
        let expected: Vec<RawFd> = (0..3 + keep.len() as RawFd).collect();
        // While it loads its libraries, it has each of them open for a moment.
        let given_up = Instant::now() + Duration::from_secs(20);
        while numbers_in(&directory) != expected {
            assert!(Instant::now() < given_up, "{:?}", numbers_in(&directory));
            std::thread::yield_now();
        }
        let what = |path: String| std::fs::read_link(path).expect("a descriptor");
        assert_eq!(what(format!("{directory}/0")).to_str(), Some("/dev/null"));
        for (number, kept) in (3..).zip(&keep) {
            let ours = what(format!("/proc/self/fd/{}", kept.as_raw_fd()));
            assert_eq!(what(format!("{directory}/{number}")), ours);
        }
        process.kill().expect("killed");
        assert_eq!(ended(&mut process), End::Signal(9));
        process.kill().expect("without effect");
    }
}

fn numbers_in(directory: &str) -> Vec<RawFd> {
    let entries = std::fs::read_dir(directory).expect("its descriptors");
    let names = entries.map(|entry| entry.expect("one").file_name().into_string().expect("a number"));
    let mut numbers: Vec<RawFd> = names.map(|name| name.parse().expect("a number")).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn it_has_an_empty_environment_and_our_signals_are_not_its() {
    let mut process = start(c"/bin/sleep", c"600", &[]).expect("a process");
    let file = |name| std::fs::read_to_string(format!("/proc/{}/{name}", process.id())).expect("its file");
    assert_eq!(file("environ"), "");
    assert_eq!(file("cmdline"), "/bin/sleep\x00600\0");
    let status = file("status");
    for mask in ["SigBlk", "SigIgn", "SigCgt"] {
        let line = status.lines().find(|line| line.starts_with(mask)).expect("a mask");
        let mask = u64::from_str_radix(line.rsplit('\t').next().expect("a mask"), 16).expect("hex");
        // The C library keeps 32 and 33 for itself and lets nobody set them.
        assert_eq!(mask & !(0b11 << 31), 0, "{line}");
    }
    process.kill().expect("killed");
    let _killed = process.wait();
}

#[test]
fn what_cannot_run_is_an_error() {
    assert_eq!(start(c"/nonexistent", c"x", &[]).expect_err("nothing").kind(), io::ErrorKind::NotFound);
    assert_eq!(start(c"sleep", c"x", &[]).expect_err("no path").kind(), io::ErrorKind::InvalidInput);
    let (end, _other) = Channel::pair().expect("a pair");
    let too_many = vec![end.as_fd(); DESCRIPTORS_MAX + 1];
    assert_eq!(
        start(c"/bin/true", c"x", &too_many).expect_err("too many").kind(),
        io::ErrorKind::InvalidInput
    );
    let mut process = start(c"/bin/true", c"x", &too_many[1..]).expect("as many as there may be");
    assert_eq!(ended(&mut process), End::Status(0));
    let mut process = start(c"/bin/false", c"x", &[]).expect("a process");
    assert_eq!((process.wait(), process.reap()), (End::Status(1), Some(End::Status(1))));
}

#[test]
fn it_ends_when_the_process_that_started_it_does() {
    let (mut read, write) = io::pipe().expect("a pipe");
    // SAFETY: the child, a copy of this thread alone, starts a process, writes and exits; the allocator of
    // the C library can be used after `fork`.
    let child = match unsafe { fork() }.expect("a child") {
        ForkResult::Child => {
            let id = start(c"/bin/sleep", c"600", &[]).map_or(0, |process| process.id());
            let _sent = nix::unistd::write(&write, &id.to_ne_bytes());
            // SAFETY: ends the process, without running what belongs to the parent.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => child,
    };
    let mut id = [0; 4];
    read.read_exact(&mut id).expect("an id");
    let id = u32::from_ne_bytes(id);
    assert_ne!(id, 0);
    waitpid(child, None).expect("the child");
    let deadline = Instant::now() + Duration::from_secs(20);
    while ProcessMark::of(id).is_some() {
        assert!(Instant::now() < deadline, "it still runs");
        std::thread::yield_now();
    }
}

#[test]
fn ends_read_as_words() {
    for (end, words) in
        [(End::Status(3), "status 3"), (End::Signal(31), "signal SIGSYS"), (End::Signal(40), "signal 40")]
    {
        assert_eq!(end.to_string(), words);
    }
}
