//! When a line was written, as its first words say. No format of these logs is sure to name a zone.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Seconds since the epoch if the line's clock were in UTC, and how many bytes say so. Knows
/// `2026/11/22 01:34:50` (nginx), `[Sun Nov 22 01:34:50.123456 2026]` (Apache), `[22-Nov-2026 01:34:50 UTC]` (PHP),
/// `2026-11-22  1:34:50`, `2026-11-22T01:34:50.123456Z` (databases, certbot) and `261122  1:34:50` (a dying database).
pub fn stamp(line: &[u8]) -> Option<(u64, usize)> {
    let mut words = Words { line, at: 0 };
    let in_brackets = words.skip(b'[');
    let (year, month, day, clock) = if in_brackets && words.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
        words.at = words.at.checked_add(4)?;
        let month = words.month()?;
        let _blank = words.skip(b' ');
        let day = words.number()?;
        let _blank = words.skip(b' ');
        let clock = words.clock()?;
        let _blank = words.skip(b' ');
        (words.number()?, month, day, clock)
    } else {
        let first = words.number()?;
        match words.next()? {
            b'-' if in_brackets => {
                let month = words.month()?;
                let _dash = words.skip(b'-');
                let year = words.number()?;
                let _blank = words.skip(b' ');
                (year, month, first, words.clock()?)
            }
            sign @ (b'-' | b'/') => {
                let month = words.number()?;
                let _same = words.skip(sign);
                let day = words.number()?;
                let _between = words.skip(b'T') || words.skip(b' ');
                (first, month, day, words.clock()?)
            }
            b' ' if words.at == 7 => {
                let year = first.checked_div(10_000)?.checked_add(2000)?;
                let month = first.checked_div(100)?.checked_rem(100)?;
                (year, month, first.checked_rem(100)?, words.clock()?)
            }
            _ => return None,
        }
    };
    if in_brackets {
        words.at = words.at.checked_add(words.rest().iter().position(|c| *c == b']')?)?.checked_add(1)?;
    }
    Some((days(year, month, day)?.checked_mul(86_400)?.checked_add(clock)?, words.at))
}

struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let next = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(next)
    }

    fn skip(&mut self, sign: u8) -> bool {
        let is = self.peek() == Some(sign);
        self.at = self.at.saturating_add(usize::from(is));
        is
    }

    /// At most nine digits.
    fn number(&mut self) -> Option<u64> {
        let digits = self.rest().iter().take_while(|c| c.is_ascii_digit()).count();
        let text = std::str::from_utf8(self.rest().get(..digits.min(9))?).ok()?;
        self.at = self.at.saturating_add(digits);
        text.parse().ok()
    }

    fn month(&mut self) -> Option<u64> {
        let name = self.rest().get(..3)?;
        self.at = self.at.saturating_add(3);
        let index = MONTHS.iter().position(|month| name == *month)?;
        u64::try_from(index).ok()?.checked_add(1)
    }

    /// `01:34:50`, ` 1:34:50`, with or without a fraction.
    fn clock(&mut self) -> Option<u64> {
        let _padding = self.skip(b' ');
        let hours = self.number().filter(|hours| *hours < 24)?;
        let (true, Some(minutes)) = (self.skip(b':'), self.number().filter(|minutes| *minutes < 60)) else {
            return None;
        };
        let (true, Some(seconds)) = (self.skip(b':'), self.number().filter(|seconds| *seconds <= 60)) else {
            return None;
        };
        if self.skip(b'.') || self.skip(b',') {
            let _fraction = self.number();
        }
        hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)
    }
}

/// Days since the epoch; years begin in March here, so that a leap day is the last one.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) =
        if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month.checked_add(9)?) };
    let of_months = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let leap =
        year.checked_div(4)?.checked_sub(year.checked_div(100)?)?.checked_add(year.checked_div(400)?)?;
    let days = year.checked_mul(365)?.checked_add(leap)?.checked_add(of_months)?.checked_add(day)?;
    days.checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_program_writes_the_same_moment_in_its_own_way() {
        // 2026-11-22 01:34:50 UTC
        let moment = 1_795_311_290;
        for (line, len) in [
            ("2026/11/22 01:34:50 [error] 766#766: *1 x", 19),
            ("[Sun Nov 22 01:34:50.123456 2026] [core:error] x", 33),
            ("[Sun Nov 22 01:34:50 2026] [error] x", 26),
            ("[22-Nov-2026 01:34:50] NOTICE: x", 22),
            ("[22-Nov-2026 01:34:50 Europe/Berlin] PHP Fatal error:  x", 36),
            ("2026-11-22  1:34:50 0 [Note] x", 19),
            ("2026-11-22 01:34:50 140 [Note] x", 19),
            ("2026-11-22T01:34:50.123456Z 0 [System] x", 26),
            ("2026-11-22 01:34:50.123 UTC [123] LOG:  x", 23),
            ("2026-11-22 01:34:50,123:DEBUG:certbot", 23),
            ("261122  1:34:50 [ERROR] mysqld got signal 11 ;", 15),
            ("261122 01:34:50 [ERROR] mysqld got signal 11 ;", 15),
        ] {
            assert_eq!(stamp(line.as_bytes()), Some((moment, len)), "{line}");
        }
    }

    #[test]
    fn days_are_counted_as_calendars_do() {
        for (line, seconds) in [
            ("1970-01-01 00:00:00", 0),
            ("2000-02-29 00:00:00", 951_782_400),
            ("2024-12-31 23:59:59", 1_735_689_599),
            ("2100-03-01 00:00:00", 4_107_542_400),
        ] {
            assert_eq!(stamp(line.as_bytes()).map(|(at, _)| at), Some(seconds), "{line}");
        }
    }

    #[test]
    fn other_lines_have_no_moment() {
        for line in [
            "",
            "[",
            "Stack trace:",
            "#0 /var/www/a.php(1): x()",
            "2026/13/01 00:00:00",
            "2026-01-01 24:00:00",
            "127.0.0.1 - -",
            "99999999999999999999-1-1",
            "[Sun",
            "12 3:4:5",
        ] {
            assert_eq!(stamp(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_one_or_not(line in prop::collection::vec(prop::sample::select(b"0129[]:-/ TJanSu.,\xff".to_vec()), 0..40)) {
            if let Some((_, len)) = stamp(&line) {
                prop_assert!(len <= line.len());
            }
        }
    }
}
