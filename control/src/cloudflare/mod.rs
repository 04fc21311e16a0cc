//! Cloudflare: what it is told, when it is put back, and by whom.
//!
//! Every change is a lease: what stood there before, what was set instead, until when. Only objects that carry a
//! lease's tag are ever changed or removed, and a lease is on disk and in the audit log before its first call.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

pub mod api;
pub mod auto;
mod check;
mod collateral;
mod credentials;
mod edge;
pub mod expression;
mod fernet;
mod id;
mod known;
mod lease;
mod limits;
mod mitigation;
mod plan;
mod protections;
mod rule;
mod spared;

pub use auto::{Auto, AutoPolicy, Path, Permit, Suppressed, Switch};
pub use check::{Check, Unchecked, check};
pub use collateral::{Broken, Collateral, Sight};
pub use credentials::{ApiToken, NotAToken, Vault, WrongKey};
pub use edge::{Edge, NoClient};
pub use id::{LeaseId, ZoneId};
pub use lease::{
    Asked, Automatic, Held, Lease, Leases, Licence, Managed, Origin, Outcome, Parts, Previous, State, Told,
    Way, Why, ZoneError,
};
pub use limits::Limits;
pub use mitigation::{
    Change, Mitigation, Unfit, Why as UnfitWhy, Zone, escalation, mitigate, narrowest, recommended,
};
pub use plan::Plan;
pub use protections::{Guard, Protections, ProtectionsError};
pub use rule::{AccessRule, Network, Phase, Rate, Rule, RuleAction};
pub use spared::{Probe, SitePath, Spared};
