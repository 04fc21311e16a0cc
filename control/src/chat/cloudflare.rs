//! `/cf`: a client's zones, what is in force there and for how long, and whether anything happens without asking.

use std::time::Duration;

use secmon_wire::ClientId;
use tokio::task::JoinSet;

use super::{Door, Reply};
use crate::cloudflare::api::ApiError;
use crate::cloudflare::{Lease, Managed, State};
use crate::dispatch::now;
use crate::store::StoreError;

/// How it is written.
pub(super) const USAGE: &str = "/cf <client>";
/// How long Cloudflare is waited for.
const PATIENCE: Duration = Duration::from_secs(8);

/// The answer. Asks Cloudflare how each zone is, and changes nothing.
pub(super) async fn cloudflare(door: &Door, client: &str) -> Result<Reply, StoreError> {
    let id = match ClientId::new(client) {
        Some(id) if door.store.client_exists(&id)? => id,
        _ => return Ok(Reply::new().text("Unknown client; /clients lists them.")),
    };
    let leases = door.dispatcher.leases();
    let zones = match leases.zones_of(&id) {
        Ok(zones) => zones,
        Err(error) => return Ok(Reply::new().bold(id.as_str()).text(format!(": {error}"))),
    };
    if zones.is_empty() {
        return Ok(Reply::new()
            .bold(id.as_str())
            .text(" has no zone at Cloudflare; on the control plane, ")
            .code(format!("secmon cloudflare add {id} <zone id>"))
            .text(" makes one known."));
    }
    let open = door.store.open_leases_of(&id)?;
    let mut reply = Reply::new();
    for (zone, state) in look(zones).await {
        reply = reply.bold(zone.name.as_str()).text(format!(" ({}): {state}\n", zone.plan));
        let mut any = false;
        for lease in open.iter().filter(|lease| lease.zone == zone.id) {
            any = true;
            reply = in_force(reply.text("  "), lease).text("\n");
        }
        if !any {
            reply = reply.text("  nothing of secmon in force\n");
        }
    }
    let armed = door.store.armed()?.into_iter().find(|armed| armed.client == id && armed.until > now());
    reply = reply.text(match &armed {
        Some(armed) => format!("automatic: armed, {} left", left(armed.until)),
        None => "automatic: not armed".to_owned(),
    });
    if let Some(by) = leases.switch().off() {
        reply = reply.text(format!("; switched off by {by}"));
    }
    if !open.is_empty() {
        reply = reply.button("Put everything back", format!("/prepare cf-restore {id}"));
    }
    let (label, action) = match armed {
        Some(_) => ("Disarm", "disable-cf-auto"),
        None => ("Arm", "enable-cf-auto"),
    };
    Ok(reply.button(label, format!("/prepare {action} {id}")))
}

/// Asks Cloudflare how the zones are, side by side.
async fn look(zones: Vec<Managed>) -> Vec<(Managed, String)> {
    let mut asked = JoinSet::new();
    for (at, zone) in zones.into_iter().enumerate() {
        asked.spawn(async move {
            let state = tokio::time::timeout(PATIENCE, zone.api.zone()).await;
            let words = match state {
                Err(_late) => "Cloudflare doesn't answer".to_owned(),
                Ok(Err(ApiError::TokenInvalid)) => {
                    "the token is not valid any more; `secmon cloudflare add` takes a new one".to_owned()
                }
                Ok(Err(error)) => error.to_string(),
                Ok(Ok(state)) => state.idle().unwrap_or_else(|| "active".to_owned()),
            };
            (at, zone, words)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(at, _, _)| *at);
    answers.into_iter().map(|(_, zone, words)| (zone, words)).collect()
}

fn in_force(reply: Reply, lease: &Lease) -> Reply {
    let (action, by) = (lease.action, if lease.is_approved() { "approved" } else { "automatic" });
    match lease.state {
        State::Active => reply
            .text(format!("{action}: "))
            .code(&lease.said)
            .text(format!(", {} left ({by})", left(lease.expires))),
        State::Planned => {
            reply.text(format!("{action}: not known whether it is in force; I keep looking ({by})"))
        }
        State::Ending | State::Ended => reply.text(format!("{action}: is being put back ({by})")),
    }
}

/// `45 min`, `23 h`.
fn left(until: u64) -> String {
    let minutes = until.saturating_sub(now()).div_ceil(60);
    if minutes >= 120 { format!("{} h", minutes / 60) } else { format!("{minutes} min") }
}
