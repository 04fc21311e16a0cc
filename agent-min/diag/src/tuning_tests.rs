use super::*;
use crate::host::Endpoint;
use crate::stack::{Pool, WebKind, WebServer};

fn listen(port: u16) -> Listen {
    Listen { address: Ipv4Addr::UNSPECIFIED.into(), port, tls: port == 443 }
}

fn site(names: &[&str], log: &str) -> Site {
    Site {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        listens: vec![listen(8080)],
        root: Some("/srv".to_owned()),
        access_log: Some(AccessLog { path: log.to_owned(), format: Some("$host".to_owned()) }),
        certificates: vec!["/etc/a.pem".to_owned()],
        ..Site::default()
    }
}

fn stack() -> Stack {
    let web = WebServer {
        kind: WebKind::Nginx,
        name: "nginx".to_owned(),
        master: None,
        listens: vec![listen(8080), listen(443)],
        error_logs: vec!["/var/log/a.log".to_owned(), "/var/log/b.log".to_owned()],
        limit: None,
    };
    let pool = Pool {
        name: "www".to_owned(),
        version: String::new(),
        unit: "php-fpm".to_owned(),
        listen: Endpoint::Unix("/run/php.sock".to_owned()),
        status_listen: None,
        status_path: None,
        max_children: 5,
        error_logs: vec!["/var/log/php.log".to_owned()],
    };
    let sites = vec![site(&["a.de", "www.a.de"], "/var/log/a.log"), site(&["b.de"], "/var/log/b.log")];
    Stack { web: vec![web], sites, pools: vec![pool], ..Stack::default() }
}

fn tuned(hosts: &[&str], access_logs: &[&str], error_logs: &[&str]) -> Stack {
    let mut stack = stack();
    apply(&mut stack, &Tuning::new(hosts, access_logs, error_logs, &[]).expect("a tuning"));
    stack
}

fn asked(stack: &Stack) -> Vec<(&str, Vec<u16>)> {
    let ports = |site: &Site| site.listens.iter().map(|listen| listen.port).collect();
    stack.asked().map(|site| (site.names.first().expect("a name").as_str(), ports(site))).collect()
}

#[test]
fn nothing_said_changes_nothing() {
    assert_eq!(tuned(&[], &[], &[]), stack());
    assert_eq!(asked(&stack()), [("a.de", vec![8080]), ("b.de", vec![8080])]);
}

#[test]
fn a_listed_host_is_what_its_site_is_asked_by_and_no_other_site_is_asked() {
    assert_eq!(asked(&tuned(&["b.de"], &[], &[])), [("b.de", vec![8080])]);
    let by_second = tuned(&["www.a.de"], &[], &[]);
    assert_eq!(asked(&by_second), [("www.a.de", vec![8080])]);
    assert_eq!(by_second.sites[0].names, ["www.a.de", "a.de"], "both are still its names");
    assert_eq!(by_second.sites[1], stack().sites[1], "its log is still read");
    // Both names of one site: the second time without its files, which are looked at once.
    let both = tuned(&["a.de", "www.a.de"], &[], &[]);
    assert_eq!(asked(&both), [("a.de", vec![8080]), ("www.a.de", vec![8080])]);
    let again = both.sites.last().expect("a site");
    assert_eq!((&again.root, &again.access_log, again.certificates.len()), (&None, &None, 1));
}

#[test]
fn a_listed_host_that_no_configuration_names_is_asked_for_where_web_servers_listen() {
    assert_eq!(asked(&tuned(&["c.de"], &[], &[])), [("c.de", vec![8080, 443])]);
    let mut stack = Stack { sites: vec![Site { listens: vec![listen(81)], ..Site::default() }], ..stack() };
    let listed = Tuning::new(&["c.de"], &[], &[], &[]).expect("a tuning");
    apply(&mut stack, &listed);
    assert_eq!(asked(&stack), [("c.de", vec![81])], "the site that takes every name");
    let mut nothing = Stack::default();
    apply(&mut nothing, &listed);
    assert_eq!(asked(&nothing), [("c.de", vec![80, 443])]);
}

#[test]
fn listed_logs_are_the_only_ones_and_keep_their_formats() {
    let stack = tuned(&[], &["/srv/c.log", "/var/log/b.log"], &[]);
    let logs: Vec<_> = stack.sites.iter().filter_map(|site| site.access_log.as_ref()).collect();
    let of =
        |path: &str, format: Option<&str>| AccessLog { path: path.into(), format: format.map(Into::into) };
    assert_eq!(logs, [&of("/var/log/b.log", Some("$host")), &of("/srv/c.log", None)]);
    // The site that stands for a log alone can't be asked for anything.
    assert_eq!(asked(&stack).len(), 2);
    assert_eq!(stack.web, self::stack().web);
}

#[test]
fn listed_error_logs_stay_with_who_writes_them() {
    let stack = tuned(&[], &[], &["/srv/e.log", "/var/log/b.log", "/var/log/php.log"]);
    assert_eq!(stack.web[0].error_logs, ["/var/log/b.log"]);
    assert_eq!(stack.pools[0].error_logs, ["/var/log/php.log"]);
    assert_eq!(stack.error_logs, ["/srv/e.log"]);
    assert_eq!(stack.sites, self::stack().sites);
}

#[test]
fn thresholds_are_those_of_the_manifest_or_the_usual_ones() {
    let given = [(Threshold::DiskLow, 20), (Threshold::TlsExpiry, 5)];
    let mut stack = stack();
    apply(&mut stack, &Tuning::new::<&str>(&[], &[], &[], &given).expect("a tuning"));
    for row in &THRESHOLDS {
        let expected = given.iter().find(|(id, _)| *id == row.id).map(|(_, value)| u64::from(*value));
        assert_eq!(stack.thresholds.given(row.id), expected, "{}", row.name);
        assert_eq!(stack.thresholds.of(row.id), expected.unwrap_or(u64::from(row.usual)));
    }
}
