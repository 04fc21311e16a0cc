//! Words and numbers in the kernel's text files. It may not assume anything of a file but that it is bytes.

/// The lines of a file.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A whole decimal number.
pub(super) fn decimal(word: &[u8]) -> Option<u64> {
    number(word, 10)
}

/// A whole hexadecimal number.
pub(super) fn hexadecimal(word: &[u8]) -> Option<u64> {
    number(word, 16)
}

/// The decimal number in the word of this place, counted from 0.
pub(super) fn number_at(line: &[u8], place: usize) -> Option<u64> {
    decimal(words(line).nth(place)?)
}

/// The rest of the first line that begins with `name`.
pub(super) fn after<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    lines(bytes).find_map(|line| line.strip_prefix(name.as_bytes()))
}

/// The number behind a name in a file of lines such as `MemTotal:  2048 kB` or `oom_kill 3`.
pub(super) fn named(bytes: &[u8], name: &str) -> Option<u64> {
    let mut found = lines(bytes).filter_map(|line| {
        let mut words = words(line);
        let key = words.next()?;
        let key = key.strip_suffix(b":").unwrap_or(key);
        if key == name.as_bytes() { decimal(words.next()?) } else { None }
    });
    found.next()
}

/// Text, as far as it is UTF-8.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// How many per cent `part` is of `whole`; 0 of nothing.
pub(super) fn percent(part: u64, whole: u64) -> u64 {
    let exact = u128::from(part).saturating_mul(100).checked_div(u128::from(whole)).unwrap_or(0);
    u64::try_from(exact).unwrap_or(u64::MAX)
}

fn number(word: &[u8], radix: u32) -> Option<u64> {
    // No sign: `u64::from_str_radix` would take a plus.
    let first = word.first()?;
    if !first.is_ascii_hexdigit() {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(word).ok()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_words_without_a_sign() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for refused in [&b""[..], b"+1", b"-1", b"1k", b"18446744073709551616", b"\xff"] {
            assert_eq!(decimal(refused), None, "{refused:?}");
        }
        assert_eq!(hexadecimal(b"0A"), Some(10));
        assert_eq!(hexadecimal(b"0x0A"), None);
    }

    #[test]
    fn a_named_number_is_found_by_its_whole_name() {
        let meminfo = b"MemTotal:        2048 kB\nMemFree:  7 kB\nSwapTotal:\t0 kB\n";
        assert_eq!(named(meminfo, "MemTotal"), Some(2048));
        assert_eq!(named(meminfo, "Mem"), None);
        assert_eq!(named(meminfo, "SwapTotal"), Some(0));
        assert_eq!(named(b"oom 1\noom_kill 3", "oom_kill"), Some(3));
    }

    #[test]
    fn per_cents_do_not_overflow() {
        assert_eq!(percent(1, 0), 0);
        assert_eq!(percent(u64::MAX, u64::MAX), 100);
        assert_eq!(percent(u64::MAX, 1), u64::MAX);
        assert_eq!(percent(29, 100), 29);
    }
}
