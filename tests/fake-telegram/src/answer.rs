//! What a method answers: a result or an error of the Bot API, and the HTTP answer that carries it.

use serde_json::{Value, json};
use std::fmt::Write as _;

/// A refusal as the Bot API words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) description: String,
    pub(crate) retry_after: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), retry_after: None }
    }

    pub(crate) fn bad_request(what: impl AsRef<str>) -> Self {
        Self::new(400, format!("Bad Request: {}", what.as_ref()))
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized")
    }

    pub(crate) fn conflict() -> Self {
        Self::new(
            409,
            "Conflict: terminated by other getUpdates request; \
             make sure that only one bot instance is running",
        )
    }

    pub(crate) fn flood(seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(429, format!("Too Many Requests: retry after {seconds}"))
        }
    }
}

/// A complete HTTP answer, before faults touch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        let body = ascii_json(value).into_bytes();
        Self { status, content_type: "application/json", retry_after: None, body }
    }

    pub(crate) fn ok(result: &Value) -> Self {
        Self::json(200, &json!({"ok": true, "result": result}))
    }

    /// The body is the concatenation of raw updates: nothing looks at them, so nothing repairs them.
    pub(crate) fn updates(updates: &[Vec<u8>]) -> Self {
        let mut body = b"{\"ok\":true,\"result\":[".to_vec();
        body.extend_from_slice(&updates.join(&b","[..]));
        body.extend_from_slice(b"]}");
        Self { status: 200, content_type: "application/json", retry_after: None, body }
    }

    /// The page that the load balancer in front of the real server shows.
    pub(crate) fn gateway_page(status: u16) -> Self {
        let reason = reason(status);
        let body = format!(
            "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n\
             <center><h1>{status} {reason}</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n"
        );
        Self { status, content_type: "text/html", retry_after: None, body: body.into_bytes() }
    }

    /// The head as bytes; `length` is what the answer claims, true or not.
    pub(crate) fn head(&self, length: usize) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nServer: nginx/1.18.0\r\nContent-Type: {}\r\nContent-Length: {length}\r\n\
             Connection: keep-alive\r\n",
            self.status,
            reason(self.status),
            self.content_type
        );
        if let Some(seconds) = self.retry_after {
            // Writing to a String can't fail.
            let _ = write!(head, "Retry-After: {seconds}\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        let mut value = json!({"ok": false, "error_code": error.code, "description": error.description});
        if let (Some(seconds), Some(object)) = (error.retry_after, value.as_object_mut()) {
            object.insert("parameters".into(), json!({"retry_after": seconds}));
        }
        Self { retry_after: error.retry_after, ..Self::json(error.code, &value) }
    }
}

/// The real server escapes everything beyond ASCII, so clients see escapes and surrogate pairs.
fn ascii_json(value: &Value) -> String {
    let mut out = String::new();
    for character in value.to_string().chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Time-out",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_beyond_ascii_leaves_as_escapes() {
        assert_eq!(ascii_json(&json!("é🦀")), "\"\\u00e9\\ud83e\\udd80\"");
    }

    #[test]
    fn a_flood_answer_names_the_seconds_three_times() {
        let reply = Reply::from(ApiError::flood(7));
        assert!(String::from_utf8_lossy(&reply.head(0)).contains("Retry-After: 7\r\n"));
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["parameters"]["retry_after"], 7);
        assert_eq!(body["description"], "Too Many Requests: retry after 7");
    }

    #[test]
    fn raw_updates_are_not_touched() {
        let reply = Reply::updates(&[b"{\"a\":\"\\ud800\"}".to_vec(), b"garbage".to_vec()]);
        assert_eq!(reply.body, b"{\"ok\":true,\"result\":[{\"a\":\"\\ud800\"},garbage]}");
    }
}
