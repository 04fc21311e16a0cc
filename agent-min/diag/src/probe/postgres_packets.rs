//! The messages of PostgreSQL's protocol 3.0 that a look at a server needs (postgresql.org, "Message Formats").
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::bytes::Bytes;

/// What a server's first message fits into.
pub const MESSAGE_MAX: usize = 1_024;
/// Asks whether the server speaks TLS. It answers with one byte, and logs nothing if nobody goes on.
pub const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What a server says to somebody new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Said {
    /// It would talk, to somebody with an account.
    Asks,
    /// All connections are taken (53300).
    TooMany,
    /// It is starting, stopping, or repairs itself (57P03).
    NotYet,
    /// It refuses for a reason of its own.
    Refuses,
    /// It is something else.
    Other,
}

/// The message that opens a connection.
pub fn startup(user: &str) -> Vec<u8> {
    let body = [b"\0\x03\0\0user\0".as_slice(), user.as_bytes(), b"\0database\0postgres\0\0"].concat();
    let length = u32::try_from(body.len()).unwrap_or(0).saturating_add(4);
    [length.to_be_bytes().as_slice(), &body].concat()
}

/// Reads the first message of the answer, or its beginning.
pub fn said(message: &[u8]) -> Said {
    let mut bytes = Bytes(message);
    let (kind, length) = (bytes.byte(), bytes.array().map(u32::from_be_bytes));
    match (kind, length) {
        (Some(b'R'), Some(8..)) => Said::Asks,
        (Some(b'E'), Some(5..)) => code(bytes).map_or(Said::Other, |code| match code {
            b"53300" => Said::TooMany,
            b"57P03" => Said::NotYet,
            _ => Said::Refuses,
        }),
        _ => Said::Other,
    }
}

/// The SQLSTATE among an error's fields.
fn code(mut fields: Bytes<'_>) -> Option<&[u8]> {
    while let Some(kind) = fields.byte().filter(|kind| *kind != 0) {
        let text = fields.until(0)?;
        if kind == b'C' {
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_startup_message_is_as_the_manual_says() {
        assert_eq!(startup("me"), b"\0\0\0\x23\0\x03\0\0user\0me\0database\0postgres\0\0");
    }

    #[test]
    fn what_postgresql_15_says_is_understood() {
        for (message, wanted) in [
            (&b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0"[..], Said::Asks),
            (b"R\0\0\0\x08\0\0\0\0", Said::Asks),
            (b"E\0\0\0USFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0Fproc.c\0\0", Said::TooMany),
            (b"E\0\0\0USFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0", Said::NotYet),
            (b"E\0\0\0gSFATAL\0VFATAL\0C28000\0MPeer authentication failed\0\0", Said::Refuses),
            (b"E\0\0\0gSFATAL\0", Said::Other),
            (b"E\0\0\0gMC53300", Said::Other),
            (b"N", Said::Other),
            (b"", Said::Other),
            (b"HTTP/1.1 400 Bad Request", Said::Other),
        ] {
            assert_eq!(said(message), wanted);
        }
    }

    proptest! {
        #[test]
        fn no_message_is_too_strange(message in proptest::collection::vec(any::<u8>(), 0..99)) {
            let _any = said(&message);
            let _any = said(&[b"E\0\0\0\x60", message.as_slice()].concat());
        }
    }
}
