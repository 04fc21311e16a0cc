//! Requests as bytes: finds the end of the head, decodes the body. Pure; the connection feeds it.

/// The longest head.
const MAX_HEAD: usize = 64 * 1024;
/// The longest body.
const MAX_BODY: usize = 20 * 1024 * 1024;
const MAX_HEADERS: usize = 100;

/// A complete request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` and so on, as it came.
    pub verb: String,
    /// The target up to a question mark, still encoded.
    pub path: String,
    /// The target behind it, still encoded.
    pub query: String,
    /// Names and values of the head, in order.
    pub headers: Vec<(String, String)>,
    /// Whether the client wants to send another request on this connection.
    pub keep_alive: bool,
    /// The decoded body.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header with this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body's type; empty when none is said.
    #[must_use]
    pub fn content_type(&self) -> &str {
        self.header("content-type").unwrap_or_default()
    }

    /// The query's names and values, decoded.
    #[must_use]
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        let decoded = |text: &str| String::from_utf8_lossy(&percent_decode(text.as_bytes())).into_owned();
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect()
    }
}

/// Resolves `%XX`, and `+` as a space.
#[must_use]
pub fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let escaped = text.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    out
}

/// What the bytes so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Progress {
    /// A request, and how many bytes it took.
    Complete(Box<Request>, usize),
    /// More bytes are needed.
    Partial,
    /// More bytes are needed, and the client waits for `100 Continue` before it sends them.
    WaitsForContinue,
    /// The status to answer before closing.
    Broken(u16),
}

/// Reads a request from the start of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Progress {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let head_length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() > MAX_HEAD => return Progress::Broken(400),
        Ok(httparse::Status::Partial) => return Progress::Partial,
        Err(_) => return Progress::Broken(400),
    };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| lossy(header.value))
    };
    let rest = bytes.get(head_length..).unwrap_or_default();
    let body = if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        chunked(rest)
    } else {
        match header("content-length").map_or(Ok(0), |value| value.parse::<usize>()) {
            Ok(length) if length > MAX_BODY => Err(413),
            Ok(length) => Ok(rest.get(..length).map(|body| (body.to_vec(), length))),
            Err(_) => Err(400),
        }
    };
    let (body, body_length) = match body {
        Err(status) => return Progress::Broken(status),
        Ok(Some(found)) => found,
        Ok(None) if header("expect").is_some() && rest.is_empty() => return Progress::WaitsForContinue,
        Ok(None) => return Progress::Partial,
    };
    let target = head.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let request = Request {
        verb: head.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: head.headers.iter().map(|header| (header.name.to_owned(), lossy(header.value))).collect(),
        keep_alive: !closes && head.version == Some(1),
        body,
    };
    Progress::Complete(Box::new(request), head_length + body_length)
}

fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim().to_owned()
}

/// Body and encoded length; `None` when the end is not there yet.
fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, u16> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (line, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((line, size))) => {
                (line, usize::try_from(size).map_err(|_| 413u16)?)
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(400),
        };
        if size > MAX_BODY || body.len() + size > MAX_BODY {
            return Err(413);
        }
        let Some(chunk) = rest.get(line..line + size + 2) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk.get(..size).unwrap_or_default());
        at += line + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_requests_in_one_buffer_are_told_apart() {
        let bytes = b"POST /a?b=c HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.0\r\n\r\n";
        let Progress::Complete(first, used) = parse(bytes) else { panic!("expected a request") };
        assert_eq!(
            (first.path.as_str(), first.query.as_str(), first.body.as_slice()),
            ("/a", "b=c", &b"hi"[..])
        );
        assert!(first.keep_alive);
        let Progress::Complete(second, _) = parse(&bytes[used..]) else { panic!("expected a request") };
        assert!(!second.keep_alive);
    }

    #[test]
    fn every_prefix_of_a_request_is_partial() {
        for bytes in [
            &b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"[..],
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        ] {
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), Progress::Partial);
            }
            let Progress::Complete(request, used) = parse(bytes) else { panic!("expected a request") };
            assert_eq!((request.body.as_slice(), used), (&b"hello"[..], bytes.len()));
        }
    }

    #[test]
    fn nonsense_and_too_much_are_refused() {
        assert_eq!(parse(b"\x16\x03\x01\x02\x00"), Progress::Broken(400));
        assert_eq!(parse(b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"), Progress::Broken(400));
        assert_eq!(parse(b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"), Progress::Broken(413));
        assert_eq!(
            parse(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"),
            Progress::WaitsForContinue
        );
    }
}
