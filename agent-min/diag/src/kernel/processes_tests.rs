use proptest::prelude::*;

use super::*;
use crate::testing::{FakeHost, ThisHost};

const STATUS: &str = "Name:\tphp-fpm8.2\nUmask:\t0022\nState:\tD (disk sleep)\nUid:\t0\t33\t0\t0\nGid:\t0\t34\t0\t0\n\
                      Groups:\t33 1000 \nRssAnon:\t   20480 kB\nvoluntary_ctxt_switches:\t70\n";

fn line(pid: u32, comm: &str, state: char, flags: u64) -> String {
    format!(
        "{pid} ({comm}) {state} 1 9 9 0 -1 {flags} 0 0 0 0 5 6 0 0 20 0 1 0 100 0 0 18446744073709551615\n"
    )
}

fn found(host: &FakeHost, check: fn(&dyn Host, &mut Notes)) -> Vec<(Severity, String)> {
    let mut notes = Notes::default();
    check(host, &mut notes);
    notes.findings().iter().map(|finding| (finding.severity, finding.to_string())).collect()
}

#[test]
fn a_name_may_contain_what_looks_like_the_rest_of_the_line() {
    let process = stat(line(7, "a) R (b\n) S 1", 'D', 0).as_bytes()).expect("a stat file");
    assert_eq!((process.pid, process.comm.as_str(), process.state), (7, "a) R (b\n) S 1", b'D'));
    assert_eq!((process.parent, process.ticks, process.start), (1, 11, 100));
}

#[test]
fn the_effective_user_counts_and_old_kernels_do_not_tell_private_memory() {
    let read = status(STATUS.as_bytes()).expect("a status file");
    assert_eq!((read.uid, read.gid, read.groups.as_slice()), (33, 34, &[33, 1000][..]));
    assert_eq!((read.anonymous, read.switches), (Some(20_971_520), Some(70)));
    let old = status(b"Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t1\t2\t3\t4\nVmRSS:\t9 kB\n").expect("a status file");
    assert_eq!((old.anonymous, old.switches, old.groups.len()), (None, None, 0));
}

#[test]
fn a_worker_is_known_by_its_title() {
    assert_eq!(pool_of(b"php-fpm: pool www\0\0\0").as_deref(), Some("www"));
    assert_eq!(pool_of(b"php-fpm: pool shop   ").as_deref(), Some("shop"));
    assert_eq!(pool_of(b"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)\0"), None);
    assert_eq!(pool_of(b"php\0/var/www/x.php\0"), None);
}

#[test]
fn workers_of_pools_are_found_among_the_processes() {
    let host = FakeHost::default()
        .file("/proc/7/stat", line(7, "php-fpm8.2", 'S', 0))
        .file("/proc/7/cmdline", "php-fpm: pool www\0\0")
        .file("/proc/7/status", STATUS)
        .file("/proc/8/stat", line(8, "php", 'S', 0))
        .file("/proc/8/cmdline", "php\0cron.php\0")
        .file("/proc/8/status", STATUS);
    let found = workers(&host, &list(&host));
    let www = Worker { pid: 7, pool: "www".to_owned(), uid: 33, anonymous: 20_971_520 };
    assert_eq!(found, [www]);
}

fn with_waiting(count: u32, state_later: char, switches_later: u32) -> FakeHost {
    let mut host = FakeHost::default().file("/proc/1/stat", line(1, "systemd", 'S', 0));
    for pid in 10..10 + count {
        let later = STATUS.replace("switches:\t70", &format!("switches:\t{switches_later}"));
        host = host
            .file(&format!("/proc/{pid}/stat"), line(pid, "mariadbd", 'D', 0))
            .file_from(
                900,
                &format!("/proc/{pid}/stat"),
                Ok(line(pid, "mariadbd", state_later, 0).as_bytes()),
            )
            .file(&format!("/proc/{pid}/status"), STATUS)
            .file_from(900, &format!("/proc/{pid}/status"), Ok(later.as_bytes()));
    }
    host
}

#[test]
fn three_that_stay_in_one_wait_for_a_second_hang() {
    let sentence = "mariadbd hangs waiting for the disk".to_owned();
    assert_eq!(found(&with_waiting(3, 'D', 70), check_stuck), [(Severity::Warning, sentence.clone())]);
    assert_eq!(found(&with_waiting(2, 'D', 70), check_stuck), [(Severity::Info, sentence)]);
}

#[test]
fn a_busy_disk_is_no_hanging_process() {
    assert_eq!(found(&with_waiting(3, 'S', 70), check_stuck), []);
    assert_eq!(found(&with_waiting(3, 'D', 71), check_stuck), [], "each look met another wait");
}

#[test]
fn threads_of_the_kernel_may_wait_for_ever() {
    let host = with_waiting(0, 'D', 0)
        .file("/proc/5/stat", line(5, "mmcqd/0", 'D', KERNEL_THREAD))
        .file("/proc/5/status", STATUS);
    assert_eq!(found(&host, check_stuck), []);
}

#[test]
fn where_processes_are_hidden_it_is_said() {
    let mut notes = Notes::default();
    check_stuck(&FakeHost::default().file("/proc/99/stat", line(99, "agent", 'R', 0)), &mut notes);
    assert_eq!(notes.what_was_not_checked()[0].what, Check::Processes);
    assert!(notes.what_was_checked().is_empty());
}

#[test]
fn file_handles_have_two_steps() {
    let with = |used: &str| FakeHost::default().file("/proc/sys/fs/file-nr", format!("{used}\t0\t1000\n"));
    assert_eq!(found(&with("699"), check_limits), []);
    let sentence = |percent| format!("{percent} % of the system's file handles are in use");
    assert_eq!(found(&with("700"), check_limits), [(Severity::Warning, sentence(70))]);
    assert_eq!(found(&with("900"), check_limits), [(Severity::Critical, sentence(90))]);
}

#[test]
fn the_last_threads_are_worth_a_finding() {
    let with = |threads: &str| {
        FakeHost::default()
            .file("/proc/sys/kernel/threads-max", "4000\n")
            .file("/proc/sys/kernel/pid_max", "1000\n")
            .file("/proc/loadavg", format!("9.28 7.77 5.02 9/{threads} 23516\n"))
    };
    assert_eq!(found(&with("949"), check_limits), []);
    assert_eq!(found(&with("950"), check_limits).len(), 1);
}

#[test]
fn this_machines_processes_are_read() {
    let all = list(&ThisHost);
    let me = all.iter().find(|process| process.pid == std::process::id()).expect("this process");
    assert!(all.iter().all(|process| process.pid > 0 && !process.state.is_ascii_whitespace()));
    let status = status_of(&ThisHost, me.pid).expect("our own status");
    assert!(status.anonymous.is_some() && status.switches.is_some());
    let threads = threads(&std::fs::read("/proc/loadavg").expect("procfs")).expect("the usual shape");
    assert!(threads >= 1);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _read = (stat(&bytes), status(&bytes), pool_of(&bytes), threads(&bytes));
    }

    #[test]
    fn any_name_is_read_as_it_is(name in "[ -~\n]{0,15}") {
        let process = stat(line(3, &name, 'S', 0).as_bytes());
        prop_assert_eq!(process.map(|process| process.comm), Some(name));
    }
}
