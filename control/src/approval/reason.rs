//! Why something was rejected: a word for the record, a curt line for the chat.

use secmon_wire::{ActionId, ClientId, Nonce};

use super::{Form, GrammarError, Inbound, Operator, Transport, Via};

/// A rejection with what was known when it happened.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Who asked.
    pub operator: Operator,
    /// Through which front.
    pub transport: Transport,
    /// How the line came to be, where that is still known.
    pub via: Option<Via>,
    /// The action, once it was read.
    pub action: Option<ActionId>,
    /// The client, once it was read.
    pub client: Option<ClientId>,
    /// The nonce, once it was read.
    pub nonce: Option<Nonce>,
    /// Why.
    pub reason: Reason,
}

/// Every reason for which the control plane rejects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An edited, forwarded, channel, via-bot or caption text.
    NotPlain(Form),
    /// A word is wrong.
    Grammar(GrammarError),
    /// No such action.
    UnknownAction,
    /// No such client.
    UnknownClient,
    /// `ts` is too far from the clock: seconds of distance, and whether it lies ahead.
    Stale { seconds: u64, ahead: bool },
    /// The rules say no.
    Policy(&'static str),
    /// A code is configured and none was written.
    OtpMissing,
    /// A code was written and none is configured.
    OtpUnexpected,
    /// The code is of no step near the clock.
    OtpWrong,
    /// The code's step was used before by this operator.
    OtpReplay,
    /// Too many wrong codes; seconds left.
    LockedOut { seconds: u64 },
    /// The nonce was used before.
    NonceReplay,
    /// No server of this client offers the action.
    NotOffered,
    /// The agent's manifest, pulled just now, doesn't list the action.
    NotListed,
    /// The agent's manifest can't be trusted.
    ManifestInvalid(String),
    /// The agent didn't answer when its manifest was asked for; nothing was sent.
    Unreachable(String),
    /// The intent couldn't be recorded, so nothing was sent.
    AuditUnavailable(String),
    /// The claim couldn't be committed, so nothing was sent.
    StoreUnavailable(String),
    /// The client has no zone at Cloudflare that secmon has credentials for.
    NoZone,
    /// A mitigation is made from a flood finding, and there is none of the last minutes.
    NoFreshFlood,
    /// What was found isn't what this mitigation is made from, or the zone's plan doesn't have it.
    Unfit(String),
    /// The zone can't be read or changed; nothing was changed.
    Cloudflare(String),
    /// There is no mitigation to put back.
    NothingToRestore,
    /// Automatic changes are switched off.
    AutoDisabled,
    /// The control plane stopped between the claim and the intent; nothing was sent.
    Interrupted,
}

impl Rejected {
    /// A rejection of a message of which nothing was parsed.
    pub const fn of(inbound: &Inbound, reason: Reason) -> Self {
        Self {
            operator: inbound.sender,
            transport: inbound.transport,
            via: Some(inbound.via),
            action: None,
            client: None,
            nonce: None,
            reason,
        }
    }
}

impl Reason {
    /// The stable word for records and tests.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotPlain(_) => "not-plain",
            Self::Grammar(_) => "grammar",
            Self::UnknownAction => "unknown-action",
            Self::UnknownClient => "unknown-client",
            Self::Stale { .. } => "stale",
            Self::Policy(_) => "policy",
            Self::OtpMissing => "otp-missing",
            Self::OtpUnexpected => "otp-unexpected",
            Self::OtpWrong => "otp-wrong",
            Self::OtpReplay => "otp-replay",
            Self::LockedOut { .. } => "locked-out",
            Self::NonceReplay => "nonce-replay",
            Self::NotOffered => "not-offered",
            Self::NotListed => "not-listed",
            Self::ManifestInvalid(_) => "manifest-invalid",
            Self::Unreachable(_) => "unreachable",
            Self::AuditUnavailable(_) => "audit-unavailable",
            Self::StoreUnavailable(_) => "store-unavailable",
            Self::NoZone => "no-zone",
            Self::NoFreshFlood => "no-fresh-flood",
            Self::Unfit(_) => "unfit",
            Self::Cloudflare(_) => "cloudflare",
            Self::NothingToRestore => "nothing-to-restore",
            Self::AutoDisabled => "auto-disabled",
            Self::Interrupted => "interrupted",
        }
    }

    /// The curt explanation for the operator, plain text.
    pub fn explain(&self) -> String {
        let fixed = match self {
            Self::NotPlain(form) => {
                return format!("only a plain new text message approves; this one is {}", form.as_str());
            }
            Self::Grammar(error) => return error.to_string(),
            Self::Stale { seconds, ahead: false } => return format!("ts is {seconds} s old; at most 300 s"),
            Self::Stale { seconds, ahead: true } => return format!("ts is {seconds} s ahead; at most 300 s"),
            Self::Policy(why) => why,
            Self::LockedOut { seconds } => {
                return format!("locked out after wrong codes; {} min left", seconds.div_ceil(60).max(1));
            }
            Self::ManifestInvalid(why) => return format!("the agent's manifest is not valid: {why}"),
            Self::Unreachable(why) => return format!("the agent is unreachable ({why}); nothing was sent"),
            Self::AuditUnavailable(why) => {
                return format!("the audit log can't be written ({why}); nothing was sent");
            }
            Self::StoreUnavailable(why) => {
                return format!("the database can't be written ({why}); nothing was sent");
            }
            Self::Unfit(why) => return why.clone(),
            Self::Cloudflare(why) => return format!("{why}; nothing was changed"),
            Self::NoZone => "this client has no zone at Cloudflare; `secmon cloudflare add` makes one known",
            Self::NoFreshFlood => "no flood was found there in the last 15 minutes; run /diag <client> first",
            Self::NothingToRestore => "there is no mitigation to put back",
            Self::AutoDisabled => "automatic changes are switched off",
            Self::UnknownAction => "unknown action; /help lists them",
            Self::UnknownClient => "unknown client; /clients lists them",
            Self::OtpMissing => "otp=<6 digits> is missing",
            Self::OtpUnexpected => "otp= was given, but no TOTP is configured",
            Self::OtpWrong => "wrong otp",
            Self::OtpReplay => "replay: this otp was used before; wait for the next one",
            Self::NonceReplay => "replay: this nonce was used before",
            Self::NotOffered => "no server of this client offers this action",
            Self::NotListed => "the agent's manifest does not list this action",
            Self::Interrupted => "the control plane stopped before it was sent; nothing was executed",
        };
        fixed.to_owned()
    }
}
