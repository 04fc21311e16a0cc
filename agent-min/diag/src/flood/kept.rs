//! What is kept of each visitor, network, path, user agent and query key that there was much of.

use std::net::IpAddr;

use super::agent::{Agent, Crawler};
use super::distinct::Bits;
use super::request::{KINDS, Kind};
use super::whose::Guard;

/// Bytes of a path or a user agent that are kept: what a pattern can hold.
const TEXT_MAX: usize = 128;
/// Bytes of the name of a query's key that are kept.
const KEY_MAX: usize = 40;

#[derive(Clone, Copy, Debug)]
pub(super) struct Visitor {
    pub(super) address: IpAddr,
    pub(super) guard: Guard,
    pub(super) by_kind: [u32; KINDS],
    pub(super) probes: Bits,
    /// The places of the user agents that it used, a bit for each.
    pub(super) agents: u64,
    pub(super) pace: Pace,
    /// Passwords that were tried in ten seconds.
    pub(super) tries: Pace,
    pub(super) claims: Option<Crawler>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    pub(super) address: IpAddr,
    pub(super) load: u32,
    pub(super) members: Bits,
    pub(super) pace: Pace,
}

/// The most requests in a stretch of time that began with one of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    since: u64,
    now: u32,
    pub(super) peak: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PathNote {
    pub(super) text: Text<TEXT_MAX>,
    pub(super) by_kind: [u32; 3],
    pub(super) errors: u32,
    pub(super) timeouts: u32,
    pub(super) slowest: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AgentNote {
    pub(super) text: Text<TEXT_MAX>,
    pub(super) agent: Agent,
    pub(super) load: u32,
    /// Requests of no kind with a rule of its own.
    pub(super) pages: u32,
    pub(super) busts: u32,
    pub(super) carts: u32,
    pub(super) assets: u32,
    pub(super) sources: Bits,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyNote {
    pub(super) text: Text<KEY_MAX>,
    pub(super) by_kind: [u32; 3],
}

/// Which column of a path's or a key's counts a kind has.
pub(super) const fn column(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Bust => Some(0),
        Kind::Facet | Kind::Post => Some(1),
        Kind::MissingPage | Kind::Missing => Some(2),
        _ => None,
    }
}

/// Kinds whose requests are only told apart by who sends them.
pub(super) const fn is_page(kind: Kind) -> bool {
    matches!(kind, Kind::Page | Kind::Api | Kind::Post)
}

impl Pace {
    #[inline]
    pub(super) fn step(&mut self, time: u64, seconds: u64) {
        if time.saturating_sub(self.since) >= seconds {
            (self.since, self.now) = (time, 0);
        }
        self.now = self.now.saturating_add(1);
        self.peak = self.peak.max(self.now);
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> Text<N> {
    pub(super) fn set(&mut self, text: &[u8]) {
        let len = text.len().min(N);
        if let (Some(to), Some(from)) = (self.bytes.get_mut(..len), text.get(..len)) {
            to.copy_from_slice(from);
        }
        self.len = text.len();
    }

    /// The text, if it is whole.
    pub(super) fn whole(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(..self.len)?).ok()
    }

    /// As much of it as is kept.
    pub(super) fn start(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.bytes.get(..self.len.min(N)).unwrap_or_default())
    }
}
