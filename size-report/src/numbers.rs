//! Figures as people read them: bytes in groups of three, signs, shares.

/// `1,234,567`
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `+1,234`, `−1,234`, `±0`
pub(crate) fn signed(value: i64) -> String {
    let sign = match value {
        0 => "±",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", grouped(value.unsigned_abs()))
}

/// `12.3 %`
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0.0 %".into();
    }
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// `+1,234 (+0.5 %)`
pub(crate) fn change(value: i64, of: u64) -> String {
    if value == 0 {
        return signed(value);
    }
    let sign = if value > 0 { '+' } else { '−' };
    format!("{} ({sign}{})", signed(value), percent(value.unsigned_abs(), of))
}

/// `now − before`, which fits: files are far smaller than 2⁶³ bytes.
pub(crate) fn distance(now: u64, before: u64) -> i64 {
    i64::try_from(i128::from(now) - i128::from(before)).unwrap_or(i64::MAX)
}

/// The text, or its beginning with an ellipsis if it is longer than `limit` characters.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.into();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_signed() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_400_000), "1,400,000");
        assert_eq!(
            (signed(0), signed(1_000), signed(-1_000)),
            ("±0".into(), "+1,000".into(), "−1,000".into())
        );
        assert_eq!(change(-1_500, 1_000_000), "−1,500 (−0.2 %)");
    }

    #[test]
    fn shares_are_rounded_and_nothing_is_divided_by_zero() {
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(2, 3), "66.7 %");
        assert_eq!(percent(5, 0), "0.0 %");
    }

    #[test]
    fn distances_have_the_sign_of_the_growth() {
        assert_eq!(distance(7, 10), -3);
        assert_eq!(distance(u64::MAX, 0), i64::MAX);
    }

    #[test]
    fn long_text_ends_in_an_ellipsis() {
        assert_eq!(shortened("ärger", 5), "ärger");
        assert_eq!(shortened("ärgerlich", 5), "ärge…");
    }
}
