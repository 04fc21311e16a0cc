use super::super::dns;
use super::super::testing::{Fake, noted, sentences, sites, skips};
use super::*;

const SITE: &str = "acme.de";
const CLOUDFLARE: [u8; 4] = [104, 16, 0, 1];
const ELSEWHERE: [u8; 4] = [203, 0, 113, 9];

/// What a resolver says to a question: a code, and an address if it is 0.
fn reply(asked: &[u8], code: u8, address: [u8; 4]) -> Vec<u8> {
    let count = u8::from(code == 0);
    let mut out = [&asked[..2], &[0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0], &asked[12..]].concat();
    if code == 0 {
        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        out.extend(address);
    }
    out
}

fn with_resolvers(lines: &str) -> Fake {
    let mut host = Fake::default();
    host.files.insert(RESOLV_CONF, (Ok(lines.as_bytes().to_vec()), 0));
    host
}

/// Resolvers at 192.0.2.1, 192.0.2.2 …: those in the list answer.
fn resolvers(answering: &'static [&'static str]) -> Fake {
    let mut host = with_resolvers("search lan\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n");
    host.ask = Box::new(move |(to, asked), _| {
        let answers = answering.iter().any(|known| known.parse() == Ok(to.ip()));
        if answers { Ok(reply(asked, 0, CLOUDFLARE)) } else { Err(Denied::Timeout) }
    });
    host
}

fn found(host: &Fake, stack: &Stack) -> Vec<String> {
    sentences(&noted(|notes| check(host, stack, notes)))
}

#[test]
fn a_silent_resolver_is_as_bad_as_its_place() {
    let line =
        |severity, server| format!("dns-broken {severity}: The name server 192.0.2.{server} does not answer");
    let none: Vec<String> = vec![];
    assert_eq!(found(&resolvers(&["192.0.2.1", "192.0.2.2"]), &sites(&[SITE])), none);
    assert_eq!(found(&resolvers(&["192.0.2.2"]), &sites(&[SITE])), [line("warning", 1)]);
    assert_eq!(found(&resolvers(&["192.0.2.1"]), &sites(&[SITE])), [line("info", 2)]);
    assert_eq!(found(&resolvers(&[]), &sites(&[SITE])), [line("critical", 1), line("critical", 2)]);
    assert_eq!(found(&resolvers(&[]), &Stack::default()), [line("critical", 1), line("critical", 2)]);
}

#[test]
fn a_resolver_that_was_only_slow_once_is_fine() {
    let mut host = with_resolvers("nameserver 192.0.2.1\n");
    host.ask = Box::new(|(_, asked), now| match now {
        Duration::ZERO => Err(Denied::Timeout),
        _ => Ok(reply(asked, 0, CLOUDFLARE)),
    });
    assert_eq!(found(&host, &sites(&[SITE])), [""; 0]);
}

#[test]
fn a_resolver_that_can_not_tell_is_broken_and_one_that_knows_of_no_such_name_is_not() {
    for (code, count) in [(0, 0), (2, 1), (5, 1)] {
        let mut host = with_resolvers("nameserver 192.0.2.1\n");
        host.ask = Box::new(move |(_, asked), _| Ok(reply(asked, code, CLOUDFLARE)));
        assert_eq!(found(&host, &Stack::default()).len(), count, "code {code}");
    }
    let mut host = with_resolvers("nameserver 192.0.2.1\n");
    host.ask = Box::new(move |(_, asked), _| Ok(reply(asked, 3, CLOUDFLARE)));
    assert_eq!(found(&host, &Stack::default()), [""; 0]);
}

#[test]
fn half_a_question_proves_nothing() {
    let host = Fake { whole: Duration::from_millis(1_100), ..resolvers(&[]) };
    let notes = noted(|notes| check(&host, &sites(&[SITE]), notes));
    assert_eq!(sentences(&notes), [""; 0]);
    assert_eq!(skips(&notes), ["dns timeout 192.0.2.1", "dns timeout 192.0.2.2"]);
    assert_eq!(notes.what_was_checked(), []);
}

#[test]
fn behind_a_silent_stub_its_own_resolvers_are_tried() {
    let mut host = with_resolvers("nameserver 127.0.0.53\noptions edns0 trust-ad\n");
    let line = |server| format!("dns-broken critical: The name server {server} does not answer");
    assert_eq!(found(&host, &sites(&[SITE])), [line("127.0.0.53")]);
    host = with_resolvers("nameserver 127.0.0.53\n");
    host.files.insert(BEHIND_STUB, (Ok(b"nameserver 192.0.2.9\n".to_vec()), 0));
    assert_eq!(found(&host, &sites(&[SITE])), [line("192.0.2.9")]);
}

#[test]
fn without_resolvers_nothing_is_checked() {
    let absent = noted(|notes| check(&Fake::default(), &sites(&[SITE]), notes));
    assert_eq!(skips(&absent), ["dns absent /etc/resolv.conf"]);
    let empty = noted(|notes| check(&with_resolvers("# none\n"), &sites(&[SITE]), notes));
    assert_eq!(skips(&empty), ["dns absent /etc/resolv.conf"]);
}

#[test]
fn a_resolv_conf_is_read_as_the_c_library_does() {
    let text =
        b"; x\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 \nnameserver fe80::1%eth0\nnameserver x\n\
        nameserver 192.0.2.3\nnameserver 192.0.2.4\n\xff\xfe\n";
    let wanted = ["192.0.2.1", "2001:db8::1", "192.0.2.3"].map(|text| text.parse::<IpAddr>().expect("one"));
    assert_eq!(servers(text), wanted);
}

#[test]
fn a_site_that_can_not_be_found_is_reported_after_two_lookups() {
    let host = |code_then: u8| {
        let asked_for = std::sync::atomic::AtomicUsize::new(0);
        let mut host = with_resolvers("nameserver 192.0.2.1\n");
        host.ask = Box::new(move |(_, asked), _| {
            let last = asked_for.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 2;
            Ok(reply(asked, if last { code_then } else { 3 }, CLOUDFLARE))
        });
        host
    };
    let line = "dns-site-wrong warning: The name acme.de does not exist in the DNS";
    assert_eq!(found(&host(3), &sites(&[SITE])), [line]);
    assert_eq!(found(&host(0), &sites(&[SITE])), [""; 0]);
}

#[test]
fn a_site_that_is_prepared_for_cloudflare_and_not_there_is_worth_knowing() {
    for (real_ip, address, count) in
        [(true, ELSEWHERE, 1), (true, CLOUDFLARE, 0), (false, ELSEWHERE, 0), (true, [10, 0, 0, 1], 0)]
    {
        let mut host = with_resolvers("nameserver 192.0.2.1\n");
        host.ask = Box::new(move |(_, asked), _| Ok(reply(asked, 0, address)));
        let mut stack = sites(&[SITE]);
        stack.sites[0].real_ip = real_ip;
        let lines = found(&host, &stack);
        assert_eq!(lines.len(), count, "{address:?}");
        assert!(
            lines.iter().all(|line| line == "dns-site-wrong info: The name acme.de points past Cloudflare")
        );
    }
}

#[test]
fn names_that_nobody_could_look_up_are_not_looked_up() {
    for (name, public) in [
        ("acme.de", true),
        ("acme.de.", true),
        ("shop.acme.co.uk", true),
        ("localhost", false),
        ("db", false),
        ("acme.test", false),
        ("acme.LOCAL", false),
        ("nas.home.arpa", false),
        ("192.0.2.1", false),
        ("", false),
    ] {
        assert_eq!(is_public(name), public, "{name}");
    }
}

#[test]
fn a_lookup_over_a_real_socket_gets_its_answer() {
    use super::super::testing::Loopback;

    let server = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = server.local_addr().expect("an address");
    let thread = std::thread::spawn(move || {
        let mut question = [0; MESSAGE_MAX];
        let (length, from) = server.recv_from(&mut question).expect("a question");
        server.send_to(&reply(&question[..length], 0, CLOUDFLARE), from).expect("sent");
    });
    let asked = dns::question(7, SITE, Kind::A).expect("a name");
    let mut message = [0; MESSAGE_MAX];
    let length =
        Loopback::new().ask(address, &asked, &mut message, Duration::from_secs(2)).expect("answered");
    assert_eq!(dns::answer(&asked, &message[..length]), Some(Said::Addresses(vec![CLOUDFLARE.into()])));
    thread.join().expect("no panic");
}
