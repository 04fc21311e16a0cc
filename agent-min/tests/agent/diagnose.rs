//! Looking at the host: a process for each request, within what the manifest allows, and what one that was taken
//! over can do to the others, which is nothing.

use std::path::{Path, PathBuf};
use std::time::Instant;

use secmon_wire::diag::Report;
use secmon_wire::{Area, Health};

use crate::host::{Agent, Host, Response, Talk, now, wait_until};

fn look(host: &Host, agent: &Agent, query: &str) -> Response {
    agent.get(host.control(), &format!("/v1/diag{query}"))
}

/// Looks until it is no longer too soon after the last time.
fn look_when_due(host: &Host, agent: &Agent, query: &str) -> Response {
    let mut answer = None;
    wait_until("the agent looks", || {
        answer = Some(look(host, agent, query)).filter(|answer| answer.status != 503);
        answer.is_some()
    });
    answer.expect("an answer")
}

fn areas(answer: &Response) -> Vec<Area> {
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("application/json")));
    let report = Report::read(&answer.body).expect("a report");
    assert!(report.clock.abs_diff(now()) < 60);
    assert_ne!(report.boot, [0; 16]);
    report.areas.to_vec()
}

#[test]
fn a_report_covers_what_was_asked_for_and_the_manifest_allows() {
    let host = Host::new();
    host.allow_looking_at(&[Area::Db, Area::Web]);
    let agent = host.start();
    for (query, expected) in [
        ("?area=web", [Area::Web].as_slice()),
        ("?area=all", &[Area::Db, Area::Web]),
        ("", &[Area::Db, Area::Web]),
        ("?area=disk,db", &[Area::Db]),
    ] {
        assert_eq!(areas(&look_when_due(&host, &agent, query)), expected, "{query}");
    }
    assert_eq!(look_when_due(&host, &agent, "?area=disk").status, 403);
    wait_until("its process is gone", || agent.process("diagnostics").is_none());
}

#[test]
fn the_first_look_is_made_at_once_and_the_next_one_a_second_later() {
    let host = Host::new();
    host.allow_looking_at(&[Area::Web]);
    let agent = host.start();
    wait_until("the one of the start is gone", || agent.process("diagnostics").is_none());
    let begun = Instant::now();
    let first = look(&host, &agent, "");
    let soon = look(&host, &agent, "");
    // Within the second, unless this machine took that long for the two.
    let expected = if begun.elapsed().as_millis() < 1_000 { 503 } else { soon.status };
    assert_eq!((first.status, soon.status), (200, expected));
}

#[test]
fn without_a_word_of_it_in_the_manifest_nothing_is_looked_at() {
    let host = Host::new();
    let agent = host.start();
    assert_eq!(look(&host, &agent, "?area=all").status, 403);
}

#[test]
fn the_walls_around_it_are_named_by_check_and_health() {
    let host = Host::new();
    let agent = host.start();
    let check = host.run_command("check");
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    let walls = text.lines().find_map(|line| line.strip_prefix("diagnostics walls: "));
    assert!(walls.is_some_and(|walls| walls.contains("not-dumpable")), "{text}");
    // What check calls missing, health does, too, beside the user that it shares.
    let lacks = text.lines().find_map(|line| line.strip_prefix("diagnostics lacks: ")).unwrap_or_default();
    let shares = text.contains("so the diagnostics process runs as 65534");
    let expected: Vec<_> = lacks.split_ascii_whitespace().chain(shares.then_some("own-uid")).collect();
    let mut said = Vec::new();
    wait_until("health says the same", || {
        let health = Health::read(&agent.get(host.control(), "/v1/health").body).expect("health");
        let names = health.sandbox_missing.split(' ').filter_map(|name| name.strip_prefix("diag:"));
        said = names.map(str::to_owned).collect();
        said == expected
    });
}

/// A host on which the diagnostics process is a script: `$1` is its role, 3 its channel, 4 the pipe for the report.
struct Captured {
    host: Host,
    program: PathBuf,
}

impl Captured {
    fn new() -> Self {
        let host = Host::new();
        host.allow_looking_at(&[Area::Web]);
        let program = host.path("agent");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = diagnostics ] && [ -f {worst} ] && . {worst}\nexec {agent} \"$@\"\n",
            worst = host.path("worst").display(),
            agent = Path::new(env!("CARGO_BIN_EXE_secmon-agent")).display(),
        );
        host.write("agent", script.as_bytes(), 0o755);
        Self { host, program }
    }
}

#[test]
fn one_that_was_taken_over_gets_an_error_for_its_asker_and_nothing_else() {
    let captured = Captured::new();
    let host = &captured.host;
    let agent = host.start_as(&captured.program);
    assert_eq!(areas(&look_when_due(host, &agent, "")), [Area::Web]);
    for (worst, what) in [
        ("exit 3", "ends at once"),
        ("exit 0", "ends as if all were well"),
        ("printf '\\377\\377\\377\\377' >&4; exit 0", "says that more comes than ever does"),
        ("printf '\\100\\0\\0\\0short' >&4; exit 0", "says that more comes than there is"),
        ("printf '\\5\\0\\0\\0' >&4; exit 0", "sends a length and no report"),
        ("head -c 70000 /dev/zero >&4; exit 1", "leaves what nobody asked for"),
        ("exec cat /dev/zero >&4", "never stops writing"),
        ("exec 3>&-; exec sleep 600", "closes its channel and stays"),
        ("trap '' TERM HUP; exec sleep 600", "does nothing"),
    ] {
        host.write("worst", worst.as_bytes(), 0o644);
        let network = agent.network_process();
        let begun = Instant::now();
        // Where the head was sent already, the connection is cut.
        let answer = look_until_begun(host, &agent, what);
        assert!(answer.is_none_or(|answer| answer.status == 503), "{what}");
        assert!(begun.elapsed().as_secs() < 9, "{what}: ended in time");
        assert_eq!(agent.network_process(), network, "{what}: the network process is untouched");
        std::fs::remove_file(host.path("worst")).expect("removed");
        assert_eq!(areas(&look_when_due(host, &agent, "")), [Area::Web], "after one that {what}");
    }
}

/// Looks until one has been started for it, which it shows by a file.
fn look_until_begun(host: &Host, agent: &Agent, what: &str) -> Option<Response> {
    let worst = std::fs::read_to_string(host.path("worst")).expect("a script");
    let mark = host.path("begun");
    host.write("worst", format!(": >{}\n{worst}", mark.display()).as_bytes(), 0o644);
    let mut answer = None;
    wait_until(what, || {
        let mut tls = agent.connect(host.control());
        tls.send(b"GET /v1/diag HTTP/1.1\r\nHost: web1\r\n\r\n");
        answer = tls.try_receive().ok();
        mark.exists()
    });
    std::fs::remove_file(mark).expect("removed");
    answer
}

#[test]
fn one_that_hangs_holds_nobody_up() {
    let captured = Captured::new();
    let host = &captured.host;
    host.write("worst", b"exec sleep 600", 0o644);
    let agent = host.start_as(&captured.program);
    // It has the name of the script, or of what that became.
    let children = format!("/proc/{0}/task/{0}/children", agent.id());
    let runs = || {
        let children = std::fs::read_to_string(&children).unwrap_or_default();
        children.split_ascii_whitespace().count() == 2
    };
    // The one that is tried out at the start hangs as well.
    wait_until("the one of the start is gone", || agent.network_process().is_some() && !runs());
    let mut first = agent.connect(host.control());
    first.send(b"GET /v1/diag HTTP/1.1\r\nHost: web1\r\n\r\n");
    wait_until("it runs", runs);
    for _ in 0..50 {
        assert_eq!(agent.get(host.control(), "/v1/health").status, 200);
    }
    assert_eq!(look(host, &agent, "").status, 503, "one at a time");
    assert!(runs(), "all that was answered meanwhile");
    assert_eq!(first.receive().status, 503);
    wait_until("it is gone", || !runs());
}
