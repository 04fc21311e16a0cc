//! `secmon doctor`: runs the checks and prints what they found.

use std::io::Write;
use std::process::ExitCode;

use super::environment::Environment;
use super::error::CliError;
use super::live;
use crate::cloudflare::Switch;
use crate::dispatch::now;
use crate::fleet::doctor::{
    Finding, Level, check_clock, check_credentials, check_data_dir, check_environment, check_leases,
    check_registered,
};

pub(super) fn run(
    environment: &Environment,
    offline: bool,
    out: &mut impl Write,
) -> Result<ExitCode, CliError> {
    let config = environment.config();
    let data = config.data_dir();
    let names = environment.names();
    let mut findings = check_environment(&config, names.iter().map(String::as_str));
    findings.push(check_clock(data, now()));
    let (files, store) = check_data_dir(data, now());
    findings.extend(files);
    findings.extend(live::check_audit(data));
    report(&findings, out)?;
    let mut worst = worst(&findings);
    if let Some(store) = store {
        let secret = config.manifest_secret().ok();
        let (findings, agents) = check_registered(&store, secret.as_ref(), now());
        report(&findings, out)?;
        worst = worst.max(self::worst(&findings));
        let (findings, zones) = check_credentials(&store, config.data_keys());
        report(&findings, out)?;
        worst = worst.max(self::worst(&findings));
        // A switch that can't be read is a finding of the environment.
        if let Ok(variable) = config.auto_cloudflare() {
            let off = Switch::new(variable, data.auto_off()).off();
            let findings = check_leases(&store, off.as_ref(), now());
            report(&findings, out)?;
            worst = worst.max(self::worst(&findings));
        }
        if !offline && !zones.is_empty() {
            let findings = live::check_zones(&config, zones)?;
            report(&findings, out)?;
            worst = worst.max(self::worst(&findings));
        }
        if !offline && !agents.is_empty() {
            let findings = live::check_reach(data, &agents, secret.as_ref())?;
            report(&findings, out)?;
            worst = worst.max(self::worst(&findings));
        }
    }
    Ok(if worst == Level::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn report(findings: &[Finding], out: &mut impl Write) -> Result<(), CliError> {
    for finding in findings {
        writeln!(out, "{finding}")?;
    }
    Ok(())
}

fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}
