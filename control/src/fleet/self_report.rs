//! What an agent says of itself, in the only form in which a chat, a terminal, a log or the audit sees it.
//!
//! The agent may be hostile and its words may be anything that the wire takes; what isn't a name or a version
//! is refused here and goes nowhere. That it is true, nobody can check from outside.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::fmt;

use secmon_wire::{Health, WireError};

/// Names that [`MissingWalls::short`] shows.
const SHOWN_MAX: usize = 3;

/// An agent's health, with words that may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfReport {
    health: Health,
    missing: MissingWalls,
}

/// The walls that should stand around the process that an agent faces the network with, and don't. Empty if
/// all stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingWalls(String);

impl SelfReport {
    /// The report, if its words are names.
    pub fn new(health: Health) -> Result<Self, WireError> {
        let version = |c: u8| c.is_ascii_alphanumeric() || b".+-".contains(&c);
        if !health.version.bytes().all(version) {
            return Err(WireError::BadValue("version"));
        }
        let missing =
            MissingWalls::new(&health.sandbox_missing).ok_or(WireError::BadValue("sandbox_missing"))?;
        Ok(Self { health, missing })
    }

    /// Clock, counters, version.
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// What doesn't protect it.
    pub const fn missing(&self) -> &MissingWalls {
        &self.missing
    }
}

impl MissingWalls {
    /// Names of `[a-z0-9:_-]`, with one space between two of them.
    pub fn new(text: &str) -> Option<Self> {
        let named = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b":_-".contains(&c);
        let name = |word: &str| !word.is_empty() && word.bytes().all(named);
        (text.is_empty() || text.split(' ').all(name)).then(|| Self(text.to_owned()))
    }

    /// As the agent wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether every wall stands.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|name| !name.is_empty())
    }

    /// The first names, and how many more there are: for a line in a chat.
    pub fn short(&self) -> impl fmt::Display {
        let shown: Vec<&str> = self.names().take(SHOWN_MAX).collect();
        let mut text = shown.join(", ");
        match self.names().skip(SHOWN_MAX).count() {
            0 => {}
            more => text.push_str(&format!(" and {more} more")),
        }
        text
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use secmon_wire::{AgentId, Hash};

    use super::*;

    pub(crate) fn health(missing: &str) -> Health {
        Health {
            agent_id: AgentId::new("web1").expect("an id"),
            clock: 1_767_225_600,
            last_intent: 0,
            manifest: Hash([0; 32]),
            receipts: 0,
            sandbox_missing: missing.try_into().expect("short"),
            uptime_s: 7200,
            version: "0.1.0".try_into().expect("short"),
        }
    }

    #[test]
    fn names_are_taken_as_they_are() {
        let long = "x".repeat(256);
        for text in ["", "uid", "landlock-tcp landlock:7 no_new_privs", &long] {
            let report = SelfReport::new(health(text)).expect("names");
            assert_eq!((report.missing().as_str(), report.missing().is_empty()), (text, text.is_empty()));
        }
    }

    #[test]
    fn anything_but_names_is_refused_and_not_repeated() {
        let odd = [
            " ",
            "uid ",
            " uid",
            "uid  groups",
            "uid,groups",
            "UID",
            "uid\n",
            "uid\u{1b}[2J",
            "uid\0",
            "<b>uid</b>",
            "ünd",
            "uid\u{202e}",
            "uid\tgroups",
            "@all",
            "\u{7f}",
        ];
        for text in odd {
            let error = SelfReport::new(health(text)).expect_err("odd").to_string();
            assert!(error.contains("sandbox_missing"), "{text:?}: {error:?}");
            assert!(error.bytes().all(|c| c == b' ' || c.is_ascii_graphic()), "{text:?}: {error:?}");
        }
        for version in ["\u{1b}[2J", "0.1 ", "<i>", "0.1\n"] {
            let health = Health { version: version.try_into().expect("short"), ..health("") };
            assert_eq!(SelfReport::new(health), Err(WireError::BadValue("version")), "{version:?}");
        }
    }

    #[test]
    fn a_chat_sees_few_names_and_how_many_more_there_are() {
        for (text, short) in [
            ("uid", "uid"),
            ("uid groups chroot", "uid, groups, chroot"),
            ("uid groups chroot landlock seccomp", "uid, groups, chroot and 2 more"),
        ] {
            assert_eq!(MissingWalls::new(text).expect("names").short().to_string(), short);
        }
    }
}
