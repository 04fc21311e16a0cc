//! What is in force at Cloudflare, and what happens there without asking: the switch, who is armed, leases that can't
//! be put back. Reads the database and the switch; asks nobody.

use super::Finding;
use crate::cloudflare::{Lease, State, Suppressed};
use crate::store::{Store, StoreError};

/// So long after its time a lease is ended by a control plane that runs and reaches Cloudflare.
const LATE_S: u64 = 300;

/// Checks the switch, armed clients and open leases. `off` says why automatic changes are switched off, if they are.
pub fn check_leases(store: &Store, off: Option<&Suppressed>, now: u64) -> Vec<Finding> {
    match found(store, off, now) {
        Ok(findings) => findings,
        Err(error) => vec![Finding::fail("leases", error.to_string())],
    }
}

fn found(store: &Store, off: Option<&Suppressed>, now: u64) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    let armed: Vec<_> = store.armed()?.into_iter().filter(|armed| armed.until > now).collect();
    for armed in &armed {
        let minutes = armed.until.saturating_sub(now).div_ceil(60);
        findings.push(match off {
            None => Finding::ok("armed", format!("{} for {minutes} min more", armed.client)),
            Some(by) => Finding::warn(
                "armed",
                format!(
                    "{} for {minutes} min more, but automatic changes are switched off by {by}",
                    armed.client
                ),
            ),
        });
    }
    if let Some(by) = off.filter(|_| armed.is_empty()) {
        findings.push(Finding::ok("kill switch", format!("automatic changes are switched off by {by}")));
    }
    let open = store.open_leases()?;
    let stuck: Vec<Finding> = open.iter().filter_map(|lease| stuck(lease, now)).collect();
    if stuck.is_empty() && !open.is_empty() {
        findings.push(Finding::ok("leases", format!("{} in force at Cloudflare", open.len())));
    }
    findings.extend(stuck);
    Ok(findings)
}

/// Why a lease isn't where it should be.
fn stuck(lease: &Lease, now: u64) -> Option<Finding> {
    let since = |since: u64| now.saturating_sub(since) > LATE_S;
    let minutes = now.saturating_sub(lease.expires) / 60;
    let why = match lease.state {
        State::Active if since(lease.expires) => {
            format!("its time was over {minutes} min ago and it is still in force; does secmon serve run?")
        }
        State::Ending if since(lease.created) => {
            "is to be put back and isn't yet; `secmon cloudflare check` says whether its token works"
                .to_owned()
        }
        State::Planned if since(lease.created) => {
            "whether it is in force isn't known; secmon serve finds out when it reaches Cloudflare".to_owned()
        }
        State::Active | State::Ending | State::Planned | State::Ended => return None,
    };
    Some(Finding::warn(format!("{} {} on {}", lease.client, lease.action, lease.zone_name), why))
}
