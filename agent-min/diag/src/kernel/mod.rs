//! The kernel's view of the host: `/proc`, `/sys`, its lists of sockets, file systems, and who is there at all.
//!
//! Each check is a function of a [`Host`] and what is installed. What can be judged in one run is judged here, by
//! several samples where one could deceive; totals since boot are only noted ([`sample`]). What is read is bounded by
//! the named limits in each file, together well below 1 MiB at a time. Files that don't exist on this kernel are
//! said, and are no finding.

// Tests add and index as they like.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod busy;
mod connections;
pub mod cpu;
mod disk;
mod fields;
pub mod memory;
pub mod mounts;
pub mod net;
mod overcommit;
mod packages;
mod php_sockets;
pub mod pressure;
pub mod processes;
mod queues;
mod sample;
mod site_files;
pub mod sock_diag;
pub mod sockets;
mod tally;
pub mod units;
mod web;

use secmon_wire::diag::{Check, WhyNotChecked};

pub use busy::{local_pools, ports as busy_ports};
pub use connections::{Direct, check as connections, direct};
pub use disk::{busy, check as disk};
pub use net::check as network;
pub use php_sockets::check as php_sockets;
pub use queues::{check as queues, last_ran};
pub use sample::sample;
pub use site_files::{check as site_files, upgrading};
pub use units::check as units;
pub use web::{check as web, user};

use crate::Notes;
use crate::host::{Denied, Host};
use crate::stack::Stack;

/// Bytes of a file in `/proc` or `/sys` that is one page or little more.
const FILE_MAX: usize = 16 * 1024;
/// Bytes in what these files call a kB.
const KB: u64 = 1024;

/// Looks at memory, the processor, processes and packages: `mem-*`, `cpu-saturated`, `sys-dstate`, `sys-fd-max`, `sys-pids`
/// of the whole system, `sys-dpkg-broken`.
pub fn system(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let workers = processes::workers(host, &processes::list(host));
    memory::check(host, &stack.thresholds, &workers, notes);
    overcommit::check(host, stack, &workers, notes);
    processes::check_limits(host, notes);
    packages::check(host, notes);
    processes::check_stuck(host, notes);
    cpu::check(host, stack, notes);
}

/// A file that says something only the kernel knows; noted as not checked where it can't be read.
fn read(host: &dyn Host, path: &str, most: usize, what: Check, notes: &mut Notes) -> Option<Vec<u8>> {
    match host.read(path, most) {
        Ok(bytes) => Some(bytes),
        Err(denied) => {
            notes.skipped(what, why(denied), path);
            None
        }
    }
}

/// A file of `/proc/pressure`. Kernels before 4.20, and those started with `psi=0`, have none.
fn read_pressure(host: &dyn Host, name: &str, what: Check, notes: &mut Notes) -> Option<pressure::Pressure> {
    let path = format!("/proc/pressure/{name}");
    let read = host.read(&path, FILE_MAX).ok().and_then(|bytes| pressure::pressure(&bytes));
    if read.is_none() {
        notes.skipped(what, WhyNotChecked::Unsupported, &path);
    }
    read
}

const fn why(denied: Denied) -> WhyNotChecked {
    match denied {
        Denied::Absent => WhyNotChecked::Absent,
        Denied::Permission => WhyNotChecked::Permission,
        Denied::Timeout => WhyNotChecked::Timeout,
        Denied::Unsupported => WhyNotChecked::Unsupported,
        Denied::Refused | Denied::Full | Denied::Failed => WhyNotChecked::Failed,
    }
}
