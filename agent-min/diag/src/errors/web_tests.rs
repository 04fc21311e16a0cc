//! Both sides of each threshold, and what mends or outdates a line.
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use secmon_wire::diag::Fact;

use super::super::said::Request;
use super::*;
use crate::discover::fake::FakeHost;
use crate::stack::{Listen, Process};

const NOW: u64 = 1_795_311_290;
const STARTED: u64 = NOW - 5_000;

fn server(kind: WebKind, started: Option<u64>) -> WebServer {
    WebServer {
        kind,
        name: if kind == WebKind::Apache { "apache2" } else { "nginx" }.into(),
        master: started.map(|started| Process { pid: 9, started, uid: 0 }),
        listens: vec![Listen { address: "0.0.0.0".parse().expect("an address"), port: 80, tls: false }],
        error_logs: Vec::new(),
        limit: Some(150),
    }
}

struct Case {
    started: Option<u64>,
    changed: u64,
    host: FakeHost,
    others: Vec<WebServer>,
}

impl Default for Case {
    fn default() -> Self {
        Self { started: Some(STARTED), changed: 0, host: FakeHost::new(NOW), others: Vec::new() }
    }
}

/// What lines of these ages come to.
fn judged(case: &Case, lines: &[(u64, Said<'_>)]) -> Vec<Finding> {
    judged_of(WebKind::Nginx, case, lines)
}

fn judged_of(kind: WebKind, case: &Case, lines: &[(u64, Said<'_>)]) -> Vec<Finding> {
    let server = server(kind, case.started);
    let mut web = Web::new(&server, NOW);
    for (age, said) in lines {
        web.said(NOW - age, said, b"the line");
    }
    let stack = Stack { web: case.others.clone(), ..Stack::default() };
    let mut notes = Notes::default();
    let details = || Details { changed: case.changed, ..Details::default() };
    web.judge(&case.host, &stack, &details, &mut notes);
    notes.findings().to_vec()
}

fn ids(case: &Case, lines: &[(u64, Said<'_>)]) -> Vec<FindingId> {
    judged(case, lines).iter().map(|finding| finding.id).collect()
}

#[test]
fn a_configuration_is_broken_until_somebody_changes_it_or_the_server_starts() {
    const BAD: &str = "/etc/nginx/conf.d/bad.conf";
    let broken = [(60, Said::Broken(Some(BAD)))];
    let with = |modified| Case { host: FakeHost::new(NOW).file_of(BAD, b"", modified), ..Case::default() };
    let findings = judged(&with(NOW - 100), &broken);
    assert_eq!(findings[0].id, FindingId::WebConfigBroken);
    assert_eq!((findings[0].severity, findings[0].line.as_str()), (Severity::Warning, "the line"));
    assert!(ids(&with(NOW - 50), &broken).is_empty());
    assert!(ids(&Case::default(), &broken).is_empty(), "the file is gone");
    assert!(ids(&Case { changed: NOW - 50, ..with(NOW - 100) }, &broken).is_empty());
    assert!(ids(&Case { started: Some(NOW - 50), ..with(NOW - 100) }, &broken).is_empty());
    let down = judged(&Case { started: None, ..with(NOW - 100) }, &broken);
    assert_eq!(down[0].severity, Severity::Critical);
    assert!(ids(&Case { started: None, ..with(0) }, &[(DOWN_S + 1, Said::Broken(Some(BAD)))]).is_empty());
}

#[test]
fn a_key_that_does_not_fit_is_its_own_finding() {
    let mismatch = [(60, Said::KeyMismatch(Some("/etc/ssl/b.key")))];
    let host = |modified| FakeHost::new(NOW).file_of("/etc/ssl/b.key", b"", modified);
    assert_eq!(
        ids(&Case { host: host(NOW - 90), ..Case::default() }, &mismatch),
        [FindingId::TlsKeyMismatch]
    );
    assert!(ids(&Case { host: host(NOW - 30), ..Case::default() }, &mismatch).is_empty());
    // A key that may not be looked at is not mended by that.
    let refused = Case { host: FakeHost::new(NOW).refuse("/etc/ssl/b.key"), ..Case::default() };
    assert_eq!(ids(&refused, &mismatch), [FindingId::TlsKeyMismatch]);
}

#[test]
fn only_the_last_reason_counts() {
    let case = || Case { started: None, others: vec![server(WebKind::Apache, Some(1))], ..Case::default() };
    let lines = [(60, Said::Broken(None)), (50, Said::PortTaken(80))];
    assert_eq!(ids(&case(), &lines), [FindingId::WebPortConflict]);
    let lines = [(60, Said::PortTaken(80)), (50, Said::Broken(None))];
    assert_eq!(ids(&case(), &lines), [FindingId::WebConfigBroken]);
    // The journal is read after the log, and may say what is older.
    let lines = [(50, Said::Broken(None)), (60, Said::PortTaken(80))];
    assert_eq!(ids(&case(), &lines), [FindingId::WebConfigBroken]);
}

#[test]
fn a_taken_port_names_the_other_server_and_who_is_unknown_is_left_to_the_look_at_the_port() {
    let taken = [(60, Said::PortTaken(80))];
    let apache = server(WebKind::Apache, Some(1));
    let name = |case: &Case| judged(case, &taken).first().and_then(|f| f.facts.get(FactName::Name).cloned());
    let text = |text: &str| Some(Fact::Text(text.try_into().expect("short")));
    let down = Case { started: None, ..Case::default() };
    assert_eq!(name(&down), None);
    let beside = Case { others: vec![apache.clone()], ..down };
    assert_eq!(name(&beside), text("apache2"));
    assert_eq!(name(&Case::default()), None);
    assert_eq!(name(&Case { others: vec![apache], ..Case::default() }), text("apache2"));
}

#[test]
fn a_full_server_is_critical_now_and_a_warning_lately() {
    for said in [Said::NoConnections(768), Said::WorkersBusy, Said::NoHandles] {
        let severity = |age| judged(&Case::default(), &[(age, said)]).first().map(|finding| finding.severity);
        assert_eq!(severity(NOW_S), Some(Severity::Critical), "{said:?}");
        assert_eq!(severity(NOW_S + 1), Some(Severity::Warning), "{said:?}");
        assert_eq!(severity(LATELY_S), Some(Severity::Warning), "{said:?}");
        assert_eq!(severity(LATELY_S + 1), None, "{said:?}");
        let restarted = Case { started: Some(NOW - 1), ..Case::default() };
        assert!(ids(&restarted, &[(2, said)]).is_empty(), "{said:?}");
    }
    let few = judged(&Case::default(), &[(1, Said::FewConnections(768))]);
    assert_eq!(few[0].severity, Severity::Warning);
    assert_eq!(few[0].facts.get_number(FactName::Limit), Some(768));
    assert_eq!(judged(&Case::default(), &[(1, Said::NoHandles)])[0].action, Some(ActionId::RestartWeb));
}

#[test]
fn uploads_count_per_page_and_junk_of_scanners_does_not() {
    let upload = |path, referred| Said::TooLarge(Request { path, host: "", referred });
    let lines = |said: Said<'static>, count| vec![(9, said); count];
    let case = Case::default();
    assert_eq!(ids(&case, &lines(upload("/shop", true), 5)), [FindingId::Web413]);
    assert!(ids(&case, &lines(upload("/shop", true), 4)).is_empty());
    assert!(ids(&case, &lines(upload("/xmlrpc.php", false), 50)).is_empty());
    assert_eq!(ids(&case, &lines(upload("/wp-admin/async-upload.php", false), 5)), [FindingId::Web413]);
    let changed = |changed| Case { changed, ..Case::default() };
    assert_eq!(ids(&changed(NOW - 10), &lines(upload("/shop", true), 5)), [FindingId::Web413]);
    assert!(ids(&changed(NOW - 9), &lines(upload("/shop", true), 5)).is_empty());
    let header =
        |count| vec![(9, Said::BigHeader(Request { path: "/login", host: "", referred: false })); count];
    assert_eq!(ids(&case, &header(3)), [FindingId::WebUpstreamHeader]);
    assert!(ids(&case, &header(2)).is_empty());
}

#[test]
fn an_apache_that_is_full_is_told() {
    let full = |case: &Case, age| judged_of(WebKind::Apache, case, &[(age, Said::WorkersBusy)]);
    let found = full(&Case::default(), 9);
    assert_eq!(found[0].id, FindingId::WebApacheMaxworkers);
    assert_eq!(found[0].to_string(), "Apache is full: all 150 workers are busy");
    assert!(full(&Case::default(), LATELY_S + 1).is_empty());
    assert!(full(&Case { started: Some(NOW - 8), ..Case::default() }, 9).is_empty(), "it started since");
}

#[test]
fn a_worker_that_died_is_a_warning_and_three_are_critical() {
    let severity = |count| judged(&Case::default(), &vec![(9, Said::WorkerDied); count])[0].severity;
    assert_eq!(severity(2), Severity::Warning);
    assert_eq!(severity(3), Severity::Critical);
    assert!(ids(&Case::default(), &[(HOUR_S + 1, Said::WorkerDied)]).is_empty());
}

#[test]
fn a_server_that_could_not_start_again_is_not_blamed_for_what_it_said_before() {
    let lines = [(60, Said::WorkerDied), (50, Said::NoHandles), (9, Said::Broken(None))];
    assert_eq!(ids(&Case { started: None, ..Case::default() }, &lines), [FindingId::WebConfigBroken]);
    assert_eq!(ids(&Case::default(), &lines).len(), 3, "one that runs still has its troubles");
}
