//! FastCGI records: one GET without a body, and of the answer what stands on its standard output.
//!
//! The request is what a web server would send for a status page; there is no file and no script behind it.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::bytes::{Bytes, find};

/// A record's header.
pub const HEADER: usize = 8;
/// Longer answers are no status page.
pub const OUTPUT_MAX: usize = 16 * 1024;

const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;

/// A GET request for a path. `None` if the path is longer than a status page's is.
pub fn get(path: &str, query: &str) -> Option<Vec<u8>> {
    let mut params = Vec::new();
    let variables = [
        ("SCRIPT_FILENAME", path),
        ("SCRIPT_NAME", path),
        ("QUERY_STRING", query),
        ("REQUEST_METHOD", "GET"),
    ];
    for (name, value) in variables {
        // Lengths below 128 take one byte.
        let length = |text: &str| u8::try_from(text.len()).ok().filter(|length| *length < 128);
        params.extend([length(name)?, length(value)?]);
        params.extend(name.bytes().chain(value.bytes()));
    }
    let mut out = Vec::new();
    // A responder, and the connection is closed afterwards.
    record(&mut out, BEGIN_REQUEST, &[0, 1, 0, 0, 0, 0, 0, 0])?;
    record(&mut out, PARAMS, &params)?;
    record(&mut out, PARAMS, &[])?;
    record(&mut out, STDIN, &[])?;
    Some(out)
}

fn record(out: &mut Vec<u8>, kind: u8, content: &[u8]) -> Option<()> {
    let length = u16::try_from(content.len()).ok()?.to_be_bytes();
    out.extend([1, kind, 0, 1]);
    out.extend(length);
    out.extend([0, 0]);
    out.extend(content);
    Some(())
}

/// What a piece of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Piece {
    /// So many bytes of output follow, and then so many to be dropped.
    Output(usize, usize),
    /// So many bytes to be dropped.
    Other(usize),
    /// The answer is complete.
    End,
}

/// Reads a record's header. `None` for what isn't one.
pub fn piece(header: [u8; HEADER]) -> Option<Piece> {
    let mut bytes = Bytes(&header);
    let (version, kind, _request) = (bytes.byte()?, bytes.byte()?, bytes.be16()?);
    let (length, padding) = (usize::from(bytes.be16()?), usize::from(bytes.byte()?));
    match kind {
        _ if version != 1 => None,
        STDOUT => Some(Piece::Output(length, padding)),
        END_REQUEST => Some(Piece::End),
        _ => Some(Piece::Other(length.checked_add(padding)?)),
    }
}

/// The body of what a program answered: after its headers, unless it says that it failed.
pub fn body(output: &[u8]) -> Option<&[u8]> {
    let end = find(output, b"\r\n\r\n")?;
    let (headers, body) = output.split_at_checked(end)?;
    // Without a status line, it is 200.
    let status = headers.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Status: "));
    let good = status.is_none_or(|status| status.starts_with(b"200"));
    body.get(4..).filter(|_| good)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_what_a_web_server_sends() {
        let request = get("/status", "json").expect("short");
        let wanted: &[u8] = b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0\
            \x01\x04\0\x01\0\x51\0\0\x0f\x07SCRIPT_FILENAME/status\x0b\x07SCRIPT_NAME/status\
            \x0c\x04QUERY_STRINGjson\x0e\x03REQUEST_METHODGET\
            \x01\x04\0\x01\0\0\0\0\x01\x05\0\x01\0\0\0\0";
        assert_eq!(request, wanted);
        assert_eq!(get(&"/".repeat(128), ""), None);
    }

    #[test]
    fn records_are_told_apart() {
        assert_eq!(piece([1, 6, 0, 1, 1, 0xa9, 7, 0]), Some(Piece::Output(425, 7)));
        assert_eq!(piece([1, 7, 0, 1, 0, 0x16, 2, 0]), Some(Piece::Other(24)));
        assert_eq!(piece([1, 3, 0, 1, 0, 8, 0, 0]), Some(Piece::End));
        assert_eq!(piece([0, 6, 0, 1, 0, 8, 0, 0]), None);
        assert_eq!(piece(*b"HTTP/1.1"), None);
    }

    #[test]
    fn a_page_that_is_not_there_has_no_body() {
        let good = b"Cache-Control: no-cache\r\nContent-Type: application/json\r\n\r\n{}";
        assert_eq!(body(good), Some(b"{}".as_slice()));
        assert_eq!(body(b"Status: 404 Not Found\r\nContent-type: text/html\r\n\r\nFile not found.\n"), None);
        assert_eq!(body(b"Content-Type: text/plain\r\n"), None);
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(header: [u8; HEADER], output in proptest::collection::vec(any::<u8>(), 0..99)) {
            let _any = (piece(header), body(&output));
        }
    }
}
