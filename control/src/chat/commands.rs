//! Read-only commands. None of them changes anything, here or on a server.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use secmon_wire::{ActionId, ClientId, Nonce};
use tokio::task::JoinSet;

use super::diagnose::diagnose;
use super::{Door, Reply, cloudflare};
use crate::approval::{Inbound, Prepared};
use crate::dispatch::now;
use crate::fleet::SelfReport;
use crate::store::{AgentRow, StoreError};

/// Servers that one `/status` asks.
const STATUS_MAX: usize = 20;
/// How long `/status` waits for each of them.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// The answer to a message that is no approval.
pub(super) async fn answer(door: &Door, inbound: &Inbound) -> Reply {
    let mut words = inbound.text.split_ascii_whitespace();
    let command = words.next().unwrap_or_default();
    let command = command.split_once('@').map_or(command, |(name, _bot)| name);
    let arguments: Vec<&str> = words.take(4).collect();
    let answer = match (command, arguments.as_slice()) {
        ("/help" | "/start", []) => Ok(help(door)),
        ("/whoami", []) => Ok(Reply::new().text("You are ").code(inbound.sender.to_string()).text(".")),
        ("/clients", []) => clients(door),
        ("/status", []) => status(door, None).await,
        ("/status", [client]) => status(door, Some(client)).await,
        ("/diag", [client, about @ ..]) if about.len() <= 2 => diagnose(door, inbound, client, about).await,
        ("/diag", _) => Ok(usage(super::diagnose::USAGE)),
        ("/cf", [client]) => cloudflare::cloudflare(door, client).await,
        ("/cf", _) => Ok(usage(cloudflare::USAGE)),
        ("/prepare", [action, client]) => prepare(door, action, client),
        ("/prepare", _) => Ok(usage("/prepare <action> <client>")),
        ("/status", _) => Ok(usage("/status [client]")),
        _ => Ok(Reply::new().text("I don't know that. /help")),
    };
    answer.unwrap_or_else(|error| {
        tracing::error!("{command}: {error}");
        Reply::new().text("The database can't be read; the log says more.")
    })
}

fn usage(line: &str) -> Reply {
    Reply::new().text("Use: ").code(line)
}

fn help(door: &Door) -> Reply {
    let otp = if door.totp.is_some() { " otp=<6 digits>" } else { "" };
    let actions: Vec<&str> = ActionId::ALL.iter().map(|action| action.as_str()).collect();
    Reply::new()
        .text("Approve with one line:\n")
        .code(format!("APPROVE: <action> <client>{otp} nonce=<16 hex> ts=<epoch>"))
        .text("\n\n/prepare <action> <client> writes that line for you")
        .text(if door.totp.is_some() { "; answer it with your six digits.\n" } else { ".\n" })
        .text("/clients lists clients and what their servers offer.\n")
        .text("/status [client] asks the servers whether they are there.\n")
        .text("/diag <client> says what is wrong there, and what may help; with `details`, all that was found.\n")
        .text("/cf <client> shows what is in force at Cloudflare, and whether floods are answered without asking.\n")
        .text("/whoami shows your id.\n\nActions: ")
        .text(actions.join(", "))
        .text("\n\nThe ones with cf- stop at Cloudflare what the newest /diag measured, for hours; cf-restore puts them back.")
}

fn clients(door: &Door) -> Result<Reply, StoreError> {
    let clients = door.store.clients()?;
    if clients.is_empty() {
        return Ok(Reply::new().text("No clients yet; `secmon client add` makes one."));
    }
    let mut reply = Reply::new();
    for client in clients {
        reply = reply.bold(client.id.as_str()).text("\n");
        for agent in door.store.agents_of(&client.id)? {
            let line = |c: &secmon_wire::Capability| format!("{} → {}", c.action, c.unit);
            let offers: Vec<String> = agent.read_manifest()?.body.operations.iter().map(line).collect();
            let offers = offers.join(", ");
            reply = reply.text(format!("  {}: {offers}\n", agent.id));
        }
    }
    Ok(reply)
}

async fn status(door: &Door, client: Option<&str>) -> Result<Reply, StoreError> {
    let agents = match client {
        None => door.store.agents()?,
        Some(client) => match ClientId::new(client) {
            Some(id) if door.store.client_exists(&id)? => door.store.agents_of(&id)?,
            _ => return Ok(Reply::new().text("Unknown client; /clients lists them.")),
        },
    };
    if agents.is_empty() {
        return Ok(Reply::new().text("No servers."));
    }
    let more = agents.len().saturating_sub(STATUS_MAX);
    let mut asked = JoinSet::new();
    for (at, agent) in agents.into_iter().take(STATUS_MAX).enumerate() {
        let watch = std::sync::Arc::clone(door.dispatcher.watch());
        asked.spawn(async move {
            let asked = watch.ask(&agent, STATUS_TIMEOUT).await;
            let line = asked.map_or_else(|error| error.to_string(), |report| healthy(&report));
            (at, agent, line)
        });
    }
    let mut lines: Vec<(usize, AgentRow, String)> = asked.join_all().await;
    lines.sort_by_key(|(at, _, _)| *at);
    let mut reply = Reply::new();
    for (_, agent, line) in lines {
        reply = reply.bold(format!("{} {}", agent.client, agent.id)).text(format!(": {line}\n"));
    }
    if more > 0 {
        reply = reply.text(format!("… and {more} more; name a client."));
    }
    Ok(reply)
}

fn healthy(report: &SelfReport) -> String {
    let health = report.health();
    let skew = health.clock.abs_diff(now());
    let clock = if skew > 5 { format!(", clock off by {skew} s") } else { String::new() };
    let (hours, minutes) = (health.uptime_s / 3600, health.uptime_s % 3600 / 60);
    let sandbox = match report.missing() {
        missing if missing.is_empty() => String::new(),
        missing => format!(", sandbox without {}", missing.short()),
    };
    format!("up {hours} h {minutes} min, {} receipts, {}{clock}{sandbox}", health.receipts, health.version)
}

fn prepare(door: &Door, action: &str, client: &str) -> Result<Reply, StoreError> {
    let Some(action) = ActionId::new(action) else {
        return Ok(Reply::new().text("Unknown action; /help lists them."));
    };
    let client = match ClientId::new(client) {
        Some(client) if door.store.client_exists(&client)? => client,
        _ => return Ok(Reply::new().text("Unknown client; /clients lists them.")),
    };
    let mut nonce = [0; 8];
    if SystemRandom::new().fill(&mut nonce).is_err() {
        return Ok(Reply::new().text("The system has no random numbers."));
    }
    let prepared = Prepared { action, client, nonce: Nonce(nonce), ts: now() };
    let todo = match door.totp {
        Some(_) => {
            "Answer this message with your six digits, or fill them in and send the line. Good for 5 minutes."
        }
        None => "Send this line. Good for 5 minutes.",
    };
    Ok(Reply::new().text(todo).block(prepared.line(door.totp.is_some())))
}
