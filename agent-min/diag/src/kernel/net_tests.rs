use proptest::prelude::*;

use super::*;
use crate::testing::FakeHost;

const SOCKSTAT: &str = "sockets: used 40\nTCP: inuse 1 orphan 0 tw 1 alloc 3 mem 800\nUDP: inuse 0 mem 0\n";

fn host() -> FakeHost {
    FakeHost::default()
        .file("/proc/net/sockstat", SOCKSTAT)
        .file("/proc/sys/net/ipv4/tcp_mem", "1000\t2000\t4000\n")
}

fn found(host: &FakeHost) -> Vec<(Severity, String)> {
    let mut notes = Notes::default();
    check(host, &mut notes);
    notes.findings().iter().map(|finding| (finding.severity, finding.to_string())).collect()
}

#[test]
fn the_table_of_connections_has_two_steps_and_need_not_be_there() {
    assert_eq!(found(&host()), []);
    let with = |count: &str| {
        host()
            .file("/proc/sys/net/netfilter/nf_conntrack_count", format!("{count}\n"))
            .file("/proc/sys/net/netfilter/nf_conntrack_max", "65536\n")
    };
    let sentence = |percent| format!("The table of connections is {percent} % full");
    assert_eq!(found(&with("49151")), []);
    assert_eq!(found(&with("49152")), [(Severity::Warning, sentence(75))]);
    assert_eq!(found(&with("58983")), [(Severity::Critical, sentence(90))]);
}

#[test]
fn tcps_memory_is_judged_by_its_upper_limit() {
    let with =
        |most: &str| host().file_from(0, "/proc/sys/net/ipv4/tcp_mem", Ok(format!("1 2 {most}").as_bytes()));
    assert_eq!(found(&with("1001")), []);
    let severity = |most: &str| found(&with(most)).first().map(|(severity, _)| *severity);
    assert_eq!(severity("1000"), Some(Severity::Warning));
    assert_eq!(severity("843"), Some(Severity::Warning));
    assert_eq!(severity("842"), Some(Severity::Critical));
}

#[test]
fn what_this_kernel_does_not_say_is_not_checked() {
    let mut notes = Notes::default();
    check(&host().file_from(0, "/proc/net/sockstat", Ok(b"sockets: used 40\n")), &mut notes);
    assert_eq!(notes.what_was_not_checked()[0].detail, "/proc/net/sockstat");
    let mut notes = Notes::default();
    check(&FakeHost::default(), &mut notes);
    assert_eq!(notes.what_was_not_checked()[0].detail, "/proc/net/sockstat");
    assert!(notes.what_was_checked().is_empty());
}

#[test]
fn a_container_has_no_limit_of_its_own() {
    let mut notes = Notes::default();
    check(&FakeHost::default().file("/proc/net/sockstat", SOCKSTAT), &mut notes);
    assert_eq!((notes.what_was_checked(), notes.what_was_not_checked().len()), (&[Check::Network][..], 0));
}

#[test]
fn counters_are_found_by_name_wherever_they_stand() {
    let netstat = b"TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 333\n\
                    IpExt: InNoRoutes ListenDrops\nIpExt: 4 5\n";
    assert_eq!(counter(netstat, "TcpExt", "ListenDrops"), Some(333));
    assert_eq!(counter(netstat, "TcpExt", "SyncookiesSent"), Some(1));
    assert_eq!(counter(netstat, "IpExt", "ListenDrops"), Some(5));
    assert_eq!(counter(netstat, "TcpExt", "TCPReqQFullDoCookies"), None);
    assert_eq!(counter(b"TcpExt: A B\nTcpExt: 1\n", "TcpExt", "B"), None);
    assert_eq!(counter(b"TcpExt: A B\n", "TcpExt", "A"), None);
}

#[test]
fn devices_count_what_they_lose() {
    let dev = b"Inter-|   Receive                                                |  Transmit\n \
        face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n\
        \x20   lo: 490620608 1790482    9    9    0     0          0         0 490620608 1790482    9    9    0     0       0          0\n\
        \x20 eth0:4422061022  112097    1    2    0     0          0         0  6100236   67298    3    4    0     0       0          0\n\
        veth12: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n\
        \x20 eth1: 1 2 3\n";
    let eth0 = Device { name: "eth0".to_owned(), packets: 179_395, errors: 10 };
    assert_eq!(devices(dev), [eth0]);
}

#[test]
fn this_machines_counters_are_read() {
    let netstat = std::fs::read("/proc/net/netstat").expect("procfs");
    for name in ["ListenOverflows", "ListenDrops", "SyncookiesSent", "TCPMemoryPressures"] {
        assert!(counter(&netstat, "TcpExt", name).is_some(), "{name}");
    }
    assert!(counter(&std::fs::read("/proc/net/snmp").expect("procfs"), "Tcp", "CurrEstab").is_some());
    assert!(tcp_pages(&std::fs::read("/proc/net/sockstat").expect("procfs")).is_some());
    let devices = devices(&std::fs::read("/proc/net/dev").expect("procfs"));
    assert!(devices.iter().all(|device| !device.name.is_empty() && device.name != "lo"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _read = (tcp_pages(&bytes), counter(&bytes, "TcpExt", "A"), devices(&bytes), swapped(&bytes));
    }
}
