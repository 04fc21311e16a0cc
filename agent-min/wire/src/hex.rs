//! Lower-case hexadecimal, both ways, for values of a fixed size.

use heapless::String;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// `bytes` as lower-case hex. `CHARS` must be at least twice the length of `bytes`; what doesn't fit is
/// a bug of the caller that the type of every caller in this crate rules out.
pub fn to_hex<const CHARS: usize>(bytes: &[u8]) -> String<CHARS> {
    debug_assert!(bytes.len().saturating_mul(2) <= CHARS);
    let mut text = String::new();
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            let digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
            if text.push(char::from(digit)).is_err() {
                return text;
            }
        }
    }
    text
}

/// Exactly `N` bytes from exactly `2 * N` lower-case hex digits; anything else is `None`.
pub fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    if pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_lower_case_and_of_the_exact_length() {
        assert_eq!(to_hex::<4>(&[0x9f, 0x02]).as_str(), "9f02");
        assert_eq!(from_hex::<2>(b"9f02"), Some([0x9f, 0x02]));
        for refused in ["9F02", "9f0", "9f020", "9g02", "", "9f02 "] {
            assert_eq!(from_hex::<2>(refused.as_bytes()), None, "{refused}");
        }
    }
}
