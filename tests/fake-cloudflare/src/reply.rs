//! What the API answers: results and refusals in its envelope, and the HTTP answer that carries them. Pure.
//!
//! Codes that are known from published answers are used as they are known. For other refusals there are numbers of the
//! stand-in's own, from 29000 on: clients have to go by the HTTP status.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: u32,
    pub(crate) message: String,
    /// Where in the request the reason stands.
    pub(crate) pointer: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), pointer: None }
    }

    pub(crate) fn at(self, pointer: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), ..self }
    }

    /// The token isn't known or may not do this; the service doesn't tell which.
    pub(crate) fn authentication(status: u16) -> Self {
        Self::new(status, 10000, "Authentication error")
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(404, 29404, format!("could not find {what}"))
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::new(400, 29400, what)
    }
}

/// A complete HTTP answer, before faults touch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    /// Further headers.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            body: value.to_string().into_bytes(),
        }
    }

    pub(crate) fn ok(result: &Value) -> Self {
        Self::json(200, &json!({"result": result, "success": true, "errors": [], "messages": []}))
    }

    /// One page of a list.
    pub(crate) fn page(all: &[Value], page: usize, per_page: usize) -> Self {
        let shown: Vec<_> = all.iter().skip((page - 1) * per_page).take(per_page).collect();
        let info = json!({
            "page": page,
            "per_page": per_page,
            "count": shown.len(),
            "total_count": all.len(),
            "total_pages": all.len().div_ceil(per_page),
        });
        Self::json(
            200,
            &json!({"result": shown, "success": true, "errors": [], "messages": [], "result_info": info}),
        )
    }

    /// 204.
    pub(crate) fn nothing() -> Self {
        Self { status: 204, content_type: "", headers: Vec::new(), body: Vec::new() }
    }

    /// The page of a load balancer, in HTML.
    pub(crate) fn gateway_page(status: u16) -> Self {
        let reason = reason(status);
        let body =
            format!("<html><head><title>{status} {reason}</title></head><body>{reason}</body></html>\r\n");
        Self { content_type: "text/html", ..Self::json(status, &Value::Null) }.with_body(body.into_bytes())
    }

    pub(crate) fn with_body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The head as bytes; `length` is what the answer claims, true or not.
    pub(crate) fn head(&self, length: usize) -> Vec<u8> {
        // Writing to a String can't fail.
        let mut head = format!("HTTP/1.1 {} {}\r\nServer: cloudflare\r\n", self.status, reason(self.status));
        if self.status != 204 {
            let _ = write!(head, "Content-Type: {}\r\nContent-Length: {length}\r\n", self.content_type);
        }
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head(self.body.len()).as_slice(), &self.body].concat()
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let mut error = json!({"code": refusal.code, "message": refusal.message});
        if let (Some(pointer), Some(members)) = (&refusal.pointer, error.as_object_mut()) {
            members.insert("source".to_owned(), json!({"pointer": pointer}));
        }
        let body = json!({"result": null, "success": false, "errors": [error], "messages": []});
        Self::json(refusal.status, &body)
    }
}

impl From<Result<Self, Refusal>> for Reply {
    fn from(result: Result<Self, Refusal>) -> Self {
        result.unwrap_or_else(Self::from)
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
