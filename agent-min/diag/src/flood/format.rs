//! How a log's lines are made: from the text of nginx' `log_format` or Apache's `LogFormat`, or found out line by
//! line where the configuration doesn't say.

use std::net::IpAddr;

use super::bytes::{closing_quote, find_text};
use super::json::{Rewritten, json};
use super::line::{Line, address, common, is_method, or_nothing, request, target_parts};
use super::time::{Clock, number};
use crate::networks::{is_cloudflare, is_private};

/// Parts that a format may have; the rest is not looked at.
const STEPS_MAX: usize = 64;
/// Bytes of a format that are read.
const FORMAT_MAX: usize = 4096;
/// What the combined format begins with in both languages. The parser of [`common`] reads these lines fastest.
const COMMON: [&str; 4] = [
    "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent",
    "%h %l %u %t \"%r\" %>s %b",
    "%h %l %u %t \"%r\" %>s %O",
    "%v:%p %h %l %u %t \"%r\" %>s %O",
];

/// How lines are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Common, combined, or JSON: each line shows which.
    Guess,
    /// Fields with fixed texts between them.
    Steps(Vec<Step>),
}

/// A field, and the text behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    field: Field,
    until: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Other,
    Time,
    /// Apache's `%t`, which brings its own brackets.
    TimeInBrackets,
    Client,
    Edge,
    Forwarded,
    Request,
    Method,
    Target,
    Query,
    Status,
    Size,
    Referer,
    Agent,
    Cache,
    Seconds,
    Microseconds,
}

impl Format {
    /// Reads a format as a configuration spells it; a name or nothing of use means to guess.
    pub(super) fn new(text: Option<&str>) -> Self {
        let Some(text) = text.filter(|text| text.len() <= FORMAT_MAX) else { return Self::Guess };
        let text = unquoted(text);
        let beyond = ["connecting_ip", "forwarded_for", "cache_status", "request_time"];
        let beyond =
            beyond.iter().any(|name| text.contains(name)) || text.to_ascii_lowercase().contains("}i %{");
        if !beyond && COMMON.iter().any(|common| text.starts_with(common)) {
            return Self::Guess;
        }
        let steps = if text.contains('$') { nginx(&text) } else { apache(&text) };
        let has = |wanted: &[Field]| steps.iter().any(|step| wanted.contains(&step.field));
        let timed = has(&[Field::Time, Field::TimeInBrackets]);
        if timed && has(&[Field::Status]) { Self::Steps(steps) } else { Self::Guess }
    }

    /// Reads a line. One that isn't in this format may still be in a known one: formats change, logs stay.
    #[inline]
    pub(super) fn read<'a>(
        &self,
        line: &'a [u8],
        clock: &mut Clock,
        room: &'a mut Rewritten,
    ) -> Option<Line<'a>> {
        if let Self::Steps(steps) = self
            && let Some(read) = follow(steps, line, clock)
        {
            return Some(read);
        }
        if line.first() == Some(&b'{') { json(line, clock, room) } else { common(line, clock) }
    }
}

fn follow<'a>(steps: &[Step], text: &'a [u8], clock: &mut Clock) -> Option<Line<'a>> {
    let mut line = Line::default();
    let (mut time, mut status, mut edge, mut forwarded) = (None, None, None, None);
    let mut rest = text;
    for step in steps {
        let end = match step.until.first() {
            None => rest.len(),
            Some(b'"') if step.field != Field::Other => {
                let end = closing_quote(rest)?;
                if !rest.get(end..)?.starts_with(&step.until) { find_text(&step.until, rest)? } else { end }
            }
            Some(_) => find_text(&step.until, rest)?,
        };
        let value = rest.get(..end)?;
        rest = rest.get(end.wrapping_add(step.until.len())..)?;
        match step.field {
            Field::Time => time = clock.read(value),
            Field::TimeInBrackets => time = clock.read(value.strip_prefix(b"[")?),
            Field::Client => line.client = address(value),
            Field::Edge => edge = address(value),
            Field::Forwarded => forwarded = last_hop(value),
            Field::Request => (line.method, line.path, line.query) = request(value),
            Field::Method => line.method = if is_method(value) { value } else { b"" },
            Field::Target if line.path.is_empty() => (line.path, line.query) = target_parts(value),
            Field::Query => line.query = or_nothing(value.strip_prefix(b"?").unwrap_or(value)),
            Field::Status => status = number(value).and_then(|status| u16::try_from(status).ok()),
            Field::Size => line.size = number(value).unwrap_or(0),
            Field::Referer => line.referer = or_nothing(value),
            Field::Agent => line.agent = or_nothing(value),
            Field::Cache => line.cache = or_nothing(value),
            Field::Seconds => line.milliseconds = milliseconds(value),
            Field::Microseconds => line.milliseconds = number(value).unwrap_or(0) / 1_000,
            Field::Other | Field::Target => {}
        }
    }
    (line.time, line.status) = (time?, status?);
    line.client = real_client(line.client, edge, forwarded);
    if line.method.is_empty() {
        (line.path, line.query) = (b"", b"");
    }
    Some(line)
}

/// Whose request it was: what Cloudflare says of its visitor counts only where the peer is Cloudflare, or a proxy on
/// this host or network; anybody else could have written that header.
pub(super) fn real_client(
    peer: Option<IpAddr>,
    edge: Option<IpAddr>,
    forwarded: Option<IpAddr>,
) -> Option<IpAddr> {
    match peer {
        Some(peer) if !is_cloudflare(peer) && !is_private(peer) => Some(peer),
        _ => edge.or(forwarded).or(peer),
    }
}

/// The last address of `X-Forwarded-For`: the one that the nearest proxy wrote.
pub(super) fn last_hop(list: &[u8]) -> Option<IpAddr> {
    list.rsplit(|byte| *byte == b',').next().and_then(|last| address(last.trim_ascii()))
}

/// `0.250` seconds.
pub(super) fn milliseconds(text: &[u8]) -> u64 {
    let (seconds, fraction) = super::bytes::split(b'.', text).unwrap_or((text, b""));
    let thousandths = fraction.get(..3).unwrap_or_default();
    let seconds = number(seconds).unwrap_or(0).saturating_mul(1_000);
    seconds.saturating_add(number(thousandths).unwrap_or(0))
}

/// The text without the quotes that a configuration file puts around its pieces, and without nginx' `escape=`.
fn unquoted(text: &str) -> String {
    let mut text = text.trim();
    if let Some(rest) = text.strip_prefix("escape=") {
        text = rest.split_once(char::is_whitespace).map_or("", |(_, format)| format.trim_start());
    }
    let Some(quote) =
        text.chars().next().filter(|first| *first == '\'' || *first == '"' && text.contains("\\\""))
    else {
        return text.replace("\\\"", "\"");
    };
    let mut out = String::new();
    let (mut inside, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if escaped => (escaped, _) = (false, out.push(c)),
            '\\' => escaped = true,
            _ if c == quote => inside = !inside,
            _ if inside => out.push(c),
            _ => {}
        }
    }
    out
}

fn nginx(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut pieces = text.split('$');
    let lead = pieces.next().unwrap_or_default();
    if !lead.is_empty() {
        // What stands before the first field is a field of no interest.
        steps.push(Step { field: Field::Other, until: lead.as_bytes().to_vec() });
    }
    for piece in pieces.take(STEPS_MAX) {
        let (name, until) = match piece.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some(split) => split,
            None => {
                let end = piece.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                piece.split_at(end.unwrap_or(piece.len()))
            }
        };
        steps.push(Step { field: nginx_field(name), until: until.as_bytes().to_vec() });
    }
    steps
}

fn nginx_field(name: &str) -> Field {
    match name {
        "time_local" | "time_iso8601" | "msec" => Field::Time,
        "remote_addr" => Field::Client,
        "http_cf_connecting_ip" => Field::Edge,
        "http_x_forwarded_for" | "proxy_add_x_forwarded_for" | "http_x_real_ip" => Field::Forwarded,
        "request" => Field::Request,
        "request_method" => Field::Method,
        "request_uri" | "uri" => Field::Target,
        "args" | "query_string" => Field::Query,
        "status" => Field::Status,
        "body_bytes_sent" | "bytes_sent" => Field::Size,
        "http_referer" => Field::Referer,
        "http_user_agent" => Field::Agent,
        "upstream_cache_status" => Field::Cache,
        "request_time" => Field::Seconds,
        _ => Field::Other,
    }
}

fn apache(text: &str) -> Vec<Step> {
    let mut steps = vec![Step { field: Field::Other, until: Vec::new() }];
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('%') {
        push_text(&mut steps, literal);
        let after =
            after.trim_start_matches(['<', '>', '!', ',']).trim_start_matches(|c: char| c.is_ascii_digit());
        if let Some(after) = after.strip_prefix('%') {
            push_text(&mut steps, "%");
            rest = after;
            continue;
        }
        let (argument, after) = match after.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some(split) => split,
            None => ("", after),
        };
        let mut letters = after.chars();
        let Some(letter) = letters.next() else { break };
        rest = letters.as_str();
        // `%U%q` have nothing between them: they are one field.
        if letter == 'q'
            && steps.last().is_some_and(|last| last.field == Field::Target && last.until.is_empty())
        {
            continue;
        }
        steps.push(Step { field: apache_field(letter, argument), until: Vec::new() });
        if steps.len() > STEPS_MAX {
            return steps;
        }
    }
    push_text(&mut steps, rest);
    if steps.first().is_some_and(|first| first.until.is_empty()) {
        steps.remove(0);
    }
    steps
}

fn push_text(steps: &mut [Step], text: &str) {
    if let Some(last) = steps.last_mut() {
        last.until.extend_from_slice(text.replace("\\t", "\t").as_bytes());
    }
}

fn apache_field(letter: char, argument: &str) -> Field {
    match (letter, argument.to_ascii_lowercase().as_str()) {
        ('t', "") => Field::TimeInBrackets,
        ('t', _) => Field::Time,
        ('h' | 'a', _) => Field::Client,
        ('i', "cf-connecting-ip") => Field::Edge,
        ('i', "x-forwarded-for" | "x-real-ip") => Field::Forwarded,
        ('i', "referer") => Field::Referer,
        ('i', "user-agent") => Field::Agent,
        ('r', _) => Field::Request,
        ('m', _) => Field::Method,
        ('U', _) => Field::Target,
        ('q', _) => Field::Query,
        ('s', _) => Field::Status,
        ('b' | 'B' | 'O', _) => Field::Size,
        ('D', _) => Field::Microseconds,
        ('T', "") => Field::Seconds,
        _ => Field::Other,
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
