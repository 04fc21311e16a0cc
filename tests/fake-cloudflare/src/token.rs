//! API tokens: what each may do, in which zones, and whether it still may. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::reply::Refusal;

/// A permission group. A group that writes reads too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Zone Read.
    ZoneRead,
    /// Zone Settings Read.
    SettingsRead,
    /// Zone Settings Write.
    SettingsWrite,
    /// Zone WAF Read.
    WafRead,
    /// Zone WAF Write.
    WafWrite,
    /// Firewall Services Read.
    FirewallRead,
    /// Firewall Services Write.
    FirewallWrite,
}

impl Permission {
    /// All that secmon needs: `ZoneRead` and those that write.
    pub const NEEDED: [Self; 4] = [Self::ZoneRead, Self::SettingsWrite, Self::WafWrite, Self::FirewallWrite];

    /// As a zone lists it.
    pub(crate) const fn listed(self) -> &'static str {
        match self {
            Self::ZoneRead => "#zone:read",
            Self::SettingsRead => "#zone_settings:read",
            Self::SettingsWrite => "#zone_settings:edit",
            Self::WafRead | Self::FirewallRead => "#waf:read",
            Self::WafWrite | Self::FirewallWrite => "#waf:edit",
        }
    }

    const fn writing(self) -> Self {
        match self {
            Self::ZoneRead => Self::ZoneRead,
            Self::SettingsRead | Self::SettingsWrite => Self::SettingsWrite,
            Self::WafRead | Self::WafWrite => Self::WafWrite,
            Self::FirewallRead | Self::FirewallWrite => Self::FirewallWrite,
        }
    }
}

/// What has become of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenStatus {
    /// It may be used.
    #[default]
    Active,
    /// Somebody switched it off.
    Disabled,
    /// Its time is over.
    Expired,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What a client sends.
    pub secret: String,
    /// Its status.
    #[serde(default)]
    pub status: TokenStatus,
    /// When it ends, as the API writes points in time; it is only shown.
    #[serde(default)]
    pub expires_on: Option<String>,
    /// The zones for which it is good; all of them when `None`.
    #[serde(default)]
    pub zones: Option<BTreeSet<String>>,
    /// What it may do in them.
    #[serde(default = "needed")]
    pub permissions: BTreeSet<Permission>,
}

fn needed() -> BTreeSet<Permission> {
    Permission::NEEDED.into_iter().collect()
}

impl Token {
    /// A token that may do what secmon needs, in all zones.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        let (secret, permissions) = (secret.to_owned(), needed());
        Self { secret, status: TokenStatus::Active, expires_on: None, zones: None, permissions }
    }

    /// The same with these permissions alone.
    #[must_use]
    pub fn with(self, permissions: &[Permission]) -> Self {
        Self { permissions: permissions.iter().copied().collect(), ..self }
    }

    /// The same, good for these zones alone.
    #[must_use]
    pub fn for_zones(self, zones: &[&str]) -> Self {
        Self { zones: Some(zones.iter().map(|&zone| zone.to_owned()).collect()), ..self }
    }

    /// The same with a status.
    #[must_use]
    pub fn in_status(self, status: TokenStatus) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn reaches(&self, zone: &str) -> bool {
        self.zones.as_ref().is_none_or(|zones| zones.contains(zone))
    }

    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission) || self.permissions.contains(&permission.writing())
    }
}

/// The secret in an `Authorization` header. A global API key is none: it has a form of its own.
pub(crate) fn bearer(header: Option<&str>) -> Result<&str, Refusal> {
    let Some(header) = header else {
        let missing = "Missing X-Auth-Key, X-Auth-Email or Authorization headers";
        return Err(Refusal::new(400, 9106, missing));
    };
    let form = |secret: &&str| {
        secret.len() >= 40
            && !secret.starts_with("cfk_")
            && secret.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
    };
    let secret = header.strip_prefix("Bearer ").filter(form);
    secret.ok_or_else(|| Refusal::new(400, 6003, "Invalid request headers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_writes_reads_and_not_the_other_way_round() {
        let token = |permission| Token::new("x").with(&[permission]);
        assert!(token(Permission::WafWrite).may(Permission::WafRead));
        assert!(!token(Permission::WafRead).may(Permission::WafWrite));
        assert!(!token(Permission::WafWrite).may(Permission::FirewallRead));
        assert!(!token(Permission::SettingsWrite).may(Permission::ZoneRead));
    }

    #[test]
    fn only_the_form_of_a_token_is_taken_for_one() {
        let token = "A".repeat(40);
        assert_eq!(bearer(Some(&format!("Bearer {token}"))), Ok(token.as_str()));
        let global_key = format!("Bearer {}", "a".repeat(37));
        let newer_global_key = format!("Bearer cfk_{}", "a".repeat(40));
        for (header, code) in [
            (None, 9106),
            (Some(token.as_str()), 6003),
            (Some("Bearer "), 6003),
            (Some("Bearer short"), 6003),
            (Some(global_key.as_str()), 6003),
            (Some(newer_global_key.as_str()), 6003),
        ] {
            assert_eq!(bearer(header).unwrap_err().code, code, "{header:?}");
        }
    }
}
