//! A second reader of expressions, for tests: it takes what the Rules language's documentation says and nothing else,
//! and evaluates it. It has nothing in common with what writes them.

use std::net::IpAddr;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    All(Vec<Read>),
    Any(Vec<Read>),
    Not(Box<Read>),
    Flag(String),
    Equal(String, String),
    Contains(String, String),
    Matches(String, String),
    StartsWith(String, String),
    InTexts(String, Vec<String>),
    InNetworks(String, Vec<(IpAddr, u8)>),
}

/// A request, as rules see it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) method: String,
    pub(crate) user_agent: String,
    pub(crate) source: IpAddr,
    pub(crate) verified_bot: bool,
}

/// Reads a whole expression.
pub(crate) fn read(text: &str) -> Result<Read, String> {
    let mut reader = Reader { rest: text };
    let read = reader.any()?;
    if reader.rest.is_empty() { Ok(read) } else { Err(format!("unexpected: {}", reader.rest)) }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn any(&mut self) -> Result<Read, String> {
        let mut parts = vec![self.all()?];
        while self.take(" or ") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Read::Any(parts) })
    }

    fn all(&mut self) -> Result<Read, String> {
        let mut parts = vec![self.one()?];
        while self.take(" and ") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Read::All(parts) })
    }

    fn one(&mut self) -> Result<Read, String> {
        if self.take("not ") {
            return Ok(Read::Not(Box::new(self.one()?)));
        }
        if self.take("(") {
            let inner = self.any()?;
            self.want(")")?;
            return Ok(inner);
        }
        if self.take("starts_with(") {
            let field = self.text_field()?;
            self.want(", ")?;
            let text = self.text()?;
            self.want(")")?;
            return Ok(Read::StartsWith(field, text));
        }
        if self.take("cf.client.bot") {
            return Ok(Read::Flag("cf.client.bot".into()));
        }
        if self.take("ip.src in {") {
            return Ok(Read::InNetworks("ip.src".into(), self.set(Self::network)?));
        }
        let field = self.text_field()?;
        if self.take(" eq ") {
            Ok(Read::Equal(field, self.text()?))
        } else if self.take(" contains ") {
            Ok(Read::Contains(field, self.text()?))
        } else if self.take(" matches ") {
            Ok(Read::Matches(field, self.text()?))
        } else if self.take(" in {") {
            Ok(Read::InTexts(field, self.set(Self::text)?))
        } else {
            Err(format!("expected an operator: {}", self.rest))
        }
    }

    fn text_field(&mut self) -> Result<String, String> {
        let fields =
            ["http.request.uri.path", "http.request.uri.query", "http.request.method", "http.user_agent"];
        let field = fields.into_iter().find(|field| self.take(field));
        field.map(str::to_owned).ok_or_else(|| format!("expected a field: {}", self.rest))
    }

    fn set<T>(&mut self, entry: fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut entries = vec![entry(self)?];
        while self.take(" ") {
            entries.push(entry(self)?);
        }
        self.want("}")?;
        Ok(entries)
    }

    fn network(&mut self) -> Result<(IpAddr, u8), String> {
        let end = self.rest.find([' ', '}']).ok_or("an open set")?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| format!("not an address: {text}"))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse::<u8>).map_err(|_| format!("not a network: {text}"))?;
        if bits <= most { Ok((address, bits)) } else { Err(format!("not a network: {text}")) }
    }

    fn text(&mut self) -> Result<String, String> {
        self.want("\"")?;
        let mut value = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = self.rest.split_at(at).1.strip_prefix('"').ok_or("an open string")?;
                    return Ok(value);
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                    other => return Err(format!("not an escape: {other:?}")),
                },
                ' '..='~' => value.push(character),
                other => return Err(format!("not printable: {other:?}")),
            }
        }
        Err("an open string".into())
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn want(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(format!("expected {token:?}: {}", self.rest)) }
    }
}

impl Read {
    /// Whether a request matches.
    pub(crate) fn matches(&self, request: &Request) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(request)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(request)),
            Self::Not(part) => !part.matches(request),
            Self::Flag(_) => request.verified_bot,
            Self::Equal(field, text) => request.text(field) == text,
            Self::Contains(field, text) => request.text(field).contains(text.as_str()),
            Self::StartsWith(field, text) => request.text(field).starts_with(text.as_str()),
            Self::InTexts(field, texts) => texts.iter().any(|text| request.text(field) == text),
            Self::InNetworks(_, networks) => {
                networks.iter().any(|(address, bits)| is_in(request.source, *address, *bits))
            }
            Self::Matches(field, pattern) => {
                // The one regular expression there is.
                assert_eq!(pattern, "^[0-9]{7,12}(=|$)");
                let digits: String = request.text(field).chars().take_while(char::is_ascii_digit).collect();
                let rest = request.text(field).strip_prefix(&digits).unwrap_or_default();
                (7..=12).contains(&digits.len()) && (rest.is_empty() || rest.starts_with('='))
            }
        }
    }
}

impl Request {
    fn text(&self, field: &str) -> &str {
        match field {
            "http.request.uri.path" => &self.path,
            "http.request.uri.query" => &self.query,
            "http.request.method" => &self.method,
            _ => &self.user_agent,
        }
    }
}

fn is_in(source: IpAddr, network: IpAddr, bits: u8) -> bool {
    let prefix = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
        IpAddr::V6(v6) => (v6.to_bits(), false),
    };
    let ((one, one_v4), (other, other_v4)) = (prefix(source), prefix(network));
    let behind = 128_u32.saturating_sub(bits.into());
    one_v4 == other_v4 && (one ^ other).checked_shr(behind).unwrap_or(0) == 0
}
