//! Dates as certificates and HTTP write them, in seconds since the epoch.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::bytes::{Bytes, decimal};

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7). The two older forms are not read: nobody sends them.
pub fn http(text: &str) -> Option<u64> {
    let mut bytes = Bytes(text.as_bytes());
    bytes.take(5)?;
    let day = decimal(bytes.take(2)?)?;
    bytes.byte()?;
    let month = bytes.take(3)?;
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month)?.1;
    bytes.byte()?;
    let year = decimal(bytes.take(4)?)?;
    bytes.byte()?;
    let clock = (decimal(bytes.take(2)?)?, bytes.byte()?, decimal(bytes.take(2)?)?, bytes.byte()?);
    let (hour, b':', minute, b':') = clock else { return None };
    let second = decimal(bytes.take(2)?)?;
    (bytes.0 == b" GMT").then(|| seconds(year, month, day, hour, minute, second)).flatten()
}

/// UTCTime `YYMMDDHHMMSSZ` and GeneralizedTime `YYYYMMDDHHMMSSZ` (RFC 5280, section 4.1.2.5). What lies before the
/// epoch becomes its beginning.
pub fn asn1(text: &[u8]) -> Option<u64> {
    let mut bytes = Bytes(text);
    let year = match text.len() {
        13 => match decimal(bytes.take(2)?)? {
            year @ 0..50 => year.checked_add(2_000)?,
            year => year.checked_add(1_900)?,
        },
        15 => decimal(bytes.take(4)?)?,
        _ => return None,
    };
    let mut next = || decimal(bytes.take(2)?);
    let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
    if bytes.0 != b"Z" {
        return None;
    }
    seconds(year, month, day, hour, minute, second)
}

fn seconds(year: u64, month: u64, day: u64, hour: u64, minute: u64, second: u64) -> Option<u64> {
    // A leap second is a 60th one.
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !fits || year > 9_999 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if year < 1_970 {
        return Some(0);
    }
    // Years that begin in March have their leap day at their end (Howard Hinnant's days_from_civil).
    let (year, month) =
        if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month.checked_add(9)?) };
    let before =
        year.checked_mul(365)?.checked_add(year / 4)?.checked_sub(year / 100)?.checked_add(year / 400)?;
    let in_year = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?.checked_add(day)?.checked_sub(1)?;
    // From the first of March of the year 0 to the epoch.
    let days = before.checked_add(in_year)?.checked_sub(719_468)?;
    let in_day = hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    days.checked_mul(86_400)?.checked_add(in_day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_what_the_calendar_says() {
        // What `date -u -d "…" +%s` prints.
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Sun, 22 Nov 2026 10:07:01 GMT", Some(1_795_342_021)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Now 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
        ] {
            assert_eq!(http(text), seconds, "{text}");
        }
        for (text, seconds) in [
            ("700101000000Z", Some(0)),
            ("491231235959Z", Some(2_524_607_999)),
            ("500101000000Z", Some(0)),
            ("20500101000000Z", Some(2_524_608_000)),
            ("99991231235959Z", Some(253_402_300_799)),
            ("261301000000Z", None),
            ("2611010000Z", None),
            ("261101000000+", None),
        ] {
            assert_eq!(asn1(text.as_bytes()), seconds, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            let _any = (http(&text), asn1(text.as_bytes()));
        }
    }
}
