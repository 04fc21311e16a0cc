//! One GET over a connection, as little of HTTP/1.1 as that takes: the answer ends with the connection, with its
//! length, or with its last chunk.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::io::{self, Read, Write};
use std::time::Instant;

use secmon_diag::host::{Page, USER_AGENT};

/// Bytes of an answer's head.
const HEAD_MAX: usize = 16 * 1024;
/// Bytes of its body that are kept; more is not read.
const BODY_MAX: usize = 64 * 1024;
/// Fields of its head.
const FIELDS_MAX: usize = 64;

/// Asks for `path` of `host`.
pub(super) fn get(stream: &mut (impl Read + Write), host: &str, path: &str) -> io::Result<Page> {
    let bad = |c: char| c.is_ascii_control() || c == ' ' || !c.is_ascii();
    if host.contains(bad) || path.contains(bad) || !path.starts_with('/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let begun = Instant::now();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}/{}\r\nAccept: text/html,*/*\r\nConnection: close\r\n\r\n",
        crate::VERSION
    );
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut bytes = Vec::new();
    let mut first_byte = None;
    let (mut page, length) = loop {
        if !read_some(stream, &mut bytes)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        first_byte.get_or_insert_with(|| begun.elapsed());
        if let Some(answer) = parse_head(&bytes)? {
            break answer;
        }
        if bytes.len() > HEAD_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    };
    page.first_byte = first_byte.unwrap_or_default();
    let mut body = bytes.split_off(length.min(bytes.len()));
    let length = page.header("content-length").and_then(|length| length.parse().ok());
    let chunked =
        page.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let wanted = length.filter(|_| !chunked).unwrap_or(BODY_MAX).min(BODY_MAX);
    let ends = |body: &[u8]| body.len() >= wanted || (chunked && body.ends_with(b"0\r\n\r\n"));
    // A body that is cut short is what there is to judge.
    while !ends(&body) && matches!(read_some(stream, &mut body), Ok(true)) {}
    body.truncate(wanted);
    page.body = if chunked { dechunked(&body) } else { body };
    Ok(page)
}

/// False at the end.
fn read_some(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(length) => {
                bytes.extend_from_slice(piece.get(..length).unwrap_or_default());
                return Ok(length > 0);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The answer's head and its length; `None` if it isn't all there yet.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(Page, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes).map_err(|_| io::ErrorKind::InvalidData)? {
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(length) => length,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let fields = response.headers.iter();
    Ok(Some((
        Page {
            status: response.code.unwrap_or(0),
            headers: fields.map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect(),
            ..Page::default()
        },
        length,
    )))
}

/// The chunks' contents, as far as they are whole.
fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(bytes) {
        let rest = bytes.get(start..).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        let Some((chunk, rest)) = rest.split_at_checked(size).filter(|_| size > 0) else { break };
        out.extend_from_slice(chunk);
        bytes = rest.strip_prefix(b"\r\n").unwrap_or(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that has written its answer already.
    struct Answer<'a>(&'a [u8], Vec<u8>);

    impl Read for Answer<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            // In small pieces, as a network does.
            let length = out.len().min(7);
            self.0.read(&mut out[..length])
        }
    }

    impl Write for Answer<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answered(answer: &[u8]) -> io::Result<Page> {
        get(&mut Answer(answer, Vec::new()), "acme.example", "/")
    }

    #[test]
    fn a_body_ends_with_its_length_its_last_chunk_or_the_connection() {
        for (head, body) in [
            ("Content-Length: 5\r\n", "hello and more"),
            ("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"),
            ("Connection: close\r\n", "hello"),
        ] {
            let page = answered(format!("HTTP/1.1 503 Busy\r\n{head}\r\n{body}").as_bytes()).expect("a page");
            assert_eq!((page.status, page.body.as_slice()), (503, b"hello".as_slice()), "{head}");
        }
    }

    #[test]
    fn one_name_is_asked_for_in_one_request() {
        let mut peer = Answer(b"HTTP/1.1 301 Moved\r\nLOCATION: https://acme.example/\r\n\r\n", Vec::new());
        let page = get(&mut peer, "acme.example", "/a?b").expect("a page");
        assert_eq!(page.header("location"), Some("https://acme.example/"));
        let request = String::from_utf8(peer.1).expect("text");
        assert!(request.starts_with("GET /a?b HTTP/1.1\r\nHost: acme.example\r\n"), "{request}");
        assert_eq!(request.matches("Host:").count(), 1);
        for (host, path) in [("a\r\nX: y", "/"), ("a", "/ HTTP/1.0"), ("a b", "/"), ("a", "x")] {
            assert!(get(&mut Answer(b"", Vec::new()), host, path).is_err());
        }
    }

    #[test]
    fn what_is_too_much_or_no_answer_is_an_error_or_cut() {
        assert!(answered(b"").is_err());
        assert!(answered(b"SSH-2.0-OpenSSH_9.2\r\n").is_err());
        assert!(answered(&b"HTTP/1.1 200 OK\r\nX: y\r\n".repeat(2_000)).is_err());
        let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b'x'; 3 * BODY_MAX]].concat();
        assert_eq!(answered(&endless).expect("a page").body.len(), BODY_MAX);
        let lying = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffff\r\nx";
        assert_eq!(answered(lying).expect("a page").body, b"x");
    }
}
