//! Why a call has no result, in the terms that decide what its caller does next.

use std::fmt;

/// Longer texts of the API are cut.
const WORDS_MAX: usize = 200;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The API said no. Nothing changed.
    #[error("Cloudflare refused it ({status}{}): {message}", Code(*code))]
    Refused { status: u16, code: Option<u64>, message: String },
    /// The token isn't one, was revoked, or has ended.
    #[error(
        "Cloudflare doesn't take the API token: it was revoked, has ended, or never was one; make a new one and \
             store it with `secmon cloudflare add`"
    )]
    TokenInvalid,
    /// The token is good, and may not do this.
    #[error("the API token may not do this: it needs the permission {0}, for this zone")]
    ScopeMissing(&'static str),
    /// There is no such object.
    #[error("Cloudflare has no such object")]
    NotFound,
    /// The plan has no room for it. Nothing changed.
    #[error("the zone's plan has no room for it: {0}")]
    Quota(String),
    /// Too many requests; the next after this time. Nothing changed.
    #[error("too many requests to Cloudflare; the next in {retry_after_s} s")]
    RateLimited { retry_after_s: u64 },
    /// No connection was made, or nothing could be read. Nothing changed.
    #[error("Cloudflare's API can't be reached: {0}")]
    Unavailable(String),
    /// A change was sent and no answer says what became of it.
    #[error("a change was sent to Cloudflare, and what became of it is not known: {0}")]
    Unknown(String),
}

impl ApiError {
    /// Whether the zone is certainly as it was before the call.
    pub const fn changed_nothing(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// The same without these texts: an answer may repeat what it was asked with.
    pub(super) fn without(self, secret: Option<&str>) -> Self {
        let Some(secret) = secret.filter(|secret| !secret.is_empty()) else { return self };
        let clean = |text: String| text.replace(secret, "(token)");
        match self {
            Self::Refused { status, code, message } => {
                Self::Refused { status, code, message: clean(message) }
            }
            Self::Quota(text) => Self::Quota(clean(text)),
            Self::Unavailable(text) => Self::Unavailable(clean(text)),
            Self::Unknown(text) => Self::Unknown(clean(text)),
            other => other,
        }
    }

    /// The same with its words cut to what a line of a chat or a log may hold.
    pub(super) fn bounded(self) -> Self {
        match self {
            Self::Refused { status, code, message } => {
                Self::Refused { status, code, message: words(&message) }
            }
            Self::Quota(text) => Self::Quota(words(&text)),
            Self::Unavailable(text) => Self::Unavailable(words(&text)),
            Self::Unknown(text) => Self::Unknown(words(&text)),
            other => other,
        }
    }
}

struct Code(Option<u64>);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |code| write!(f, ", code {code}"))
    }
}

/// A stranger's text as one bounded line of printable ASCII.
pub(super) fn words(text: &str) -> String {
    let printable = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
    let line: String = text.chars().map(printable).collect();
    let mut line = line.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > WORDS_MAX {
        line.truncate(WORDS_MAX);
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_strangers_are_one_bounded_line_of_printable_ascii() {
        assert_eq!(words("a\u{1b}[31m\n  b\u{202e}é\0c"), "a [31m b c");
        assert_eq!(words(&"é x".repeat(1000)).len(), WORDS_MAX + 3);
    }

    #[test]
    fn a_token_that_an_answer_repeats_is_cut_out_before_its_text_is_cut() {
        let token = "t".repeat(40);
        let refused =
            |text: &str| ApiError::Refused { status: 400, code: Some(6003), message: text.to_owned() };
        for text in [format!("bad header: Bearer {token}"), format!("{}{token}", "x".repeat(190))] {
            for error in [refused(&text), ApiError::Quota(text.clone()), ApiError::Unknown(text.clone())] {
                let shown = error.without(Some(&token)).bounded();
                assert!(!format!("{shown} {shown:?}").contains("tttt"), "{shown}");
            }
        }
        assert_eq!(refused("no").to_string(), "Cloudflare refused it (400, code 6003): no");
    }

    #[test]
    fn only_an_unknown_outcome_may_have_changed_something() {
        assert!(!ApiError::Unknown(String::new()).changed_nothing());
        assert!(ApiError::Unavailable(String::new()).changed_nothing());
        assert!(ApiError::RateLimited { retry_after_s: 1 }.changed_nothing());
    }
}
