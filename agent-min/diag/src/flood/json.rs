//! A line that is a JSON object: the members that servers write, by the names that people give them, at any depth.
//!
//! It is no validator: it walks over strings and looks at what follows a name. Texts with escapes are rewritten into
//! a buffer of fixed size; what has no room there is cut.

use super::bytes::closing_quote;
use super::line::{Line, address, is_method, or_nothing, request, target_parts};
use super::time::{Clock, number};

/// What a member says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Time,
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
}

/// Names in lower case, with `_` for `-`.
const NAMES: &[(&str, Part)] = &[
    ("@timestamp", Part::Time),
    ("agent", Part::Agent),
    ("args", Part::Query),
    ("body_bytes_sent", Part::Size),
    ("bytes", Part::Size),
    ("bytes_sent", Part::Size),
    ("cf_connecting_ip", Part::Edge),
    ("client", Part::Client),
    ("client_ip", Part::Client),
    ("clientip", Part::Client),
    ("http_cf_connecting_ip", Part::Edge),
    ("http_referer", Part::Referer),
    ("http_referrer", Part::Referer),
    ("http_user_agent", Part::Agent),
    ("http_x_forwarded_for", Part::Forwarded),
    ("ip", Part::Client),
    ("method", Part::Method),
    ("msec", Part::Time),
    ("path", Part::Target),
    ("query", Part::Query),
    ("query_string", Part::Query),
    ("referer", Part::Referer),
    ("referrer", Part::Referer),
    ("remote_addr", Part::Client),
    ("remote_ip", Part::Client),
    ("remoteip", Part::Client),
    ("request", Part::Request),
    ("request_method", Part::Method),
    ("request_time", Part::Seconds),
    ("request_uri", Part::Target),
    ("size", Part::Size),
    ("status", Part::Status),
    ("status_code", Part::Status),
    ("time", Part::Time),
    ("time_iso8601", Part::Time),
    ("time_local", Part::Time),
    ("timestamp", Part::Time),
    ("ts", Part::Time),
    ("upstream_cache_status", Part::Cache),
    ("uri", Part::Target),
    ("url", Part::Target),
    ("user_agent", Part::Agent),
    ("useragent", Part::Agent),
    ("x_forwarded_for", Part::Forwarded),
];

/// Room for rewritten texts.
#[derive(Clone, Debug)]
pub(super) struct Rewritten {
    target: [u8; 1024],
    query: [u8; 512],
    agent: [u8; 512],
}

impl Rewritten {
    pub(super) const fn new() -> Self {
        Self { target: [0; 1024], query: [0; 512], agent: [0; 512] }
    }
}

/// Reads a line such as `{"time":"…","remote_addr":"192.0.2.7","request":"GET / HTTP/1.1","status":200}`.
pub(super) fn json<'a>(text: &'a [u8], clock: &mut Clock, room: &'a mut Rewritten) -> Option<Line<'a>> {
    let mut line = Line::default();
    let (mut time, mut status) = (None, None);
    let (mut edge, mut forwarded) = (None, None);
    let (mut target, mut query, mut agent): (&[u8], &[u8], &[u8]) = (b"", b"", b"");
    let mut rest = text;
    while let Some((name, value, after)) = member(rest) {
        rest = after;
        let Some(part) = part(name) else { continue };
        match part {
            Part::Time => time = time.or_else(|| clock.read(value)),
            Part::Client => line.client = line.client.or_else(|| address(value)),
            Part::Edge => edge = edge.or_else(|| address(value)),
            Part::Forwarded => forwarded = forwarded.or_else(|| super::format::last_hop(value)),
            Part::Request if !value.is_empty() => {
                let (method, path, rest) = request(value);
                (line.method, target) = (method, path);
                query = if rest.is_empty() { query } else { rest };
            }
            Part::Method if is_method(value) => line.method = value,
            Part::Target if target.is_empty() => target = value,
            Part::Query if query.is_empty() => query = or_nothing(value),
            Part::Status => status = status.or_else(|| u16::try_from(number(value)?).ok()),
            Part::Size => line.size = line.size.max(number(value).unwrap_or(0)),
            Part::Referer if line.referer.is_empty() => line.referer = or_nothing(value),
            Part::Agent if agent.is_empty() => agent = or_nothing(value),
            Part::Cache => line.cache = value,
            Part::Seconds => line.milliseconds = super::format::milliseconds(value),
            _ => {}
        }
    }
    line.client = super::format::real_client(line.client, edge, forwarded);
    (line.time, line.status) = (time?, status?);
    if !line.method.is_empty() {
        (line.path, line.query) = target_parts(unescape(target, &mut room.target));
        let query = unescape(query, &mut room.query);
        line.query = if line.query.is_empty() { query } else { line.query };
    }
    line.agent = unescape(agent, &mut room.agent);
    Some(line)
}

/// The next name with a text or a number behind it, and what follows. Lists are entered for their first element.
fn member(mut rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    loop {
        let (_, after) = super::bytes::split(b'"', rest)?;
        let end = closing_quote(after)?;
        let (name, after) = (after.get(..end)?, after.get(end.wrapping_add(1)..)?);
        rest = after;
        let Some(value) = after.trim_ascii_start().strip_prefix(b":") else { continue };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"[").unwrap_or(value).trim_ascii_start();
        if let Some(value) = value.strip_prefix(b"\"") {
            let end = closing_quote(value)?;
            return Some((name, value.get(..end)?, value.get(end.wrapping_add(1)..)?));
        }
        let end = value.iter().position(|byte| !(byte.is_ascii_digit() || matches!(byte, b'.' | b'-')));
        match value.split_at_checked(end.unwrap_or(value.len())) {
            Some((number, after)) if !number.is_empty() => return Some((name, number, after)),
            _ => rest = value,
        }
    }
}

fn part(name: &[u8]) -> Option<Part> {
    let mut lower = [0; 24];
    let lower = lower.get_mut(..name.len())?;
    for (to, from) in lower.iter_mut().zip(name) {
        *to = if *from == b'-' { b'_' } else { from.to_ascii_lowercase() };
    }
    let at = NAMES.binary_search_by(|(known, _)| known.as_bytes().cmp(lower)).ok()?;
    NAMES.get(at).map(|(_, part)| *part)
}

/// Rewrites what JSON escapes. Characters beyond ASCII become `?`.
fn unescape<'r>(text: &'r [u8], room: &'r mut [u8]) -> &'r [u8] {
    if !text.contains(&b'\\') {
        return text;
    }
    let (mut rest, mut len) = (text, 0_usize);
    while let (Some((byte, after)), Some(to)) = (rest.split_first(), room.get_mut(len)) {
        (*to, rest) = match (byte, after) {
            (b'\\', [b'u', a, b, c, d, after @ ..]) => (code(&[*a, *b, *c, *d]), after),
            (b'\\', [b'n' | b'r' | b't' | b'b' | b'f', after @ ..]) => (b' ', after),
            (b'\\', [escaped, after @ ..]) => (*escaped, after),
            _ => (*byte, after),
        };
        len = len.wrapping_add(1);
    }
    room.get(..len).unwrap_or_default()
}

fn code(digits: &[u8; 4]) -> u8 {
    let code = std::str::from_utf8(digits).ok().and_then(|hex| u16::from_str_radix(hex, 16).ok());
    code.and_then(|code| u8::try_from(code).ok()).filter(|byte| (b' '..=b'~').contains(byte)).unwrap_or(b'?')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, check: impl Fn(&Line<'_>)) {
        let mut room = Rewritten::new();
        let line = json(text.as_bytes(), &mut Clock::default(), &mut room);
        check(&line.unwrap_or_else(|| panic!("{text}")));
    }

    #[test]
    fn names_are_sorted_for_the_search() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| name));
        assert!(NAMES.iter().all(|(name, _)| name.len() <= 24));
    }

    #[test]
    fn the_ways_in_which_servers_write_it_say_the_same() {
        for text in [
            r#"{"time_local":"22/Nov/2026:01:03:44 +0000","remote_addr":"192.0.2.7","request":"POST /a/?b=c HTTP/1.1","status": "503","body_bytes_sent":"12","http_user_agent":"Agent/1.0","http_referer":"-"}"#,
            r#"{"time":"2026-11-22T01:03:44+00:00","ip":"192.0.2.7","method":"POST","uri":"\/a\/","args":"b=c","status":503,"size":12,"agent":"Agent/1.0"}"#,
            r#"{"level":"info","ts":1795309424.25,"logger":"http.log","msg":"handled request","request":{"remote_ip":"192.0.2.7","remote_port":"1","client_ip":"192.0.2.7","proto":"HTTP/2.0","method":"POST","host":"example.org","uri":"/a/?b=c","headers":{"User-Agent":["Agent/1.0"],"Accept":["*/*"]}},"bytes_read":0,"duration":0.01,"size":12,"status":503,"resp_headers":{"Server":["x"]}}"#,
            r#"{"msec":"1795309424.250","http_cf_connecting_ip":"192.0.2.7","remote_addr":"172.70.1.1","request_method":"POST","request_uri":"/a/?b\u003dc","status":503,"bytes":12,"user_agent":"Agent\/1.0"}"#,
        ] {
            read(text, |line| {
                assert_eq!(line.time, 1_795_309_424, "{text}");
                assert_eq!(line.client, "192.0.2.7".parse().ok(), "{text}");
                assert_eq!(line.method, b"POST", "{text}");
                assert_eq!((line.path, line.query), (b"/a/".as_slice(), b"b=c".as_slice()), "{text}");
                assert_eq!((line.status, line.size), (503, 12), "{text}");
                assert_eq!((line.agent, line.referer), (b"Agent/1.0".as_slice(), b"".as_slice()), "{text}");
            });
        }
    }

    #[test]
    fn a_line_without_a_time_or_a_status_is_none() {
        for text in [r#"{"status":200}"#, r#"{"time":"2026-11-22T01:03:44Z"}"#, "{", "{}", r#"{"a":"#] {
            assert_eq!(json(text.as_bytes(), &mut Clock::default(), &mut Rewritten::new()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(text in "[{}\\[\\]:,\"\\\\a-u0-9]{0,200}") {
            let _whatever = json(text.as_bytes(), &mut Clock::default(), &mut Rewritten::new());
        }
    }
}
