//! Why a message was refused. Small on purpose: callers convert it upward.

use core::fmt;

/// Why bytes are not the message that they should be. `at` is the offset of the offending byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum WireError {
    /// More bytes than the named limit.
    TooLong { limit: usize },
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON, or the top level isn't an object.
    NotJson { at: usize },
    /// JSON, but not in canonical form: white space, key order, escapes, `-0`.
    NotCanonical { at: usize },
    /// Objects or arrays nested deeper than any message needs.
    TooDeep { at: usize },
    /// A key that occurs twice in one object.
    Duplicate { at: usize },
    /// A number with a fraction or an exponent.
    Float { at: usize },
    /// An integer beyond ±(2^53 − 1).
    IntegerRange { at: usize },
    /// A field that the message doesn't have.
    UnknownField,
    /// A field that the message must have.
    MissingField(&'static str),
    /// A field whose value has the wrong type, form or length.
    BadValue(&'static str),
    /// `v` is a version that this build doesn't speak.
    Version,
    /// A list that must be sorted and free of repetition isn't.
    Unsorted(&'static str),
    /// The output buffer is too small for the message.
    NoSpace,
}

impl WireError {
    /// A stable word for logs, HTTP errors and tests.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too-long",
            Self::NotUtf8 => "not-utf8",
            Self::NotJson { .. } => "not-json",
            Self::NotCanonical { .. } => "not-canonical",
            Self::TooDeep { .. } => "too-deep",
            Self::Duplicate { .. } => "duplicate-field",
            Self::Float { .. } => "float",
            Self::IntegerRange { .. } => "integer-range",
            Self::UnknownField => "unknown-field",
            Self::MissingField(_) => "missing-field",
            Self::BadValue(_) => "bad-value",
            Self::Version => "version",
            Self::Unsorted(_) => "unsorted",
            Self::NoSpace => "no-space",
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLong { limit } => write!(f, "longer than {limit} bytes"),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::NotJson { at } => write!(f, "not a JSON object (byte {at})"),
            Self::NotCanonical { at } => write!(f, "not canonical JSON (byte {at})"),
            Self::TooDeep { at } => write!(f, "nested too deep (byte {at})"),
            Self::Duplicate { at } => write!(f, "a key occurs twice (byte {at})"),
            Self::Float { at } => write!(f, "a number that is not an integer (byte {at})"),
            Self::IntegerRange { at } => write!(f, "an integer beyond 2^53 - 1 (byte {at})"),
            Self::UnknownField => f.write_str("an unknown field"),
            Self::MissingField(name) => write!(f, "the field {name} is missing"),
            Self::BadValue(name) => write!(f, "the field {name} has a bad value"),
            Self::Version => f.write_str("an unknown message version"),
            Self::Unsorted(name) => write!(f, "the list {name} is not sorted or repeats an entry"),
            Self::NoSpace => f.write_str("the output buffer is too small"),
        }
    }
}

impl core::error::Error for WireError {}
