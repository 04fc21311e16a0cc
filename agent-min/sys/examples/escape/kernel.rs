//! The kernel's own affairs: mounts, modules, clocks, and the parts of it that have had the most faults.

use nix::errno::Errno;
use nix::libc::{self, c_long};

use crate::call::Argument::{Memory, Number, Text};
use crate::call::done;
use crate::table::Probe;

/// Size and command of quotactl(2)'s first argument: QCMD(Q_SYNC, USRQUOTA) of linux/quota.h.
const SYNC_QUOTAS: c_long = 0x0080_0001 << 8;
/// fsopen(2), io_uring_setup(2): the same numbers on every architecture, and not in every C library's list.
const FSOPEN: c_long = 430;
const IO_URING_SETUP: c_long = 425;
/// The session's keyring and the process's (keyctl(2)).
const SESSION_KEYRING: c_long = -3;
const PROCESS_KEYRING: c_long = -2;

pub(crate) const PROBES: &[Probe] = &[
    // There is no such file system, which the kernel finds once it has seen that one may mount any.
    Probe::new("mount", |_| {
        let (none, here) = (Text(c"none"), Text(c"/"));
        done(libc::SYS_mount, &mut [none, here, Text(c"secmon-no-such"), Number(0), Number(0)])
    })
    .allowed(&[Errno::ENODEV]),
    // No mount begins there.
    Probe::new("umount", |scene| done(libc::SYS_umount2, &mut [Text(&scene.open("")), Number(0)]))
        .allowed(&[Errno::EINVAL]),
    Probe::new("pivot_root", |scene| {
        let directory = scene.open("");
        done(libc::SYS_pivot_root, &mut [Text(&directory), Text(&directory)])
    })
    .allowed(&[Errno::EINVAL, Errno::EBUSY]),
    Probe::new("chroot", |_| done(libc::SYS_chroot, &mut [Text(c"/")])),
    Probe::new("fsopen", |_| done(FSOPEN, &mut [Text(c"tmpfs"), Number(0)])),
    Probe::new("fanotify_init", |_| done(libc::SYS_fanotify_init, &mut [Number(0), Number(0)])),
    Probe::new("swapon", |scene| done(libc::SYS_swapon, &mut [Text(&scene.file()), Number(0)]))
        .allowed(&[Errno::EINVAL]),
    Probe::new("quotactl", |_| {
        done(libc::SYS_quotactl, &mut [Number(SYNC_QUOTAS), Number(0), Number(0), Number(0)])
    }),
    Probe::new("bpf: make a map", |_| {
        // An array of one number: kind and size of the key, size of the value and number of entries.
        let mut map = [2 | 4 << 32, 4 | 1 << 32, 0, 0, 0, 0, 0, 0, 0];
        done(libc::SYS_bpf, &mut [Number(0), Memory(&mut map), Number(72)])
    }),
    Probe::new("perf_event_open", |_| {
        // A software clock: kind and size of the structure.
        let mut event = [1 | 64 << 32, 0, 0, 0, 0, 0, 0, 0];
        done(
            libc::SYS_perf_event_open,
            &mut [Memory(&mut event), Number(0), Number(-1), Number(-1), Number(0)],
        )
    }),
    Probe::new("io_uring_setup", |_| done(IO_URING_SETUP, &mut [Number(1), Memory(&mut [0; 15])])),
    Probe::new("userfaultfd", |_| done(libc::SYS_userfaultfd, &mut [Number(0)])),
    Probe::new("add_key", |_| {
        let (kind, name, mut value) = (Text(c"user"), Text(c"secmon"), [7]);
        let arguments = [kind, name, Memory(&mut value), Number(8), Number(PROCESS_KEYRING)];
        done(libc::SYS_add_key, &mut { arguments })
    }),
    Probe::new("keyctl", |_| {
        // KEYCTL_GET_KEYRING_ID, and make it if it isn't there.
        done(libc::SYS_keyctl, &mut [Number(0), Number(SESSION_KEYRING), Number(1)])
    }),
    // No module, but only those are told so who may load one.
    Probe::new("init_module", |_| done(libc::SYS_init_module, &mut [Memory(&mut [0]), Number(0), Text(c"")]))
        .allowed(&[Errno::ENOEXEC]),
    Probe::new("finit_module", |_| done(libc::SYS_finit_module, &mut [Number(-1), Text(c""), Number(0)]))
        .allowed(&[Errno::EBADF]),
    Probe::new("delete_module", |_| {
        done(libc::SYS_delete_module, &mut [Text(c"secmon-no-such"), Number(libc::O_NONBLOCK.into())])
    })
    .allowed(&[Errno::ENOENT]),
    // More parts than any kernel has, and flags that none knows.
    Probe::new("kexec_load", |_| {
        let parts = Number(0x7fff_ffff);
        done(libc::SYS_kexec_load, &mut [Number(0), parts, Number(0), Number(0x7ff0)])
    })
    .allowed(&[Errno::EINVAL]),
    // Without the numbers that make it happen.
    Probe::new("reboot", |_| done(libc::SYS_reboot, &mut [Number(0), Number(0), Number(0), Number(0)]))
        .allowed(&[Errno::EINVAL]),
    // A time zone that there isn't.
    Probe::new("settimeofday", |_| {
        let mut zone = [9_999];
        done(libc::SYS_settimeofday, &mut [Number(0), Memory(&mut zone)])
    })
    .allowed(&[Errno::EINVAL]),
    // A time that there isn't: the kernel says so before it asks who wants it.
    Probe::new("clock_settime", |_| {
        done(libc::SYS_clock_settime, &mut [Number(libc::CLOCK_REALTIME.into()), Memory(&mut [u64::MAX; 2])])
    }),
    // A clock without ticks.
    Probe::new("adjtimex", |_| {
        let mut settings = [0; 32];
        settings[0] = libc::ADJ_TICK.into();
        done(libc::SYS_adjtimex, &mut [Memory(&mut settings)])
    })
    .allowed(&[Errno::EINVAL]),
    Probe::new("sethostname", |scene| {
        let length = scene.host_name.as_bytes().len() as c_long;
        done(libc::SYS_sethostname, &mut [Text(&scene.host_name), Number(length)])
    }),
    // SYSLOG_ACTION_SIZE_BUFFER
    Probe::new("the kernel's log", |_| done(libc::SYS_syslog, &mut [Number(10), Number(0), Number(0)])),
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    Probe::new("iopl", |_| done(libc::SYS_iopl, &mut [Number(3)])),
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    Probe::new("ioperm", |_| done(libc::SYS_ioperm, &mut [Number(0x80), Number(1), Number(1)])),
];
