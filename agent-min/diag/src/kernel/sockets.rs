//! The kernel's tables of sockets as text: `/proc/net/tcp`, `tcp6` and `unix`. For kernels, containers and
//! sandboxes where sock_diag(7) doesn't answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::fields::{decimal, hexadecimal, text, words};
use crate::host::{Denied, Host};

/// Bytes of a table that are read: some 27 000 connections. A table under attack may be ten times as long, and each
/// piece of it costs the kernel a walk from its beginning.
pub(super) const TABLE_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of a piece.
const PIECE: usize = 128 * 1024;
/// A longer line is none of a table of sockets: a path has at most 108 bytes.
const LINE_MAX: usize = 512;

/// States of TCP, as the kernel numbers them.
pub mod state {
    /// Both sides may send.
    pub const ESTABLISHED: u8 = 1;
    /// We have asked for a connection.
    pub const SYN_SENT: u8 = 2;
    /// We were asked for one, and answered.
    pub const SYN_RECEIVED: u8 = 3;
    /// We wait for connections.
    pub const LISTEN: u8 = 10;
}

/// One TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// One of [`state`], or another.
    pub state: u8,
    /// Our side.
    pub local: SocketAddr,
    /// The other side.
    pub remote: SocketAddr,
    /// Bytes to be read; connections to be accepted, if it listens.
    pub waiting: u32,
    /// The most connections to be accepted, if it listens and the source says so.
    pub backlog: Option<u32>,
    /// Whose it is.
    pub uid: u32,
    /// The control group of the process that made it (its directory's inode), where the source says so.
    pub cgroup: Option<u64>,
    /// Bytes sent and acknowledged, and received, where the source says so.
    pub traffic: Option<(u64, u64)>,
}

/// One row of `/proc/net/unix` that has a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixRow {
    /// Its path.
    pub path: String,
    /// Whether it listens.
    pub listens: bool,
    /// Whether it is a connection that nobody has accepted yet.
    pub waits: bool,
    /// Whether it is a connection that somebody has.
    pub taken: bool,
}

/// Reads a row of `/proc/net/tcp` or `tcp6`.
pub fn tcp_row(line: &[u8]) -> Option<Socket> {
    let mut words = words(line).skip(1);
    let local = address(words.next()?)?;
    let remote = address(words.next()?)?;
    let state = u8::try_from(hexadecimal(words.next()?)?).ok()?;
    let queues = words.next()?;
    let colon = queues.iter().position(|byte| *byte == b':')?;
    let waiting = u32::try_from(hexadecimal(queues.get(colon.checked_add(1)?..)?)?).ok()?;
    let uid = u32::try_from(decimal(words.nth(2)?)?).ok()?;
    Some(Socket { state, local, remote, waiting, backlog: None, uid, cgroup: None, traffic: None })
}

/// Reads a row of `/proc/net/unix`.
pub fn unix_row(line: &[u8]) -> Option<UnixRow> {
    /// `__SO_ACCEPTCON`.
    const LISTENS: u64 = 0x1_0000;
    /// `SS_CONNECTING`: of the kernel's side of a connection that has no file yet.
    const WAITS: u64 = 2;
    /// `SS_CONNECTED`.
    const TAKEN: u64 = 3;
    let mut words = words(line).skip(3);
    let flags = hexadecimal(words.next()?)?;
    let state = hexadecimal(words.nth(1)?)?;
    let path = words.nth(1)?;
    let path = path.starts_with(b"/").then(|| text(path))?;
    Some(UnixRow { path, listens: flags & LISTENS != 0, waits: state == WAITS, taken: state == TAKEN })
}

/// Hands every line of a table to `each`; whether that was all of it.
pub(super) fn table(host: &dyn Host, path: &str, each: &mut dyn FnMut(&[u8])) -> Result<bool, Denied> {
    let mut buffer = vec![0; PIECE];
    let mut kept: Vec<u8> = Vec::with_capacity(LINE_MAX);
    let mut offset = 0_u64;
    while offset < TABLE_MAX {
        let length = host.read_at(path, offset, &mut buffer)?;
        let piece = buffer.get(..length).unwrap_or_default();
        if piece.is_empty() {
            each(&kept);
            return Ok(true);
        }
        offset = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let mut lines = piece.split(|byte| *byte == b'\n');
        let mut line = lines.next().unwrap_or_default();
        for next in lines {
            if kept.is_empty() {
                each(line);
            } else {
                keep(&mut kept, line);
                each(&kept);
                kept.clear();
            }
            line = next;
        }
        keep(&mut kept, line);
    }
    Ok(false)
}

fn keep(kept: &mut Vec<u8>, part: &[u8]) {
    let room = LINE_MAX.saturating_sub(kept.len());
    kept.extend_from_slice(part.get(..room).unwrap_or(part));
}

/// An address is printed in words of 32 bits, each as this machine reads the network's bytes.
fn address(word: &[u8]) -> Option<SocketAddr> {
    let colon = word.iter().position(|byte| *byte == b':')?;
    let port = u16::try_from(hexadecimal(word.get(colon.checked_add(1)?..)?)?).ok()?;
    let digits = word.get(..colon)?;
    let quarter = |place: usize| {
        let start = place.checked_mul(8)?;
        let value = u32::try_from(hexadecimal(digits.get(start..start.checked_add(8)?)?)?).ok()?;
        Some(value.to_ne_bytes())
    };
    let ip: IpAddr = match digits.len() {
        8 => Ipv4Addr::from(quarter(0)?).into(),
        32 => {
            let mut bytes = [0; 16];
            for (place, out) in bytes.chunks_exact_mut(4).enumerate() {
                out.copy_from_slice(&quarter(place)?);
            }
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
#[path = "sockets_tests.rs"]
mod tests;
