//! Reads the pieces of an expression: words, symbols and literals. Strict: what the service may or may not take is
//! refused.

use std::net::IpAddr;

use super::SyntaxError;

/// A place in an expression.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

type Result<T> = std::result::Result<T, SyntaxError>;

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn error<T>(&self, what: impl Into<String>) -> Result<T> {
        Err(SyntaxError { at: self.at + 1, what: what.into() })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    pub(crate) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.rest().is_empty()
    }

    /// Takes a symbol, if it comes next.
    pub(crate) fn symbol(&mut self, symbol: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    pub(crate) fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.symbol(symbol) { Ok(()) } else { self.error(format!("expected {symbol:?}")) }
    }

    /// The word that comes next, without taking it: a name of a field, a function or an operator.
    pub(crate) fn peek_word(&mut self) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    }

    /// Takes a word, if exactly it comes next.
    pub(crate) fn word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == word;
        if found {
            self.at += word.len();
        }
        found
    }

    /// Takes whatever word comes next.
    pub(crate) fn any_word(&mut self) -> Result<&'a str> {
        let word = self.peek_word();
        if word.is_empty() {
            return self.error("unknown identifier");
        }
        self.at += word.len();
        Ok(word)
    }

    /// A whole number.
    pub(crate) fn number(&mut self) -> Result<i64> {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(rest.len());
        match rest.get(..end).unwrap_or_default().parse() {
            Ok(number) => {
                self.at += end;
                Ok(number)
            }
            Err(_) => self.error("expected a number"),
        }
    }

    /// An address.
    pub(crate) fn address(&mut self) -> Result<IpAddr> {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'));
        let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        // A range has its two dots behind the first address.
        let word = word.split("..").next().unwrap_or_default();
        match word.parse() {
            Ok(address) => {
                self.at += word.len();
                Ok(address)
            }
            Err(_) => self.error("couldn't parse address in network"),
        }
    }

    /// A string. In a quoted pattern no escape is taken but that of the quote itself.
    pub(crate) fn string(&mut self, pattern: bool) -> Result<Vec<u8>> {
        self.skip_space();
        match self.rest().as_bytes().first() {
            Some(b'"') => self.quoted(pattern),
            Some(b'r') => self.raw(),
            _ => self.error("expected a string"),
        }
    }

    fn raw(&mut self) -> Result<Vec<u8>> {
        let rest = self.rest().get(1..).unwrap_or_default();
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let Some(body) = rest.get(hashes..).and_then(|body| body.strip_prefix('"')) else {
            return self.error("expected a string");
        };
        let end = format!("\"{}", "#".repeat(hashes));
        match body.find(&end) {
            Some(length) if hashes <= 255 => {
                self.at += 1 + hashes + 1 + length + end.len();
                Ok(body.as_bytes().get(..length).unwrap_or_default().to_vec())
            }
            _ => self.error("missing ending quote"),
        }
    }

    fn quoted(&mut self, pattern: bool) -> Result<Vec<u8>> {
        let bytes = self.rest().as_bytes();
        let mut out = Vec::new();
        let mut at = 1;
        loop {
            match (bytes.get(at), bytes.get(at + 1)) {
                (Some(b'"'), _) => {
                    self.at += at + 1;
                    return Ok(out);
                }
                (Some(b'\\'), Some(b'"')) => {
                    out.push(b'"');
                    at += 2;
                }
                (Some(b'\\'), _) if pattern => {
                    return self.error("a backslash in a quoted pattern has two readings: use a raw string");
                }
                (Some(b'\\'), Some(b'\\')) => {
                    out.push(b'\\');
                    at += 2;
                }
                (Some(b'\\'), Some(b'x')) => {
                    out.push(self.code(bytes.get(at + 2..at + 4), 16)?);
                    at += 4;
                }
                (Some(b'\\'), Some(b'0'..=b'3')) => {
                    out.push(self.code(bytes.get(at + 1..at + 4), 8)?);
                    at += 4;
                }
                (Some(b'\\'), _) => {
                    return self.error("expected \", xHH or OOO after \\");
                }
                (Some(byte), _) => {
                    out.push(*byte);
                    at += 1;
                }
                (None, _) => return self.error("missing ending quote"),
            }
        }
    }

    fn code(&self, digits: Option<&[u8]>, radix: u32) -> Result<u8> {
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let text = digits.and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
        u8::from_str_radix(text, radix).or_else(|_| self.error("invalid digit found in string"))
    }
}
