//! The first certificate of a PEM file (RFC 7468): the one that a server shows.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::bytes::find;

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// Its DER. Keys and comments before it are passed over and go nowhere.
pub fn first(text: &[u8]) -> Option<Vec<u8>> {
    let begin = find(text, BEGIN)?.checked_add(BEGIN.len())?;
    let text = text.get(begin..)?;
    base64(text.get(..find(text, END)?)?)
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            b'=' | b'\n' | b'\r' | b' ' | b'\t' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count = count.wrapping_add(6);
        if count >= 8 {
            count = count.wrapping_sub(8);
            // Only these eight bits are new.
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_of_several_is_read_and_a_key_before_it_is_not() {
        let text = b"x\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n\
            -----BEGIN CERTIFICATE-----\r\nAQID\r\nBP8=\r\n-----END CERTIFICATE-----\n\
            -----BEGIN CERTIFICATE-----\nCQkJ\n-----END CERTIFICATE-----\n";
        assert_eq!(first(text), Some(vec![1, 2, 3, 4, 255]));
    }

    #[test]
    fn what_is_cut_or_no_base64_is_no_certificate() {
        for text in [
            &b""[..],
            b"-----BEGIN CERTIFICATE-----\nAQID\n",
            b"-----BEGIN CERTIFICATE-----\nA*ID\n-----END CERTIFICATE-----",
            b"-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n",
        ] {
            assert_eq!(first(text), None);
        }
    }

    proptest! {
        #[test]
        fn no_file_is_too_strange(middle in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _any = first(&[BEGIN, &middle, END].concat());
        }
    }
}
