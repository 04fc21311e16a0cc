//! Datagrams of netlink(7): messages one behind the other, the last of which says that it is.

/// `NLMSG_ERROR` of linux/netlink.h.
const ERROR: u16 = 2;
/// `NLMSG_DONE`.
const DONE: u16 = 3;
/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;

/// Hands every message of a datagram, header included, to `each`. Whether the end of the answer was among them, and
/// whether it was an error.
pub fn walk(datagram: &[u8], each: &mut dyn FnMut(&[u8])) -> (bool, bool) {
    let mut rest = datagram;
    while let Some((length, kind)) = header(rest) {
        if length < HEADER {
            return (true, true);
        }
        match kind {
            DONE => return (true, false),
            ERROR => return (true, true),
            _ => each(rest.get(..length).unwrap_or(rest)),
        }
        // Messages begin at multiples of four.
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    (false, false)
}

/// The message's length and kind, in the machine's own byte order.
fn header(bytes: &[u8]) -> Option<(usize, u16)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (kind, _) = rest.split_first_chunk::<2>()?;
    let length = usize::try_from(u32::from_ne_bytes(*length)).ok()?;
    (length <= 1 << 20).then_some((length, u16::from_ne_bytes(*kind)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(length: u32, kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn messages_come_apart_until_one_says_the_end() {
        let datagram =
            [message(18, 20, b"ab"), message(16, 20, b""), message(16, DONE, b""), message(16, 20, b"")]
                .concat();
        let mut lengths = Vec::new();
        assert_eq!(walk(&datagram, &mut |message| lengths.push(message.len())), (true, false));
        assert_eq!(lengths, [18, 16]);
        assert_eq!(walk(&datagram[..36], &mut |_| ()), (false, false));
        assert_eq!(walk(&message(20, ERROR, &[0; 4]), &mut |_| ()), (true, true));
        assert_eq!(walk(&message(3, 20, b""), &mut |_| ()), (true, true));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_it_or_keep_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut count = 0;
            let _end = walk(&bytes, &mut |_| count += 1);
            prop_assert!(count <= 200 / 16 + 1);
        }
    }
}
