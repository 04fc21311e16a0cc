//! `APPROVE: <action> <client_id> [otp=<6 digits>] nonce=<16 hex> ts=<epoch>`: one line, fields in this order.

use std::fmt;

use secmon_wire::{ClientId, Nonce};

/// Digits in `ts`, at most: enough until the year 33658, and always within 64 bits.
const TS_DIGITS_MAX: usize = 12;

/// A one-time code. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Otp([u8; 6]);

/// The words of an approval, each of the right form. Whether the action exists is the next gate's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The action's name as written.
    pub action: String,
    /// The client's id.
    pub client: ClientId,
    /// The one-time code, where one was written.
    pub otp: Option<Otp>,
    /// The one-time number.
    pub nonce: Nonce,
    /// Seconds since the epoch.
    pub ts: u64,
}

/// Which word is wrong, counted from 1, and what was expected there. What came is not repeated: it may
/// hold a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrammarError {
    /// The number of the word; 0 for the line as a whole.
    pub word: usize,
    /// What belongs there.
    pub expected: &'static str,
}

/// Whether a text is meant as an approval at all: it starts with the keyword in any case.
pub fn is_attempt(text: &str) -> bool {
    let text = text.trim_start();
    text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("approve"))
}

impl Words {
    /// Parses one line.
    pub fn parse(text: &str) -> Result<Self, GrammarError> {
        let line = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        if line.contains(['\n', '\r']) {
            return Err(wrong(0, "one line"));
        }
        let mut words = Sequence { words: line.split(' ').filter(|word| !word.is_empty()), at: 0 };
        let keyword = "the keyword APPROVE: in upper case, with its colon";
        words.next(keyword, |word| (word == "APPROVE:").then_some(()))?;
        let action = words.next("an action such as restart-web", |word| {
            let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            (word.len() <= 32 && word.chars().all(known)).then(|| word.to_owned())
        })?;
        let client = words.next("a client id: [a-z0-9][a-z0-9-]{0,31}", ClientId::new)?;
        let otp = match words.peek_starts_with("otp=") {
            true => Some(words.next("otp=<6 digits>", |word| word.strip_prefix("otp=").and_then(Otp::new))?),
            false => None,
        };
        let nonce = words.next("nonce=<16 hex digits in lower case>", |word| {
            word.strip_prefix("nonce=").and_then(Nonce::new)
        })?;
        let ts =
            words.next("ts=<seconds since the epoch>", |word| word.strip_prefix("ts=").and_then(seconds))?;
        words.end()?;
        Ok(Self { action, client, otp, nonce, ts })
    }
}

impl Otp {
    /// The code, if `text` is six ASCII digits.
    pub fn new(text: &str) -> Option<Self> {
        let digits: [u8; 6] = text.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }

    /// The digits, for comparison only.
    pub(super) const fn digits(&self) -> &[u8; 6] {
        &self.0
    }
}

impl fmt::Debug for Otp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Otp(…)")
    }
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word {
            0 => write!(f, "expected {}", self.expected),
            word => write!(f, "word {word}: expected {}", self.expected),
        }
    }
}

/// The words of a line, one after the other.
struct Sequence<'a, I: Iterator<Item = &'a str> + Clone> {
    words: I,
    at: usize,
}

impl<'a, I: Iterator<Item = &'a str> + Clone> Sequence<'a, I> {
    fn next<T>(
        &mut self,
        expected: &'static str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, GrammarError> {
        self.at = self.at.saturating_add(1);
        self.words.next().and_then(parse).ok_or(wrong(self.at, expected))
    }

    fn peek_starts_with(&self, prefix: &str) -> bool {
        self.words.clone().next().is_some_and(|word| word.starts_with(prefix))
    }

    fn end(&mut self) -> Result<(), GrammarError> {
        match self.words.next() {
            None => Ok(()),
            Some(_) => Err(wrong(self.at.saturating_add(1), "nothing more")),
        }
    }
}

const fn wrong(word: usize, expected: &'static str) -> GrammarError {
    GrammarError { word, expected }
}

/// Digits without a leading zero.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    if !digits || text.len() > TS_DIGITS_MAX || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
mod tests;
