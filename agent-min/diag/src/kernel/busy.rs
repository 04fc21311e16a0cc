//! How much of what PHP and the web server can do at one time is in use, in per cent: for those who judge whether a
//! flood does harm.
//!
//! A worker of PHP-FPM takes a connection only to answer its request, so the connections that were taken are the
//! workers that are busy. No process has to be asked, and a pool that answers nobody any more shows as well.

use super::Direct;
use super::fields::percent;
use super::queues::spelled;
use super::sockets::{table, unix_row};
use crate::host::{Endpoint, Host};
use crate::stack::Stack;

/// Of the pools at local sockets, the fullest; `None` if there is none, or the kernel doesn't say.
pub fn local_pools(host: &dyn Host, stack: &Stack) -> Option<u64> {
    let of_path = |listen: &Endpoint| match listen {
        Endpoint::Unix(path) => Some(spelled(path).to_owned()),
        Endpoint::Tcp(_) => None,
    };
    let pools =
        stack.pools.iter().filter_map(|pool| Some((of_path(&pool.listen)?, pool.max_children, 0_u64)));
    let mut pools: Vec<(String, u64, u64)> = pools.collect();
    if pools.is_empty() {
        return None;
    }
    let _whole = table(host, "/proc/net/unix", &mut |line| {
        let Some(row) = unix_row(line).filter(|row| row.taken) else { return };
        if let Some((_, _, taken)) = pools.iter_mut().find(|(path, ..)| path == spelled(&row.path)) {
            *taken = taken.saturating_add(1);
        }
    })
    .ok()?;
    pools.iter().map(|(_, most, taken)| percent(*taken, *most)).max()
}

/// Of the pools at ports and the web servers, the fullest.
pub fn ports(stack: &Stack, direct: &Direct) -> Option<u64> {
    let pools = stack.pools.iter().filter_map(|pool| {
        let Endpoint::Tcp(address) = &pool.listen else { return None };
        let taken = direct.php.iter().find(|(port, _)| *port == address.port())?.1;
        Some(percent(taken.into(), pool.max_children))
    });
    let connections = u64::from(direct.edge).saturating_add(direct.connections.into());
    let web = stack.web.iter().filter_map(|server| Some(percent(connections, server.limit?)));
    pools.chain(web).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::queues::tests::pool;
    use crate::stack::{WebKind, WebServer};
    use crate::testing::FakeHost;

    const PATH: &str = "/run/php/php8.2-fpm.sock";

    /// The table of local sockets of a pool with so many connections taken, and as many more that wait.
    fn unix(taken: usize, waiting: usize) -> String {
        let row = |flags: &str, state: &str, path: &str| {
            format!("0000000000000000: 00000003 00000000 {flags} 0001 {state} 77 {path}\n")
        };
        let mut rows =
            format!("Num RefCount Protocol Flags Type St Inode Path\n{}", row("00010000", "01", PATH));
        rows += &row("00000000", "03", PATH).repeat(taken);
        rows += &row("00000000", "02", PATH).repeat(waiting);
        rows += &row("00000000", "03", "/run/systemd/journal/stdout").repeat(9);
        rows
    }

    fn local(max_children: u64) -> Stack {
        let listen = Endpoint::Unix(PATH.replace("/run", "/var/run"));
        Stack { pools: vec![crate::stack::Pool { listen, ..pool(max_children) }], ..Stack::default() }
    }

    #[test]
    fn connections_that_were_taken_are_busy_workers_and_those_that_wait_are_not() {
        for (taken, waiting, expected) in [(0, 0, 0), (4, 0, 80), (4, 50, 80), (5, 0, 100)] {
            let host = FakeHost::default().file("/proc/net/unix", unix(taken, waiting));
            assert_eq!(local_pools(&host, &local(5)), Some(expected), "{taken} {waiting}");
        }
        assert_eq!(local_pools(&FakeHost::default(), &local(5)), None, "the kernel doesn't say");
        let host = FakeHost::default().file("/proc/net/unix", unix(5, 0));
        assert_eq!(local_pools(&host, &Stack::default()), None, "no pool");
    }

    #[test]
    fn the_fullest_of_pools_at_ports_and_web_servers_counts() {
        let at = |port: u16| Endpoint::Tcp(([127, 0, 0, 1], port).into());
        let of = |port, max_children| crate::stack::Pool { listen: at(port), ..pool(max_children) };
        let web = |limit| WebServer {
            kind: WebKind::Apache,
            name: "apache2".into(),
            master: None,
            listens: Vec::new(),
            error_logs: Vec::new(),
            limit,
        };
        let direct =
            Direct { edge: 60, connections: 15, php: vec![(9000, 3), (9001, 9)], ..Direct::default() };
        let stack = |limit| Stack {
            web: vec![web(limit)],
            pools: vec![of(9000, 5), of(9001, 10)],
            ..Stack::default()
        };
        assert_eq!(ports(&stack(Some(150)), &direct), Some(90));
        assert_eq!(ports(&stack(Some(75)), &direct), Some(100));
        assert_eq!(ports(&stack(None), &direct), Some(90));
        assert_eq!(ports(&Stack::default(), &direct), None);
    }
}
