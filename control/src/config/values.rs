//! What single variables hold. A value exists only if its text passed the constructor.

use std::collections::BTreeSet;

use super::Secret;

/// Telegram's ids have at most 52 significant bits.
pub(super) const ID_END: i64 = 1 << 52;

/// Longer tokens don't exist.
const TOKEN_MAX: usize = 80;

/// Fewer bytes than SHA-256 puts out would be the weakest part of the HMAC (RFC 2104 §3).
pub(super) const MANIFEST_SECRET_MIN: usize = 32;

/// A bot's token: `digits:rest`.
#[derive(Clone, Debug)]
pub struct BotToken(Secret);

/// Whether automatic Cloudflare changes may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum AutoCloudflare {
    /// They may.
    Allowed,
    /// The kill switch is on.
    Disabled,
}

impl BotToken {
    /// The token, if it has a token's form.
    pub fn new(secret: Secret) -> Option<Self> {
        let text = secret.expose();
        let (bot, rest) = text.split_once(':')?;
        let known = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
        let well_formed = text.len() <= TOKEN_MAX
            && !bot.is_empty()
            && !bot.starts_with('0')
            && bot.bytes().all(|c| c.is_ascii_digit())
            && !rest.is_empty()
            && rest.bytes().all(known);
        well_formed.then_some(Self(secret))
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl AutoCloudflare {
    /// Reads the kill switch; `None` for a value that is neither on nor off.
    pub fn new(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("" | "0") => Some(Self::Allowed),
            Some("1") => Some(Self::Disabled),
            Some(_) => None,
        }
    }
}

/// Decimal numbers with commas or white space between them; `None` if a word is no number.
pub(super) fn numbers(text: &str) -> Option<BTreeSet<i64>> {
    let words = text.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|word| !word.is_empty());
    words.map(|word| word.parse().ok().filter(|_| !word.starts_with('+'))).collect()
}
