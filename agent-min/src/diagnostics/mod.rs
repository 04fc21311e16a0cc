//! The diagnostics process: reads logs that strangers fill, asks the host's services how they are, and writes one
//! report. It lives for one request.
//!
//! The monitor starts it with two descriptors: a channel, on which it gets its order ([`order`]) and says how well
//! it is locked in, and a pipe to the network process, into which the report goes in one piece at the end. It holds
//! no secret, sees the host as an ordinary user does who may read logs, and can change nothing.

mod client;
mod host;
mod order;
mod pool;
mod tasks;
mod timed;
mod tls;

use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use secmon_diag::{Notes, Run};
use secmon_sys::account::Account;
use secmon_sys::channel::Channel;
use secmon_sys::clock::wall_seconds;
use secmon_sys::inherited;
use secmon_sys::process::our_account;
use secmon_sys::sandbox::{self, Confinement, Entered, Identity, Plan};
use secmon_wire::Area;
use secmon_wire::limits::REPORT_MAX;

pub(crate) use order::{GROUPS_MAX, Order};

use crate::areas::Areas;
use host::RealHost;
use order::ORDER_MAX;

/// The word on the command line that makes the program this process.
pub(crate) const ROLE: &std::ffi::CStr = c"diagnostics";

/// What a run may take, from its start to its report.
const RUN_TIME: Duration = Duration::from_millis(2_800);
/// Its whole address space: eight threads with their stacks, the state of the log reader, some files' contents. The GNU
/// C library, with which nothing is released, sets 128 MiB aside for each thread, or else asks the kernel for each piece.
const MEMORY: u64 = if cfg!(target_env = "gnu") { 2048 } else { 96 } * 1024 * 1024;

/// What it may read, beside the directories of logs that the manifest names. Sites' own directories are not among them: of their files it learns no more than that they
/// are there, and since when.
const READABLE: [&str; 6] = ["/etc", "/proc", "/run", "/sys", "/var/lib/dpkg/updates", "/var/log"];

/// Bytes before the report in the pipe: its length.
pub(crate) const LENGTH_SIZE: usize = 4;
/// Bytes of the longest report with its length: what the pipe has room for.
pub(crate) const REPORT_SIZE: usize = LENGTH_SIZE + REPORT_MAX;

/// Does what the monitor ordered. An error says why it can't.
#[inline(never)] // see cli.rs
pub(crate) fn run() -> Result<(), String> {
    let begun = Instant::now();
    let taken = Channel::inherited(3).and_then(|link| Ok((link, inherited::file(4)?)));
    let (link, mut out) = taken.map_err(|e| {
        format!("`secmon-agent run` starts this process, and hands it what it needs; by itself it is of no use ({e})")
    })?;
    let mut bytes = [0; ORDER_MAX];
    let length = link.recv(&mut bytes).map_err(text)?;
    let order = bytes.get(..length).and_then(Order::decode);
    let order = order.ok_or("what the monitor handed over is of another version")?;
    let entered = lock_in(&[link.as_fd(), out.as_fd()], &order)
        .map_err(|e| format!("the diagnostics process can't be locked in: {e}"))?;
    let host = RealHost::new(begun + RUN_TIME);
    let pool = pool::Pool::start(host).map_err(text)?;
    link.send(&entered.seal().to_bytes()).map_err(text)?;
    if order.areas == Areas::NONE {
        return Ok(());
    }
    let clock = wall_seconds();
    let notes = pool.look(order.areas, &order.tuning);
    send(&mut out, notes, order.areas, clock, begun).map_err(text)
}

fn lock_in(keep: &[std::os::fd::BorrowedFd<'_>], order: &Order) -> Result<Entered, sandbox::EnterError> {
    let Account { uid, gid } = order.account.unwrap_or_else(our_account);
    let readable: Vec<&Path> =
        READABLE.into_iter().chain(order.tuning.log_directories()).map(Path::new).collect();
    sandbox::enter(&Plan {
        identity: Identity { uid, gid, groups: order.groups.to_vec() },
        keep,
        confinement: Confinement::Diagnostics { readable: &readable, memory: MEMORY },
    })
}

/// Writes the report with its length before it. The pipe has room for all of it.
fn send(out: &mut impl Write, mut notes: Notes, areas: Areas, clock: u64, begun: Instant) -> io::Result<()> {
    let areas: Vec<Area> = areas.iter().collect();
    let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let run = Run {
        areas: &areas,
        boot: secmon_diag::text::boot_id(&boot),
        clock,
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    let mut report = Box::new([0; REPORT_MAX]);
    let report = notes.write(&run, &mut report).map_err(io::Error::other)?;
    let length = u32::try_from(report.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(report)
}

fn text(problem: impl Display) -> String {
    problem.to_string()
}
