//! What a flood does to the host, as the kernel shows it: a flood without harm is no reason to act.

use secmon_wire::diag::{FactName, FindingId};

use super::{Impact, Peer};
use crate::Notes;
use crate::host::Host;
use crate::kernel;
use crate::stack::Stack;

/// Looks at PHP's queue and at who is connected past Cloudflare.
pub fn impact(host: &dyn Host, stack: &Stack) -> Impact {
    // Seen by the check of the queues, which says it on its own account.
    let mut seen = Notes::default();
    kernel::queues(host, stack, &mut seen);
    let queue = seen.findings().iter().filter(|finding| finding.id == FindingId::PhpQueue);
    let waiting = queue.filter_map(|finding| finding.facts.get_number(FactName::Count)).max();
    // Only on a host behind Cloudflare is a direct connection past it.
    let direct = kernel::direct(host, stack).filter(|direct| direct.edge > 0).unwrap_or_default();
    let peers = |clients: Vec<(std::net::IpAddr, u32)>| {
        clients.into_iter().map(|(address, connections)| Peer { address, connections }).collect()
    };
    Impact {
        php_queue: waiting.unwrap_or(0),
        busy_percent: None,
        direct: peers(direct.clients),
        half_open: peers(direct.unanswered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn a_host_that_shows_nothing_suffers_nothing() {
        assert_eq!(impact(&FakeHost::default(), &Stack::default()), Impact::default());
    }
}
