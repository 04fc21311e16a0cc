//! Wording of what changed at Cloudflare, of what was put back, and of what nobody asked for just now.
//!
//! What a flood is made of was written by whoever sent it, and what the API says by others again. Both are set apart as
//! code, where a chat makes neither links nor commands of them.

use secmon_wire::diag::Finding;
use secmon_wire::{ActionId, ClientId};

use super::Reply;
use crate::approval::Claimed;
use crate::cloudflare::{Change, Collateral, Lease, LeaseId, Managed, Outcome, Sight, Suppressed, Why};
use crate::dispatch::now;
use crate::store::PendingRow;

/// What of one message may be expressions, so that the rest of it has room; the audit log has them whole.
const EXPRESSIONS_MAX: usize = 3_000;

impl Reply {
    /// Cloudflare was asked and hasn't answered yet.
    pub fn asking_cloudflare(claimed: &Claimed) -> Self {
        Self::new().text(format!("… {} {}: asking Cloudflare", claimed.client(), claimed.action()))
    }

    /// What came of mitigations: one lease for each zone.
    pub fn mitigated(done: &[(Lease, Outcome, bool)]) -> Self {
        let mut reply = Self::new();
        let room = EXPRESSIONS_MAX.checked_div(done.len()).unwrap_or(EXPRESSIONS_MAX);
        for (at, (lease, outcome, renewed)) in done.iter().enumerate() {
            if at > 0 {
                reply = reply.text("\n\n");
            }
            let head = format!(" {} {}", lease.client, lease.action);
            reply = match outcome {
                Outcome::Done if *renewed => reply
                    .bold("✓ renewed")
                    .text(format!("{head}: "))
                    .code(&lease.said)
                    .text(format!(", {}", for_how_long(lease))),
                Outcome::Done => in_force(reply.bold("✓ in force").text(head), lease, room),
                Outcome::Failed(why) => {
                    reply.bold("✗ failed").text(format!("{head} on {}: ", lease.zone_name)).code(why)
                }
                Outcome::Unknown(why) => reply
                    .bold("? unknown")
                    .text(format!("{head} on {}: ", lease.zone_name))
                    .code(why)
                    .text(". It may be in force. I keep looking and will tell you."),
            };
        }
        reply
    }

    /// What a `cf-restore` put back.
    pub fn restored(client: &ClientId, ends: &[(Lease, Result<Lease, String>)]) -> Self {
        let all = ends.iter().all(|(_, end)| end.is_ok());
        let mut reply = Self::new().bold(if all { "✓ restored" } else { "✗ not all restored" });
        reply = reply.text(format!(" {client}"));
        for (lease, end) in ends {
            reply = reply.text(format!("\n{} {}: ", lease.zone_name, lease.action));
            reply = match end {
                Ok(ended) => reply.text(ended.ending.as_deref().unwrap_or_default()),
                Err(why) => reply.text("not yet (").code(why).text("); I keep trying"),
            };
        }
        reply
    }

    /// What came of arming or disarming.
    pub fn armed(client: &ClientId, action: ActionId, kept: &Result<(), String>, hours: u64) -> Self {
        match (kept, action) {
            (Err(why), _) => {
                Self::new().bold("✗ failed").text(format!(" {client} {action}: the database says: {why}"))
            }
            (Ok(()), ActionId::EnableCfAuto) => Self::new().bold("✓ armed").text(format!(
                " {client}: floods are answered at Cloudflare without asking, for {hours} h. \
                 /cf {client} shows what is done."
            )),
            (Ok(()), _) => Self::new()
                .bold("✓ disarmed")
                .text(format!(" {client}: nothing is done at Cloudflare without asking. What is in force stays until it runs out, or cf-restore.")),
        }
    }

    /// A lease ended by itself.
    pub fn lease_ended(lease: &Lease, why: Why) -> Self {
        let because = match why {
            Why::Expired => "its time is over",
            Why::Quiet => "it has been quiet",
            Why::Restored(..) => "cf-restore",
            Why::Replaced => "another one took its place",
            Why::Failed | Why::Lost => "it couldn't be made whole",
        };
        Self::new().bold("↩ ended").text(format!(
            " {} {} on {}: {because}; {}.",
            lease.client,
            lease.action,
            lease.zone_name,
            lease.ending.as_deref().unwrap_or("nothing was left to put back")
        ))
    }

    /// A mitigation broke pages that have to go on answering.
    pub fn collateral(lease: &Lease, found: &Collateral) -> Self {
        let Lease { client, action, zone_name, .. } = lease;
        let mut reply = Self::new().bold("⚠ turned away").text(format!(" {client} {action} on {zone_name}:"));
        for broken in &found.broken {
            reply = reply.text(format!("\n{broken}"));
        }
        if found.broken.iter().any(|broken| broken.now == Sight::Challenged) {
            reply.note("People pass a challenge; apps, webhooks and monitors don't.");
        }
        reply.button("Put it back", format!("/prepare cf-restore {client}"))
    }

    /// The way back is blocked.
    pub fn lease_stuck(lease: &Lease, why: &str) -> Self {
        Self::new()
            .bold("! can't put back")
            .text(format!(" {} {} on {}: ", lease.client, lease.action, lease.zone_name))
            .code(why)
            .text(". I keep trying; look at the zone's dashboard if it hurts.")
    }

    /// Something of ours that nothing accounts for was removed.
    pub fn orphan_removed(zone: &Managed, lease: LeaseId) -> Self {
        Self::new()
            .bold("↩ removed")
            .text(format!(" a rule on {} that a lease of secmon had left behind ({lease}).", zone.name))
    }

    /// What was done without asking, and why.
    pub fn automatically(done: Self, finding: &Finding) -> Self {
        Self::new().bold("⚡ automatic").text(format!(" ({})\n", finding.id)).append(done)
    }

    /// The switch kept a flood from being answered.
    pub fn suppressed(client: &ClientId, action: ActionId, by: &Suppressed) -> Self {
        Self::new()
            .bold("⚡ not done")
            .text(format!(" {client} {action}: automatic changes are switched off ({by}). By hand it works:"))
            .button(format!("Approve {action}"), format!("/prepare {action} {client}"))
    }

    /// A flood couldn't be answered.
    pub fn auto_refused(client: &ClientId, why: &str) -> Self {
        Self::new()
            .bold("⚡ not done")
            .text(format!(" {client} is flooded, and automatic dispatch can't help: "))
            .code(why)
    }

    /// It came back too often.
    pub fn held(client: &ClientId) -> Self {
        Self::new().bold("⚡ stays on").text(format!(
            " {client}: it is quiet, but the flood came back each time that it was put back; I leave it on. \
             cf-restore puts it back."
        ))
        .button("Put it back", format!("/prepare cf-restore {client}"))
    }

    /// No server of an armed client answers.
    pub fn blind(client: &ClientId) -> Self {
        Self::new().bold("⚡ blind").text(format!(
            " {client} is armed, but none of its servers can be looked at; nothing is answered until one can."
        ))
    }

    /// A client's arming ran out.
    pub fn arming_ended(client: &ClientId) -> Self {
        Self::new()
            .bold("⚡ disarmed")
            .text(format!(" {client}: the time of enable-cf-auto is over."))
            .button("Arm it again", format!("/prepare enable-cf-auto {client}"))
    }

    /// Whether more time was given isn't known.
    pub fn renewal_unknown(row: &PendingRow) -> Self {
        Self::new().bold("? unknown").text(format!(
            " {} {}: the control plane was restarted while the lease was renewed; /cf {} shows until when it holds.",
            row.client, row.action, row.client
        ))
    }

    /// The zone is being read after a restart.
    pub fn looking(row: &PendingRow) -> Self {
        Self::new().text(format!(
            "… {} {}: the control plane was restarted; I look at the zone and will tell you.",
            row.client, row.action
        ))
    }
}

/// A lease in force, with its expressions as far as there is room.
fn in_force(reply: Reply, lease: &Lease, room: usize) -> Reply {
    let mut reply = reply.text(": ").code(&lease.said).text(format!(", {}.", for_how_long(lease)));
    for held in &lease.held {
        if held.change == Change::UnderAttack {
            reply.note("Apps, webhooks and monitors can't pass it, on protected paths either.");
        }
        if let Change::Rule { rule, .. } = &held.change {
            let mut shown: String = rule.expression.chars().take(room).collect();
            if shown.len() < rule.expression.len() {
                shown.push('…');
            }
            reply = reply.folded(shown);
        }
    }
    reply.button("Put it back", format!("/prepare cf-restore {}", lease.client))
}

/// `for 60 min`, as it is now.
fn for_how_long(lease: &Lease) -> String {
    let minutes = lease.expires.saturating_sub(now()).div_ceil(60);
    if minutes >= 180 { format!("for {} h", minutes / 60) } else { format!("for {minutes} min") }
}

#[cfg(test)]
#[path = "cloudflare_reply_tests.rs"]
mod tests;
