//! Where commands meet what runs: the runtime, the log, serving, the console, the agents, the audit log.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use super::error::CliError;
use crate::audit::{AuditChainError, AuditLog, Create, Recovered, recover, verify};
use crate::cloudflare::Vault;
use crate::cloudflare::api::Api;
use crate::config::{Config, DataDir, Secret};
use crate::dispatch::Agents;
use crate::dispatch::now;
use crate::fleet::doctor::{self, Finding, Reach};
use crate::fleet::{SelfReport, control_tls};
use crate::store::{AgentRow, ZoneRow};

pub(super) fn serve(config: Config) -> Result<(), CliError> {
    // Of our own modules alone: what a library logs about a request may hold the bot's token.
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("secmon_control=info"));
    log.with_writer(std::io::stderr).with_target(false).init();
    Ok(runtime()?.block_on(crate::chat::serve::run(config))?)
}

pub(super) fn console(config: Config, operator: i64) -> Result<(), CliError> {
    Ok(runtime()?.block_on(crate::chat::console::run(config, operator))?)
}

/// Asks the agents, with the certificate of the data directory.
pub(super) fn check_reach(
    data: &DataDir,
    agents: &[AgentRow],
    manifest_secret: Option<&Secret>,
) -> Result<Vec<Finding>, CliError> {
    // Without its keys the control plane reaches nobody, which the check of the files has said already.
    let Ok(tls) = control_tls(data) else { return Ok(Vec::new()) };
    let reach = Agents::new(tls);
    Ok(runtime()?.block_on(doctor::check_reach(&reach, agents, manifest_secret)))
}

/// Asks Cloudflare about the zones whose tokens open.
pub(super) fn check_zones(config: &Config, zones: Vec<ZoneRow>) -> Result<Vec<Finding>, CliError> {
    // What is wrong with these settings, or which token doesn't open, has been said already.
    let (Ok(keys), Ok(base)) = (config.data_keys(), config.cloudflare_api()) else { return Ok(Vec::new()) };
    let (vault, api) = (Vault::new(keys), Arc::new(Api::new(base)?));
    let opens = zones.into_iter().filter(|zone| vault.open(zone).is_ok()).collect();
    let looked = runtime()?.block_on(doctor::look_at_zones(&api, &vault, opens));
    Ok(looked.iter().flat_map(doctor::LookedAt::findings).collect())
}

impl Reach for Agents {
    async fn health(&self, agent: &AgentRow) -> Result<SelfReport, String> {
        Self::health(self, agent).await.map_err(|error| error.to_string())
    }

    async fn manifest(&self, agent: &AgentRow) -> Result<Vec<u8>, String> {
        Self::manifest(self, agent).await.map_err(|error| error.to_string())
    }
}

/// Whether the log can be continued. Every record of it is the offline verifier's business.
pub(super) fn check_audit(data: &DataDir) -> Option<Finding> {
    match AuditLog::open(&data.audit_log(), Create::Never) {
        Ok(_) => Some(Finding::ok("audit log", "its last record is sound; `secmon audit verify` checks all")),
        Err(AuditChainError::Locked { .. }) => {
            Some(Finding::ok("audit log", "in use by a running secmon, which has checked its last record"))
        }
        // The check of the files has named it.
        Err(AuditChainError::Missing { .. }) => None,
        Err(error) => Some(Finding::fail("audit log", error.to_string())),
    }
}

pub(super) fn audit_verify(
    config: &Config,
    file: Option<PathBuf>,
    out: &mut impl Write,
) -> Result<ExitCode, CliError> {
    let file = file.unwrap_or_else(|| config.data_dir().audit_log());
    let words = ["secmon-audit-verify".into(), "--".into(), file.into_os_string()];
    match verify::cli::Args::try_parse_from(words) {
        Ok(args) => Ok(ExitCode::from(verify::cli::run(&args, out, &mut std::io::stderr().lock()))),
        Err(error) => Err(CliError::Usage(error.kind().to_string())),
    }
}

pub(super) fn audit_recover(config: &Config, out: &mut impl Write) -> Result<(), CliError> {
    match recover(&config.data_dir().audit_log(), now())? {
        Recovered::Sound { records } => {
            writeln!(out, "The audit log is sound ({records} records); nothing was changed.")?;
        }
        Recovered::Cut { bytes, sha256, kept, recorded: _ } => {
            writeln!(out, "Cut {bytes} bytes off the end of the audit log, and recorded that in it.")?;
            writeln!(out, "They are kept in {} (SHA-256 {sha256}).", kept.display())?;
        }
    }
    Ok(())
}

/// The command line of the offline verifier, for its man page.
pub(super) fn audit_verify_command() -> clap::Command {
    verify::cli::command()
}

/// What waits for agents.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Start)
}
