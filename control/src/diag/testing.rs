//! What the tests of both forms are shown.

use std::sync::Arc;
use std::time::Instant;

use secmon_wire::diag::{Check, Counters, Finding, NotChecked};
use secmon_wire::{ActionId, AgentId, ClientId};

use super::look::Seen;
use super::{Areas, Client, Compared, Look, NotRun, Verdict, Visit};

/// The hosts' clock.
pub(super) const CLOCK: u64 = 1_767_225_600;

/// acme, asked for everything, where PHP and the web server can be restarted.
pub(super) fn acme<T>(act: impl FnOnce(Client<'_>) -> T) -> T {
    let (id, asked) = (ClientId::new("acme").expect("an id"), Areas::all());
    let offered = [ActionId::RestartWeb, ActionId::RestartPhp];
    act(Client { id: &id, asked: &asked, offered: &offered, left_out: 0 })
}

pub(super) fn seen(findings: Vec<Finding>, not_checked: Vec<NotChecked>) -> Seen {
    Seen {
        areas: Areas::all().iter().collect(),
        boot: [0; 16],
        checked: vec![Check::Listeners, Check::Origin],
        clock: CLOCK,
        counters: Counters::new(),
        duration_ms: 1_250,
        findings,
        not_checked,
        bytes: Vec::new(),
    }
}

pub(super) fn visit(agent: &str, result: Result<Look, NotRun>) -> Arc<Visit> {
    Arc::new(Visit { agent: AgentId::new(agent).expect("an id"), ended: Instant::now(), result })
}

/// A host on which this was found.
pub(super) fn host(
    agent: &str,
    findings: Vec<Finding>,
    compared: Vec<Compared>,
    not_checked: Vec<NotChecked>,
) -> Arc<Visit> {
    let verdict = Verdict::new(findings.clone(), compared);
    let (asked, seen) = (Areas::all(), seen(findings, not_checked));
    visit(agent, Ok(Look { asked, not_allowed: None, seen, verdict, compared: Some(3_600) }))
}
