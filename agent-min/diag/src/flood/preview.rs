//! A look at a log's last part before the pass: when the log ends, and whose addresses it has.

use super::format::Format;
use super::json::Rewritten;
use super::time::Clock;
use super::whose::Census;

/// Seconds that a line may be behind the newest one. Servers write a line when a request ends, some with the time of
/// its beginning; what is older comes from elsewhere.
pub(super) const LATE: u64 = 3_600;
/// Seconds that a line may be ahead.
pub(super) const AHEAD: u64 = 600;
/// So many late lines in a row mean that the clock was set back.
pub(super) const LATE_IN_A_ROW: u32 = 8;

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Preview {
    pub(super) end: u64,
    pub(super) census: Census,
    late: u32,
    jump: Option<u64>,
}

impl Preview {
    /// Looks at the lines of the last part.
    pub(super) fn new(lines: &[u8], format: &Format, now: Option<u64>) -> Self {
        let mut preview = Self::default();
        let (mut clock, mut room) = (Clock::default(), Rewritten::new());
        for text in lines.split(|byte| *byte == b'\n') {
            let Some(line) = format.read(text, &mut clock, &mut room) else { continue };
            if now.is_some_and(|now| line.time > now.saturating_add(AHEAD)) {
                continue;
            }
            preview.see(line.time);
            if let Some(address) = line.client {
                preview.census.add(address);
            }
        }
        preview
    }

    /// A jump ahead counts when the next line confirms it, one back when several do.
    fn see(&mut self, time: u64) {
        if self.end == 0 {
            self.end = time;
        } else if time.saturating_add(LATE) < self.end {
            self.late = self.late.saturating_add(1);
            if self.late >= LATE_IN_A_ROW {
                (self.end, self.late) = (time, 0);
            }
        } else if time > self.end.saturating_add(LATE) {
            let confirmed = self.jump.is_some_and(|jump| jump.abs_diff(time) <= LATE);
            self.jump = if confirmed { None } else { Some(time) };
            if confirmed {
                self.end = time;
            }
        } else {
            self.end = self.end.max(time);
            (self.late, self.jump) = (0, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(times: &[u64], now: Option<u64>) -> u64 {
        let line = |time: &u64| format!("{{\"time\":{time},\"status\":200}}\n");
        let lines: String = times.iter().map(line).collect();
        Preview::new(lines.as_bytes(), &Format::Guess, now).end
    }

    const T: u64 = 1_700_000_000;

    #[test]
    fn the_end_is_the_newest_line_but_not_one_from_elsewhere() {
        assert_eq!(end(&[T, T + 5, T + 3], None), T + 5);
        assert_eq!(end(&[T, T + 5, T - 100_000_000], None), T + 5);
        assert_eq!(end(&[T, T + 5, T + 100_000_000], None), T + 5);
        assert_eq!(end(&[T, T + 5, T + 3_000, T + 9_000, T + 9_001], None), T + 9_001);
        assert_eq!(
            end(&[T, T + 9_000, T + 5, T + 9_001, T + 6], None),
            T + 6,
            "two that don't follow each other"
        );
        assert_eq!(end(&[T, T + 5, T + 601, T + 602], Some(T)), T + 5);
        assert_eq!(end(&[], None), 0);
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed() {
        let mut times = vec![T];
        times.extend([T - 10_000; LATE_IN_A_ROW as usize]);
        assert_eq!(end(&times, None), T - 10_000);
        times.pop();
        assert_eq!(end(&times, None), T);
    }
}
