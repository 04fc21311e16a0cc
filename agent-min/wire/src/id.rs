//! Ids as types. A value exists only if its text passed the constructor.

use core::fmt;

use heapless::String;

use crate::limits::{ID_MAX, UNIT_MAX};
use crate::{from_hex, to_hex};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String<ID_MAX>);

        impl $name {
            /// The id, if `text` is `[a-z0-9][a-z0-9-]{0,31}`.
            pub fn new(text: &str) -> Option<Self> {
                let lower = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
                let (first, rest) = text.as_bytes().split_first()?;
                if !lower(*first) || !rest.iter().all(|c| lower(*c) || *c == b'-') {
                    return None;
                }
                Some(Self(String::try_from(text).ok()?))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.as_str())
            }
        }
    };
}

id! {
    /// Whose site it is: what an operator writes in an approval.
    ClientId
}
id! {
    /// One server: what a certificate, a manifest and an envelope name.
    AgentId
}

/// The name of a service as its service manager knows it, without `.service`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(String<UNIT_MAX>);

impl Unit {
    /// The unit, if `text` is `[A-Za-z0-9][A-Za-z0-9._@-]{0,63}` and doesn't contain `..`.
    pub fn new(text: &str) -> Option<Self> {
        let (first, rest) = text.as_bytes().split_first()?;
        let inner = |c: &u8| c.is_ascii_alphanumeric() || b"._@-".contains(c);
        if !first.is_ascii_alphanumeric() || !rest.iter().all(inner) || text.contains("..") {
            return None;
        }
        Some(Self(String::try_from(text).ok()?))
    }

    /// The unit's name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unit({})", self.as_str())
    }
}

macro_rules! fixed_hex {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $chars:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// The value, if `text` is exactly that many lower-case hex digits.
            pub fn new(text: &str) -> Option<Self> {
                from_hex(text.as_bytes()).map(Self)
            }

            /// The value as lower-case hex.
            pub fn hex(&self) -> String<$chars> {
                to_hex(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.hex().as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.hex())
            }
        }
    };
}

fixed_hex! {
    /// The one-time number of an approval: 16 hex digits.
    Nonce, 8, 16
}
fixed_hex! {
    /// A SHA-256 value: 64 hex digits.
    Hash, 32, 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_accept_their_grammar_and_nothing_else() {
        for accepted in ["a", "0", "acme", "acme-2", "a-", &"x".repeat(32)] {
            assert!(ClientId::new(accepted).is_some(), "{accepted}");
            assert!(AgentId::new(accepted).is_some(), "{accepted}");
        }
        for refused in ["", "-a", "Acme", "a_b", "a.b", "a b", "ä", "a\0", "a\n", &"x".repeat(33)] {
            assert!(ClientId::new(refused).is_none(), "{refused:?}");
            assert!(AgentId::new(refused).is_none(), "{refused:?}");
        }
    }

    #[test]
    fn units_can_be_no_path_no_option_and_no_pattern() {
        for accepted in ["nginx", "php8.2-fpm", "postgresql@15-main", "X"] {
            assert!(Unit::new(accepted).is_some(), "{accepted}");
        }
        for refused in ["", "-h", ".", "..", "a/b", "../x", "a..b", "a b", "a*", "a\0", "ü", "a;b", "@x"] {
            assert!(Unit::new(refused).is_none(), "{refused:?}");
        }
    }

    #[test]
    fn a_nonce_is_sixteen_lower_case_hex_digits() {
        let nonce = Nonce::new("9f2c41d07be83a55").expect("a nonce");
        assert_eq!(nonce.hex().as_str(), "9f2c41d07be83a55");
        for refused in ["9F2C41D07BE83A55", "9f2c41d07be83a5", "9f2c41d07be83a555", "0x9f2c41d07be83a"] {
            assert!(Nonce::new(refused).is_none(), "{refused}");
        }
    }
}
