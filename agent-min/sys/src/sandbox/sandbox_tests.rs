//! What a process can still do once it has entered, seen from inside and, in `/proc`, from outside.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use nix::libc;
use nix::sys::signal::kill;
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork, setgroups, setresgid, setresuid};

use super::testing::{Child, errno, in_child, in_child_keeping, is_root, killed};
use super::*;
use crate::role::End;

const UID: u32 = 4711;
const GID: u32 = 4712;

fn somebody() -> Identity {
    Identity { uid: UID, gid: GID, groups: vec![] }
}

fn empty_directory() -> tempfile::TempDir {
    let all = std::fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().permissions(all).tempdir().expect("a directory")
}

fn enter_network(keep: &[BorrowedFd<'_>], root: &Path) -> Result<Entered, EnterError> {
    enter(&Plan { identity: somebody(), keep, confinement: Confinement::Network { root } })
}

/// Enters as the network process, and does `work` before it seals.
fn network(work: impl FnOnce() -> String) -> Child {
    let root = empty_directory();
    in_child(|keep| match enter_network(&keep, root.path()) {
        Ok(_entered) => work(),
        Err(e) => format!("not entered: {e}"),
    })
}

fn missing(strength: Strength) -> String {
    strength.missing().collect::<Vec<_>>().join(" ")
}

/// What landlock lacks on the kernel that runs this test.
fn landlock_lacks() -> String {
    let old = Strength::from_bytes([Role::Network as u8, landlock_version(), 0, 4]);
    let lacks = |name: &&str| name.starts_with("landlock");
    old.map_or("landlock".into(), |old| old.missing().filter(lacks).collect::<Vec<_>>().join(" "))
}

fn landlock_version() -> u8 {
    in_child(|_| landlock::restrict(None).to_string()).report.parse().expect("a version")
}

/// What changing the user alone would leave: inheritable and ambient capabilities, groups, and all that
/// KEEPCAPS keeps.
fn cling_to_rights() {
    const INHERITABLE: usize = 2;
    let header = [0x2008_0522_u32, 0];
    let mut sets = [0_u32; 6];
    setgroups(&[1, 2, 3].map(Gid::from_raw)).expect("groups");
    // SAFETY: the kernel's own layout, as in `capabilities.rs`; the options of prctl take no pointers.
    unsafe {
        libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr());
        (sets[INHERITABLE], sets[INHERITABLE + 3]) = (sets[INHERITABLE - 1], sets[INHERITABLE + 2]);
        assert_eq!(libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()), 0);
        let (raise, kill) = (libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong, Capability::Kill as libc::c_ulong);
        assert_eq!(libc::prctl(libc::PR_CAP_AMBIENT, raise, kill, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
    }
}

#[test]
fn the_network_process_is_nobody_and_has_nothing() {
    if !is_root("the_network_process_is_nobody_and_has_nothing") {
        return;
    }
    let root = empty_directory();
    let child = in_child(|keep| {
        cling_to_rights();
        let leaks: Vec<File> = (0..20).map(|_| File::open("/dev/null").expect("a descriptor")).collect();
        let entered = enter_network(&keep, root.path()).expect("entered");
        std::mem::forget(leaks); // closed already
        // SAFETY: takes no pointer.
        let securebits = unsafe { libc::prctl(libc::PR_GET_SECUREBITS, 0, 0, 0, 0) };
        std::thread::spawn(std::thread::park);
        format!("{securebits:x} {}", missing(entered.seal()))
    });
    assert_eq!(child.report.trim_end(), format!("eb {}", landlock_lacks()).trim_end());
    for (name, value) in [
        ("Uid", "4711 4711 4711 4711"),
        ("Gid", "4712 4712 4712 4712"),
        ("Groups", ""),
        ("CapInh", "0000000000000000"),
        ("CapPrm", "0000000000000000"),
        ("CapEff", "0000000000000000"),
        ("CapBnd", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Umask", "0077"),
        ("Threads", "2"),
        ("THP_enabled", "0"),
    ] {
        assert_eq!(child.status(name), value, "{name}");
    }
    for thread in std::fs::read_dir(format!("/proc/{}/task", child.pid)).expect("threads") {
        let status =
            std::fs::read_to_string(thread.expect("a thread").path().join("status")).expect("its status");
        assert_eq!(testing::status_in(&status, "Seccomp"), "2");
    }
    let link = |name: &str| std::fs::read_link(format!("/proc/{}/{name}", child.pid)).expect("a link");
    assert_eq!((link("root"), link("cwd")), (root.path().into(), root.path().into()));
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", child.pid)).expect("descriptors").count();
    // The one that it reports with is closed by now.
    assert_eq!(descriptors, 3 + 1);
    assert_eq!(std::fs::metadata(format!("/proc/{}/status", child.pid)).expect("its file").uid(), 0);
    assert_eq!(child.end(), End::Status(0));
}

#[test]
fn the_network_process_has_hard_limits() {
    if !is_root("the_network_process_has_hard_limits") {
        return;
    }
    let root = empty_directory();
    let child = in_child(|keep| missing(enter_network(&keep, root.path()).expect("entered").seal()));
    let limits = child.proc("limits");
    for (name, value) in [
        ("Max core file size", "0 0"),
        ("Max file size", "0 0"),
        ("Max open files", "64 64"),
        ("Max processes", "0 0"),
        ("Max locked memory", "0 0"),
        ("Max msgqueue size", "0 0"),
    ] {
        let words = limits.lines().find_map(|line| line.strip_prefix(name)).expect("a limit");
        let words: Vec<&str> = words.split_ascii_whitespace().take(2).collect();
        assert_eq!(words.join(" "), value, "{name}");
    }
}

#[test]
fn a_line_for_a_log_file_is_written_until_the_last_wall_is_up_and_gets_lost_then_and_is_no_end() {
    if !is_root("a_line_for_a_log_file_is_written_until_the_last_wall_is_up_and_gets_lost_then_and_is_no_end")
    {
        return;
    }
    let (root, log) = (empty_directory(), tempfile::tempfile().expect("a file"));
    let child = in_child_keeping(&[log.as_fd()], |[report, wait]| {
        let entered = enter_network(&[report, wait, log.as_fd()], root.path()).expect("entered");
        let before = errno((&log).write_all(b"a line\n"));
        let _sealed = entered.seal();
        format!("{before} {}", errno((&log).write_all(b"another\n")))
    });
    assert_eq!(child.report, format!("0 {}", libc::EFBIG));
    assert_eq!((child.end(), log.metadata().expect("the file").len()), (End::Status(0), 7));
}

#[test]
fn the_network_process_opens_no_file_and_no_port_before_it_is_sealed_already() {
    if !is_root("the_network_process_opens_no_file_and_no_port_before_it_is_sealed_already") {
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let child = network(|| {
        let results = [
            errno(File::open("/")),
            errno(File::open("/etc/shadow")),
            errno(File::create("/new")),
            errno(TcpListener::bind("127.0.0.1:0")),
            errno(TcpStream::connect(("127.0.0.1", port))),
        ];
        results.map(|errno| errno.to_string()).join(" ")
    });
    let (files, refused) = if landlock_version() > 0 { ("13 2 13", "13 13") } else { ("0 2 13", "0 111") };
    let ports = if landlock_version() < 4 { "0 111" } else { refused };
    assert_eq!(child.report, format!("{files} {ports}"));
}

#[test]
fn nobody_outside_is_signalled_or_reached_by_an_abstract_socket() {
    if !is_root("nobody_outside_is_signalled_or_reached_by_an_abstract_socket") || landlock_version() < 6 {
        return;
    }
    let name = format!("secmon-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("an address");
    let _listener = UnixListener::bind_addr(&address).expect("a listener");
    let outside = in_child(|_| {
        let uid = Uid::from_raw(UID);
        errno(setresuid(uid, uid, uid).map_err(io::Error::from)).to_string()
    });
    let reach = || {
        let signalled = kill(outside.pid, None).map_err(io::Error::from);
        format!("{} {}", errno(signalled), errno(UnixStream::connect_addr(&address)))
    };
    assert_eq!(network(reach).report, "1 1");
    let neighbour = in_child(|_| {
        let uid = Uid::from_raw(UID);
        setresuid(uid, uid, uid).expect("the same user");
        reach()
    });
    assert_eq!(neighbour.report, "0 0");
}

#[test]
fn root_is_not_regained_and_a_process_that_could_is_refused() {
    if !is_root("root_is_not_regained_and_a_process_that_could_is_refused") {
        return;
    }
    let root = Uid::from_raw(0);
    let child = network(|| errno(setresuid(root, root, root).map_err(io::Error::from)).to_string());
    assert_eq!(child.report, libc::EPERM.to_string());
    let (uid, gid) = (Uid::from_raw(UID), Gid::from_raw(GID));
    for (saved_uid, saved_gid, verdict) in [
        (uid, gid, "for good"),
        (root, gid, "root could be regained after the change of the user"),
        (uid, Gid::from_raw(0), "root could be regained after the change of the user"),
    ] {
        let child = in_child(|_| {
            setresgid(gid, gid, saved_gid).expect("a group");
            setresuid(uid, uid, saved_uid).expect("a user");
            identity::check_for_good().err().map_or("for good".into(), |e| e.to_string())
        });
        assert_eq!(child.report, verdict);
    }
}

#[test]
fn root_s_own_ids_are_no_confinement() {
    if !is_root("root_s_own_ids_are_no_confinement") {
        return;
    }
    for (uid, gid, groups) in [
        (0, GID, vec![]),
        (UID, 0, vec![]),
        (UID, GID, vec![4, 0]),
        (u32::MAX, GID, vec![]),
        (UID, u32::MAX, vec![]),
    ] {
        let child = in_child(|keep| {
            let (root, identity) = (empty_directory(), Identity { uid, gid, groups: groups.clone() });
            let confinement = Confinement::Network { root: root.path() };
            enter(&Plan { identity, keep: &keep, confinement })
                .err()
                .map_or("entered".into(), |e| e.to_string())
        });
        assert!(child.report.starts_with("root's user and group"), "{uid} {gid}: {}", child.report);
    }
}

#[test]
fn only_an_empty_directory_of_root_s_becomes_the_root() {
    if !is_root("only_an_empty_directory_of_root_s_becomes_the_root") {
        return;
    }
    type Spoil = fn(&Path);
    let spoilt: [(&str, Spoil); 6] = [
        ("entered", |_| ()),
        ("the empty directory has something in it", |path| {
            std::fs::write(path.join("file"), "").expect("a file")
        }),
        ("the empty directory must be root's, and written by nobody else", |path| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o775)).expect("a mode");
        }),
        ("the empty directory must be root's, and written by nobody else", |path| {
            chown(path, Some(UID), None).expect("an owner");
        }),
        ("can't open the empty directory: No such file or directory", |path| {
            std::fs::remove_dir(path).expect("removed");
        }),
        ("can't open the empty directory: Not a directory", |path| {
            std::fs::remove_dir(path).expect("removed");
            std::os::unix::fs::symlink("/var", path).expect("a link");
        }),
    ];
    for (verdict, spoil) in spoilt {
        let parent = empty_directory();
        let root = parent.path().join("empty");
        std::fs::create_dir(&root).expect("a directory");
        spoil(&root);
        let child =
            in_child(|keep| enter_network(&keep, &root).err().map_or("entered".into(), |e| e.to_string()));
        assert_eq!(child.report, verdict);
    }
}

#[test]
fn without_root_the_rest_of_the_walls_stands_and_the_missing_ones_are_named() {
    if !is_root("without_root_the_rest_of_the_walls_stands_and_the_missing_ones_are_named") {
        return;
    }
    let child = in_child(|keep| {
        let uid = Uid::from_raw(UID);
        setresuid(uid, uid, uid).expect("no root");
        prctl::set_dumpable(true).expect("as a program that was started so");
        missing(enter_network(&keep, Path::new("/nonexistent")).expect("entered").seal())
    });
    assert_eq!(child.report, format!("uid groups chroot bounding-set {}", landlock_lacks()).trim_end());
    assert_eq!(child.status("NoNewPrivs"), "1");
    // A process that can be dumped belongs to its user.
    assert_eq!(std::fs::metadata(format!("/proc/{}/status", child.pid)).expect("its file").uid(), 0);
}

#[test]
fn a_second_thread_at_the_entrance_is_reported() {
    if !is_root("a_second_thread_at_the_entrance_is_reported") {
        return;
    }
    let root = empty_directory();
    let child = in_child(|keep| {
        std::thread::spawn(std::thread::park);
        missing(enter_network(&keep, root.path()).expect("entered").strength())
    });
    assert!(child.report.starts_with("single-thread seccomp kill-process"), "{}", child.report);
}

#[test]
fn it_ends_with_the_process_that_started_it() {
    if !is_root("it_ends_with_the_process_that_started_it") {
        return;
    }
    let root = empty_directory();
    let parent = in_child(|[_, wait]| {
        let (mut ready, said) = io::pipe().expect("a pipe");
        // SAFETY: as in `in_child`.
        match unsafe { fork() }.expect("a child") {
            ForkResult::Child => {
                testing::end_some_day();
                let _entered = enter_network(&[said.as_fd(), wait], root.path());
                drop(said);
                loop {
                    std::thread::park();
                }
            }
            ForkResult::Parent { child } => {
                drop(said);
                let _entered = ready.read(&mut [0]);
                child.to_string()
            }
        }
    });
    let child: u32 = parent.report.parse().expect("a process id");
    assert!(crate::process::ProcessMark::of(child).is_some());
    assert_eq!(parent.end(), End::Status(0));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while crate::process::ProcessMark::of(child).is_some() {
        assert!(std::time::Instant::now() < deadline, "it still runs");
        std::thread::yield_now();
    }
    let orphan = in_child(|_| format!("{:?}", die_with(Pid::from_raw(1)).is_err()));
    assert_eq!(orphan.report, "true");
}

/// A directory that anybody may write in, with one file, and a file beside it.
fn logs() -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf, std::path::PathBuf) {
    let all = empty_directory();
    let (directory, single, other) =
        (all.path().join("log"), all.path().join("single.log"), all.path().join("other.log"));
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).expect("a mode");
    for file in [&directory.join("access.log"), &single, &other] {
        std::fs::write(file, "a line").expect("a file");
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o666)).expect("a mode");
    }
    (all, directory, single, other)
}

fn enter_diagnostics(keep: &[BorrowedFd<'_>], readable: &[&Path]) -> Result<Entered, EnterError> {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("our size");
    let pages: u64 = pages.split(' ').next().expect("a number").parse().expect("a number");
    let memory = pages * 4096 + 32 * 1024 * 1024;
    let identity = Identity { groups: vec![4, 999], ..somebody() };
    enter(&Plan { identity, keep, confinement: Confinement::Diagnostics { readable, memory } })
}

#[test]
fn the_diagnostics_read_what_they_are_given_and_write_nothing() {
    if !is_root("the_diagnostics_read_what_they_are_given_and_write_nothing") || landlock_version() == 0 {
        return;
    }
    let (_all, directory, single, other) = logs();
    let (inside, walls) = (directory.join("access.log"), landlock_lacks());
    for sealed in [false, true] {
        let child = in_child(|keep| {
            let readable = [directory.as_path(), &single, Path::new("/nonexistent")];
            let entered = enter_diagnostics(&keep, &readable).expect("entered");
            let missing = if sealed { missing(entered.seal()) } else { walls.clone() };
            let read = [&inside, &single].map(|path| std::fs::read_to_string(path).unwrap_or_default().len());
            let listed = std::fs::read_dir(&directory).map_or(0, Iterator::count);
            let other =
                [&other, Path::new("/etc/passwd"), Path::new("/")].map(|path| errno(File::open(path)));
            let written = [&inside, &single, &directory.join("new")].map(|path| {
                if sealed { 13 } else { errno(OpenOptions::new().append(true).create(true).open(path)) }
            });
            format!("{missing}: {read:?} {listed} {other:?} {written:?}")
        });
        assert_eq!(child.report, format!("{walls}: [6, 6] 1 [13, 13, 13] [13, 13, 13]"), "{sealed}");
        assert_eq!(
            (child.status("Groups"), child.status("Uid")),
            ("4 999".into(), "4711 4711 4711 4711".into())
        );
        assert_eq!(child.end(), End::Status(0));
    }
    let writer = in_child(|keep| {
        let _sealed = enter_diagnostics(&keep, &[&directory]).expect("entered").seal();
        errno(OpenOptions::new().append(true).open(&inside)).to_string()
    });
    assert_eq!(writer.ended(), killed());
}

#[test]
fn the_diagnostics_have_little_memory_and_start_nothing() {
    if !is_root("the_diagnostics_have_little_memory_and_start_nothing") {
        return;
    }
    let child = in_child(|keep| {
        let entered = enter_diagnostics(&keep, &[]).expect("entered");
        let sizes = [1, 64].map(|mebibytes| Vec::<u8>::new().try_reserve_exact(mebibytes << 20).is_ok());
        format!("{sizes:?} {}", entered.seal().has(Protection::Limits))
    });
    assert_eq!(child.report, "[true, false] true");
    let starter = in_child(|keep| {
        let entered = enter_diagnostics(&keep, &[]).expect("entered");
        // Its threads are there before the last wall, and none comes after.
        std::thread::spawn(|| ()).join().expect("a thread");
        let _sealed = entered.seal();
        errno(std::thread::Builder::new().spawn(|| ())).to_string()
    });
    assert_eq!(starter.ended(), killed());
}

#[test]
fn the_diagnostics_connect_and_do_not_listen() {
    if !is_root("the_diagnostics_connect_and_do_not_listen") {
        return;
    }
    let service = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = service.local_addr().expect("an address");
    let child = in_child(|keep| {
        let entered = enter_diagnostics(&keep, &[]).expect("entered");
        let listens = errno(TcpListener::bind("127.0.0.1:0"));
        let _sealed = entered.seal();
        format!(
            "{} {listens}",
            errno(TcpStream::connect_timeout(&address, std::time::Duration::from_secs(9)))
        )
    });
    assert_eq!(child.report, if landlock_version() < 4 { "0 0" } else { "0 13" });
}

#[test]
fn the_privileged_process_keeps_only_the_capabilities_that_it_names() {
    if !is_root("the_privileged_process_keeps_only_the_capabilities_that_it_names") {
        return;
    }
    let keep = [Capability::Kill, Capability::Setuid, Capability::Setpcap, Capability::Perfmon];
    let child = in_child(|_| {
        cling_to_rights();
        format!("{:?}", limit_capabilities(&keep))
    });
    let whole = "Ok(Whole)";
    assert_eq!(child.report, whole);
    for (set, value) in [
        ("CapInh", "00000040000001a0"),
        ("CapPrm", "00000040000001a0"),
        ("CapEff", "00000040000001a0"),
        ("CapBnd", "00000040000001a0"),
        ("CapAmb", "0000000000000000"),
    ] {
        assert_eq!(child.status(set), value, "{set}");
    }
    let without = in_child(|_| {
        let _whole = limit_capabilities(&[Capability::Kill]);
        format!("{:?} {:?}", limit_capabilities(&[Capability::Kill]), limit_capabilities(&[]))
    });
    assert_eq!(without.report, "Ok(Whole) Ok(OursOnly)");
}

#[test]
fn the_privileged_process_can_be_hidden_from_its_own_user() {
    let child = in_child(|_| {
        if geteuid_is_root() {
            let uid = Uid::from_raw(UID);
            setresuid(uid, uid, uid).expect("a user");
        }
        prctl::set_dumpable(true).expect("as a program that was started so");
        format!("{:?}", keep_memory_to_ourselves().is_ok())
    });
    assert_eq!(child.report, "true");
    assert_eq!(std::fs::metadata(format!("/proc/{}/status", child.pid)).expect("its file").uid(), 0);
    assert!(child.proc("limits").lines().any(|line| line.starts_with("Max core file size        0  ")));
}

fn geteuid_is_root() -> bool {
    crate::process::runs_as_root()
}
