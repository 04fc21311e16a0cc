//! How long what is changed at Cloudflare lasts.

use secmon_wire::ActionId;

use super::environment::{ConfigError, Lookup, optional};
use super::variable;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// Seconds for each kind of lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durations {
    under_attack: u64,
    block: u64,
    armed: u64,
}

impl Default for Durations {
    fn default() -> Self {
        Self { under_attack: 60 * MINUTE, block: 24 * HOUR, armed: 24 * HOUR }
    }
}

impl Durations {
    pub(super) fn read(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let read = |name, unit: u64, most: u64, expected| match optional(lookup, name) {
            None => Ok(None),
            Some(text) => {
                let digits = text.bytes().all(|c| c.is_ascii_digit());
                let number = text.parse().ok().filter(|number| digits && (1..=most).contains(number));
                let seconds = number.map(|number: u64| number.saturating_mul(unit));
                seconds.ok_or(ConfigError::Value { name, expected }).map(Some)
            }
        };
        let usual = Self::default();
        let hours = "hours, 1 to 168";
        let minutes = read(variable::UNDER_ATTACK_MINUTES, MINUTE, 1440, "minutes, 1 to 1440")?;
        Ok(Self {
            under_attack: minutes.unwrap_or(usual.under_attack),
            block: read(variable::BLOCK_HOURS, HOUR, 168, hours)?.unwrap_or(usual.block),
            armed: read(variable::AUTO_HOURS, HOUR, 168, hours)?.unwrap_or(usual.armed),
        })
    }

    /// Seconds for which what this action makes lasts.
    pub const fn of(&self, action: ActionId) -> u64 {
        match action {
            ActionId::CfUnderAttack => self.under_attack,
            ActionId::EnableCfAuto => self.armed,
            _ => self.block,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_usual_and_what_is_wrong_is_refused() {
        assert_eq!(Durations::read(&|_| None).expect("read"), Durations::default());
        let two = |name: &str| (name == variable::UNDER_ATTACK_MINUTES).then(|| "2".to_owned());
        assert_eq!(Durations::read(&two).expect("read").of(ActionId::CfUnderAttack), 120);
        for wrong in ["0", "1441", "-1", "+5", "1h", " "] {
            let wrong = |name: &str| (name == variable::UNDER_ATTACK_MINUTES).then(|| wrong.to_owned());
            assert!(Durations::read(&wrong).is_err());
        }
    }
}
