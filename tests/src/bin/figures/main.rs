//! `cargo figures`: the figures of the README's benchmark section, each beside something measured in the same
//! run. Nothing is asserted: a figure that depends on the machine is no test. `cargo figures diagnostics`
//! measures these alone.

mod agent;
mod approvals;
mod audit;
mod diagnostics;
mod sizes;
mod stage;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("figures: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let programs = std::env::current_exe()?.parent().context("no directory")?.to_owned();
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("diagnostics") => return diagnostics::measure(&programs),
        Some(other) => bail!("{other} can't be measured alone; `diagnostics` can"),
    }
    let stage = stage::Stage::set(&programs)?;
    approvals::measure(&stage)?;
    agent::measure(&stage)?;
    audit::measure(&stage)?;
    diagnostics::measure(&programs)?;
    sizes::measure(&stage)
}

/// The value below which `percent` of the samples lie.
fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    let at = samples.len().saturating_mul(percent) / 100;
    samples.get(at.min(samples.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// p50 and p99 of samples, and their ratio to a measure of the same run.
fn report(what: &str, samples: &mut [Duration], against: (&str, Duration)) {
    let (p50, p99) = (percentile(samples, 50), percentile(samples, 99));
    let ratio = p50.as_secs_f64() / against.1.as_secs_f64().max(f64::MIN_POSITIVE);
    println!("{what:<44} p50 {p50:>9.1?}  p99 {p99:>9.1?}  = {ratio:.2} x {}", against.0);
}

fn rate(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64()
}
