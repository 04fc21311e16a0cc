//! What a line of a web server's error log says, as far as it matters here.
//!
//! Visitors write parts of these lines. So a message is only taken for what it is at the very place where the server
//! begins it, and what is read behind it (path, host) is shown at most.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::time::stamp;

/// One of the things that are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// It can't start like this; the file at fault, if it is named.
    Broken(Option<&'a str>),
    /// Somebody else has this port.
    PortTaken(u16),
    /// This key doesn't fit its certificate; the key's file, if it is named.
    KeyMismatch(Option<&'a str>),
    /// No connection is left, of so many.
    NoConnections(u64),
    /// Idle connections are closed to have some left.
    FewConnections(u64),
    /// All workers are busy, or none can be started.
    WorkersBusy,
    /// No file handle is left.
    NoHandles,
    /// A body that is too large.
    TooLarge(Request<'a>),
    /// An answer whose header is too large.
    BigHeader(Request<'a>),
    /// A worker of its own died of an error.
    WorkerDied,
    /// PHP could not be reached at this socket or address.
    Unreachable(Failure, &'a str, Request<'a>),
    /// PHP hung up without an answer.
    HungUp(Request<'a>),
    /// PHP did not answer in time.
    NoAnswer(Request<'a>),
    /// What PHP itself said.
    Php(&'a str),
}

/// Why PHP could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no socket.
    Absent,
    /// Nobody listens.
    Refused,
    /// The web server may not open it.
    Permission,
    /// Its queue is full.
    Full,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// Without its query; empty if the line doesn't say.
    pub path: &'a str,
    /// The site's name as the visitor wrote it; empty if the line doesn't say.
    pub host: &'a str,
    /// Whether a page led there.
    pub referred: bool,
}

impl Failure {
    const fn of(errno: u64) -> Option<Self> {
        match errno {
            2 => Some(Self::Absent),
            11 => Some(Self::Full),
            13 => Some(Self::Permission),
            111 => Some(Self::Refused),
            _ => None,
        }
    }
}

/// Reads a line of nginx's log, or one that it writes to its terminal.
pub fn nginx(line: &str) -> Option<Said<'_>> {
    let rest = match stamp(line.as_bytes()) {
        Some((_, len)) => line.get(len..)?.trim_start(),
        None => line.strip_prefix("nginx: ")?,
    };
    let (level, rest) = rest.strip_prefix('[')?.split_once("] ")?;
    // `766#766: *2328 ` is not there on the terminal.
    let message = match rest.split_once(": ") {
        Some((ids, message)) if ids.bytes().all(|c| c.is_ascii_digit() || c == b'#') => message,
        _ => rest,
    };
    let message = match message.strip_prefix('*').and_then(|message| message.split_once(' ')) {
        Some((id, message)) if id.bytes().all(|c| c.is_ascii_digit()) => message,
        _ => message,
    };
    if level == "emerg" { emergency(message) } else { nginx_message(message) }
}

fn emergency(message: &str) -> Option<Said<'_>> {
    if message.contains("(24: ") {
        return Some(Said::NoHandles);
    }
    if let Some(rest) = message.strip_prefix("bind() to ") {
        let (address, failure) = rest.split_once(" failed (")?;
        if failure.starts_with("98: ") {
            return address.rsplit_once(':')?.1.parse().ok().map(Said::PortTaken);
        }
    }
    if message == "still could not bind()" {
        return None;
    }
    if message.contains("key values mismatch") {
        return Some(Said::KeyMismatch(quoted(message)));
    }
    Some(Said::Broken(named_file(message)))
}

/// The file in `... in /etc/nginx/conf.d/bad.conf:1`.
fn named_file(message: &str) -> Option<&str> {
    let (_, place) = message.rsplit_once(" in /")?;
    let (path, number) = place.rsplit_once(':')?;
    let start = message.len().checked_sub(place.len())?.checked_sub(1)?;
    let end = start.checked_add(path.len())?.checked_add(1)?;
    number.trim_end().bytes().all(|c| c.is_ascii_digit()).then(|| message.get(start..end)).flatten()
}

fn quoted(text: &str) -> Option<&str> {
    Some(text.split_once('"')?.1.split_once('"')?.0)
}

fn nginx_message(message: &str) -> Option<Said<'_>> {
    if let Some(text) = message.strip_prefix("FastCGI sent in stderr: \"") {
        return Some(Said::Php(text));
    }
    // From here on, only what stands before the visitor's own words decides.
    let head = message.split_once(", client: ").map_or(message, |(head, _)| head);
    let request = || request(message);
    if let Some((limit, rest)) = head.split_once(" worker_connections are not enough") {
        let limit = limit.parse().ok()?;
        return Some(if rest.is_empty() { Said::NoConnections(limit) } else { Said::FewConnections(limit) });
    }
    if head.contains(" failed (24: ") {
        return Some(Said::NoHandles);
    }
    if head.starts_with("client intended to send too large body") {
        return Some(Said::TooLarge(request()));
    }
    if head.starts_with("upstream sent too big header") {
        return Some(Said::BigHeader(request()));
    }
    if let Some((_, signal)) =
        head.strip_prefix("worker process ").and_then(|h| h.split_once(" exited on signal "))
    {
        return died_of_error(number(signal)).then_some(Said::WorkerDied);
    }
    if head.starts_with("connect() ") && head.ends_with("while connecting to upstream") {
        let failure = Failure::of(number(head.split_once(" failed (")?.1))?;
        let to = match head.strip_prefix("connect() to unix:") {
            Some(rest) => rest.split_once(" failed (")?.0,
            None => fastcgi(message)?,
        };
        return Some(Said::Unreachable(failure, to, request()));
    }
    let _it_is_php = fastcgi(message)?;
    if head.starts_with("recv() failed (104: ") || head.starts_with("upstream prematurely closed connection")
    {
        return Some(Said::HungUp(request()));
    }
    head.starts_with("upstream timed out (110: ").then(|| Said::NoAnswer(request()))
}

/// What died by its own fault, and not because somebody ended it: SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV.
pub(crate) const fn died_of_error(signal: u64) -> bool {
    matches!(signal, 4 | 6 | 7 | 8 | 11)
}

/// The number that a text begins with; 0 without one.
pub(crate) fn number(text: &str) -> u64 {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..digits).and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

fn fastcgi(message: &str) -> Option<&str> {
    let upstream = field(message, "upstream")?.strip_prefix("fastcgi://")?;
    Some(upstream.strip_prefix("unix:").unwrap_or(upstream).trim_end_matches(':'))
}

fn request(message: &str) -> Request<'_> {
    let path = field(message, "request").and_then(|request| request.split(' ').nth(1)).unwrap_or_default();
    Request {
        path: path.split_once('?').map_or(path, |(path, _)| path),
        host: field(message, "host").unwrap_or_default(),
        referred: field(message, "referrer").is_some(),
    }
}

/// `, name: "value"`
fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = message;
    while let Some((_, after)) = rest.split_once(", ") {
        if let Some(value) = after.strip_prefix(name).and_then(|after| after.strip_prefix(": \"")) {
            return value.split_once('"').map(|(value, _)| value);
        }
        rest = after;
    }
    None
}

/// Reads a line of Apache's log, or one that it writes to its terminal.
pub fn apache(line: &str) -> Option<Said<'_>> {
    let mut rest = stamp(line.as_bytes()).map_or(line, |(_, len)| line.get(len..).unwrap_or_default());
    let mut errno = 0;
    let mut level = "";
    // `[module:level] [pid 1:tid 2] (2)No such file or directory: [client 192.0.2.1:5] `, not always all of them.
    loop {
        rest = rest.trim_start();
        if let Some((inside, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            if level.is_empty() {
                level = inside;
            }
            rest = after;
        } else if let Some((inside, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(": ")) {
            errno = number(inside);
            rest = after;
        } else {
            break;
        }
    }
    if rest.starts_with("PHP ") {
        return Some(Said::Php(rest));
    }
    // The terminal's line has the program's name before it.
    let rest = rest.strip_prefix("apache2: ").or_else(|| rest.strip_prefix("httpd: ")).unwrap_or(rest);
    let (code, message) = rest.split_once(": ")?;
    apache_message(code, message, errno, level.ends_with(":emerg"))
}

/// What Apache's library has for an error number where a connection ended.
const END_OF_FILE: u64 = 70014;

fn apache_message<'a>(code: &str, message: &'a str, errno: u64, emergency: bool) -> Option<Said<'a>> {
    match (code, errno) {
        (_, 24) => Some(Said::NoHandles),
        ("AH00072", 98) => message.trim_end().rsplit_once(':')?.1.parse().ok().map(Said::PortTaken),
        ("AH02565", _) => {
            Some(Said::KeyMismatch(message.rsplit_once(" and ").and_then(|(_, rest)| rest.split(' ').next())))
        }
        ("AH00526", _) => {
            Some(Said::Broken(message.rsplit_once(" of ").map(|(_, file)| file.trim_end_matches(':'))))
        }
        // What follows from a port that is taken.
        ("AH00015" | "AH00451", _) => None,
        ("AH00161" | "AH00484" | "AH00485" | "AH03490", _) => Some(Said::WorkersBusy),
        ("AH00051" | "AH00052", _) => {
            let signal = message.rsplit_once('(').map_or(0, |(_, signal)| number(signal));
            died_of_error(signal).then_some(Said::WorkerDied)
        }
        ("AH02454", errno) => {
            let socket = message.split_once("Unix domain socket ")?.1.split(' ').next()?;
            Some(Said::Unreachable(Failure::of(errno)?, socket, Request::default()))
        }
        ("AH00957", 111) if message.starts_with("FCGI: attempt to connect to ") => {
            let address = message.split_once("connect to ")?.1.split(' ').next()?;
            Some(Said::Unreachable(Failure::Refused, address, Request::default()))
        }
        ("AH01075", 70007) => Some(Said::NoAnswer(Request::default())),
        // Whether the other side's kernel ends a connection or resets it is a matter of moments.
        ("AH01067" | "AH01075", 104 | END_OF_FILE) => Some(Said::HungUp(Request::default())),
        ("AH01071", _) => message.strip_prefix("Got error '").map(Said::Php),
        _ if emergency => Some(Said::Broken(None)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "said_tests.rs"]
mod tests;
