//! What PHP-FPM's logs, and PHP's words in a web server's log, say.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use secmon_wire::ActionId;
use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use super::php_message::{Died, died, owner};
use super::said::{died_of_error, number};
use super::tally::{Tallies, Tally};
use super::web::because;
use crate::Notes;
use crate::host::Host;

const TEN_MINUTES_S: u64 = 600;
const HOUR_S: u64 = 3_600;
/// Workers that died in ten minutes, or scripts that ran into a limit in an hour.
const SEVERAL: u64 = 3;
/// Errors of a plugin in an hour that need a human.
const ERRORS: u64 = 10;
/// Errors of one that had none before: they are enough to know that it is no single accident.
const NEW_ERRORS: u64 = 2;
/// Owners whose last file is remembered.
const FILES_MAX: usize = 32;
/// The worst of them are enough to begin with.
const SHOWN: usize = 3;
/// Times at the limit of workers in ten minutes; once is how a night's tasks begin.
const LIMITS: u64 = 2;

/// All logs that PHP writes to.
#[derive(Debug)]
pub(crate) struct Php {
    now: u64,
    /// When the newest master of PHP-FPM started.
    started: u64,
    deaths: Tally,
    limits: Tally,
    limit: u64,
    cut_off: Tallies,
    memory: Tallies,
    memory_limit: u64,
    time: Tallies,
    seconds: u64,
    errors: Tallies,
    /// Those of whom there are errors from before the last hour.
    earlier: Tallies,
    /// The file of each one's last error.
    files: Vec<(String, String)>,
}

impl Php {
    pub(crate) fn new(now: u64, started: u64) -> Self {
        Self {
            now,
            started,
            deaths: Tally::default(),
            limits: Tally::default(),
            limit: 0,
            cut_off: Tallies::default(),
            memory: Tallies::default(),
            memory_limit: 0,
            time: Tallies::default(),
            seconds: 0,
            errors: Tallies::default(),
            earlier: Tallies::default(),
            files: Vec::new(),
        }
    }

    /// Takes in a line of PHP-FPM's own log.
    pub(crate) fn fpm(&mut self, at: u64, text: &str, line: &[u8]) {
        match fpm(text) {
            Some(Fpm::Died) if self.is_after_start(at) && self.within(at, TEN_MINUTES_S) => {
                self.deaths.add(at, line)
            }
            Some(Fpm::Limit(limit)) if self.is_after_start(at) && self.within(at, TEN_MINUTES_S) => {
                self.limit = limit;
                self.limits.add(at, line);
            }
            Some(Fpm::CutOff(script, seconds)) if self.is_after_start(at) && self.within(at, HOUR_S) => {
                self.seconds = seconds;
                self.cut_off.add(script, at, line);
            }
            _ => {}
        }
    }

    /// Takes in what a script said as it died.
    pub(crate) fn message(&mut self, at: u64, text: &str, line: &[u8]) {
        let Some(died) = died(text) else { return };
        let (Died::Memory(_, file) | Died::Time(_, file) | Died::Error(file)) = died;
        if !self.within(at, HOUR_S) {
            if matches!(died, Died::Error(_)) {
                self.earlier.add(owner(file), at, b"");
            }
            return;
        }
        match died {
            // PHP reads its limits when it starts.
            Died::Memory(..) | Died::Time(..) if !self.is_after_start(at) => {}
            Died::Memory(limit, file) => {
                self.memory_limit = limit;
                self.memory.add(file, at, line);
            }
            Died::Time(limit, file) => {
                self.seconds = limit;
                self.time.add(file, at, line);
            }
            Died::Error(file) => {
                let owner = owner(file);
                self.errors.add(owner, at, line);
                let room = self.files.len() < FILES_MAX;
                match self.files.iter_mut().find(|(known, _)| known == owner) {
                    Some((_, last)) => file.clone_into(last),
                    None if room => self.files.push((owner.to_owned(), file.to_owned())),
                    None => {}
                }
            }
        }
    }

    const fn is_after_start(&self, at: u64) -> bool {
        at > self.started.saturating_add(super::START_S)
    }

    const fn within(&self, at: u64, seconds: u64) -> bool {
        at.saturating_add(seconds) >= self.now
    }

    /// Says what it comes to.
    pub(crate) fn judge(&self, host: &dyn Host, notes: &mut Notes) {
        if self.deaths.count >= SEVERAL {
            let facts = Facts::new().number(FactName::Count, self.deaths.count);
            let finding = Finding::new(FindingId::PhpWorkerCrash, Severity::Warning).with(facts);
            notes.found(because(finding, &self.deaths).action(ActionId::RestartPhp));
        }
        if self.limits.some() {
            let severity = if self.limits.count >= LIMITS { Severity::Warning } else { Severity::Info };
            let facts =
                Facts::new().number(FactName::Limit, self.limit).number(FactName::Count, self.limits.count);
            notes.found(because(Finding::new(FindingId::PhpMaxChildren, severity).with(facts), &self.limits));
        }
        let several =
            |(file, tally): &(&str, &Tally)| tally.count >= SEVERAL && !is_mended(host, file, tally);
        if let Some((file, tally)) = self.memory.most().filter(several) {
            let megabytes = self.memory_limit.checked_div(1 << 20).unwrap_or_default();
            let facts = who(file).number(FactName::Limit, megabytes).number(FactName::Count, tally.count);
            notes.found(because(
                Finding::new(FindingId::PhpMemoryLimit, Severity::Warning).with(facts),
                tally,
            ));
        }
        let late = self.time.most().into_iter().chain(self.cut_off.most());
        if let Some((file, tally)) = late.max_by_key(|(_, tally)| tally.count).filter(several) {
            let facts =
                who(file).number(FactName::Seconds, self.seconds).number(FactName::Count, tally.count);
            notes.found(because(Finding::new(FindingId::PhpTimeout, Severity::Warning).with(facts), tally));
        }
        let mut errors: Vec<_> =
            self.errors.iter().filter(|(owner, tally)| self.is_worth(owner, tally)).collect();
        errors.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.count));
        for (owner, tally) in errors.into_iter().take(SHOWN) {
            self.judge_errors(host, owner, tally, notes);
        }
    }

    fn is_worth(&self, owner: &str, tally: &Tally) -> bool {
        let known = self.earlier.iter().any(|(earlier, _)| earlier == owner);
        tally.count >= if known { ERRORS } else { NEW_ERRORS }
    }

    fn judge_errors(&self, host: &dyn Host, owner: &str, tally: &Tally, notes: &mut Notes) {
        let file = self.files.iter().find(|(known, _)| known == owner).map(|(_, file)| file.as_str());
        if !file.is_some_and(|file| is_mended(host, file, tally)) {
            let facts = who(file.unwrap_or(owner)).number(FactName::Count, tally.count);
            notes.found(because(
                Finding::new(FindingId::PhpFatalPlugin, Severity::Warning).with(facts),
                tally,
            ));
        }
    }
}

/// Whoever changed the file since may have mended it.
fn is_mended(host: &dyn Host, file: &str, tally: &Tally) -> bool {
    host.metadata(file).is_ok_and(|it| it.modified > tally.last)
}

fn who(file: &str) -> Facts {
    Facts::new().text(FactName::Plugin, owner(file)).text(FactName::File, file)
}

/// What a line of PHP-FPM's log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fpm<'a> {
    /// A worker died by its own fault.
    Died,
    /// All of so many workers are busy.
    Limit(u64),
    /// A request took longer than so many seconds and was ended; its script.
    CutOff(&'a str, u64),
}

/// Reads a line of PHP-FPM's log.
pub fn fpm(line: &str) -> Option<Fpm<'_>> {
    let (_, len) = super::time::stamp(line.as_bytes())?;
    let rest = line.get(len..)?.trim_start().strip_prefix("WARNING: [pool ")?;
    let (_, rest) = rest.split_once("] ")?;
    if let Some(limit) = rest.strip_prefix("server reached pm.max_children setting (") {
        return Some(Fpm::Limit(number(limit)));
    }
    let (pid, rest) = rest.strip_prefix("child ")?.split_once([' ', ','])?;
    if !pid.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    if let Some(signal) = rest.strip_prefix("exited on signal ") {
        return died_of_error(number(signal)).then_some(Fpm::Died);
    }
    // `script '/var/www/a.php' (request: "GET /a.php") execution timed out (31.2 sec), terminating`
    let (script, rest) = rest.trim_start().strip_prefix("script '")?.split_once('\'')?;
    let (_, seconds) = rest.rsplit_once("execution timed out (")?;
    seconds.ends_with("terminating").then(|| Fpm::CutOff(script, number(seconds)))
}

#[cfg(test)]
#[path = "php_tests.rs"]
mod tests;
