use super::*;
use crate::kernel::sockets::state::{ESTABLISHED, LISTEN, SYN_RECEIVED, SYN_SENT};
use crate::stack::{Listen, WebKind, WebServer};
use crate::testing::{FakeHost, ThisHost};

const OWN: &str = "203.0.113.1";
const EDGE: [&str; 3] = ["172.70.1.1", "172.70.1.2", "162.158.9.9"];

fn stack() -> Stack {
    let listens = [80, 443].map(|port| Listen { address: [0, 0, 0, 0].into(), port, tls: port == 443 });
    let nginx = WebServer {
        kind: WebKind::Nginx,
        name: "nginx".to_owned(),
        master: None,
        listens: listens.to_vec(),
        error_logs: Vec::new(),
        limit: Some(100),
    };
    Stack { web: vec![nginx], pools: vec![crate::kernel::queues::tests::pool(4)], ..Stack::default() }
}

fn address(text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(text.parse().expect("an address"), port)
}

fn socket(state: u8, port: u16, remote: SocketAddr) -> Socket {
    Socket {
        state,
        local: address(OWN, port),
        remote,
        waiting: 0,
        backlog: None,
        uid: 33,
        cgroup: None,
        traffic: None,
    }
}

fn client(text: &str) -> Socket {
    socket(ESTABLISHED, 443, address(text, 50_000))
}

fn survey(sockets: impl IntoIterator<Item = Socket>) -> Survey {
    let mut survey = Survey { php: vec![33], ..Survey::new(&FakeHost::default(), &stack(), &[]) };
    sockets.into_iter().for_each(|socket| survey.add(&socket));
    survey
}

fn shown(finding: Option<Finding>) -> Option<(Severity, String)> {
    finding.map(|finding| (finding.severity, finding.to_string()))
}

#[test]
fn two_hundred_half_open_connections_may_be_an_accident() {
    let with = |count: u32, cookies| {
        let half_open = (0..count).map(|n| {
            let peer = SocketAddr::new(Ipv4Addr::from_bits(0xc000_0200 + n).into(), 1);
            socket(SYN_RECEIVED, 443, peer)
        });
        let finding = survey(half_open).judge_half_open(cookies)?;
        let number = |name| finding.facts.get_number(name);
        Some((finding.severity, number(FactName::Count), number(FactName::Code)))
    };
    assert_eq!(with(200, true), None);
    assert_eq!(with(201, true), Some((Severity::Warning, Some(201), Some(443))));
    assert_eq!(with(201, false), Some((Severity::Critical, Some(201), Some(443))));
}

#[test]
fn local_ports_run_out_for_one_service_at_a_time() {
    let with = |count: u16, ports: u16| {
        let one = (0..count).map(|n| socket(ESTABLISHED, 40_000 + n, address("127.0.0.1", 3306)));
        let mut survey = Survey { range: (40_000, 40_000 + ports - 1), ..survey([]) };
        one.for_each(|socket| survey.add(&socket));
        shown(survey.judge_ports())
    };
    assert_eq!(with(79, 100), None);
    let sentence = |percent| format!("{percent} % of the local ports to 127.0.0.1:3306 are in use");
    assert_eq!(with(80, 100), Some((Severity::Warning, sentence(80))));
    assert_eq!(with(95, 100), Some((Severity::Critical, sentence(95))));
    // Connections that others made to a port in the range are each from another port of theirs.
    let served = (0..90).map(|n| socket(ESTABLISHED, 40_050, address("192.0.2.9", n)));
    let mut survey = Survey { range: (40_000, 40_099), ..self::survey([]) };
    served.for_each(|socket| survey.add(&socket));
    assert_eq!(survey.judge_ports(), None);
}

#[test]
fn five_strangers_past_cloudflare_are_worth_a_warning() {
    let strangers = |count: usize| {
        let many_at_the_edge = EDGE.iter().cycle().take(90).map(|edge| client(edge));
        let strangers = (0..count).map(|n| client(&format!("198.51.100.{n}")));
        shown(survey(many_at_the_edge.chain(strangers)).judge_exposed())
    };
    assert_eq!(strangers(4), None);
    let sentence = "5 clients reach the server directly, past Cloudflare".to_owned();
    assert_eq!(strangers(5), Some((Severity::Warning, sentence)));
}

#[test]
fn a_tenth_of_the_connections_needs_three_strangers() {
    let with = |count: usize, at_the_edge: usize| {
        let edge = EDGE.iter().cycle().take(at_the_edge).map(|edge| client(edge));
        let strangers = (0..count).map(|n| client(&format!("198.51.100.{n}")));
        survey(edge.chain(strangers)).judge_exposed().is_some()
    };
    assert!(!with(2, 3));
    assert!(with(3, 27));
    assert!(!with(3, 28));
}

#[test]
fn a_site_that_is_not_behind_cloudflare_is_not_exposed() {
    let strangers = || (0..50).map(|n| client(&format!("198.51.100.{n}")));
    assert_eq!(survey(strangers()).judge_exposed(), None);
    // A worker of somebody else's, run by Cloudflare, is no edge.
    let few = EDGE[..2].iter().map(|edge| client(edge));
    assert_eq!(survey(strangers().chain(few)).judge_exposed(), None);
}

#[test]
fn monitors_payment_services_and_the_host_itself_are_no_strangers() {
    let edge = EDGE.iter().map(|edge| client(edge));
    let fine = ["10.0.0.1", "127.0.0.1", OWN, "54.187.216.72", "192.0.80.1", "192.168.1.1"].map(client);
    assert_eq!(survey(edge.chain(fine)).judge_exposed(), None);
}

fn unanswered(count: u16, traffic: Option<(u64, u64)>, port: u16) -> impl Iterator<Item = Socket> {
    (0..count)
        .map(move |n| Socket { traffic, ..socket(ESTABLISHED, port, address("198.51.100.7", 1_000 + n)) })
}

#[test]
fn one_clients_half_open_requests_are_told_from_what_php_works_on() {
    let judged =
        |count, php| shown(survey(unanswered(count, Some((0, 300)), 80)).judge_unanswered(php, &stack()));
    assert_eq!(judged(50, 0), None);
    let sentence = |count| format!("{count} half-open requests from 198.51.100.7, past Cloudflare");
    assert_eq!(judged(51, 0), Some((Severity::Info, sentence(51))), "others still get connections");
    assert_eq!(judged(79, 29), None);
    assert_eq!(judged(80, 29), Some((Severity::Critical, sentence(80))));
}

#[test]
fn answered_requests_and_unknown_traffic_are_not_half_open() {
    let count = |traffic, port| survey(unanswered(90, traffic, port)).judge_unanswered(0, &stack()).is_some();
    assert!(!count(None, 80));
    assert!(!count(Some((2, 300)), 80));
    assert!(count(Some((1, 300)), 80));
    // A handshake of TLS is no answer yet.
    assert!(count(Some((5_000, 900)), 443));
    assert!(!count(Some((HANDSHAKE, 900)), 443));
    assert!(!count(Some((5_000, HANDSHAKE)), 443));
}

#[test]
fn an_ipv6_client_is_its_network() {
    let many = (0..60).map(|n| Socket {
        traffic: Some((0, 9)),
        ..socket(ESTABLISHED, 80, address(&format!("2001:db8:0:1::{n}"), 9))
    });
    let finding = survey(many).judge_unanswered(0, &stack()).expect("one client");
    assert_eq!(finding.to_string(), "60 half-open requests from 2001:db8:0:1::, past Cloudflare");
}

fn workers(count: u32) -> Vec<Worker> {
    let worker = |pid| Worker { pid, pool: "www".to_owned(), uid: 33, anonymous: 1 };
    (0..count).map(worker).collect()
}

/// Connections of PHP's user to one server, each at some of the three looks.
fn outbound(looks: [&[u16]; 3], state: u8) -> FakeHost {
    let row = |port: &u16| {
        format!(
            " 1: 01007F00:{port:04X} 08080808:01BB {state:02X} 00000000:00000000 00:00000000 00000000 33 0 7 1 0\n"
        )
    };
    looks.iter().enumerate().fold(FakeHost::default(), |host, (look, ports)| {
        let rows: String = ports.iter().map(row).collect();
        host.file_from(look as u64 * 500, "/proc/net/tcp", Ok(format!("head\n{rows}").as_bytes()))
    })
}

fn stuck(host: &FakeHost, count: u32) -> Option<(Severity, String)> {
    let workers = workers(count);
    let mut survey = Survey::new(host, &stack(), &workers);
    assert_eq!(survey.look(host), Ok(true));
    shown(survey.judge_outbound(host, &stack(), &workers))
}

#[test]
fn half_of_the_workers_waiting_for_one_server_is_a_finding() {
    let two: &[u16] = &[40_001, 40_002];
    let sentence = |count| format!("{count} PHP workers wait for 8.8.8.8:443");
    assert_eq!(stuck(&outbound([two; 3], ESTABLISHED), 4), Some((Severity::Warning, sentence(2))));
    assert_eq!(stuck(&outbound([two; 3], SYN_SENT), 4), Some((Severity::Warning, sentence(2))));
    assert_eq!(stuck(&outbound([two; 3], ESTABLISHED), 5), None);
    let all: &[u16] = &[40_001, 40_002, 40_003, 40_004];
    assert_eq!(stuck(&outbound([all; 3], ESTABLISHED), 4), Some((Severity::Critical, sentence(4))));
}

#[test]
fn quick_calls_to_others_are_no_finding() {
    let new_ones: [&[u16]; 3] = [&[40_001, 40_002], &[40_003, 40_004], &[40_005, 40_006]];
    assert_eq!(stuck(&outbound(new_ones, ESTABLISHED), 2), None);
    let one_stays: [&[u16]; 3] = [&[40_001, 40_002], &[40_001, 40_004], &[40_001, 40_006]];
    assert_eq!(stuck(&outbound(one_stays, ESTABLISHED), 2), None);
    assert_eq!(stuck(&outbound([&[40_001, 40_002]; 3], LISTEN), 2), None);
}

#[test]
fn a_kernel_that_lists_nothing_is_said() {
    let mut notes = Notes::default();
    check(&FakeHost::default(), &stack(), &mut notes);
    assert_eq!(notes.what_was_not_checked()[0].what, Check::Connections);
    assert!(notes.what_was_checked().is_empty());
    assert_eq!(direct(&FakeHost::default(), &stack()), None);
}

#[test]
fn a_table_that_is_too_long_is_said_and_judged_as_far_as_it_was_read() {
    let row = " 1: 01007F00:01BB 08080808:8000 03 00000000:00000000 00:00000000 00000000 33 0 7 1 0\n";
    let host = FakeHost::default().file("/proc/net/tcp", row.repeat(60_000));
    let mut notes = Notes::default();
    check(&host, &stack(), &mut notes);
    assert_eq!(notes.what_was_not_checked()[0].detail, "too many connections");
    assert_eq!(notes.findings()[0].id, FindingId::NetSynFlood);
}

#[test]
fn those_who_judge_floods_get_the_clients() {
    let rows: String = (0..7)
        .map(|n| {
            format!(
                " 1: 01007F00:01BB 0807060{}:8000 01 00000000:00000000 00:00000000 00000000 33 0 7 1 0\n",
                n % 2
            )
        })
        .collect();
    let direct = direct(&FakeHost::default().file("/proc/net/tcp", rows), &stack()).expect("a table");
    assert_eq!((direct.edge, direct.connections, direct.php.as_slice()), (0, 7, [].as_slice()));
    assert_eq!(direct.clients.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [4, 3]);
}

#[test]
fn as_many_addresses_as_there_are_are_told_apart_in_bounded_memory() {
    let mut distinct = Distinct::default();
    for n in 0..20_000 {
        distinct.add(Ipv4Addr::from_bits(n % 100).into());
    }
    assert_eq!(distinct.count(), 100);
    for n in 0..20_000 {
        distinct.add(Ipv4Addr::from_bits(n).into());
    }
    assert!(distinct.count() > DISTINCT_MAX / 2 && distinct.seen.len() <= DISTINCT_MAX);
}

#[test]
fn this_machines_connections_are_surveyed() {
    let mut notes = Notes::default();
    check(&ThisHost, &stack(), &mut notes);
    assert_eq!(notes.what_was_checked(), [Check::Connections]);
}
