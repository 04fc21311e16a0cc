//! `secmon diag`: looks at a client's servers from the control plane's own terminal.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::args::Diag;
use super::environment::existing;
use super::error::CliError;
use super::live;
use crate::config::Config;
use crate::diag::{Areas, Client, Desk, HOSTS_MAX, Room, Visit, details, json, page};
use crate::dispatch::{Agents, offered};
use crate::fleet::{RegistryError, control_tls};
use crate::store::Store;

/// Something was found that needs somebody.
const FOUND: u8 = 1;
/// A server could not be looked at.
const NOT_CHECKED: u8 = 3;

/// Looks, prints, and says by the exit code what came out. What keeps it from looking is not what a finding is.
pub(super) fn run(config: &Config, args: &Diag, out: &mut impl Write) -> Result<ExitCode, CliError> {
    look(config, args, out).map_err(|error| match error {
        CliError::Output(_) | CliError::Usage(_) => error,
        error => CliError::NotChecked(Box::new(error)),
    })
}

fn look(config: &Config, args: &Diag, out: &mut impl Write) -> Result<ExitCode, CliError> {
    let data = existing(config)?;
    let store = Arc::new(Store::open(&data.database())?);
    if !store.client_exists(&args.client)? {
        return Err(RegistryError::NoClient(args.client.clone()).into());
    }
    let agents = store.agents_of(&args.client)?;
    let (none, left_out) = (agents.is_empty(), agents.len().saturating_sub(HOSTS_MAX));
    let desk = Arc::new(Desk::new(Arc::new(Agents::new(control_tls(data)?)), Arc::clone(&store)));
    let asked = args.area.clone().unwrap_or_else(Areas::all);
    let visits = live::runtime()?.block_on(desk.visit(agents, &asked, Duration::ZERO));
    let offered = offered(&store, &args.client)?;
    let client = Client { id: &args.client, asked: &asked, offered: &offered, left_out };
    if args.json {
        writeln!(out, "{}", json(&client, &visits))?;
    } else if none {
        writeln!(out, "{} has no servers.", args.client)?;
    } else {
        let reply =
            if args.details { details(&client, &visits, Room::Terminal) } else { page(&client, &visits) };
        writeln!(out, "{}", reply.plain().trim_end())?;
    }
    Ok(exit_code(&visits, none || left_out > 0))
}

fn exit_code(visits: &[Arc<Visit>], incomplete: bool) -> ExitCode {
    let looks = || visits.iter().map(|visit| visit.result.as_ref());
    if looks().flatten().any(|look| !look.verdict.is_healthy()) {
        ExitCode::from(FOUND)
    } else if incomplete || looks().any(|look| look.is_err()) {
        ExitCode::from(NOT_CHECKED)
    } else {
        ExitCode::SUCCESS
    }
}
