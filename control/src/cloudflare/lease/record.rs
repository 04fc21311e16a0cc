//! What a lease holds: who gave it, what stood there before, what was set instead, until when.

use secmon_wire::{ActionId, ClientId, Nonce};
use serde::{Deserialize, Serialize};

use crate::approval::{ChatId, Operator, Transport};
use crate::cloudflare::{Change, LeaseId, ZoneId};

/// A mitigation with an expiry and a way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its number, which every object of it carries.
    pub id: LeaseId,
    /// For whom.
    pub client: ClientId,
    /// In which zone.
    pub zone: ZoneId,
    /// The zone's name, for people.
    pub zone_name: String,
    /// What was approved or decided.
    pub action: ActionId,
    /// By whom.
    pub origin: Origin,
    /// What it does, in one line.
    pub said: String,
    /// Because of what: the finding's name.
    pub reason: String,
    /// When it was made.
    pub created: u64,
    /// When it ends.
    pub expires: u64,
    /// How far it is.
    pub state: State,
    /// Each change, in the order in which they are made.
    pub held: Vec<Held>,
    /// How it ended, once it has.
    pub ending: Option<String>,
}

/// Who made a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An operator approved it.
    Approved {
        /// Who.
        operator: Operator,
        /// By which approval.
        nonce: Nonce,
        /// Where they are told.
        transport: Transport,
        /// Where they are told.
        chat: ChatId,
    },
    /// The automatic dispatch, which an operator armed.
    Automatic,
}

/// How far a lease is. It only ever goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// On disk; whether Cloudflare was told isn't known until the zone is read.
    Planned,
    /// In force.
    Active,
    /// Being put back.
    Ending,
    /// Nothing of it is left to do.
    Ended,
}

/// One change of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What was set.
    pub change: Change,
    /// What stood there before, exactly as it was read.
    pub previous: Previous,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Way>,
}

/// How a change of a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// What stood there before stands there again.
    PutBack,
    /// Somebody else changed it meanwhile; theirs stays.
    LeftAlone,
}

/// What stood in the place of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Previous {
    /// The security level with this name.
    Level(String),
    /// The phase had no entry point.
    NoRuleset,
    /// The phase's entry point, at this version.
    Ruleset {
        /// Its id.
        id: String,
        /// Its version.
        version: String,
    },
    /// IP access rules: nothing of ours.
    Access,
}

impl State {
    const ALL: [Self; 4] = [Self::Planned, Self::Active, Self::Ending, Self::Ended];

    /// The name in the database and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Active => "active",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }

    /// The state with this name.
    pub fn new(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl Lease {
    /// Whether it changes the same things in the same way.
    pub fn does_the_same_as(&self, changes: &[Change]) -> bool {
        self.held.iter().map(|held| &held.change).eq(changes)
    }

    /// Whether an operator approved it.
    pub const fn is_approved(&self) -> bool {
        matches!(self.origin, Origin::Approved { .. })
    }
}
