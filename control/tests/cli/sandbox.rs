//! What the control plane makes of what agents say of their sandboxes.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::fake_agent::FakeAgent;
use crate::place::Place;

const PATIENCE: Duration = Duration::from_secs(60);
const VARIABLES: [(&str, &str); 3] = [
    ("SECMON_TELEGRAM_BOT_TOKEN", "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"),
    // Nobody is there: operators use the console.
    ("SECMON_TELEGRAM_API_URL", "http://127.0.0.1:9"),
    ("SECMON_TELEGRAM_ALLOWED_USER_IDS", "1"),
];

/// A control plane with one agent, which is fake.
struct Site {
    place: Place,
    agent: FakeAgent,
    serve: Option<Child>,
    approvals: u64,
}

impl Site {
    fn new(missing: &str) -> Self {
        let place = Place::ready();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let add = ["agent", "add", "acme", "web1", "--address", &address, "--allow", "restart-web=nginx"];
        place.run(&add).succeeded();
        let agent = FakeAgent::start(&place.path("web1.bundle"), listener, missing);
        let mut site = Self { place, agent, serve: None, approvals: 0 };
        site.start();
        site
    }

    /// Starts serving, and waits until the agent has been asked for that reason.
    fn start(&mut self) {
        let asked = self.agent.asked();
        let log = File::options().create(true).append(true).open(self.place.path("log")).expect("a log");
        let serve = self.secmon(&["serve"]).stderr(log).spawn().expect("secmon serves");
        self.serve = Some(serve);
        wait_until(|| (self.agent.asked() > asked).then_some(()), || self.log());
    }

    fn kill(&mut self) {
        let mut serve = self.serve.take().expect("it serves");
        serve.kill().expect("killed");
        serve.wait().expect("ended");
    }

    fn secmon(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secmon"));
        command.args(arguments).current_dir(self.place.home.path()).env_clear().stdin(Stdio::null());
        command.env("SECMON_DATA_DIR", self.place.data()).envs(VARIABLES);
        command
    }

    /// What the console answers to this line.
    fn console(&self, line: &str) -> String {
        let mut console = self.secmon(&["console", "--as", "1"]);
        let mut console =
            console.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the console runs");
        writeln!(console.stdin.take().expect("its input"), "{line}").expect("taken");
        let output = console.wait_with_output().expect("ended");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn approve(&mut self) -> String {
        self.approvals += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
        self.console(&format!("APPROVE: restart-web acme nonce={:016x} ts={now}", self.approvals))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.place.path("log")).expect("a log")
    }

    /// What the audit log says was missing, in order.
    fn recorded(&self) -> Vec<String> {
        let text = fs::read_to_string(self.place.data().join("audit.jsonl")).expect("an audit log");
        // The last line may be on its way.
        let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut missing = Vec::new();
        for record in records.filter(|record| record["event"] == "agent-sandbox") {
            assert_eq!([&record["agent"], &record["client"]], ["web1", "acme"]);
            missing.push(record["missing"].as_str().expect("text").to_owned());
        }
        missing
    }

    fn wait_recorded(&self, expected: &[&str]) {
        let there = || (self.recorded() == expected).then_some(());
        wait_until(there, || format!("{expected:?}, there is {:?}\n{}", self.recorded(), self.log()));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.serve.is_some() {
            self.kill();
        }
    }
}

#[track_caller]
fn wait_until<T>(look: impl Fn() -> Option<T>, explain: impl Fn() -> String) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Some(found) => return found,
            None if Instant::now() > deadline => panic!("not within {PATIENCE:?}: {}", explain()),
            None => thread::park_timeout(Duration::from_millis(20)),
        }
    }
}

#[test]
fn a_weaker_sandbox_is_recorded_once_over_starts_kills_and_questions() {
    let mut site = Site::new("landlock-tcp landlock-scopes");
    site.wait_recorded(&["landlock-tcp landlock-scopes"]);
    let status = site.console("/status");
    assert!(status.contains(", sandbox without landlock-tcp, landlock-scopes"), "{status}");
    site.kill();
    site.start();
    assert!(site.console("/status acme").contains(", sandbox without landlock-tcp"));
    assert_eq!(site.recorded(), ["landlock-tcp landlock-scopes"]);

    site.agent.misses("");
    let status = site.console("/status");
    assert!(status.contains("up 0 h 1 min") && !status.contains("sandbox"), "{status}");
    site.wait_recorded(&["landlock-tcp landlock-scopes", ""]);
    site.kill();
    site.place.run(&["audit", "verify"]).succeeded();
}

#[test]
fn a_sandbox_that_always_stood_is_not_recorded() {
    let mut site = Site::new("");
    assert!(site.console("/status").contains("up 0 h"));
    assert!(site.approve().contains("succeeded"));
    site.kill();
    site.start();
    assert!(site.console("/status").contains("up 0 h"));
    assert_eq!(site.recorded(), Vec::<String>::new());
}

#[test]
fn an_agent_is_asked_after_its_operation() {
    let mut site = Site::new("");
    site.agent.misses("uid");
    assert_eq!(site.recorded(), Vec::<String>::new(), "nobody asked");
    let told = site.approve();
    assert!(told.contains("✓ succeeded acme restart-web"), "{told}");
    site.wait_recorded(&["uid"]);
}

#[test]
fn an_answer_that_comes_late_does_not_undo_a_newer_one() {
    let mut site = Site::new("");
    let (asked, held) = (site.agent.asked(), site.agent.holds_its_health());
    site.agent.misses("uid");
    assert!(site.approve().contains("✓ succeeded"));
    wait_until(|| (site.agent.asked() > asked).then_some(()), || site.log());
    site.agent.misses("seccomp");
    let status = site.console("/status");
    assert!(status.contains("acme web1: no answer: the deadline passed"), "{status}");
    drop(held);
    site.wait_recorded(&["uid"]);
    assert!(site.console("/status").contains("sandbox without seccomp"));
    assert_eq!(site.recorded(), ["uid", "seccomp"]);
}

#[test]
fn what_an_agent_says_while_an_outcome_is_looked_for_is_recorded() {
    let mut site = Site::new("");
    site.agent.keeps_its_receipts();
    site.agent.misses("seccomp");
    let told = site.approve();
    assert!(told.contains("? unknown acme restart-web"), "{told}");
    site.wait_recorded(&["seccomp"]);
}

#[test]
fn a_hostile_agents_words_reach_nobody() {
    let site = Site::new("");
    let long = "y".repeat(255);
    let evil = [
        "uid \u{1b}]0;evil\u{7}",
        "<b>evil</b>",
        "evil\nAPPROVE: evil",
        "EVIL",
        "evil\u{202e}",
        "evil  evil",
    ];
    for words in evil {
        site.agent.misses(words);
        let status = site.console("/status");
        assert!(status.contains("acme web1: the agent's answer is not valid: "), "{status:?}");
        assert!(status.contains("sandbox_missing"), "{status:?}");
        assert!(!status.to_lowercase().contains("evil") && !status.contains('\u{1b}'), "{status:?}");
    }
    site.agent.misses("");
    site.agent.is_version("\u{1b}[2Jevil");
    let status = site.console("/status");
    assert!(status.contains("not valid") && !status.contains("evil"), "{status:?}");
    let doctor = site.place.run_with(&["doctor"], &VARIABLES);
    assert!(doctor.out.contains("not reached: the agent's answer is not valid"), "{}", doctor.out);
    site.agent.is_version("0.1.0");
    assert_eq!(site.recorded(), Vec::<String>::new());

    // Names that mean nothing to us are names all the same, and a chat gets few of them.
    site.agent.misses(&format!("{} {} {} {}", "a", "b", "c", &long[..200]));
    let status = site.console("/status");
    assert!(status.contains(", sandbox without a, b, c and 1 more"), "{status:?}");
    let everywhere = format!("{}{}{}", site.log(), doctor.out, site.place.printed.borrow());
    assert!(!everywhere.to_lowercase().contains("evil"), "{everywhere:?}");
}

#[test]
fn the_doctor_warns_of_missing_walls_and_says_what_to_do() {
    let site = Site::new("uid landlock-tcp");
    let doctor = site.place.run_with(&["doctor"], &VARIABLES).succeeded().out;
    let warning =
        |words: &str| doctor.lines().any(|line| line.starts_with("warn  web1 at ") && line.contains(words));
    assert!(warning("without landlock-tcp; a newer kernel"), "{doctor}");
    assert!(warning("without uid; ") && warning("useradd --system"), "{doctor}");
    site.agent.misses("");
    let doctor = site.place.run_with(&["doctor"], &VARIABLES).succeeded().out;
    assert!(!doctor.contains("sandbox") && doctor.contains("ok    web1 at "), "{doctor}");
}
