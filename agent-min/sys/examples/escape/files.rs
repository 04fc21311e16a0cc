//! Files: reading what is none of its business, and writing anything at all.

use std::ffi::{CStr, CString};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};

use crate::call::Argument::{Memory, Number, Text};
use crate::call::{call, done};
use crate::scene::{Scene, c_string};
use crate::table::Probe;

const HERE: c_long = libc::AT_FDCWD as c_long;

pub(crate) const PROBES: &[Probe] = &[
    Probe::new("read /etc/shadow", |_| open(c"/etc/shadow", libc::O_RDONLY)),
    Probe::new("read a file of everybody's elsewhere", |scene| open(&scene.file(), libc::O_RDONLY)),
    Probe::new("read /proc/MONITOR/root/etc/shadow", |scene| {
        open(&proc(scene.monitor.pid(), "root/etc/shadow"), libc::O_RDONLY)
    }),
    Probe::new("read /proc/MONITOR/mem", |scene| open(&proc(scene.monitor.pid(), "mem"), libc::O_RDONLY)),
    Probe::new("read /proc/NEIGHBOUR/environ", |scene| {
        open(&proc(scene.neighbour.pid(), "environ"), libc::O_RDONLY)
    }),
    Probe::new("read a file by its handle", by_handle),
    Probe::new("name_to_handle_at", |scene| handle_of(&scene.file()).map(drop)),
    Probe::new("open a new terminal", |_| open(c"/dev/ptmx", libc::O_RDWR | libc::O_NOCTTY)),
    Probe::new("type into its terminal (TIOCSTI)", |_| {
        let mut letter = [u64::from(b'x')];
        done(libc::SYS_ioctl, &mut [Number(0), Number(libc::TIOCSTI as c_long), Memory(&mut letter)])
    }),
    Probe::new("open a log to append", |scene| open(&c_string(&scene.log), libc::O_WRONLY | libc::O_APPEND)),
    Probe::new("open a file to write", |scene| open(&scene.file(), libc::O_WRONLY)),
    Probe::new("create a file", |scene| {
        open(&scene.open("new"), libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL)
    }),
    Probe::new("create a file without a name", |scene| open(&scene.open(""), libc::O_RDWR | libc::O_TMPFILE)),
    Probe::new("truncate", |scene| done(libc::SYS_truncate, &mut [Text(&scene.file()), Number(0)])),
    Probe::new("unlink", |scene| {
        done(libc::SYS_unlinkat, &mut [Number(HERE), Text(&scene.file()), Number(0)])
    }),
    Probe::new("rename", |scene| {
        let (old, new) = (scene.file(), scene.open("new"));
        done(libc::SYS_renameat2, &mut [Number(HERE), Text(&old), Number(HERE), Text(&new), Number(0)])
    }),
    Probe::new("link", |scene| {
        let (old, new) = (scene.file(), scene.open("new"));
        done(libc::SYS_linkat, &mut [Number(HERE), Text(&old), Number(HERE), Text(&new), Number(0)])
    }),
    Probe::new("symlink", |scene| {
        done(libc::SYS_symlinkat, &mut [Text(c"/etc/shadow"), Number(HERE), Text(&scene.open("new"))])
    }),
    Probe::new("mkdir", |scene| {
        done(libc::SYS_mkdirat, &mut [Number(HERE), Text(&scene.open("new")), Number(0o700)])
    }),
    Probe::new("mknod", |scene| {
        let mode = (libc::S_IFIFO | 0o600) as c_long;
        done(libc::SYS_mknodat, &mut [Number(HERE), Text(&scene.open("new")), Number(mode), Number(0)])
    }),
    Probe::new("chmod", |scene| {
        done(libc::SYS_fchmodat, &mut [Number(HERE), Text(&scene.file()), Number(0o4755)])
    }),
    Probe::new("chown", |scene| {
        let (file, nobody) = (scene.file(), Number(65_534));
        done(libc::SYS_fchownat, &mut [Number(HERE), Text(&file), nobody, Number(65_534), Number(0)])
    }),
    Probe::new("set a file's times", |scene| {
        done(libc::SYS_utimensat, &mut [Number(HERE), Text(&scene.file()), Number(0), Number(0)])
    }),
    Probe::new("set a file's attribute", |scene| {
        let (file, mut value) = (scene.file(), [0]);
        let arguments = [Text(&file), Text(c"user.secmon"), Memory(&mut value), Number(1), Number(0)];
        done(libc::SYS_setxattr, &mut { arguments })
    }),
];

fn open(path: &CStr, flags: c_int) -> Result<(), Errno> {
    done(libc::SYS_openat, &mut [Number(HERE), Text(path), Number(flags.into()), Number(0o600)])
}

/// Where a directory is closed to the captive, a handle still leads into it.
fn by_handle(scene: &Scene) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    let mut handle = handle_of(&scene.file())?;
    let mount = Number(scene.handle_mount.as_raw_fd().into());
    done(libc::SYS_open_by_handle_at, &mut [mount, Memory(&mut handle), Number(libc::O_RDONLY.into())])
}

/// `struct file_handle` of linux/fs.h: the room for the handle, its kind, and 128 bytes.
fn handle_of(path: &CStr) -> Result<[u64; 17], Errno> {
    let (mut handle, mut mount) = ([0; 17], [0]);
    handle[0] = 128;
    let arguments = [Number(HERE), Text(path), Memory(&mut handle), Memory(&mut mount), Number(0)];
    call(libc::SYS_name_to_handle_at, &mut { arguments })?;
    Ok(handle)
}

fn proc(pid: c_long, name: &str) -> CString {
    CString::new(format!("/proc/{pid}/{name}")).unwrap_or_default()
}
