//! The end of a log: its last lines, with the moment of each in UTC.
//!
//! Which zone a log's clock is in, the file itself says: its last line was written when it was last changed.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::time::stamp;
use crate::host::{Denied, Host, Metadata};

/// What is read of a log. An hour of a server with a problem is seldom more.
const TAIL_MAX: usize = 256 * 1024;
/// How long after its rotation a log's older part is read, too.
const ROTATED_S: u64 = 3_600;
/// Zones differ by quarters of hours, and by no more than this.
const QUARTER_S: u64 = 900;
const ZONE_MAX_S: u64 = 14 * 3_600;

/// The last lines of a log.
#[derive(Debug)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    /// What the log's clock is ahead of UTC, and what it is behind; one of them is 0.
    ahead: u64,
    behind: u64,
}

impl Tail {
    /// Reads it. A line that began before is left out.
    pub(crate) fn read(host: &dyn Host, path: &str) -> Result<Self, Denied> {
        let metadata = host.metadata(path)?;
        let mut bytes = last_bytes(host, path, &metadata, TAIL_MAX)?;
        let room = TAIL_MAX.saturating_sub(bytes.len());
        let older = format!("{path}.1");
        if room > 0
            && let Ok(metadata) = host.metadata(&older)
            && metadata.modified.saturating_add(ROTATED_S) >= host.clock()
            && let Ok(mut before) = last_bytes(host, &older, &metadata, room)
        {
            before.append(&mut bytes);
            bytes = before;
        }
        Ok(Self::new(bytes, metadata.modified))
    }

    fn new(bytes: Vec<u8>, modified: u64) -> Self {
        let last = bytes.rsplit(|c| *c == b'\n').find_map(stamp);
        let (mut ahead, mut behind) = (0, 0);
        if let Some((written, _)) = last {
            ahead = quarters(written.saturating_sub(modified));
            behind = quarters(modified.saturating_sub(written));
        }
        Self { bytes, ahead, behind }
    }

    /// Each line with its moment, oldest first; one without takes over that of the line before.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut last = 0;
        self.bytes.split(|c| *c == b'\n').filter(|line| !line.is_empty()).map(move |line| {
            if let Some((written, _)) = stamp(line) {
                last = written.saturating_sub(self.ahead).saturating_add(self.behind);
            }
            (last, line)
        })
    }
}

/// A difference of clocks as zones have them; none if it is too large to be one.
fn quarters(difference: u64) -> u64 {
    let near = difference.saturating_add(QUARTER_S / 2);
    let rounded = near.saturating_sub(near.checked_rem(QUARTER_S).unwrap_or_default());
    if rounded > ZONE_MAX_S { 0 } else { rounded }
}

fn last_bytes(host: &dyn Host, path: &str, metadata: &Metadata, most: usize) -> Result<Vec<u8>, Denied> {
    let most_u64 = u64::try_from(most).unwrap_or(u64::MAX);
    let offset = metadata.size.saturating_sub(most_u64);
    let room = usize::try_from(metadata.size.min(most_u64)).unwrap_or(most);
    let mut bytes = vec![0; room];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let from = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match host.read_at(path, from, rest)? {
            0 => break,
            some => filled = filled.saturating_add(some),
        }
    }
    bytes.truncate(filled);
    if offset > 0 {
        let begun = bytes.iter().position(|c| *c == b'\n').map_or(bytes.len(), |at| at.saturating_add(1));
        bytes.drain(..begun.min(bytes.len()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::fake::FakeHost;

    /// 2026-11-22 01:34:50 UTC
    const MOMENT: u64 = 1_795_311_290;

    fn times(tail: &Tail) -> Vec<u64> {
        tail.lines().map(|(at, _)| at).collect()
    }

    #[test]
    fn a_clock_of_any_zone_is_understood_by_when_the_file_was_changed() {
        for (line, since) in [
            ("2026/11/22 01:34:50 [error] x\n", 0),
            ("2026/11/22 02:34:50 [error] x\n", 7),
            ("2026/11/21 17:34:50 [error] x\n", 0),
            ("2026/11/22 07:19:50 [error] x\n", 300),
        ] {
            let tail = Tail::new(line.as_bytes().to_vec(), MOMENT + since);
            assert_eq!(times(&tail), [MOMENT], "{line}");
        }
    }

    #[test]
    fn a_file_that_was_touched_days_later_is_in_utc() {
        let tail = Tail::new(b"2026/11/22 01:34:50 x\n".to_vec(), MOMENT + 86_400 * 3);
        assert_eq!(times(&tail), [MOMENT]);
    }

    #[test]
    fn lines_without_a_moment_take_over_the_last() {
        let tail = Tail::new(b"junk\n2026/11/22 01:34:50 x\n#0 trace\n".to_vec(), MOMENT);
        assert_eq!(times(&tail), [0, MOMENT, MOMENT]);
    }

    #[test]
    fn only_the_end_of_a_large_log_is_read_and_no_half_line() {
        let line = "2026/11/22 01:34:50 [error] 1#1: a line of some length\n";
        let log = line.repeat(20_000);
        let host = FakeHost::new(MOMENT).file("/l", &log);
        let tail = Tail::read(&host, "/l").expect("readable");
        assert!(tail.bytes.len() <= TAIL_MAX && tail.bytes.len() > TAIL_MAX - 200);
        assert!(tail.lines().all(|(at, text)| at == MOMENT && text == line.trim_end().as_bytes()));
    }

    #[test]
    fn what_was_rotated_away_just_now_still_counts() {
        let host = |rotated| {
            FakeHost::new(MOMENT).file("/l", "2026/11/22 01:34:50 new\n").file_of(
                "/l.1",
                b"2026/11/22 01:30:00 old\n",
                rotated,
            )
        };
        assert_eq!(times(&Tail::read(&host(MOMENT - 290), "/l").expect("readable")), [MOMENT - 290, MOMENT]);
        assert_eq!(times(&Tail::read(&host(MOMENT - 3_601), "/l").expect("readable")), [MOMENT]);
    }

    #[test]
    fn what_may_not_be_read_or_is_not_there_is_told_apart() {
        let host = FakeHost::new(0).file("/l", "x").refuse("/l");
        assert_eq!(Tail::read(&host, "/l").expect_err("refused"), Denied::Permission);
        assert_eq!(Tail::read(&host, "/m").expect_err("absent"), Denied::Absent);
    }
}
