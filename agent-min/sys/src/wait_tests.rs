//! What running a program means: what it sees, what is kept, and when it is over.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use super::*;
use crate::process::ProcessMark;
use crate::spawn::{Command, Orphan, WORDS_MAX};

fn shell(script: &str) -> Command {
    Command::new(Path::new("/bin/sh"), ["-c", script]).expect("a command")
}

fn run_until(script: &str, orphan: Orphan, limit: Duration) -> Ended<'static> {
    let child = shell(script).spawn(orphan).expect("a child");
    child.wait(Instant::now() + limit, &mut Alone, buffer())
}

fn buffer() -> &'static mut [u8] {
    Box::leak(Box::new([0; OUTPUT_KEPT]))
}

fn run(script: &str) -> Ended<'static> {
    run_until(script, Orphan::GoesOn, Duration::from_secs(20))
}

fn text<'o>(ended: &Ended<'o>) -> &'o str {
    std::str::from_utf8(ended.output).expect("text")
}

#[test]
fn both_outputs_and_the_exit_status_come_back() {
    for orphan in [Orphan::Ends, Orphan::GoesOn] {
        let ended = run_until("echo out; echo err >&2; exit 3", orphan, Duration::from_secs(20));
        assert_eq!((text(&ended), ended.exit, ended.timed_out), ("out\nerr\n", Some(3), false));
    }
    assert_eq!(run("kill -9 $$").exit, Some(-9));
}

#[test]
fn the_program_sees_two_variables_three_descriptors_and_its_own_group() {
    // They would be inherited if nothing closed them. More than one, because the lowest numbers are taken.
    let leaks: Vec<File> = (0..8).map(|_| File::open("/dev/null").expect("a descriptor")).collect();
    for leak in &leaks {
        nix::fcntl::fcntl(leak, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).expect("a flag");
    }
    let env = Command::new(Path::new("/usr/bin/env"), [""; 0]).expect("a command");
    let ended = env.spawn(Orphan::Ends).expect("a child").wait(soon(), &mut Alone, buffer());
    let lines: BTreeSet<&str> = text(&ended).lines().collect();
    assert_eq!(
        lines,
        BTreeSet::from(["LANG=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
    );
    // `ls` opens the directory itself, as the next free descriptor.
    let ls = Command::new(Path::new("/bin/ls"), ["/proc/self/fd"]).expect("a command");
    let ended = ls.spawn(Orphan::GoesOn).expect("a child").wait(soon(), &mut Alone, buffer());
    assert_eq!(text(&ended), "0\n1\n2\n3\n");
    assert_eq!(text(&run("cat; pwd")), "/\n");
    assert_eq!(text(&run("read -r _ _ _ _ group _ < /proc/$$/stat; [ $group = $$ ] && echo own")), "own\n");
    let masks = run("grep -E 'Sig(Blk|Ign)' /proc/self/status");
    for line in text(&masks).lines() {
        let mask =
            u64::from_str_radix(line.split_ascii_whitespace().last().expect("a mask"), 16).expect("hex");
        // The C library keeps 32 and 33 for itself and lets nobody set them.
        assert_eq!(mask & !(0b11 << 31), 0, "{line}");
    }
    assert_eq!(text(&masks).lines().count(), 2);
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn a_program_that_does_not_exist_is_an_error_and_not_an_exit_status() {
    let missing = Command::new(Path::new("/nonexistent/program"), [""; 0]).expect("a command");
    let error = missing.spawn(Orphan::Ends).expect_err("no program");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_program_that_could_not_be_recorded_never_runs() {
    let dir = tempfile::tempdir().expect("a directory");
    let ran = dir.path().join("ran");
    let command = shell(&format!("echo > {}", ran.display()));
    let mut seen = None;
    let refused = command.spawn_recorded(Orphan::GoesOn, |pid| {
        seen = ProcessMark::of(pid);
        Err("no room")
    });
    assert_eq!(refused.expect_err("refused"), "no room");
    assert!(!seen.expect("it waits").runs());
    assert!(!ran.exists());
    let recorded = command.spawn_recorded(Orphan::GoesOn, |_| {
        assert!(!ran.exists());
        Ok::<(), io::Error>(())
    });
    let ended = recorded.expect("recorded").expect("a child").wait(soon(), &mut Alone, buffer());
    assert_eq!(ended.exit, Some(0));
    assert!(ran.exists());
}

#[test]
fn only_absolute_programs_and_whole_words_become_commands() {
    assert!(Command::new(Path::new("sh"), [""; 0]).is_none());
    assert!(Command::new(Path::new("/bin/sh"), ["a\0b"]).is_none());
    assert!(Command::new(Path::new("/bin/sh"), ["w"; WORDS_MAX - 1]).is_some());
    assert!(Command::new(Path::new("/bin/sh"), ["w"; WORDS_MAX]).is_none());
    let command = Command::new(Path::new("/bin/sh"), ["-c", "it's", ""]).expect("a command");
    assert_eq!(command.to_string(), r"/bin/sh -c 'it'\''s' ''");
}

#[test]
fn only_the_beginning_of_a_long_output_is_kept_and_the_program_never_blocks_on_it() {
    let ended = run_until(
        "i=0; while [ $i -lt 4000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; exit 5",
        Orphan::Ends,
        Duration::from_secs(20),
    );
    assert_eq!((ended.output.len(), ended.exit), (OUTPUT_KEPT, Some(5)));
}

#[test]
fn a_program_over_its_time_is_killed_with_its_whole_group() {
    let ended = run_until("sleep 600 & echo $!; sleep 600", Orphan::GoesOn, Duration::from_millis(300));
    assert!(ended.timed_out);
    assert_eq!(ended.exit, Some(-15));
    let grandchild: u32 = text(&ended).trim().parse().expect("a process id");
    let given_up = soon();
    while ProcessMark::of(grandchild).is_some() {
        assert!(Instant::now() < given_up, "the grandchild still runs");
        std::thread::yield_now();
    }
}

#[test]
fn a_program_that_ignores_sigterm_is_killed_after_the_grace() {
    let ended = run_until("trap '' TERM; while :; do :; done", Orphan::GoesOn, Duration::from_millis(200));
    assert_eq!((ended.timed_out, ended.exit), (true, Some(-9)));
}

#[test]
fn a_daemon_that_keeps_the_pipe_open_is_not_waited_for() {
    for orphan in [Orphan::Ends, Orphan::GoesOn] {
        let begun = Instant::now();
        let ended = run_until("sleep 600 & echo $!", orphan, Duration::from_secs(20));
        assert!(begun.elapsed() < Duration::from_secs(10), "waited for the daemon");
        assert_eq!((ended.exit, ended.timed_out), (Some(0), false));
        let daemon: i32 = text(&ended).trim().parse().expect("a process id");
        assert!(ProcessMark::of(daemon.unsigned_abs()).is_some(), "the daemon was killed");
        nix::sys::signal::kill(Pid::from_raw(daemon), Signal::SIGKILL).expect("a signal");
    }
}

#[test]
fn a_restart_goes_on_when_nobody_reads_it_any_more_and_a_check_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    for (orphan, goes_on) in [(Orphan::GoesOn, true), (Orphan::Ends, false)] {
        let (begun, done) = (dir.path().join("begun"), dir.path().join("done"));
        let script = format!(
            "read -r _ < {begun}; i=0; while [ $i -lt 9000 ]; do echo a line of output, sixty-four of these fill a page; \
             i=$((i+1)); done 2>/dev/null; echo done > {done}",
            begun = begun.display(),
            done = done.display()
        );
        let _old = std::fs::remove_file(&begun);
        let _old = std::fs::remove_file(&done);
        nix::unistd::mkfifo(&begun, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
        let Child { pid, output } = shell(&script).spawn(orphan).expect("a child");
        drop(output); // the agent is gone
        std::fs::write(&begun, "go\n").expect("a line");
        let given_up = soon();
        while !has_ended(pid) {
            assert!(Instant::now() < given_up, "the program hangs");
            std::thread::yield_now();
        }
        assert_eq!(reap(pid), Some(if goes_on { 0 } else { -13 }));
        assert_eq!(done.exists(), goes_on);
    }
}

#[test]
fn other_work_goes_on_while_a_program_runs_and_while_time_passes() {
    struct Work {
        read: OwnedFd,
        done: u32,
        release: std::path::PathBuf,
    }
    impl Side for Work {
        fn fds(&self) -> [Option<BorrowedFd<'_>>; SIDE_FDS] {
            [Some(self.read.as_fd()), None, None]
        }
        fn ready(&mut self) {
            let mut byte = [0];
            nix::unistd::read(&self.read, &mut byte).expect("a byte");
            self.done += 1;
            if self.done == 3 && !self.release.as_os_str().is_empty() {
                std::fs::write(&self.release, "go\n").expect("a line");
            }
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let release = dir.path().join("release");
    nix::unistd::mkfifo(&release, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    let (read, write) = nix::unistd::pipe().expect("a pipe");
    nix::unistd::write(&write, b"abc").expect("three bytes");
    let mut work = Work { read, done: 0, release: release.clone() };
    // The program can end only after the work was done.
    let child = shell(&format!("read -r _ < {}", release.display())).spawn(Orphan::GoesOn).expect("a child");
    let ended = child.wait(soon(), &mut work, buffer());
    assert_eq!((work.done, ended.exit), (3, Some(0)));
    work.release = std::path::PathBuf::new();
    nix::unistd::write(&write, b"d").expect("a byte");
    pause(Instant::now() + Duration::from_millis(50), &mut work);
    assert_eq!(work.done, 4);
}
