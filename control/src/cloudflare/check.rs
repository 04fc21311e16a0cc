//! Whether a zone's token is good for what secmon does: each permission by a harmless read.
//!
//! Whether a token may also write can't be tried without changing something. What the API lists as allowed is taken as
//! a hint, and said as one.

use std::fmt;

use super::Phase;
use super::api::{ApiError, TokenState, ZoneApi, ZoneState, scope};

/// What the API lists where a permission to change something is there, and the permissions that it stands for.
const WRITES: [(&str, &[&str]); 2] = [
    ("#zone_settings:edit", &[scope::SETTINGS_EDIT]),
    ("#waf:edit", &[scope::WAF_EDIT, scope::FIREWALL_EDIT]),
];

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The zone.
    pub zone: ZoneState,
    /// When the token ends, if it does.
    pub until: Option<String>,
    /// Permissions that the token lacks.
    pub missing: Vec<&'static str>,
    /// Permissions that let it read; whether they let it write, the API doesn't say.
    pub unproven: Vec<&'static str>,
}

/// Why nothing was checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unchecked {
    /// The API.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Somebody switched the token off.
    #[error("the API token is switched off; switch it on at dash.cloudflare.com, or store another")]
    Disabled,
    /// The token has ended.
    #[error("the API token has ended{}; make a new one and store it with `secmon cloudflare add`", On(.on))]
    Expired { on: Option<String> },
}

struct On<'a>(&'a Option<String>);

impl fmt::Display for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_deref().map_or(Ok(()), |when| write!(f, " on {when}"))
    }
}

/// Checks the token of a zone.
pub async fn check(api: &ZoneApi) -> Result<Check, Unchecked> {
    let until = match api.verify_token().await? {
        TokenState::Active { until } => until,
        TokenState::Disabled => return Err(Unchecked::Disabled),
        TokenState::Expired { on } => return Err(Unchecked::Expired { on }),
    };
    let zone = api.zone().await?;
    let mut missing = Vec::new();
    let reads = [
        api.security_level().await.map(drop),
        api.entrypoint(Phase::Custom).await.map(drop),
        api.entrypoint(Phase::RateLimit).await.map(drop),
        api.access_rules().await.map(drop),
    ];
    for read in reads {
        match read {
            Ok(()) => {}
            Err(ApiError::ScopeMissing(scope)) if missing.contains(&scope) => {}
            Err(ApiError::ScopeMissing(scope)) => missing.push(scope),
            Err(error) => return Err(error.into()),
        }
    }
    let unproven = unproven(&zone.permissions, &missing);
    Ok(Check { zone, until, missing, unproven })
}

fn unproven(listed: &[String], missing: &[&'static str]) -> Vec<&'static str> {
    let is_listed = |name: &str| listed.iter().any(|listed| listed == name);
    let unsaid = WRITES.iter().filter(|(edit, _)| !is_listed(edit));
    unsaid.flat_map(|(_, scopes)| scopes.iter().copied()).filter(|scope| !missing.contains(scope)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_proven_only_by_what_the_api_lists() {
        let listed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = [scope::SETTINGS_EDIT, scope::WAF_EDIT, scope::FIREWALL_EDIT];
        assert_eq!(unproven(&[], &[]), all);
        assert_eq!(unproven(&listed(&["#zone_settings:read", "#waf:read"]), &[]), all);
        assert_eq!(unproven(&listed(&["#waf:edit"]), &[]), [scope::SETTINGS_EDIT]);
        assert_eq!(unproven(&listed(&["#waf:edit", "#zone_settings:edit"]), &[]), [""; 0]);
        assert_eq!(
            unproven(&[], &[scope::WAF_EDIT]),
            [scope::SETTINGS_EDIT, scope::FIREWALL_EDIT],
            "said already"
        );
    }
}
