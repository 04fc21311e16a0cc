//! sock_diag(7): the kernel's list of sockets as netlink messages. Unlike the tables in `/proc/net` it says how many
//! connections a listening socket can queue, answers for the states asked for only, and needs no privilege.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::sockets::Socket;

/// The bit of a state of [`super::sockets::state`] in a request.
pub const fn bit(state: u8) -> u32 {
    1 << state
}

/// Every state but that of listening sockets.
pub const CONNECTIONS: u32 = 0xfff & !bit(super::sockets::state::LISTEN);

/// Which family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `AF_INET`.
    V4,
    /// `AF_INET6`.
    V6,
}

/// A local socket that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixListener {
    /// Its path.
    pub path: String,
    /// Connections to be accepted.
    pub waiting: u32,
    /// The most of them.
    pub backlog: u32,
}

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
const HEADER: usize = 16;
const TCP: u8 = 6;
const UNIX: u8 = 1;
/// `INET_DIAG_INFO`, and its bit in a request.
const INFO: u16 = 2;
const INFO_BIT: u8 = 1 << (INFO - 1);
/// `INET_DIAG_CGROUP_ID`.
const CGROUP: u16 = 21;
/// `UNIX_DIAG_NAME` and `UNIX_DIAG_RQLEN`, and their bits in a request.
const NAME: u16 = 0;
const QUEUE: u16 = 4;
const NAME_AND_QUEUE_BITS: u32 = 1 << NAME | 1 << QUEUE;

/// Asks for all TCP sockets of a family in these states (bits by [`bit`]).
pub fn tcp_request(family: Family, states: u32, traffic: bool) -> [u8; 72] {
    let mut out = [0; 72];
    let mut w = header(&mut out);
    w.put(&[family.number(), TCP, if traffic { INFO_BIT } else { 0 }, 0]);
    // The rest is a template of an address, which a dump has none of.
    w.put(&states.to_ne_bytes());
    out
}

/// Asks for all local sockets that listen.
pub fn unix_request() -> [u8; 40] {
    let mut out = [0; 40];
    let mut w = header(&mut out);
    w.put(&[UNIX, 0, 0, 0]);
    w.put(&bit(super::sockets::state::LISTEN).to_ne_bytes());
    w.put(&0_u32.to_ne_bytes());
    w.put(&NAME_AND_QUEUE_BITS.to_ne_bytes());
    w.put(&[0xff; 8]);
    out
}

/// Reads one message of an answer about TCP; `None` for the last one, errors, and other families.
pub fn tcp_message(message: &[u8]) -> Option<Socket> {
    let body = body(message)?;
    let family = match body.first()? {
        2 => Family::V4,
        10 => Family::V6,
        _ => return None,
    };
    let mut socket = Socket {
        state: *body.get(1)?,
        local: SocketAddr::new(family.address(body.get(8..24)?)?, be16(body, 4)?),
        remote: SocketAddr::new(family.address(body.get(24..40)?)?, be16(body, 6)?),
        waiting: ne32(body, 56)?,
        backlog: None,
        uid: ne32(body, 64)?,
        cgroup: None,
        traffic: None,
    };
    if socket.state == super::sockets::state::LISTEN {
        socket.backlog = Some(ne32(body, 60)?);
    }
    for (kind, value) in attributes(body.get(72..)?) {
        match kind {
            CGROUP => socket.cgroup = ne64(value, 0),
            // Kernels before 4.1 have a shorter tcp_info, without these.
            INFO => socket.traffic = ne64(value, 120).zip(ne64(value, 128)),
            _ => {}
        }
    }
    Some(socket)
}

/// Reads one message of an answer about local sockets; `None` for one without a path.
pub fn unix_message(message: &[u8]) -> Option<UnixListener> {
    let body = body(message)?;
    let (mut path, mut queue) = (None, None);
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            NAME => {
                let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
                path = value.get(..end).filter(|path| path.starts_with(b"/")).map(super::fields::text);
            }
            QUEUE => queue = ne32(value, 0).zip(ne32(value, 4)),
            _ => {}
        }
    }
    let (waiting, backlog) = queue?;
    Some(UnixListener { path: path?, waiting, backlog })
}

impl Family {
    const fn number(self) -> u8 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    fn address(self, bytes: &[u8]) -> Option<IpAddr> {
        Some(match self {
            Self::V4 => Ipv4Addr::from(*bytes.first_chunk::<4>()?).into(),
            Self::V6 => Ipv6Addr::from(*bytes.first_chunk::<16>()?).to_canonical(),
        })
    }
}

/// What follows the header of a message that is an answer.
fn body(message: &[u8]) -> Option<&[u8]> {
    let length = usize::try_from(ne32(message, 0)?).ok()?;
    let kind = u16::from_ne_bytes(*message.get(4..6)?.first_chunk()?);
    if kind == BY_FAMILY { message.get(HEADER..length) } else { None }
}

/// Attributes up to the first that is broken. Each is 4 bytes or more long, so this ends.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(*rest.get(2..4)?.first_chunk()?);
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn ne32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn ne64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Fills a buffer from its beginning.
struct Filler<'o>(&'o mut [u8]);

impl Filler<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some((to, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            to.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}

fn header(out: &mut [u8]) -> Filler<'_> {
    let length = u32::try_from(out.len()).unwrap_or(0);
    let mut w = Filler(out);
    w.put(&length.to_ne_bytes());
    w.put(&BY_FAMILY.to_ne_bytes());
    w.put(&DUMP.to_ne_bytes());
    // A sequence number and a port that nobody compares: one socket carries one dump.
    w.put(&[0; 8]);
    w
}

#[cfg(test)]
#[path = "sock_diag_tests.rs"]
mod tests;
