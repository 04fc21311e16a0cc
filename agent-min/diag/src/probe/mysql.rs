//! The packets of MariaDB's and MySQL's protocol that a look at a server needs: its greeting, a login without a
//! password, one question, and its rows.
//!
//! The layout is that of protocol version 10 (mariadb.com/kb/en/clientserver-protocol/).
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::bytes::{Bytes, decimal, find};

/// A packet's header: three bytes of length, and its number.
pub const HEADER: usize = 4;
/// Nothing that we ask for has longer answers.
pub const PACKET_MAX: usize = 4 * 1024;
/// "Too many connections".
pub const TOO_MANY_CONNECTIONS: u16 = 1040;
/// "Host is blocked because of many connection errors".
pub const HOST_BLOCKED: u16 = 1129;
/// Asks for one line of text about the server.
pub const STATISTICS: &[u8] = &[0x09];
/// Says goodbye, so that the server logs nothing.
pub const QUIT: &[u8] = &[0x01];

const PROTOCOL_41: u32 = 0x0000_0200;
const SECURE_CONNECTION: u32 = 0x0000_8000;
const PLUGIN_AUTH: u32 = 0x0008_0000;
/// utf8mb4_general_ci.
const CHARSET: u8 = 45;

/// What a server begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum First {
    /// It expects a login.
    Greeting,
    /// It refuses.
    Error(u16),
    /// It is something else.
    Other,
}

/// Reads a server's first packet.
pub fn first(packet: &[u8]) -> First {
    let mut bytes = Bytes(packet);
    match bytes.byte() {
        Some(0x0a) if bytes.until(0).is_some() => First::Greeting,
        Some(0xff) => bytes.array().map(u16::from_le_bytes).map_or(First::Other, First::Error),
        _ => First::Other,
    }
}

/// The body of a login without a password, by the account that the process runs as.
pub fn login(user: &str) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend((PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH).to_le_bytes());
    out.extend(0x0100_0000_u32.to_le_bytes());
    out.push(CHARSET);
    out.extend([0; 23]);
    out.extend(user.as_bytes());
    out.extend([0, 0]);
    // MariaDB's unix_socket and MySQL's auth_socket need nothing from the client, whatever it says here.
    out.extend(b"mysql_native_password\0");
    out
}

/// The body of a question in SQL.
pub fn query(sql: &str) -> Vec<u8> {
    [b"\x03", sql.as_bytes()].concat()
}

/// What a server answers to a login or a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reply<'a> {
    /// Done.
    Ok,
    /// Refused.
    Error(u16),
    /// It wants another way of login, or the rows end here.
    SwitchOrEnd,
    /// Anything else: columns, rows, text.
    Data(&'a [u8]),
}

/// Reads a reply.
pub fn reply(packet: &[u8]) -> Reply<'_> {
    let mut bytes = Bytes(packet);
    match bytes.byte() {
        Some(0x00) => Reply::Ok,
        Some(0xfe) => Reply::SwitchOrEnd,
        Some(0xff) => Reply::Error(bytes.array().map_or(0, u16::from_le_bytes)),
        _ => Reply::Data(packet),
    }
}

/// A row of two columns: a name and a number.
pub fn row(packet: &[u8]) -> Option<(&[u8], u64)> {
    let mut bytes = Bytes(packet);
    let name = column(&mut bytes)?;
    Some((name, decimal(column(&mut bytes)?)?))
}

fn column<'a>(bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
    // Names and numbers are short: longer ones have a length of several bytes.
    let length = bytes.byte().filter(|length| *length < 0xfb)?;
    bytes.take(length.into())
}

/// The numbers of a statistics line: `Uptime: 105  Threads: 1  Questions: 42  Slow queries: 0  …`.
pub fn statistic(line: &[u8], name: &[u8]) -> Option<u64> {
    let at = find(line, name)?.checked_add(name.len())?;
    let rest = line.get(at..)?.strip_prefix(b": ")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    decimal(rest.get(..end)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What MariaDB 10.11 on Debian 12 sends.
    const GREETING: &[u8] =
        b"\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x08\0\0\0K8vm@4&]\0\xfe\xf7-\x02\0\xff\x81\x15\
        \0\0\0\0\0\0\x1d\0\0\0'Gp|Am%ifEeJ\0mysql_native_password\0";

    #[test]
    fn a_server_greets_or_refuses() {
        assert_eq!(first(GREETING), First::Greeting);
        assert_eq!(first(b"\n8.0.36\0\x08\0\0\0abcdefgh\0\xff\xff\xff"), First::Greeting);
        assert_eq!(first(b"\xff\x10\x04Too many connections"), First::Error(TOO_MANY_CONNECTIONS));
        assert_eq!(first(b"\xffi\x04Host '192.0.2.1' is blocked"), First::Error(HOST_BLOCKED));
        for strange in [&b""[..], b"\xff\x10", b"\n8.0", b"SSH-2.0-OpenSSH_9.2p1"] {
            assert_eq!(first(strange), First::Other);
        }
    }

    #[test]
    fn a_login_is_what_mariadb_accepts() {
        let wanted: &[u8] = b"\0\x82\x08\0\0\0\0\x01-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0me\0\0\
            mysql_native_password\0";
        assert_eq!(login("me"), wanted);
        assert_eq!(query("SHOW"), b"\x03SHOW");
    }

    #[test]
    fn replies_and_rows_are_told_apart() {
        assert_eq!(reply(b"\0\0\0\x02\0\0\0"), Reply::Ok);
        assert_eq!(reply(b"\xff\xa2\x06#28000Access denied for user 'x'@'localhost'"), Reply::Error(1698));
        assert_eq!(reply(b"\xfemysql_native_password\0(3f*:%H{Vxz|#2smJiQ:\0"), Reply::SwitchOrEnd);
        assert_eq!(reply(b"\xfe\0\0\x22\0"), Reply::SwitchOrEnd);
        assert_eq!(reply(b"\x02"), Reply::Data(b"\x02"));
        assert_eq!(row(b"\x0fThreads_running\x011"), Some((b"Threads_running".as_slice(), 1)));
        for strange in [&b""[..], b"\x0fThreads", b"\x01a\xfb", b"\x01a\x02-1", b"\xfb\x011"] {
            assert_eq!(row(strange), None);
        }
    }

    #[test]
    fn a_statistics_line_is_read_by_name() {
        let line = b"Uptime: 105  Threads: 1  Questions: 42  Slow queries: 7  Opens: 18  Open tables: 11";
        assert_eq!(statistic(line, b"Uptime"), Some(105));
        assert_eq!(statistic(line, b"Slow queries"), Some(7));
        assert_eq!(statistic(line, b"Open tables"), Some(11));
        assert_eq!(statistic(line, b"Closed"), None);
        assert_eq!(statistic(b"Uptime: x", b"Uptime"), None);
    }

    proptest! {
        #[test]
        fn no_packet_is_too_strange(packet in proptest::collection::vec(any::<u8>(), 0..99)) {
            let _any = (first(&packet), reply(&packet), row(&packet), statistic(&packet, b"a"));
        }
    }
}
