//! Capabilities (capabilities(7)): none at all for the sandboxed, a given few for the process that stays
//! root.

use std::io;

use nix::errno::Errno;
use nix::libc;

/// A part of root's power, by its number in `linux/capability.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "capabilities(7) says what each is")]
pub enum Capability {
    Chown = 0,
    DacOverride = 1,
    DacReadSearch = 2,
    Fowner = 3,
    Fsetid = 4,
    Kill = 5,
    Setgid = 6,
    Setuid = 7,
    Setpcap = 8,
    LinuxImmutable = 9,
    NetBindService = 10,
    NetBroadcast = 11,
    NetAdmin = 12,
    NetRaw = 13,
    IpcLock = 14,
    IpcOwner = 15,
    SysModule = 16,
    SysRawio = 17,
    SysChroot = 18,
    SysPtrace = 19,
    SysPacct = 20,
    SysAdmin = 21,
    SysBoot = 22,
    SysNice = 23,
    SysResource = 24,
    SysTime = 25,
    SysTtyConfig = 26,
    Mknod = 27,
    Lease = 28,
    AuditWrite = 29,
    AuditControl = 30,
    Setfcap = 31,
    MacOverride = 32,
    MacAdmin = 33,
    Syslog = 34,
    WakeAlarm = 35,
    BlockSuspend = 36,
    AuditRead = 37,
    Perfmon = 38,
    Bpf = 39,
    CheckpointRestore = 40,
}

/// How far a limit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CapabilityLimit {
    /// Neither we nor a program that we start can have more.
    Whole,
    /// We can't, but without CAP_SETPCAP a program that we start as root could.
    OursOnly,
}

/// Gives up every capability but those of `keep`, for this thread and whatever it starts. Those of `keep`
/// that it doesn't have, it doesn't get.
pub fn limit_capabilities(keep: &[Capability]) -> io::Result<CapabilityLimit> {
    let keep = keep.iter().fold(0, |mask, capability| mask | 1_u64 << *capability as u8);
    let bounded = bound(keep);
    clear_ambient();
    let limited = Sets::now()?.within(keep);
    limited.apply()?;
    if Sets::now()? != limited {
        return Err(io::Error::other("the kernel says that capabilities are dropped, and shows others"));
    }
    Ok(if bounded { CapabilityLimit::Whole } else { CapabilityLimit::OursOnly })
}

/// Drops all that this thread has, and says whether none is left.
pub(super) fn drop_all() -> bool {
    // Ambient ones are a part of the inheritable and go with them (capabilities(7)); a kernel before 4.3 has
    // none.
    clear_ambient();
    Sets::default().apply().is_ok() && Sets::now().is_ok_and(|now| now == Sets::default())
}

/// Empties the bounding set, and has the kernel treat root as any user from now on. Needs CAP_SETPCAP.
pub(super) fn never_gain_any() -> bool {
    // Each with its lock, from linux/securebits.h: NOROOT, no NO_SETUID_FIXUP, no KEEP_CAPS; and, since Linux
    // 4.3, NO_CAP_AMBIENT_RAISE.
    const BITS: libc::c_ulong = 0b0010_1011;
    const AMBIENT_BITS: libc::c_ulong = 0b1100_0000;
    let bounded = bound(0);
    let locked = [BITS | AMBIENT_BITS, BITS].into_iter().any(|bits| {
        prctl(libc::PR_SET_SECUREBITS, bits, 0).is_ok()
            && prctl(libc::PR_GET_SECUREBITS, 0, 0) == Ok(bits as _)
    });
    bounded && locked
}

/// Drops everything but `keep` from the bounding set; whether it is so now.
fn bound(keep: u64) -> bool {
    for capability in 0..64 {
        match prctl(libc::PR_CAPBSET_READ, capability, 0) {
            Err(_) => return capability > 0, // the kernel has no more
            Ok(1) if keep & 1 << capability == 0 => {
                if prctl(libc::PR_CAPBSET_DROP, capability, 0).is_err() {
                    return false;
                }
            }
            Ok(_) => {}
        }
    }
    true
}

fn clear_ambient() {
    let _none_before_linux_4_3 =
        prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong, 0);
}

/// The sets of a thread, in the layout of `struct __user_cap_data_struct`: the lower 32, then the upper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct Sets([Half; 2]);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

impl Header {
    /// This thread, in the version that has two halves (Linux 2.6.26).
    const fn this_thread() -> Self {
        Self { version: 0x2008_0522, pid: 0 }
    }
}

impl Sets {
    fn now() -> Result<Self, Errno> {
        let (mut header, mut sets) = (Header::this_thread(), Self::default());
        // SAFETY: both structures are the kernel's own layout, and ours for the whole call.
        Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, &raw mut sets) })?;
        Ok(sets)
    }

    fn apply(&self) -> Result<(), Errno> {
        let mut header = Header::this_thread();
        // SAFETY: both structures are the kernel's own layout, and there for the whole call.
        Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, &raw const *self) }).map(drop)
    }

    fn within(self, keep: u64) -> Self {
        let Self([lower, upper]) = self;
        Self([lower.within(keep as u32), upper.within((keep >> 32) as u32)])
    }
}

impl Half {
    const fn within(self, keep: u32) -> Self {
        Self {
            effective: self.effective & keep,
            permitted: self.permitted & keep,
            inheritable: self.inheritable & keep,
        }
    }
}

fn prctl(option: libc::c_int, first: libc::c_ulong, second: libc::c_ulong) -> Result<libc::c_int, Errno> {
    const UNUSED: libc::c_ulong = 0;
    // SAFETY: of the options that are used here, none takes a pointer.
    Errno::result(unsafe { libc::prctl(option, first, second, UNUSED, UNUSED) })
}
