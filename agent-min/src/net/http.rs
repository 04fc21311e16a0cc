//! HTTP/1.1 as far as this agent speaks it (RFC 9110, RFC 9112): request heads in, response heads out. Pure.
//!
//! A request is refused when two readers could see two requests in it: a doubled length, a length beside a
//! transfer coding, a coding that we don't read. After such a refusal the connection is closed, because
//! nobody knows where the next request begins.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::fmt::Write;

use secmon_wire::signature::Signature;
use secmon_wire::{SIGNATURE_HEADER, WireError, from_hex};

use super::limits::{BODY_MAX, FIELDS_MAX, HEAD_MAX};
use crate::areas::Areas;

/// A complete request head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of the head itself.
    pub(crate) length: usize,
    /// Bytes of the body that follows.
    pub(crate) body: usize,
    /// What is asked for, or why it isn't given; either way the body is read first.
    pub(crate) route: Result<Route, Failure>,
    /// Whether the response has no body.
    pub(crate) head_only: bool,
    /// Whether the connection stays open after the response.
    pub(crate) keep_alive: bool,
    /// Whether the peer waits for our go before it sends the body.
    pub(crate) expects_continue: bool,
    /// The signature beside the body, if there is exactly one and it has the right form.
    pub(crate) signature: Option<Signature>,
}

/// All that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Manifest,
    Receipts,
    Health,
    Execute,
    /// A report of these areas.
    Diagnose(Areas),
}

/// Every path, its route and the methods it takes.
const ROUTES: &[(&str, Route, &str)] = &[
    ("/v1/diag", Route::Diagnose(Areas::ALL), "GET"),
    ("/v1/execute", Route::Execute, "POST"),
    ("/v1/health", Route::Health, "GET, HEAD"),
    ("/v1/manifest", Route::Manifest, "GET, HEAD"),
    ("/v1/receipts", Route::Receipts, "GET, HEAD"),
];

/// Why a request gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    BadRequest,
    /// The body is no envelope, for this reason.
    Malformed(WireError),
    Forbidden,
    NotFound,
    MethodNotAllowed {
        allow: &'static str,
    },
    RequestTimeout,
    LengthRequired,
    ContentTooLarge,
    ExpectationFailed,
    HeadTooLarge,
    NotImplemented,
    Unavailable,
    VersionNotSupported,
}

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Parsed {
    /// The beginning of a head.
    Partial,
    Complete(Head),
    /// No head that we read, or not one head only; the connection must be closed.
    Failed(Failure),
}

/// Reads a request head from the beginning of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_MAX => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => return Parsed::Partial,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Parsed::Failed(Failure::HeadTooLarge),
        Err(httparse::Error::Version) => return Parsed::Failed(Failure::VersionNotSupported),
        Err(_) => return Parsed::Failed(Failure::BadRequest),
    };
    match read_head(length, &request) {
        Ok(head) => Parsed::Complete(head),
        Err(failure) => Parsed::Failed(failure),
    }
}

fn read_head(length: usize, request: &httparse::Request<'_, '_>) -> Result<Head, Failure> {
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Failure::BadRequest);
    };
    let fields = Fields(request.headers);
    let hosts = fields.all("Host").count();
    if hosts > 1 || (hosts == 0 && minor > 0) {
        return Err(Failure::BadRequest);
    }
    let body = body_length(method, &fields)?;
    if body > BODY_MAX {
        return Err(Failure::ContentTooLarge);
    }
    let expects_continue = match fields.only("Expect")? {
        None => false,
        Some(value) if value.eq_ignore_ascii_case(b"100-continue") => minor > 0,
        Some(_) => return Err(Failure::ExpectationFailed),
    };
    let close = fields.lists("Connection", b"close");
    let keep = minor > 0 || fields.lists("Connection", b"keep-alive");
    Ok(Head {
        length,
        body,
        route: route(method, target),
        head_only: method == "HEAD",
        keep_alive: keep && !close,
        expects_continue,
        signature: fields.only(SIGNATURE_HEADER)?.and_then(from_hex),
    })
}

/// Bytes of the body (RFC 9112 §6.3, without transfer codings).
fn body_length(method: &str, fields: &Fields<'_>) -> Result<usize, Failure> {
    let length = fields.only("Content-Length")?;
    if let Some(coding) = fields.all("Transfer-Encoding").next() {
        return Err(match length {
            Some(_) => Failure::BadRequest,
            None if coding.eq_ignore_ascii_case(b"chunked") => Failure::LengthRequired,
            None => Failure::NotImplemented,
        });
    }
    match length {
        None if method == "POST" => Err(Failure::LengthRequired),
        None => Ok(0),
        Some(digits) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            // More digits than fit are a length over every limit.
            let text = std::str::from_utf8(digits).unwrap_or_default();
            Ok(text.parse().unwrap_or(usize::MAX))
        }
        Some(_) => Err(Failure::BadRequest),
    }
}

fn route(method: &str, target: &str) -> Result<Route, Failure> {
    let path = match target.strip_prefix("https://") {
        // The absolute form, which a server must take (RFC 9112 §3.2.2).
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let (_, route, allow) = ROUTES.iter().find(|(known, ..)| *known == path).ok_or(Failure::NotFound)?;
    if !allow.split(", ").any(|allowed| allowed == method) {
        return Err(Failure::MethodNotAllowed { allow });
    }
    match (route, query) {
        (route, None) => Ok(*route),
        (Route::Diagnose(_), Some(query)) => {
            let areas = query.strip_prefix("area=").and_then(Areas::parse);
            areas.map(Route::Diagnose).ok_or(Failure::Malformed(WireError::BadValue("area")))
        }
        // Nothing else takes a query.
        (_, Some(_)) => Err(Failure::NotFound),
    }
}

struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value.trim_ascii())
    }

    /// The value of a field that may stand there once.
    fn only(&self, name: &str) -> Result<Option<&'a [u8]>, Failure> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(Failure::BadRequest) } else { Ok(first) }
    }

    /// Whether a field is a list that holds this word.
    fn lists(&self, name: &str, word: &[u8]) -> bool {
        self.all(name)
            .flat_map(|value| value.split(|c| *c == b','))
            .any(|item| item.trim_ascii().eq_ignore_ascii_case(word))
    }
}

impl Failure {
    /// Every failure, for tests and documentation.
    #[cfg(test)]
    pub(crate) const ALL: &[Self] = &[
        Self::BadRequest,
        Self::Malformed(WireError::UnknownField),
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed { allow: "GET, HEAD" },
        Self::RequestTimeout,
        Self::LengthRequired,
        Self::ContentTooLarge,
        Self::ExpectationFailed,
        Self::HeadTooLarge,
        Self::NotImplemented,
        Self::Unavailable,
        Self::VersionNotSupported,
    ];

    /// Status line, and the code in the body.
    pub(crate) const fn status(self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => ("400 Bad Request", "bad-request"),
            Self::Malformed(error) => ("400 Bad Request", error.code()),
            Self::Forbidden => ("403 Forbidden", "forbidden"),
            Self::NotFound => ("404 Not Found", "not-found"),
            Self::MethodNotAllowed { .. } => ("405 Method Not Allowed", "method-not-allowed"),
            Self::RequestTimeout => ("408 Request Timeout", "timeout"),
            Self::LengthRequired => ("411 Length Required", "length-required"),
            Self::ContentTooLarge => ("413 Content Too Large", "too-large"),
            Self::ExpectationFailed => ("417 Expectation Failed", "expectation-failed"),
            Self::HeadTooLarge => ("431 Request Header Fields Too Large", "header-too-large"),
            Self::NotImplemented => ("501 Not Implemented", "not-implemented"),
            Self::Unavailable => ("503 Service Unavailable", "unavailable"),
            Self::VersionNotSupported => ("505 HTTP Version Not Supported", "http-version"),
        }
    }
}

/// A response's head.
pub(crate) type ResponseHead = heapless::String<512>;

/// Writes a response's head.
pub(crate) fn response_head(
    result: Result<Option<&Signature>, Failure>,
    body_length: usize,
    keep_alive: bool,
) -> ResponseHead {
    let mut head = ResponseHead::new();
    let status = result.map_or_else(|failure| failure.status().0, |_| "200 OK");
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let mut fits = write!(
        head,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {body_length}\r\n\
         Cache-Control: no-store\r\nConnection: {connection}\r\n"
    );
    match result {
        Ok(Some(signature)) => {
            let hex = secmon_wire::to_hex::<128>(signature);
            fits = fits.and_then(|()| write!(head, "{SIGNATURE_HEADER}: {hex}\r\n"));
        }
        Err(Failure::MethodNotAllowed { allow }) => {
            fits = fits.and_then(|()| write!(head, "Allow: {allow}\r\n"));
        }
        Err(Failure::Unavailable) => fits = fits.and_then(|()| head.write_str("Retry-After: 1\r\n")),
        Ok(None) | Err(_) => {}
    }
    fits = fits.and_then(|()| head.write_str("\r\n"));
    debug_assert!(fits.is_ok(), "every head fits");
    head
}

/// The body that goes with a failure: canonical JSON.
pub(crate) fn failure_body(failure: Failure) -> heapless::String<64> {
    let mut body = heapless::String::new();
    let fits = write!(body, "{{\"error\":\"{}\",\"v\":1}}", failure.status().1);
    debug_assert!(fits.is_ok(), "every code fits");
    body
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
