//! Why an action doesn't fit what was found, and what does.

use std::fmt;

use secmon_wire::ActionId;
use secmon_wire::diag::FindingId;

use crate::cloudflare::Plan;

/// An action that can't be taken: nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Why.
    pub why: Why,
    pub(super) instead: Option<ActionId>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The action mitigates nothing.
    NoMitigation(ActionId),
    /// The finding isn't one that Cloudflare can help with.
    NotAtCloudflare(FindingId),
    /// The flood comes past Cloudflare.
    PastCloudflare,
    /// The finding says neither who sends the requests nor what they have in common.
    NoEvidence,
    /// The requests have nothing in common that could be matched.
    NoPattern,
    /// The pattern is what ordinary visitors ask for as well.
    Everybody(String),
    /// Every visitor with this browser would be blocked.
    Browser,
    /// A protection covers the whole pattern.
    ProtectedPath(String),
    /// Nobody may be blocked: who was found is protected, or made few requests.
    Nobody,
    /// No single address makes more requests than a person does.
    Spread,
    /// The plan's rate limiting rules can't look at this.
    Field(Plan, &'static str),
    /// The plan's rate limiting rules can't leave these alone.
    Unprotected(Plan, &'static str),
    /// With the protections, it is too long for a rule.
    TooLong,
}

impl Unfit {
    /// What fits instead, if anything does.
    pub const fn instead(&self) -> Option<ActionId> {
        self.instead
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)?;
        match self.instead {
            Some(action) => write!(f, "; {action} would fit"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unfit {}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMitigation(action) => write!(f, "{action} changes nothing at Cloudflare by itself"),
            Self::NotAtCloudflare(finding) => write!(f, "{finding} is nothing that Cloudflare could stop"),
            Self::PastCloudflare => {
                f.write_str("the flood comes past Cloudflare: no rule there would see it")
            }
            Self::NoEvidence => f.write_str("the finding doesn't say who or what to act on"),
            Self::NoPattern => f.write_str("the requests have nothing in common that a rule could match"),
            Self::Everybody(what) => write!(f, "{what} is what every visitor asks for"),
            Self::Browser => f.write_str("every visitor with that browser would be blocked"),
            Self::ProtectedPath(path) => write!(f, "{path} is protected"),
            Self::Nobody => {
                f.write_str("nobody can be blocked: who was found is protected, or sent few requests")
            }
            Self::Spread => f.write_str("no single address sends more requests than a person could"),
            Self::Field(plan, what) => write!(f, "rate limiting rules of plan {plan} can't match {what}"),
            Self::Unprotected(plan, whom) => {
                write!(f, "rate limiting rules of plan {plan} can't leave {whom} alone")
            }
            Self::TooLong => f.write_str("with all protections, it is too long for a rule"),
        }
    }
}
