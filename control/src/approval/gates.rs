//! The gates from the grammar to the claim.

use secmon_wire::limits::FRESHNESS_S;
use secmon_wire::{ActionId, ClientId, Nonce};

use super::{
    ChatId, CodeVerdict, Inbound, Operator, Otp, PlainText, Reason, Rejected, TotpSecret, Transport, Via,
    Words,
};
use crate::policy::{Decision, Policy};

/// A well-formed approval of an existing action for an existing client.
#[derive(Debug)]
pub struct Approval {
    request: Request,
    otp: Option<Otp>,
}

/// An approval whose time stamp is near the clock.
#[derive(Debug)]
pub struct Fresh {
    request: Request,
    otp: Option<Otp>,
}

/// A fresh approval that the rules permit.
#[derive(Debug)]
pub struct Authorized {
    request: Request,
    otp: Option<Otp>,
}

/// An authorized approval whose TOTP step and nonce were claimed in one committed transaction.
#[derive(Debug)]
pub struct Claimed {
    request: Request,
}

/// What was asked, by whom, where.
#[derive(Clone, Debug)]
struct Request {
    operator: Operator,
    chat: ChatId,
    transport: Transport,
    via: Via,
    action: ActionId,
    client: ClientId,
    nonce: Nonce,
    ts: u64,
}

/// What is to be claimed at once.
#[derive(Debug)]
pub struct Claim<'a> {
    /// Who asks.
    pub operator: Operator,
    /// The one-time number.
    pub nonce: Nonce,
    /// What the code is, where codes are configured.
    pub code: Option<CodeVerdict>,
    /// Seconds since the epoch.
    pub now: u64,
    /// What is waited for once the claim stands.
    pub action: ActionId,
    /// For whom.
    pub client: &'a ClientId,
    /// Where the answer goes.
    pub transport: Transport,
    /// Where the answer goes.
    pub chat: ChatId,
}

/// What came of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ClaimVerdict {
    /// Committed: nobody else can claim them any more.
    Claimed,
    /// The operator is locked out until then.
    LockedOut { until: u64 },
    /// The code was wrong, which has been counted.
    WrongCode,
    /// The code's step was claimed before.
    StepUsed,
    /// The nonce was claimed before.
    NonceUsed,
}

/// Where claims are kept: atomic, durable, for ever.
pub trait Claims {
    /// Why a claim couldn't be decided.
    type Error: std::fmt::Display;

    /// Decides and commits in one transaction.
    fn claim(&self, claim: &Claim<'_>) -> Result<ClaimVerdict, Self::Error>;
}

impl Approval {
    /// The gates of grammar, action and client.
    pub fn parse<E: std::fmt::Display>(
        text: PlainText,
        client_is_known: impl FnOnce(&ClientId) -> Result<bool, E>,
    ) -> Result<Self, Rejected> {
        let inbound = text.into_inbound();
        let words =
            Words::parse(&inbound.text).map_err(|error| Rejected::of(&inbound, Reason::Grammar(error)))?;
        let rejected = |action, reason| Rejected {
            action,
            client: Some(words.client.clone()),
            nonce: Some(words.nonce),
            ..Rejected::of(&inbound, reason)
        };
        let action = ActionId::new(&words.action).ok_or_else(|| rejected(None, Reason::UnknownAction))?;
        match client_is_known(&words.client) {
            Ok(true) => {}
            Ok(false) => return Err(rejected(Some(action), Reason::UnknownClient)),
            Err(error) => return Err(rejected(Some(action), Reason::StoreUnavailable(error.to_string()))),
        }
        Ok(Self {
            request: Request::new(&inbound, action, words.client, words.nonce, words.ts),
            otp: words.otp,
        })
    }

    /// The gate of the time to live: 300 seconds either way, inclusive.
    pub fn fresh(self, now: u64) -> Result<Fresh, Rejected> {
        let seconds = now.abs_diff(self.request.ts);
        if seconds > FRESHNESS_S {
            let ahead = self.request.ts > now;
            return Err(self.request.rejected(Reason::Stale { seconds, ahead }));
        }
        Ok(Fresh { request: self.request, otp: self.otp })
    }
}

impl Fresh {
    /// The gate of the policy.
    pub fn authorize(self, policy: Policy) -> Result<Authorized, Rejected> {
        match policy.decide(self.request.operator, self.request.action, &self.request.client) {
            Decision::Permit => Ok(Authorized { request: self.request, otp: self.otp }),
            Decision::Deny(why) => Err(self.request.rejected(Reason::Policy(why))),
        }
    }
}

impl Authorized {
    /// The gates of the code and the nonce, decided together.
    pub fn claim(
        self,
        totp: Option<&TotpSecret>,
        claims: &impl Claims,
        now: u64,
    ) -> Result<Claimed, Rejected> {
        let code = match (totp, &self.otp) {
            (None, None) => None,
            (None, Some(_)) => return Err(self.request.rejected(Reason::OtpUnexpected)),
            (Some(_), None) => return Err(self.request.rejected(Reason::OtpMissing)),
            (Some(secret), Some(otp)) => Some(secret.judge(otp, now)),
        };
        let claim = Claim {
            operator: self.request.operator,
            nonce: self.request.nonce,
            code,
            now,
            action: self.request.action,
            client: &self.request.client,
            transport: self.request.transport,
            chat: self.request.chat,
        };
        let reason = match claims.claim(&claim) {
            Ok(ClaimVerdict::Claimed) => return Ok(Claimed { request: self.request }),
            Ok(ClaimVerdict::LockedOut { until }) => Reason::LockedOut { seconds: until.saturating_sub(now) },
            Ok(ClaimVerdict::WrongCode) => Reason::OtpWrong,
            Ok(ClaimVerdict::StepUsed) => Reason::OtpReplay,
            Ok(ClaimVerdict::NonceUsed) => Reason::NonceReplay,
            Err(error) => Reason::StoreUnavailable(error.to_string()),
        };
        Err(self.request.rejected(reason))
    }
}

impl Claimed {
    /// Who asked.
    pub const fn operator(&self) -> Operator {
        self.request.operator
    }

    /// Where the answer goes.
    pub const fn chat(&self) -> ChatId {
        self.request.chat
    }

    /// Where the answer goes.
    pub const fn transport(&self) -> Transport {
        self.request.transport
    }

    /// How the line came to be.
    pub const fn via(&self) -> Via {
        self.request.via
    }

    /// What was approved.
    pub const fn action(&self) -> ActionId {
        self.request.action
    }

    /// For whom.
    pub const fn client(&self) -> &ClientId {
        &self.request.client
    }

    /// The one-time number.
    pub const fn nonce(&self) -> Nonce {
        self.request.nonce
    }

    /// The approval's own time stamp.
    pub const fn ts(&self) -> u64 {
        self.request.ts
    }

    /// A rejection at a later stage.
    pub fn rejected(&self, reason: Reason) -> Rejected {
        self.request.rejected(reason)
    }
}

impl Request {
    fn new(inbound: &Inbound, action: ActionId, client: ClientId, nonce: Nonce, ts: u64) -> Self {
        Self {
            operator: inbound.sender,
            chat: inbound.chat,
            transport: inbound.transport,
            via: inbound.via,
            action,
            client,
            nonce,
            ts,
        }
    }

    fn rejected(&self, reason: Reason) -> Rejected {
        Rejected {
            operator: self.operator,
            transport: self.transport,
            via: Some(self.via),
            action: Some(self.action),
            client: Some(self.client.clone()),
            nonce: Some(self.nonce),
            reason,
        }
    }
}
