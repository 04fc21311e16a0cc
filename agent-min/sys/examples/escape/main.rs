//! Tries to get out of the walls around the agent's processes, from inside, and prints what came of it. For the
//! tests; not part of the agent.
//!
//! Every probe is made three times, each in a process of its own: outside, to see that it works on this host at all,
//! and as the network process and the diagnostics, which enter their walls as the agent's do. A probe that would do
//! harm outside is made in a form that fails there, but only after the kernel has asked whether it is allowed.
//!
//! Exit status: 0 every probe was denied, 1 one was not, 2 none got out, but some can't be tried on this host, which
//! as a rule means that this is not root.

mod call;
mod captive;
mod files;
mod kernel;
mod network;
mod processes;
mod scene;
mod table;

use std::io;
use std::process::ExitCode;

use captive::Place;
use table::{Table, Verdict};

/// The status of a program that a process could run.
pub(crate) const REACHED: i32 = 77;

fn main() -> ExitCode {
    let table = match fill() {
        Ok(table) => table,
        Err(e) => {
            eprintln!("secmon-escape: {e}");
            return ExitCode::from(1);
        }
    };
    print!("{table}");
    match table.worst() {
        Verdict::Escaped | Verdict::Broken => ExitCode::from(1),
        Verdict::Untried => ExitCode::from(2),
        Verdict::Denied => ExitCode::SUCCESS,
    }
}

fn fill() -> io::Result<Table> {
    let mut table = Table::default();
    for place in [Place::Network, Place::Diagnostics] {
        table.walls(place, captive::check(place)?);
    }
    for probe in [files::PROBES, processes::PROBES, network::PROBES, kernel::PROBES].into_iter().flatten() {
        table.row(probe, |place| captive::attempt(place, probe.attempt))?;
    }
    Ok(table)
}
