//! When a flood is answered, when more is done, and when it is over. Pure: looks and a clock come in, steps go out.

use std::collections::VecDeque;
use std::time::Duration;

/// Looks in a row that must show the same before anything is done.
const CONFIRM: u32 = 2;
/// Seconds without a flood before anything is put back.
const QUIET_S: u64 = 300;
/// Seconds that a mitigation stays at least; twice as long after each time that it was put back too early.
const ON_S: u64 = 600;
/// The longest that doubling makes it.
const ON_MAX_S: u64 = 4 * 3600;
/// The window in which changes of mind are counted.
const HOUR_S: u64 = 3600;
/// Between two looks: while nothing is there, and while something is.
const CALM: Duration = Duration::from_secs(60);
const ALERT: Duration = Duration::from_secs(15);

/// What is done first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoPolicy {
    /// The narrowest mitigation that the evidence carries; under-attack mode if that doesn't help.
    #[default]
    Ladder,
    /// Under-attack mode at once.
    UnderAttack,
}

impl AutoPolicy {
    const ALL: [Self; 2] = [Self::Ladder, Self::UnderAttack];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ladder => "ladder",
            Self::UnderAttack => "under-attack",
        }
    }

    /// The policy with this name.
    pub fn new(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

/// What one look showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// No flood.
    Quiet,
    /// A flood, and whether it is one of now can't be said.
    Unclear,
    /// A flood that does no harm, or that may be none.
    Suspicious,
    /// A flood by all three rules: floor, ratio, impact.
    Flood,
}

/// What is in force by automatic dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing.
    Off,
    /// A mitigation of what was measured.
    Narrow,
    /// Under-attack mode.
    UnderAttack,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Nothing.
    Stay,
    /// Answer the flood with the narrowest mitigation.
    Narrow,
    /// Go to under-attack mode.
    UnderAttack,
    /// Put everything automatic back.
    Back,
    /// It has been quiet, but it came back too often: it stays on. Said once.
    Hold,
}

/// What is known of one armed client.
#[derive(Clone, Debug)]
pub struct Ladder {
    policy: AutoPolicy,
    flips_max: usize,
    level: Level,
    since: u64,
    floods: u32,
    quiet_since: Option<u64>,
    /// When mitigations were put back, in the last hour.
    flips: VecDeque<u64>,
    stay_s: u64,
    held: bool,
    last: Seen,
}

impl Ladder {
    /// For a client where this is in force since then.
    pub const fn new(policy: AutoPolicy, flips_max: usize, level: Level, since: u64) -> Self {
        Self {
            policy,
            flips_max,
            level,
            since,
            floods: 0,
            quiet_since: None,
            flips: VecDeque::new(),
            stay_s: ON_S,
            held: false,
            last: Seen::Quiet,
        }
    }

    /// What is in force.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// How long until the next look.
    pub const fn pause(&self) -> Duration {
        match (self.level, self.last) {
            (Level::Off, Seen::Quiet) => CALM,
            _ => ALERT,
        }
    }

    /// Takes a look in; says what to do.
    pub fn judge(&mut self, seen: Seen, now: u64) -> Step {
        self.last = seen;
        match seen {
            Seen::Flood => {
                self.floods = self.floods.saturating_add(1);
                self.quiet_since = None;
            }
            Seen::Unclear => {
                self.quiet_since = None;
                return Step::Stay;
            }
            Seen::Suspicious => {
                self.floods = 0;
                self.quiet_since = None;
            }
            Seen::Quiet => {
                self.floods = 0;
                self.quiet_since.get_or_insert(now);
            }
        }
        match self.level {
            Level::Off if self.floods >= CONFIRM => match self.policy {
                AutoPolicy::Ladder => Step::Narrow,
                AutoPolicy::UnderAttack => Step::UnderAttack,
            },
            Level::Narrow if self.floods >= CONFIRM => Step::UnderAttack,
            Level::Narrow | Level::UnderAttack if self.is_over(now) => self.back(now),
            Level::Off | Level::Narrow | Level::UnderAttack => Step::Stay,
        }
    }

    /// Notes that a mitigation is in force.
    pub fn rose(&mut self, level: Level, now: u64) {
        if self.level == Level::Off {
            let again = self.flips.back().is_some_and(|back| now.saturating_sub(*back) < HOUR_S);
            self.stay_s = if again { self.stay_s.saturating_mul(2).min(ON_MAX_S) } else { ON_S };
        }
        self.level = level;
        self.since = now;
        self.floods = 0;
        self.quiet_since = None;
        self.held = false;
    }

    /// Notes that everything automatic was put back.
    pub fn fell(&mut self, now: u64) {
        self.level = Level::Off;
        self.flips.push_back(now);
        self.floods = 0;
        self.quiet_since = None;
    }

    /// Notes that nothing automatic is in force any more, by somebody else's hand or because its time was over.
    pub fn gone(&mut self) {
        self.level = Level::Off;
        self.floods = 0;
        self.quiet_since = None;
    }

    fn is_over(&self, now: u64) -> bool {
        let quiet = self.quiet_since.is_some_and(|since| now.saturating_sub(since) >= QUIET_S);
        quiet && now.saturating_sub(self.since) >= self.stay_s
    }

    fn back(&mut self, now: u64) -> Step {
        self.flips.retain(|flip| now.saturating_sub(*flip) < HOUR_S);
        if self.flips.len() < self.flips_max {
            return Step::Back;
        }
        if self.held {
            return Step::Stay;
        }
        self.held = true;
        Step::Hold
    }
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;
