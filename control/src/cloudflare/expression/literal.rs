//! A string in an expression.

use std::fmt;

/// Bytes of a value. The longest that a finding has is 128.
pub const LITERAL_MAX: usize = 256;

/// A value that stands in quotes. Printable ASCII only: for anything else the language's escapes aren't documented,
/// and what can't be written exactly isn't matched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Literal(String);

impl Literal {
    /// The value, if there is a literal for it.
    pub fn new(value: &str) -> Option<Self> {
        let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        (printable && value.len() <= LITERAL_MAX).then(|| Self(value.to_owned()))
    }

    /// The value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An argument's name, as it begins a query: `s=`.
    pub(super) fn followed_by_equals(&self) -> Self {
        Self(format!("{}=", self.0))
    }

    /// An argument's name, as it stands later in a query: `&s=`.
    pub(super) fn as_later_argument(&self) -> Self {
        Self(format!("&{}=", self.0))
    }
}

impl fmt::Display for Literal {
    /// In quotes, with `"` and `\` escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{character}")?;
        }
        f.write_str("\"")
    }
}
