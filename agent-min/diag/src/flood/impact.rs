//! What a flood does to the host, as the kernel shows it: a flood without harm is no reason to act.

use secmon_wire::diag::{FactName, FindingId};

use super::{Impact, Peer};
use crate::Notes;
use crate::host::Host;
use crate::kernel;
use crate::stack::Stack;

/// Looks at PHP's queue, at how many of its workers and of the web server's connections are in use, and at who is
/// connected past Cloudflare.
pub fn impact(host: &dyn Host, stack: &Stack) -> Impact {
    let before = kernel::local_pools(host, stack);
    // Seen by the check of the queues, which says it on its own account.
    let mut seen = Notes::default();
    kernel::queues(host, stack, &mut seen);
    let queue = seen.findings().iter().filter(|finding| finding.id == FindingId::PhpQueue);
    let waiting = queue.filter_map(|finding| finding.facts.get_number(FactName::Count)).max();
    // Pools that are full for a moment are in a hurry; those that are full a second later, too, are busy.
    let local = before.zip(kernel::local_pools(host, stack)).map(|(before, after)| before.min(after));
    let direct = kernel::direct(host, stack);
    let ports = direct.as_ref().and_then(|direct| kernel::busy_ports(stack, direct));
    // Only on a host behind Cloudflare is a direct connection past it.
    let direct = direct.filter(|direct| direct.edge > 0).unwrap_or_default();
    let peer = |(address, connections)| Peer { address, connections };
    Impact {
        php_queue: waiting.unwrap_or(0),
        busy_percent: local.into_iter().chain(ports).max(),
        direct: direct.clients.into_iter().map(peer).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Endpoint;
    use crate::stack::Pool;
    use crate::testing::FakeHost;

    #[test]
    fn a_host_that_shows_nothing_suffers_nothing() {
        assert_eq!(impact(&FakeHost::default(), &Stack::default()), Impact::default());
    }

    #[test]
    fn workers_that_are_busy_at_both_looks_are_and_those_of_a_moment_are_not() {
        const PATH: &str = "/run/php/php8.2-fpm.sock";
        let row = format!("0000000000000000: 00000003 00000000 00000000 0001 03 77 {PATH}\n");
        let pool = Pool {
            name: "www".into(),
            version: "8.2".into(),
            unit: "php8.2-fpm".into(),
            listen: Endpoint::Unix(PATH.into()),
            status_listen: None,
            status_path: None,
            max_children: 5,
            error_logs: Vec::new(),
        };
        let stack = Stack { pools: vec![pool], ..Stack::default() };
        let of = |then: usize| {
            let busy = FakeHost::default().file_from(0, "/proc/net/unix", Ok(row.repeat(4).as_bytes()));
            impact(&busy.file_from(500, "/proc/net/unix", Ok(row.repeat(then).as_bytes())), &stack)
                .busy_percent
        };
        assert_eq!((of(4), of(1), of(5)), (Some(80), Some(20), Some(80)));
    }
}
