//! What comes past Cloudflare: there the connections of the host say what the log alone can't.

use std::net::IpAddr;

use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use super::Peer;
use super::kinds::timeouts;
use super::verdict::{Harm, Seen, Verdict};

/// Open connections of one peer, past Cloudflare, from which on it is no visitor.
const CONNECTIONS_MIN: u32 = 30;
/// Half-open requests of one peer, and requests in a minute that never came (408).
const HALF_OPEN_MIN: u32 = 20;
const TIMEOUTS_MIN: u32 = 20;

/// Turns a flood by somebody who is connected past Cloudflare into that: no rule at Cloudflare would stop it. Adds
/// those who hold connections open and send nothing.
pub(super) fn judge(seen: &Seen<'_>, verdicts: &mut Vec<Verdict>) {
    let impact = seen.settings.impact;
    for verdict in &mut *verdicts {
        let Some(flood) = &verdict.finding.flood else { continue };
        let Some(first) = flood.sources.first().filter(|first| u64::from(first.count) * 2 >= flood.count)
        else {
            continue;
        };
        if connections(&impact.direct, first.address) >= CONNECTIONS_MIN {
            let facts = Facts::new()
                .text(FactName::Address, &first.address.to_string())
                .number(FactName::Rate, verdict.rate.into());
            verdict.finding.id = FindingId::FloodDirect;
            verdict.finding.facts = facts;
            verdict.finding.action = None;
        }
    }
    let most = impact.half_open.iter().max_by_key(|peer| peer.connections);
    let Some(most) = most.filter(|peer| peer.connections >= HALF_OPEN_MIN) else { return };
    if timeouts(seen) >= TIMEOUTS_MIN {
        let facts = Facts::new()
            .text(FactName::Address, &most.address.to_string())
            .number(FactName::Count, most.connections.into());
        let severity = if seen.harm == Harm::Failing { Severity::Critical } else { Severity::Warning };
        let finding = Finding::new(FindingId::FloodSlowloris, severity).with(facts);
        verdicts.push(Verdict { finding, end: seen.end, rate: most.connections });
    }
}

fn connections(peers: &[Peer], address: IpAddr) -> u32 {
    let same = |peer: &&Peer| crate::networks::visitor(peer.address) == address;
    peers.iter().filter(same).fold(0, |sum, peer| sum.saturating_add(peer.connections))
}
