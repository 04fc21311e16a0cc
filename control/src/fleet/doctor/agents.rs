//! The agents: what the registry holds of each, and what each says of itself.

use std::time::{SystemTime, UNIX_EPOCH};

use secmon_wire::limits::FRESHNESS_S;
use secmon_wire::signature::sha256;
use secmon_wire::{Health, Manifest};

use super::sandbox::sandbox;
use super::{Finding, expiry};
use crate::config::Secret;
use crate::fleet::SelfReport;
use crate::store::{AgentRow, Store};

/// Skew beyond this eats into the time that an approval has to arrive.
const SKEW_WARNING_S: u64 = 30;

/// How the doctor asks an agent. An error is what an operator should read.
pub trait Reach {
    /// What the agent says of itself.
    fn health(&self, agent: &AgentRow) -> impl Future<Output = Result<SelfReport, String>> + Send;
    /// The manifest that it serves, verbatim.
    fn manifest(&self, agent: &AgentRow) -> impl Future<Output = Result<Vec<u8>, String>> + Send;
}

/// Checks each agent's certificate and manifest as the registry holds them.
pub fn check_registered(
    store: &Store,
    manifest_secret: Option<&Secret>,
    now: u64,
) -> (Vec<Finding>, Vec<AgentRow>) {
    let agents = match store.agents() {
        Ok(agents) => agents,
        Err(error) => return (vec![Finding::fail("agents", error.to_string())], Vec::new()),
    };
    if agents.is_empty() {
        let text = "none yet; `secmon client add` and `secmon agent add` make the first";
        return (vec![Finding::warn("agents", text)], agents);
    }
    let mut findings = Vec::new();
    for agent in &agents {
        let renewal = "then nobody reaches it; add the server anew under another name";
        findings.push(expiry(format!("{} certificate", agent.id), agent.not_after, now, renewal));
        if let Some(secret) = manifest_secret {
            findings.push(manifest(format!("{} manifest", agent.id), agent, &agent.manifest, secret));
        }
    }
    (findings, agents)
}

/// Asks each agent for its health and its manifest. They are asked one after the other: an agent that
/// doesn't answer costs its deadline, and the report keeps the registry's order.
pub async fn check_reach(
    reach: &impl Reach,
    agents: &[AgentRow],
    manifest_secret: Option<&Secret>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for agent in agents {
        let subject = format!("{} at {}", agent.id, agent.address);
        let report = match reach.health(agent).await {
            Ok(report) => report,
            Err(error) => {
                findings.push(Finding::fail(subject, format!("not reached: {error}")));
                continue;
            }
        };
        let health = report.health();
        findings.push(answered(&subject, agent, health, clock()));
        findings.extend(sandbox(&subject, report.missing()));
        match (reach.manifest(agent).await, manifest_secret) {
            (Err(error), _) => findings.push(Finding::fail(subject, format!("its manifest: {error}"))),
            (Ok(served), _) if served != agent.manifest => findings.push(replaced(subject, agent, &served)),
            (Ok(served), _) if sha256(&served) != health.manifest => {
                findings.push(Finding::fail(
                    subject,
                    "serves another manifest than the one that it says is in force",
                ));
            }
            (Ok(served), Some(secret)) => {
                findings.push(manifest(format!("{subject} manifest"), agent, &served, secret))
            }
            (Ok(_), None) => {}
        }
    }
    findings
}

/// Whether a manifest is authentic and this agent's.
fn manifest(subject: String, agent: &AgentRow, bytes: &[u8], secret: &Secret) -> Finding {
    match Manifest::read(bytes) {
        Err(error) => Finding::fail(subject, format!("can't be read: {error}")),
        Ok(manifest) if !manifest.mac_is_valid(secret.expose().as_bytes()) => Finding::fail(
            subject,
            "its HMAC doesn't match SECMON_MANIFEST_SECRET: edited, or signed with another secret",
        ),
        Ok(manifest) if manifest.body.agent_id != agent.id || manifest.body.client_id != agent.client => {
            Finding::fail(subject, "names another agent or client")
        }
        Ok(manifest) => {
            let operations: Vec<_> = manifest.body.operations.iter().map(|c| c.action.as_str()).collect();
            Finding::ok(subject, format!("authentic; {}", operations.join(", ")))
        }
    }
}

fn answered(subject: &str, agent: &AgentRow, health: &Health, now: u64) -> Finding {
    let skew = health.clock.abs_diff(now);
    let direction = if health.clock > now { "ahead" } else { "behind" };
    if health.agent_id != agent.id {
        Finding::fail(subject, format!("answers as {}", health.agent_id))
    } else if skew > FRESHNESS_S {
        Finding::fail(
            subject,
            format!("its clock is {skew} s {direction}: it refuses every approval; let NTP keep it"),
        )
    } else if skew > SKEW_WARNING_S {
        Finding::warn(subject, format!("its clock is {skew} s {direction}; let NTP keep it"))
    } else {
        let hours = health.uptime_s / 3600;
        let text = format!("reached; version {}, up {hours} h, clock off by {skew} s", health.version);
        Finding::ok(subject, text)
    }
}

/// The agent serves another manifest than the registry holds: older, newer, or not ours at all.
fn replaced(subject: String, agent: &AgentRow, served: &[u8]) -> Finding {
    let seq = |bytes: &[u8]| Manifest::read(bytes).map_or_else(|e| e.to_string(), |m| m.body.seq.to_string());
    let text = format!(
        "serves manifest {}, the registry has {}; copy the right one to it and restart it, \
         or record it with `secmon manifest sign --record`",
        seq(served),
        seq(&agent.manifest)
    );
    Finding::warn(subject, text)
}

fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
