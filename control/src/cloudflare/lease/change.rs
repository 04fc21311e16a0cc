//! One change in one zone: what stood there before, making it, finding it again, putting it back.
//!
//! The only code that calls what changes a zone. Everything is read again right before it is written, nothing without
//! our tag is touched, and a change whose answer didn't come is looked for instead of guessed or repeated.

use std::time::Duration;

use super::Licence;
use super::record::{Held, Previous};
use crate::cloudflare::api::{ApiError, FoundAccessRule, FoundRule, Ruleset, ZoneApi};
use crate::cloudflare::{AccessRule, Change, Phase, Rule};

/// The level that the mode is made of.
const UNDER_ATTACK: &str = "under_attack";
/// What the API says when a phase has an entry point already.
const RULESET_EXISTS: u64 = 20217;
/// How long after a change without an answer the zone is read, and read again.
const LOOKS: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// Why a change can't or needn't be made; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Obstacle {
    /// The zone couldn't be read.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// It is so already, and not by us.
    #[error("{0}")]
    AlreadySo(&'static str),
    /// The plan has no place for another rule.
    #[error("{used} of {most} rules of this kind are in use; remove one first, or take another action")]
    Full { used: usize, most: usize },
}

/// What came of making a change.
#[derive(Debug)]
pub(super) enum Made {
    /// It stands.
    Done,
    /// It doesn't: the API said why.
    Refused(ApiError),
    /// The answer didn't come, and it wasn't there when the zone was read afterwards.
    Absent(String),
    /// The answer didn't come, and the zone can't be read.
    Unclear(String),
}

/// What came of putting a change back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// What stood there before stands there again.
    Restored(String),
    /// Somebody removed it or put it back before us.
    Gone(String),
    /// Somebody changed it; theirs stays.
    LeftAlone(String),
}

/// Reads what stands in the place of a change.
pub(super) async fn previous(api: &ZoneApi, change: &Change, most: usize) -> Result<Previous, Obstacle> {
    match change {
        Change::UnderAttack => match api.security_level().await? {
            level if level == UNDER_ATTACK => {
                Err(Obstacle::AlreadySo("under-attack mode is on already, and not by secmon"))
            }
            level => Ok(Previous::Level(level)),
        },
        Change::Rule { phase, .. } => match api.entrypoint(*phase).await? {
            None => Ok(Previous::NoRuleset),
            Some(ruleset) if ruleset.rules.len() >= most => {
                Err(Obstacle::Full { used: ruleset.rules.len(), most })
            }
            Some(ruleset) => Ok(Previous::Ruleset { id: ruleset.id, version: ruleset.version }),
        },
        Change::Access(_) => Ok(Previous::Access),
    }
}

/// Makes a change; `licence` says by which right.
pub(super) async fn make(api: &ZoneApi, change: &Change, tag: &str, licence: &Licence) -> Made {
    tracing::info!("{tag}: {licence}");
    let sent = match change {
        Change::UnderAttack => api.set_security_level(UNDER_ATTACK).await,
        Change::Rule { phase, rule } => add_rule(api, *phase, rule, tag).await,
        Change::Access(rules) => add_access_rules(api, rules, tag).await,
    };
    let why = match sent {
        Ok(()) => return Made::Done,
        Err(error) if error.changed_nothing() => return Made::Refused(error),
        Err(error) => error.to_string(),
    };
    let mut unread = None;
    for wait in LOOKS {
        tokio::time::sleep(wait).await;
        match stands(api, change, tag).await {
            Ok(true) => return Made::Done,
            Ok(false) => unread = None,
            Err(error) => unread = Some(error),
        }
    }
    match unread {
        None => Made::Absent(why),
        Some(error) => Made::Unclear(format!("{why}; then {error}")),
    }
}

/// Whether a change stands as we set it.
pub(super) async fn stands(api: &ZoneApi, change: &Change, tag: &str) -> Result<bool, ApiError> {
    Ok(match change {
        Change::UnderAttack => api.security_level().await? == UNDER_ATTACK,
        Change::Rule { phase, rule } => {
            let found = api.entrypoint(*phase).await?;
            found
                .as_ref()
                .and_then(|ruleset| tagged(ruleset, tag))
                .is_some_and(|found| rule.is_as_set(&found.json))
        }
        Change::Access(rules) => {
            let found = api.access_rules().await?;
            rules.iter().all(|rule| found.iter().any(|found| found.notes == tag && is_as_set(rule, found)))
        }
    })
}

/// Puts back what stood there before, unless somebody else changed it meanwhile.
pub(super) async fn undo(api: &ZoneApi, held: &Held, tag: &str) -> Result<Undone, ApiError> {
    match (&held.change, &held.previous) {
        (Change::UnderAttack, Previous::Level(before)) => undo_under_attack(api, before).await,
        (Change::UnderAttack, _) => {
            Ok(Undone::LeftAlone("what the security level was isn't known".to_owned()))
        }
        (Change::Rule { phase, rule }, _) => undo_rule(api, *phase, rule, tag).await,
        (Change::Access(rules), _) => undo_access(api, rules, tag).await,
    }
}

/// Removes a rule with our tag that no lease accounts for.
pub(super) async fn remove_orphan(
    api: &ZoneApi,
    ruleset: &Ruleset,
    rule: &FoundRule,
) -> Result<(), ApiError> {
    api.delete_rule(&ruleset.id, &rule.id).await
}

/// Removes an access rule with our tag that no lease accounts for.
pub(super) async fn remove_access_orphan(api: &ZoneApi, rule: &FoundAccessRule) -> Result<(), ApiError> {
    api.delete_access_rule(&rule.id).await
}

async fn add_rule(api: &ZoneApi, phase: Phase, rule: &Rule, tag: &str) -> Result<(), ApiError> {
    let body = rule.to_json(tag);
    if api.entrypoint(phase).await.map_err(before_any_change)?.is_none() {
        match api.create_entrypoint(phase, &body).await {
            // Somebody has made one meanwhile; ours goes behind their rules.
            Err(ApiError::Refused { code: Some(RULESET_EXISTS), .. }) => {}
            made => return made.map(|_ruleset| ()),
        }
    }
    match api.entrypoint(phase).await.map_err(before_any_change)? {
        // Ours already: an answer that got lost.
        Some(ruleset) if tagged(&ruleset, tag).is_some() => Ok(()),
        Some(ruleset) => api.add_rule(&ruleset.id, &body).await.map(|_ruleset| ()),
        None => Err(ApiError::Unavailable("the ruleset comes and goes".to_owned())),
    }
}

async fn add_access_rules(api: &ZoneApi, rules: &[AccessRule], tag: &str) -> Result<(), ApiError> {
    let there = api.access_rules().await.map_err(before_any_change)?;
    let missing =
        rules.iter().filter(|rule| !there.iter().any(|found| found.notes == tag && is_as_set(rule, found)));
    for (made, rule) in missing.enumerate() {
        match api.add_access_rule(rule, tag).await {
            Ok(_) => {}
            // Somebody has a rule for that address; theirs stays.
            Err(ApiError::Refused { message, .. }) if message.contains("duplicate") => {}
            Err(error) if made > 0 && error.changed_nothing() => {
                return Err(ApiError::Unknown(error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn undo_under_attack(api: &ZoneApi, before: &str) -> Result<Undone, ApiError> {
    let level = api.security_level().await?;
    if level == before {
        return Ok(Undone::Gone(format!("the security level was {before} again already")));
    }
    if level != UNDER_ATTACK {
        return Ok(Undone::LeftAlone(format!(
            "somebody set the security level to {level} meanwhile; it stays"
        )));
    }
    api.set_security_level(before).await?;
    Ok(Undone::Restored(format!("security level {before} again")))
}

async fn undo_rule(api: &ZoneApi, phase: Phase, rule: &Rule, tag: &str) -> Result<Undone, ApiError> {
    let ruleset = api.entrypoint(phase).await?;
    let Some((ruleset, found)) = ruleset.as_ref().and_then(|ruleset| Some((ruleset, tagged(ruleset, tag)?)))
    else {
        return Ok(Undone::Gone("the rule was gone already".to_owned()));
    };
    if !rule.is_as_set(&found.json) {
        return Ok(Undone::LeftAlone("somebody changed the rule meanwhile; it stays".to_owned()));
    }
    // A ruleset that is empty now stays: removing it could take a rule with it that somebody adds at that moment.
    api.delete_rule(&ruleset.id, &found.id).await?;
    Ok(Undone::Restored("rule removed".to_owned()))
}

async fn undo_access(api: &ZoneApi, rules: &[AccessRule], tag: &str) -> Result<Undone, ApiError> {
    let (mut removed, mut changed) = (0_usize, 0_usize);
    for found in api.access_rules().await?.iter().filter(|found| found.notes == tag) {
        if rules.iter().any(|rule| is_as_set(rule, found)) {
            api.delete_access_rule(&found.id).await?;
            removed = removed.saturating_add(1);
        } else {
            changed = changed.saturating_add(1);
        }
    }
    Ok(match (removed, changed) {
        (0, 0) => Undone::Gone("the address rules were gone already".to_owned()),
        (_, 0) => Undone::Restored(format!("{removed} address rules removed")),
        _ => Undone::LeftAlone(format!(
            "{removed} address rules removed; somebody changed {changed} meanwhile, which stay"
        )),
    })
}

fn tagged<'a>(ruleset: &'a Ruleset, tag: &str) -> Option<&'a FoundRule> {
    ruleset.rules.iter().find(|rule| rule.reference.as_deref() == Some(tag))
}

fn is_as_set(rule: &AccessRule, found: &FoundAccessRule) -> bool {
    found.network == Some(rule.network) && found.mode == rule.action.as_str()
}

/// A read that failed before the first write changed nothing, however it failed.
fn before_any_change(error: ApiError) -> ApiError {
    match error {
        ApiError::Unknown(why) => ApiError::Unavailable(why),
        other => other,
    }
}
