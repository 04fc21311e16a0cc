//! An answer of the API, read: the HTTP status decides first, then the envelope's `success`, codes and texts.
//!
//! Pure. What no trustworthy answer says is [`Outcome::Lost`]; whether that means "nothing was read" or "nobody knows"
//! depends on what was asked, which the caller knows.

use serde::Deserialize;
use serde_json::Value;

use super::error::ApiError;

/// What an answer comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// It was done: the result, and which page of how many it is.
    Done(Value, Pages),
    /// The API said no, and why.
    No(ApiError),
    /// The API said that the phase has no ruleset yet. Any other 404 doesn't say that.
    NoEntrypoint,
    /// The API said that the token is not good, or not good enough: code 10000 stands for both.
    Denied { status: u16, certain: bool },
    /// Too many requests.
    Slower,
    /// Nothing that can be relied on.
    Lost(String),
}

/// How many pages a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Pages {
    #[serde(default)]
    pub(super) total_pages: Option<u64>,
}

#[derive(Deserialize)]
struct Envelope {
    success: bool,
    #[serde(default)]
    errors: Vec<Message>,
    #[serde(default)]
    messages: Option<Vec<Value>>,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    result_info: Option<Pages>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    code: Option<u64>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    error_chain: Vec<Message>,
}

/// Reads an answer.
pub(super) fn read(status: u16, body: &[u8]) -> Outcome {
    let envelope = serde_json::from_slice::<Envelope>(body);
    match (status, envelope) {
        // Removing a ruleset is answered with nothing at all.
        (204, _) => Outcome::Done(Value::Null, Pages::default()),
        (200..=299, Ok(Envelope { success: true, result, result_info, .. })) => {
            Outcome::Done(result, result_info.unwrap_or_default())
        }
        (200..=299, Ok(envelope)) => refusal(status, &envelope),
        (200..=299, Err(_)) => Outcome::Lost(format!("the answer ({status}) is not one of its API")),
        (404, Ok(envelope)) if codes(&envelope).any(|code| code == 10003) => Outcome::NoEntrypoint,
        (404, Ok(_)) => Outcome::No(ApiError::NotFound),
        // Whoever answers so is not the API.
        (404, Err(_)) => Outcome::Lost("it answered 404, and not as its API does".to_owned()),
        (429, _) => Outcome::Slower,
        (401 | 403, Ok(envelope)) => denial(status, &envelope),
        (401, Err(_)) => Outcome::Denied { status, certain: false },
        (400..=499, Ok(envelope)) => refusal(status, &envelope),
        (400..=499, Err(_)) => {
            Outcome::No(ApiError::Refused { status, code: None, message: "without a reason".to_owned() })
        }
        _ => Outcome::Lost(format!("it answered {status}")),
    }
}

/// 401 and 403 are about the token, unless the text is about a quota.
fn denial(status: u16, envelope: &Envelope) -> Outcome {
    let (code, text) = said(envelope);
    if is_quota(code, &text) {
        return Outcome::No(ApiError::Quota(text));
    }
    Outcome::Denied { status, certain: codes(envelope).any(is_bad_token) }
}

fn refusal(status: u16, envelope: &Envelope) -> Outcome {
    let (code, message) = said(envelope);
    if codes(envelope).any(is_bad_token) {
        return Outcome::Denied { status, certain: true };
    }
    if is_quota(code, &message) {
        return Outcome::No(ApiError::Quota(message));
    }
    Outcome::No(ApiError::Refused { status, code, message })
}

/// Codes that are about the token's text alone: 1000 "Invalid API Token", 6003 "Invalid request headers" and the
/// reasons in its chain, 6111 "Invalid format for Authorization header".
const fn is_bad_token(code: u64) -> bool {
    matches!(code, 1000 | 6003 | 6111)
}

/// No number for a full plan is documented; the text says so. 20217 says "maximum" of something else: that there is a
/// ruleset already.
fn is_quota(code: Option<u64>, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let words = ["exceeded maximum number", "exceeded the maximum", "exceeds the maximum number", "quota"];
    code != Some(20217) && words.iter().any(|words| text.contains(words))
}

fn codes(envelope: &Envelope) -> impl Iterator<Item = u64> {
    let all = envelope.errors.iter().flat_map(|error| std::iter::once(error).chain(&error.error_chain));
    all.filter_map(|error| error.code)
}

/// The first code, and all texts.
fn said(envelope: &Envelope) -> (Option<u64>, String) {
    let mut texts: Vec<String> = envelope.errors.iter().map(text).filter(|text| !text.is_empty()).collect();
    if texts.is_empty() {
        let plain = envelope.messages.iter().flatten().filter_map(Value::as_str);
        texts.extend(plain.map(str::to_owned));
    }
    let code = envelope.errors.first().and_then(|error| error.code);
    let text = if texts.is_empty() { "without a reason".to_owned() } else { texts.join("; ") };
    (code, text)
}

fn text(error: &Message) -> String {
    let mut text = error.message.clone();
    for inner in error.error_chain.iter().filter(|inner| !inner.message.is_empty()) {
        text.push_str(": ");
        text.push_str(&inner.message);
    }
    text
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
