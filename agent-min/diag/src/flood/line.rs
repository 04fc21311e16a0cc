//! One line of an access log: what is needed of it. Parts are slices of the line, as strange as they came.
//!
//! [`common`] reads the common and combined formats of nginx and Apache, with whatever stands before the address (a
//! virtual host, a syslog header) and behind the user agent. A line is never refused for its tail.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::{closing_quote, find, split};
use super::time::{Clock, number};

/// Of what stands before the time, more is not searched for it.
const HEAD_MAX: usize = 512;

/// A request, as the log has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Seconds since the epoch.
    pub(super) time: u64,
    /// The peer; `None` where the log has a name or nothing.
    pub(super) client: Option<IpAddr>,
    /// Empty where the request was no HTTP.
    pub(super) method: &'a [u8],
    pub(super) path: &'a [u8],
    /// What follows the `?`.
    pub(super) query: &'a [u8],
    pub(super) status: u16,
    pub(super) size: u64,
    /// Empty for `-`.
    pub(super) referer: &'a [u8],
    /// Empty for `-`.
    pub(super) agent: &'a [u8],
    /// What the cache in the server said (`HIT`, `MISS`, …); empty if the log doesn't have it.
    pub(super) cache: &'a [u8],
    /// How long it took, in milliseconds; 0 if the log doesn't have it.
    pub(super) milliseconds: u64,
}

/// Reads `… 192.0.2.1 - - [time] "request" status size "referer" "agent"…`.
pub(super) fn common<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Line<'a>> {
    let (time_at, time) = find_time(line, clock)?;
    let client = find_address(line.get(..time_at)?);
    let (_, rest) = split(b']', line.get(time_at..)?)?;
    let (_, rest) = split(b'"', rest)?;
    let end = closing_quote(rest)?;
    let (method, path, query) = request(rest.get(..end)?);
    let rest = rest.get(end.wrapping_add(2)..)?;
    let (status, rest) = word(rest);
    let (size, rest) = word(rest);
    let (referer, rest) = quoted(rest);
    let (agent, _) = quoted(rest);
    Some(Line {
        time,
        client,
        method,
        path,
        query,
        status: u16::try_from(number(status)?).ok()?,
        size: number(size).unwrap_or(0),
        referer,
        agent,
        cache: b"",
        milliseconds: 0,
    })
}

/// Where a time in brackets begins, and the time: other brackets may stand before it.
#[inline]
fn find_time(line: &[u8], clock: &mut Clock) -> Option<(usize, u64)> {
    let head = line.get(..HEAD_MAX).unwrap_or(line);
    let mut at = 0_usize;
    loop {
        at = at.wrapping_add(find(b'[', head.get(at..)?)?).wrapping_add(1);
        if let Some(time) = line.get(at..).and_then(|text| clock.read(text)) {
            return Some((at, time));
        }
    }
}

/// The first word that is an address.
#[inline]
fn find_address(head: &[u8]) -> Option<IpAddr> {
    let (first, rest) = word(head);
    address(first).or_else(|| rest.split(|byte| *byte == b' ').find_map(address))
}

/// Method, path and query of a request line; nothing of what is no HTTP.
#[inline]
pub(super) fn request(text: &[u8]) -> (&[u8], &[u8], &[u8]) {
    const NOTHING: (&[u8], &[u8], &[u8]) = (b"", b"", b"");
    let Some((method, rest)) = split(b' ', text) else { return NOTHING };
    let target = match rest.iter().rposition(|byte| *byte == b' ') {
        Some(end) => rest.get(..end).unwrap_or(rest),
        None => rest,
    };
    if !is_method(method) || target.is_empty() {
        return NOTHING;
    }
    let (path, query) = target_parts(target);
    (method, path, query)
}

/// Path and query.
#[inline]
pub(super) fn target_parts(target: &[u8]) -> (&[u8], &[u8]) {
    split(b'?', target).unwrap_or((target, b""))
}

#[inline]
pub(super) fn is_method(text: &[u8]) -> bool {
    (3..=16).contains(&text.len()) && text.iter().all(u8::is_ascii_uppercase)
}

/// Up to the next space.
#[inline]
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b' ') {
        Some(at) => text
            .split_at_checked(at)
            .map_or((text, b""), |(word, rest)| (word, rest.get(1..).unwrap_or_default())),
        None => (text, b""),
    }
}

/// A quoted text, if one comes next. The last line may be cut off within it.
#[inline]
fn quoted(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let Some(text) = text.strip_prefix(b"\"") else { return (b"", text) };
    let end = closing_quote(text).unwrap_or(text.len());
    let rest = text.get(end.wrapping_add(1)..).unwrap_or_default();
    (or_nothing(text.get(..end).unwrap_or_default()), rest)
}

/// `-` stands for nothing.
#[inline]
pub(super) fn or_nothing(text: &[u8]) -> &[u8] {
    if text == b"-" { b"" } else { text }
}

/// An address, with or without a port behind it or brackets around it.
#[inline]
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    if let Some((v4, rest)) = v4(text) {
        return (rest.is_empty() || rest.first() == Some(&b':') && number(rest.get(1..)?).is_some())
            .then_some(v4);
    }
    if text.len() > 64 || !text.contains(&b':') {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(bare, _)| bare);
    let bare = bare.split_once('%').map_or(bare, |(bare, _)| bare);
    bare.parse::<Ipv6Addr>().ok().map(|v6| IpAddr::from(v6).to_canonical())
}

#[inline]
fn v4(text: &[u8]) -> Option<(IpAddr, &[u8])> {
    let (mut address, mut octet, mut digits, mut dots, mut end) = (0_u32, 0_u32, 0_u8, 0_u8, 0_usize);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits < 3 => {
                octet = octet.wrapping_mul(10).wrapping_add(u32::from(byte.wrapping_sub(b'0')));
                digits = digits.wrapping_add(1);
            }
            b'.' if digits > 0 && dots < 3 && octet < 256 => {
                address = (address << 8) | octet;
                (octet, digits, dots) = (0, 0, dots.wrapping_add(1));
            }
            _ => break,
        }
        end = end.wrapping_add(1);
    }
    let whole = dots == 3 && digits > 0 && octet < 256;
    whole.then_some((Ipv4Addr::from_bits((address << 8) | octet).into(), text.get(end..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMBINED: &str = r#"192.0.2.7 - - [22/Nov/2026:01:03:44 +0000] "GET /a/?b=c HTTP/1.1" 200 512 "http://example.org/" "Agent/1.0 (x; y)""#;

    fn read(line: &str) -> Option<Line<'_>> {
        common(line.as_bytes(), &mut Clock::default())
    }

    fn whole() -> Line<'static> {
        read(COMBINED).expect("a line")
    }

    #[test]
    fn a_combined_line_is_read() {
        let line = whole();
        assert_eq!(line.time, 1_795_309_424);
        assert_eq!(line.client, "192.0.2.7".parse().ok());
        assert_eq!(line.method, b"GET");
        assert_eq!((line.path, line.query), (b"/a/".as_slice(), b"b=c".as_slice()));
        assert_eq!((line.status, line.size), (200, 512));
        assert_eq!(line.referer, b"http://example.org/");
        assert_eq!(line.agent, b"Agent/1.0 (x; y)");
    }

    #[test]
    fn what_stands_before_and_behind_changes_nothing() {
        for line in [
            format!("example.org:443 {COMBINED}"),
            format!("Nov 22 01:03:44 web nginx[2869]: {COMBINED}"),
            format!("{COMBINED}rt=0.200 uct=\"0.000\" uht=\"-\""),
            format!("{COMBINED} 0.008 995 \"-\""),
            COMBINED.replace("- - [", "- Jo Doe ["),
        ] {
            assert_eq!(read(&line), Some(whole()), "{line}");
        }
        assert_eq!(read(COMBINED.strip_suffix('"').expect("a quote")), Some(whole()));
    }

    #[test]
    fn a_common_line_has_no_agent() {
        let line =
            read(r#"192.0.2.7 - jo [22/Nov/2026:01:03:44 +0000] "GET / HTTP/1.0" 304 -"#).expect("a line");
        assert_eq!((line.status, line.size, line.agent), (304, 0, b"".as_slice()));
    }

    #[test]
    fn a_request_that_is_no_http_has_no_method() {
        for request in [r"\x16\x03\x01\x02\x00", "-", "", "quit", r#"\"GET"#, "get / HTTP/1.1"] {
            let line = COMBINED.replace("GET /a/?b=c HTTP/1.1", request);
            let line = read(&line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((line.method, line.path, line.status), (b"".as_slice(), b"".as_slice(), 200));
        }
    }

    #[test]
    fn escaped_quotes_end_nothing() {
        let line = COMBINED.replace("Agent/1.0", r#"A\"gent\\"#).replace("/a/", r#"/\"a/"#);
        let line = read(&line).expect("a line");
        assert_eq!(line.agent, br#"A\"gent\\ (x; y)"#);
        assert_eq!(line.path, br#"/\"a/"#);
        assert_eq!(line.status, 200);
    }

    #[test]
    fn addresses_are_read_in_every_way_of_writing() {
        for (text, expected) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("192.0.2.7:8080", Some("192.0.2.7")),
            ("2001:db8::7", Some("2001:db8::7")),
            ("[2001:db8::7]:443", Some("2001:db8::7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("example.org:443", None),
            ("192.0.2", None),
            ("192.0.2.256", None),
            ("192.0.2.7.8", None),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(address(text.as_bytes()), expected.map(|e| e.parse().expect("an address")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(line in prop::collection::vec(any::<u8>(), 0..300)) {
            let _whatever = common(&line, &mut Clock::default());
        }

        #[test]
        fn a_line_that_is_cut_or_changed_anywhere_is_read_or_refused(
            cut in 0..COMBINED.len(), at in 0..COMBINED.len(), byte in any::<u8>()
        ) {
            let mut bytes = COMBINED.as_bytes().to_vec();
            bytes[at] = byte;
            bytes.truncate(cut);
            let _whatever = common(&bytes, &mut Clock::default());
        }
    }
}
