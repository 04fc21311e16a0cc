//! A throw-away control plane of the real programs: `secmon serve` on a new data directory, a fake Telegram in
//! front of it, and hosts with real agents and services behind it.
//!
//! It is set up through the command line as an owner would do it. What it says of formats is written here a
//! second time, on purpose; only the list of actions comes from the wire crate.

mod chain;
pub mod cloudflare;
mod codes;
mod records;
mod site;
mod small_disk;

use std::fs::{self, File};
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use secmon_fake_telegram::{FakeTelegram, Incoming, Options, SentMessage, Wait};
use tempfile::TempDir;

pub use chain::{assert_sound_chain, verify_audit};
pub use codes::Codes;
pub use site::{OPERATIONS, Site, new_address};
pub use small_disk::SmallDisk;

use crate::agent_host::{self, PATIENCE, binary, now, text, until};

/// Who may approve. There are many, so that every case of a table can have one of its own: codes and lockouts
/// count by operator.
pub const OPERATORS: RangeInclusive<i64> = 1_000..=2_999;
/// The operator that tests use when it doesn't matter which one.
pub const OWNER: i64 = 1_000;
/// Not one of them.
pub const STRANGER: i64 = 9_000_001;
/// A group in which the bot listens.
pub const ALLOWED_CHAT: i64 = -600;
/// A group in which it doesn't.
pub const OTHER_CHAT: i64 = -700;

const TOTP_SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
static NEXT_OPERATOR: AtomicU64 = AtomicU64::new(0);

/// A control plane.
#[derive(Debug)]
pub struct Plane {
    /// What the operators write to.
    pub telegram: FakeTelegram,
    codes: Option<Codes>,
    serve: Option<Child>,
    /// Messages of the bot that the test has looked at.
    seen: usize,
    /// Audit records that the test has looked at.
    audited: usize,
    /// The last message before an end, and how many there were: it may be sent once more, because none is
    /// ever lost.
    doubtful: Option<(usize, SentMessage)>,
    /// Variables beside the usual ones.
    variables: Vec<(&'static str, String)>,
    dir: TempDir,
}

/// An approval, word by word.
#[derive(Clone, Debug)]
pub struct Line {
    /// The action.
    pub action: String,
    /// The client.
    pub client: String,
    /// The code, where codes are on.
    pub otp: Option<String>,
    /// The one-time number.
    pub nonce: String,
    /// Seconds since the epoch.
    pub ts: u64,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { action, client, otp, nonce, ts } = self;
        write!(f, "APPROVE: {action} {client}")?;
        otp.iter().try_for_each(|otp| write!(f, " otp={otp}"))?;
        write!(f, " nonce={nonce} ts={ts}")
    }
}

/// Whether approvals carry one-time codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Totp {
    /// They do.
    On,
    /// They don't.
    Off,
}

impl Plane {
    /// A control plane with its data directory made, and not yet running.
    pub fn new(totp: Totp) -> Self {
        Self::facing(totp, Options::default())
    }

    /// The same with a Telegram of one's own making.
    pub fn facing(totp: Totp, options: Options) -> Self {
        let dir = tempfile::Builder::new().prefix("secmon-plane-").tempdir().expect("a temporary directory");
        let codes = (totp == Totp::On).then(|| Codes::new(TOTP_SECRET));
        let telegram = FakeTelegram::start(options);
        for chat in [ALLOWED_CHAT, OTHER_CHAT] {
            telegram.add_chat(&serde_json::json!({"id": chat, "type": "group", "title": "A group"}));
        }
        let plane = Self {
            telegram,
            codes,
            serve: None,
            seen: 0,
            audited: 0,
            doubtful: None,
            variables: Vec::new(),
            dir,
        };
        plane.secmon(&["init"]);
        plane
    }

    /// A running control plane with one client, acme, whose one host web1 offers every operation.
    pub fn running(totp: Totp) -> (Self, Site) {
        let mut plane = Self::new(totp);
        let mut site = plane.site("acme", "web1", OPERATIONS);
        site.start();
        plane.start();
        (plane, site)
    }

    /// A path under this control plane's directory.
    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file of the data directory.
    pub fn data(&self, name: &str) -> PathBuf {
        self.at("data").join(name)
    }

    /// Sets a variable for every command and start from now on, in the place of its usual value.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.to_owned()));
    }

    /// A `secmon` command in this control plane's environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(binary("secmon"));
        let operators: Vec<_> = OPERATORS.map(|id| id.to_string()).collect();
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("SECMON_DATA_DIR", self.at("data"));
        command.env("SECMON_TELEGRAM_BOT_TOKEN", self.telegram.token());
        command.env("SECMON_TELEGRAM_API_URL", self.telegram.url());
        command.env("SECMON_TELEGRAM_ALLOWED_USER_IDS", operators.join(","));
        command.env("SECMON_TELEGRAM_ALLOWED_CHAT_IDS", ALLOWED_CHAT.to_string());
        if self.codes.is_some() {
            command.env("SECMON_TELEGRAM_TOTP_SECRET", TOTP_SECRET);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs `secmon` to its end, which must be a good one; what it printed.
    pub fn secmon(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().expect("secmon runs");
        assert!(output.status.success(), "secmon {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs `secmon` to its end, whatever that is.
    pub fn attempt(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("secmon runs")
    }

    /// Pipes lines into `secmon console` as an operator, to its end; what it printed.
    pub fn console(&self, operator: i64, lines: &[String]) -> String {
        let mut command = self.command();
        command.args(["console", "--as", &operator.to_string()]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("secmon runs");
        let mut stdin = child.stdin.take().expect("a piped stdin");
        lines.iter().try_for_each(|line| writeln!(stdin, "{line}")).expect("the console reads");
        drop(stdin);
        let output = child.wait_with_output().expect("the console ends");
        assert!(output.status.success(), "secmon console: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Adds a client and a host of it that offers `operations`. Its agent isn't started.
    pub fn site(&self, client: &str, agent: &str, operations: &[&'static str]) -> Site {
        self.client(client);
        self.another_site(client, agent, operations)
    }

    /// Adds one more host of a client.
    pub fn another_site(&self, client: &str, agent: &str, operations: &[&'static str]) -> Site {
        Site::new(self, client, agent, operations)
    }

    /// Adds a client without hosts.
    pub fn client(&self, client: &str) {
        self.secmon(&["client", "add", client]);
    }

    /// Starts `secmon serve` and returns once it serves.
    pub fn start(&mut self) {
        let from = self.log().len();
        self.spawn();
        until("secmon to serve", || {
            let log = self.log();
            let running = matches!(self.serve.as_mut()?.try_wait(), Ok(None));
            assert!(running, "secmon serve ended: {log}");
            log.get(from..)?.contains("serving").then_some(())
        });
    }

    /// Starts `secmon serve`, which must refuse; what it said.
    pub fn refusal_to_start(&mut self) -> String {
        let from = self.log().len();
        self.spawn();
        let mut child = self.serve.take().expect("a process that was started");
        let status = until("secmon serve to refuse", || child.try_wait().expect("a child of ours"));
        assert_eq!(status.code(), Some(1), "{}", self.log());
        self.log().split_off(from)
    }

    /// Ends `secmon serve` as a service manager does.
    pub fn stop(&mut self) {
        let mut child = self.serve.take().expect("a running control plane");
        signal(&child, "TERM");
        let status = until("secmon serve to end", || child.try_wait().expect("a child of ours"));
        assert!(status.success(), "secmon serve: {status}: {}", self.log());
        self.doubt_the_last_message();
    }

    /// kill -9, as a crash does, and waits until the process is gone.
    pub fn kill(&mut self) {
        let mut child = self.serve.take().expect("a running control plane");
        child.kill().expect("a child that can be killed");
        child.wait().expect("a child that ends");
        self.doubt_the_last_message();
    }

    /// What `secmon serve` has written to stderr since the test began.
    pub fn log(&self) -> String {
        text(&fs::read(self.at("serve.log")).unwrap_or_default())
    }

    /// Waits until the log holds `words`.
    pub fn wait_log(&self, words: &str) {
        until(&format!("the log to say {words:?}"), || self.log().contains(words).then_some(()));
    }

    /// A well-formed approval of now, with a new nonce, and the current code where codes are on.
    pub fn line(&mut self, action: &str, client: &str) -> Line {
        let otp = self.codes.as_mut().map(|codes| codes.at(now()));
        let nonce = agent_host::nonce();
        Line { action: action.to_owned(), client: client.to_owned(), otp, nonce, ts: now() }
    }

    /// The codes, where they are on.
    pub fn codes(&mut self) -> &mut Codes {
        self.codes.as_mut().expect("a control plane with codes")
    }

    /// An operator whom no other part of this test uses.
    pub fn new_operator(&self) -> i64 {
        let next = i64::try_from(NEXT_OPERATOR.fetch_add(1, Ordering::Relaxed)).expect("a small number");
        let operator = OWNER + 1 + next;
        assert!(OPERATORS.contains(&operator), "too few operators");
        operator
    }

    /// An operator writes; what the bot answers.
    pub fn ask(&mut self, operator: i64, message: impl ToString) -> SentMessage {
        self.send(&Incoming::new(operator, message.to_string()))
    }

    /// An operator asks for what takes a while; the bot's one message, once its answer stands in it.
    pub fn ask_patiently(&mut self, operator: i64, message: impl ToString) -> SentMessage {
        self.telegram.text(operator, message.to_string());
        self.patient_reply()
    }

    /// The bot's next message, once what it announced has taken its place.
    pub fn patient_reply(&mut self) -> SentMessage {
        let next = self.seen;
        self.seen += 1;
        until("a sign of life to become an answer", || {
            let sent = self.telegram.sent().into_iter().nth(next)?;
            (!sent.edits.is_empty()).then_some(sent)
        })
    }

    /// The same for a message of any form.
    pub fn send(&mut self, incoming: &Incoming) -> SentMessage {
        self.telegram.receive(incoming);
        let answer = self.reply();
        assert_eq!(
            answer.chat_id,
            incoming.chat_id(),
            "an answer goes where the question came from: {answer:?}"
        );
        answer
    }

    /// The bot's next message that isn't only a sign of life.
    pub fn reply(&mut self) -> SentMessage {
        loop {
            self.seen += 1;
            let sent = self.telegram.wait_sent(self.seen, PATIENCE);
            let reply = sent.get(self.seen - 1);
            let reply = reply.unwrap_or_else(|| panic!("no answer; secmon says: {}", self.log()));
            let repeats = |last: &SentMessage| last.chat_id == reply.chat_id && last.text() == reply.text();
            let doubtful = self.doubtful.take_if(|(count, _)| self.seen > *count);
            let repeated = doubtful.is_some_and(|(_, last)| repeats(&last));
            if !reply.text().starts_with("… ") && !repeated {
                return reply.clone();
            }
        }
    }

    /// The bot's next message, which must begin with `start`.
    pub fn expect(&mut self, start: &str) -> String {
        let reply = self.reply();
        assert!(reply.text().starts_with(start), "{:?} instead of {start:?}: {}", reply.text(), self.log());
        reply.text().to_owned()
    }

    /// Shows that the bot serves, and that it has said nothing that the test hasn't looked at.
    pub fn assert_quiet(&mut self) {
        let operator = self.new_operator();
        let answer = self.ask(operator, "/whoami");
        assert_eq!(answer.text(), format!("You are {operator}."));
        assert_eq!(self.telegram.sent().len(), self.seen, "{:?}", self.telegram.sent().last());
    }

    /// Waits until every update is handled and the bot polls for more.
    pub fn wait_idle(&self) {
        assert!(self.telegram.wait_idle(PATIENCE), "the bot doesn't poll: {}", self.log());
    }

    /// Waits until the bot has made `count` requests to `method` in all.
    pub fn wait_requests(&self, method: &str, count: usize) {
        let wanted = Wait { requests: Some(count), method: Some(method.to_owned()), ..Wait::default() };
        assert!(self.telegram.wait(&wanted, PATIENCE), "fewer than {count} {method}: {}", self.log());
    }

    /// Approves, and once more when the host's minimum interval is over if it refuses for that; the last answer.
    pub fn approve_when_due(&mut self, action: &str, client: &str) -> String {
        loop {
            let operator = self.new_operator();
            let line = self.line(action, client);
            let answer = self.ask(operator, line).text().to_owned();
            let wait =
                answer.split_once("interval: possible again in ").and_then(|(_, rest)| rest.split_once(' '));
            let Some((seconds, _)) = wait else { return answer };
            let due = now() + seconds.parse::<u64>().expect("a number of seconds");
            until("the minimum interval to pass", || (now() >= due).then_some(()));
        }
    }

    /// Runs Python on the database of a control plane that doesn't run.
    pub fn sql(&self, statement: &str) {
        assert!(self.serve.is_none(), "the database is in use");
        let script =
            "import sqlite3,sys\nd=sqlite3.connect(sys.argv[1])\nd.executescript(sys.argv[2])\nd.close()";
        let mut python = Command::new("python3");
        let output = python.args(["-c", script]).arg(self.data("secmon.db")).arg(statement).output();
        let output = output.expect("python3 runs");
        assert!(output.status.success(), "{statement}: {}", text(&output.stderr));
    }

    fn doubt_the_last_message(&mut self) {
        let mut sent = self.telegram.sent();
        let count = sent.len();
        self.doubtful = sent.pop().map(|last| (count, last));
    }

    fn spawn(&mut self) {
        assert!(self.serve.is_none(), "one control plane per directory");
        let log = File::options().create(true).append(true).open(self.at("serve.log")).expect("a log file");
        let mut command = self.command();
        command.arg("serve").stdout(Stdio::null()).stderr(log);
        self.serve = Some(command.spawn().expect("secmon runs"));
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        if let Some(mut serve) = self.serve.take() {
            // Best effort: the test has its verdict already.
            let _killed = serve.kill();
            let _ended = serve.wait();
        }
        if thread::panicking() {
            eprintln!("secmon said: {}", self.log());
        }
    }
}

/// Sends a signal to a child that is still ours.
fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success(), "kill -{name}");
}
