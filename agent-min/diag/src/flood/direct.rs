//! What comes past Cloudflare: there the connections of the host say what the log alone can't.

use std::net::IpAddr;

use secmon_wire::diag::{FactName, Facts, FindingId};

use super::Peer;
use super::verdict::{Seen, Verdict};

/// Open connections of one peer, past Cloudflare, from which on it is no visitor.
const CONNECTIONS_MIN: u32 = 30;

/// Turns a flood by somebody who is connected past Cloudflare into that: no rule at Cloudflare would stop it. Those who
/// hold connections open and send nothing are no flood of requests: the check of the connections names them.
pub(super) fn judge(seen: &Seen<'_>, verdicts: &mut [Verdict]) {
    let impact = seen.settings.impact;
    for verdict in verdicts {
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
}

fn connections(peers: &[Peer], address: IpAddr) -> u32 {
    let same = |peer: &&Peer| crate::networks::visitor(peer.address) == address;
    peers.iter().filter(same).fold(0, |sum, peer| sum.saturating_add(peer.connections))
}
