//! Floods, and everything else that an access log shows: one pass over its last part, in fixed memory.
//!
//! The pass goes over the log's last two hours, but at most 32 MiB of it, in pieces of 64 KiB, and keeps about
//! 150 KiB however long the log is: counts for each ten seconds and minute, and who and what there was most of
//! (Space-Saving), with what each count may be too high. What is judged is each window of five minutes, against the
//! minutes before it. A flood accuses by three things together: it is large, it is many times what is normal here,
//! and the site suffers; where it doesn't, it is a line for information, without an action.
//!
//! Every byte of a log was written by strangers. Nothing of it reaches a finding but as a fact or a pattern, which
//! hold printable characters only; patterns are whole values or none.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used))]

use std::net::IpAddr;

use secmon_wire::Threshold;
use secmon_wire::diag::Finding;

mod agent;
mod answers;
mod bytes;
mod check;
mod crawlers;
mod direct;
mod distinct;
#[cfg(test)]
mod fake;
mod format;
mod impact;
mod json;
mod kept;
mod kinds;
mod line;
mod own;
mod pass;
mod preview;
mod probes;
mod rates;
mod request;
mod senders;
mod state;
mod tail;
mod time;
mod top;
mod verdict;
mod whose;

pub use check::check;
use format::Format;
pub use impact::impact;
use pass::Pass;
use preview::Preview;
use probes::Identity;
use verdict::Verdict;

/// Of a log's end, so much says when it ends and whose addresses it has.
const PREVIEW: usize = 256 * 1024;

/// What other checks have seen: a flood without harm is no reason to act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Requests that wait for PHP.
    pub php_queue: u64,
    /// Of a hundred workers of PHP, or connections of the web server, how many are in use.
    pub busy_percent: Option<u64>,
    /// Peers that are connected past Cloudflare, on a host behind it.
    pub direct: Vec<Peer>,
}

/// Connections of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who.
    pub address: IpAddr,
    /// How many.
    pub connections: u32,
}

/// What a log is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'s> {
    /// The site that the log is of, for people.
    pub host: &'s str,
    /// The host's clock; `None` where only the log's own times count.
    pub now: Option<u64>,
    /// Whether Apache writes it: there, 503 is what nginx calls 502.
    pub apache: bool,
    /// Requests for pages in a minute below which nothing is a flood.
    pub floor: u32,
    /// The share of server errors, in per cent, below which they are not worth a line, however quiet the site is.
    pub errors_percent: Option<u64>,
    /// Networks that must never be blocked: the host's own, monitors', the operator's.
    pub exempt: &'s [(IpAddr, u8)],
    /// Whether private networks are the host's own.
    pub spare_private: bool,
    /// What other checks have seen now.
    pub impact: &'s Impact,
    /// Any number that strangers don't know.
    pub seed: u64,
}

impl<'s> Settings<'s> {
    /// Without anything known but the impact.
    pub const fn new(impact: &'s Impact) -> Self {
        Self {
            host: "",
            now: None,
            apache: false,
            floor: Threshold::FloodRate.row().usual,
            errors_percent: None,
            exempt: &[],
            spare_private: true,
            impact,
            seed: 0,
        }
    }
}

/// What a pass came to.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// What was found, each as it was at its worst.
    pub findings: Vec<Finding>,
    /// Lines that were counted.
    pub lines: u64,
    /// Lines that were none.
    pub junk: u64,
    /// Bytes that the pass kept.
    pub memory: usize,
}

/// Judges a whole log, every window of it as at its own time. `format` is the configuration's text for it, `None` for
/// the servers' default or where each line shows its format.
pub fn judge_log(log: &[u8], format: Option<&str>, settings: &Settings<'_>) -> Judged {
    judge_pieces(&[log], format, settings)
}

/// The same of a log in several files, oldest first.
pub fn judge_pieces(pieces: &[&[u8]], format: Option<&str>, settings: &Settings<'_>) -> Judged {
    judge_each(pieces, format, settings, |verdict| Some(verdict.finding))
}

/// What a look says at the time that the settings have: what is over is only worth knowing, or forgotten.
pub fn judge_now(log: &[u8], format: Option<&str>, settings: &Settings<'_>) -> Judged {
    judge_each(&[log], format, settings, |verdict| {
        let now = settings.now.unwrap_or(verdict.end);
        check::as_of(verdict, now)
    })
}

fn judge_each(
    pieces: &[&[u8]],
    format: Option<&str>,
    settings: &Settings<'_>,
    said: impl FnMut(Verdict) -> Option<Finding>,
) -> Judged {
    let format = Format::new(format);
    let mut tail = Vec::new();
    for piece in pieces.iter().rev() {
        let room = PREVIEW.saturating_sub(tail.len());
        let last = piece.get(piece.len().saturating_sub(room)..).unwrap_or_default();
        tail.splice(0..0, last.iter().copied());
    }
    let preview = Preview::new(&tail, &format, settings.now);
    let mut pass = Pass::new(format, preview, settings);
    let mut unknown = |_, _| Identity::Unknown;
    for piece in pieces {
        let mut rest = *piece;
        while let Some((line, after)) = bytes::split(b'\n', rest) {
            pass.line(line, &mut unknown);
            rest = after;
        }
        pass.line(rest, &mut unknown);
    }
    let ((lines, junk), memory) = (pass.lines(), pass.size());
    let findings = pass.finish(&mut unknown).into_iter().filter_map(said).collect();
    Judged { findings, lines, junk, memory }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "invariants_tests.rs"]
mod invariants;

#[cfg(test)]
#[path = "history_tests.rs"]
mod history;
