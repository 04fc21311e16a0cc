//! What a rule matches: typed parts, written as text in Cloudflare's Rules language.
//!
//! Values get into an expression through [`Literal`] and [`Network`] only, so that nothing that a stranger sent can
//! end its quotes. The parts are joined by `and`; each is written so that no neighbour changes what it means.
//!
//! Sources: developers.cloudflare.com/ruleset-engine/rules-language/ (expressions, operators, values, functions, and
//! the reference of fields); there is also the bound on the length.

mod literal;

use std::fmt;

use super::rule::Network;

pub use literal::{LITERAL_MAX, Literal};

/// Characters in one expression.
pub const EXPRESSION_MAX: usize = 4_096;

/// What of a request is looked at. Plans differ in which of them a rate limiting rule may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The path, as it is after the edge's normalisation.
    Path,
    /// Everything behind the `?`.
    Query,
    /// The method.
    Method,
    /// The visitor's address.
    Source,
    /// What the visitor says it is.
    UserAgent,
    /// Whether Cloudflare has verified a crawler.
    VerifiedBot,
}

/// One thing that a request can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Its path is one of these.
    Path(Vec<Literal>),
    /// Its path begins so.
    PathBegins(Literal),
    /// Its query has an argument with this name, and `=` behind it. Every plan has the text of a query; the fields
    /// for names of arguments aren't in every plan's rate limiting rules.
    Argument(Literal),
    /// Its query begins with 7 to 12 digits, and ends or has `=` behind them.
    QueryOfDigits,
    /// It is a POST.
    Post,
    /// It comes from one of these.
    From(Vec<Network>),
    /// This is its whole user agent.
    UserAgent(Literal),
    /// It comes from a crawler that Cloudflare has verified.
    VerifiedBot,
}

/// A test that must hold, or must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    test: Test,
    holds: bool,
}

/// Tests that must hold together are too long for one expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Field {
    /// The name in the language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "http.request.uri.path",
            Self::Query => "http.request.uri.query",
            Self::Method => "http.request.method",
            Self::Source => "ip.src",
            Self::UserAgent => "http.user_agent",
            Self::VerifiedBot => "cf.client.bot",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Test {
    /// What it looks at.
    pub const fn field(&self) -> Field {
        match self {
            Self::Path(_) | Self::PathBegins(_) => Field::Path,
            Self::Argument(_) | Self::QueryOfDigits => Field::Query,
            Self::Post => Field::Method,
            Self::From(_) => Field::Source,
            Self::UserAgent(_) => Field::UserAgent,
            Self::VerifiedBot => Field::VerifiedBot,
        }
    }

    /// A part that wants it.
    pub const fn holds(self) -> Part {
        Part { test: self, holds: true }
    }

    /// A part that wants it not to be so.
    pub const fn fails(self) -> Part {
        Part { test: self, holds: false }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field();
        match self {
            Self::Path(paths) => match paths.as_slice() {
                [path] => write!(f, "{field} eq {path}"),
                paths => write!(f, "{field} in {}", Set(paths)),
            },
            Self::PathBegins(start) => write!(f, "starts_with({field}, {start})"),
            Self::Argument(name) => {
                let (first, later) = (name.followed_by_equals(), name.as_later_argument());
                write!(f, "(starts_with({field}, {first}) or {field} contains {later})")
            }
            Self::QueryOfDigits => write!(f, r#"{field} matches "^[0-9]{{7,12}}(=|$)""#),
            Self::Post => write!(f, "{field} eq \"POST\""),
            Self::From(networks) => write!(f, "{field} in {}", Set(networks)),
            Self::UserAgent(whole) => write!(f, "{field} eq {whole}"),
            Self::VerifiedBot => field.fmt(f),
        }
    }
}

impl Part {
    /// What it looks at.
    pub const fn field(&self) -> Field {
        self.test.field()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.holds { self.test.fmt(f) } else { write!(f, "not {}", self.test) }
    }
}

/// The expression that wants all of these.
pub fn all(parts: &[Part]) -> Result<String, TooLong> {
    let text = parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    // All of it is ASCII, so that bytes are characters.
    if text.len() <= EXPRESSION_MAX { Ok(text) } else { Err(TooLong) }
}

/// The expression that wants a source among `networks` and all of these, with as many of the networks, from the
/// first on, as there is room for; and those for which there is none.
pub fn from_any(networks: &[Network], parts: &[Part]) -> Result<(String, Vec<Network>), TooLong> {
    let with = |networks: &[Network]| {
        let mut every = vec![Test::From(networks.to_vec()).holds()];
        every.extend_from_slice(parts);
        all(&every)
    };
    let mut room = EXPRESSION_MAX.checked_sub(with(&[]).map(|text| text.len())?).ok_or(TooLong)?;
    // The first stands without a space before it.
    let mut space = 0_usize;
    let fitting = networks.iter().take_while(|network| {
        let left = room.checked_sub(network.to_string().len().saturating_add(space));
        space = 1;
        room = left.unwrap_or(0);
        left.is_some()
    });
    let (taken, rest) = networks.split_at_checked(fitting.count()).ok_or(TooLong)?;
    if taken.is_empty() {
        return Err(TooLong);
    }
    Ok((with(taken)?, rest.to_vec()))
}

/// `{a b c}`.
struct Set<'s, T>(&'s [T]);

impl<T: fmt::Display> fmt::Display for Set<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, entry) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            entry.fmt(f)?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
pub(crate) mod strict_reader;
#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
