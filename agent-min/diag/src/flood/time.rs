//! The time of a log line, in each of the ways that servers write it, as seconds since the epoch.
//!
//! Thousands of lines in a row share their minute, so the last minute is kept and most lines cost a comparison.

/// Reads times; remembers the minute of the last one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// `22/Nov/2026:01:03:` and `+0000`.
    minute: [u8; 18],
    zone: [u8; 5],
    base: u64,
}

impl Clock {
    /// Reads `22/Nov/2026:01:03:44 +0000`, `2026-11-22T01:03:44+00:00` and seconds, milliseconds or microseconds
    /// since the epoch.
    #[inline]
    pub(super) fn read(&mut self, text: &[u8]) -> Option<u64> {
        match text {
            [b'0'..=b'9', b'0'..=b'9', b'/', ..] => self.read_common(text),
            [_, _, _, _, b'-', ..] => read_iso(text),
            _ => read_epoch(text),
        }
    }

    #[inline]
    fn read_common(&mut self, text: &[u8]) -> Option<u64> {
        let minute = text.first_chunk::<18>()?;
        let [tens, ones, b' ', zone @ ..] = text.get(18..)? else { return None };
        let zone = zone.first_chunk::<5>()?;
        if *minute != self.minute || *zone != self.zone {
            self.base = read_minute(minute)?.checked_sub_signed(read_zone(zone)?)?;
            (self.minute, self.zone) = (*minute, *zone);
        }
        self.base.checked_add(number(&[*tens, *ones])?)
    }
}

fn read_minute(text: &[u8; 18]) -> Option<u64> {
    let [d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':', h1, h2, b':', n1, n2, b':'] = *text else {
        return None;
    };
    let names =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let month = names.iter().position(|name| **name == [m1, m2, m3])?.checked_add(1)?;
    let day = number(&[d1, d2])?;
    let days = days_since_epoch(number(&[y1, y2, y3, y4])?, month as u64, day)?;
    at(days, number(&[h1, h2])?, number(&[n1, n2])?, 0)
}

fn read_iso(text: &[u8]) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date.first_chunk::<10>()? else { return None };
    let [b'T' | b' ', h1, h2, b':', n1, n2, b':', s1, s2, rest @ ..] = rest else { return None };
    let days = days_since_epoch(number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?)?;
    let local = at(days, number(&[*h1, *h2])?, number(&[*n1, *n2])?, number(&[*s1, *s2])?)?;
    let fraction = rest.iter().take_while(|byte| matches!(byte, b'.' | b',' | b'0'..=b'9')).count();
    let offset = match rest.get(fraction..)? {
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..] | [sign @ (b'+' | b'-'), h1, h2, m1, m2, ..] => {
            read_zone(&[*sign, *h1, *h2, *m1, *m2])?
        }
        _ => 0,
    };
    local.checked_sub_signed(offset)
}

fn read_epoch(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = number(text.get(..digits)?)?;
    match digits {
        9..=11 => Some(whole),
        12..=14 => Some(whole / 1_000),
        15..=17 => Some(whole / 1_000_000),
        _ => None,
    }
}

fn read_zone(text: &[u8; 5]) -> Option<i64> {
    let [sign @ (b'+' | b'-'), h1, h2, m1, m2] = *text else { return None };
    let seconds = at(0, number(&[h1, h2])?, number(&[m1, m2])?, 0)?;
    let seconds = i64::try_from(seconds).ok()?;
    Some(if sign == b'-' { seconds.wrapping_neg() } else { seconds })
}

fn at(days: u64, hours: u64, minutes: u64, seconds: u64) -> Option<u64> {
    if hours > 24 || minutes > 59 || seconds > 60 {
        return None;
    }
    let minutes = days.checked_mul(24)?.checked_add(hours)?.checked_mul(60)?.checked_add(minutes)?;
    minutes.checked_mul(60)?.checked_add(seconds)
}

/// Days of the Gregorian calendar, counted from 1 March of year 0 because leap days are then at the end.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    let (year, month) =
        if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month.checked_add(9)?) };
    let of_months = month.checked_mul(153)?.checked_add(2)? / 5;
    let of_years = year.checked_mul(365)?.checked_add(year / 4)?.checked_add(year / 400)?;
    let days = of_years.checked_add(of_months)?.checked_add(day)?;
    days.checked_sub(year / 100)?.checked_sub(DAYS_TO_1970)
}

/// From 29 February of year 0 to 1 January 1970.
const DAYS_TO_1970: u64 = 719_469;

/// Digits only.
#[inline]
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut number = 0_u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_moment_reads_the_same_in_every_way_of_writing() {
        for text in [
            "22/Nov/2026:01:03:44 +0000",
            "22/Nov/2026:03:03:44 +0200",
            "21/Nov/2026:19:33:44 -0530",
            "2026-11-22T01:03:44+00:00",
            "2026-11-22T01:03:44Z",
            "2026-11-22T01:03:44.123456Z",
            "2026-11-22 03:03:44,5+0200",
            "1795309424",
            "1795309424.123",
            "1795309424123",
            "1795309424123456",
        ] {
            assert_eq!(Clock::default().read(text.as_bytes()), Some(1_795_309_424), "{text}");
        }
    }

    #[test]
    fn leap_days_and_the_turn_of_years_are_where_the_calendar_has_them() {
        for (text, seconds) in [
            ("01/Jan/1970:00:00:00 +0000", 0),
            ("29/Feb/2024:12:00:00 +0000", 1_709_208_000),
            ("01/Mar/2024:00:00:00 +0000", 1_709_251_200),
            ("31/Dec/2025:23:59:59 +0000", 1_767_225_599),
            ("01/Jan/2026:00:00:00 +0000", 1_767_225_600),
            ("28/Feb/2100:00:00:00 +0000", 4_107_456_000),
            ("01/Mar/2100:00:00:00 +0000", 4_107_542_400),
        ] {
            assert_eq!(Clock::default().read(text.as_bytes()), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "-",
            "22/Foo/2026:01:03:44 +0000",
            "22/Nov/2026:01:99:44 +0000",
            "123",
            "2026-13-01T00:00:00Z",
        ] {
            assert_eq!(Clock::default().read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_kept_minute_of_another_zone_is_not_used() {
        let mut clock = Clock::default();
        assert_eq!(clock.read(b"22/Nov/2026:01:03:44 +0000"), Some(1_795_309_424));
        assert_eq!(clock.read(b"22/Nov/2026:01:03:45 +0000"), Some(1_795_309_425));
        assert_eq!(clock.read(b"22/Nov/2026:01:03:44 +0100"), Some(1_795_305_824));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _whatever = Clock::default().read(&text);
        }

        #[test]
        fn anything_like_a_time_is_read_or_refused(text in "[0-9]{2}/(Jan|Feb|Dec)/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}") {
            let _whatever = Clock::default().read(text.as_bytes());
        }
    }
}
