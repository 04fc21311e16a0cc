//! What the journal has of services that restart in a loop, and of processes that the kernel killed.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use super::said::number;
use super::tally::Tally;
use super::web::because;
use crate::Notes;

const FIVE_MINUTES_S: u64 = 300;
const TEN_MINUTES_S: u64 = 600;
const HOUR_S: u64 = 3_600;
/// More failures than this in five minutes are a loop.
const FAILURES: u64 = 2;
/// A service that has run for so long since its last start runs: systemd waits less between two tries.
const RUNS_S: u64 = 20;
/// Programs that the sites need: their death is felt.
const NEEDED: [&str; 10] =
    ["mariadbd", "mysqld", "postgres", "nginx", "apache2", "httpd", "php-fpm", "php", "angie", "openresty"];

/// One service.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    failed: Tally,
    gave_up: Tally,
    started: u64,
    /// Whether systemd itself starts it again. A person who does is not a loop.
    again: bool,
}

impl Unit {
    /// Takes in a message of systemd's about it.
    pub(crate) fn message(&mut self, now: u64, at: u64, unit: &str, text: &str) {
        let within = |seconds: u64| at.saturating_add(seconds) >= now;
        let about = text.strip_prefix(unit).and_then(|rest| rest.strip_prefix(": ")).unwrap_or_default();
        if text.starts_with("Started ") {
            self.started = at;
            self.gave_up = Tally::default();
        } else if about.starts_with("Start request repeated too quickly") && within(TEN_MINUTES_S) {
            self.gave_up.add(at, text.as_bytes());
        } else if about.starts_with("Scheduled restart job") && within(FIVE_MINUTES_S) {
            self.again = true;
        } else if about.starts_with("Failed with result 'start-limit-hit'") {
            // The same once more.
        } else if about.starts_with("Failed with result ") && within(FIVE_MINUTES_S) {
            self.failed.add(at, text.as_bytes());
        }
    }

    /// Says what it comes to.
    pub(crate) fn judge(&self, now: u64, unit: &str, notes: &mut Notes) {
        let facts = |count| Facts::new().text(FactName::Unit, unit).number(FactName::Count, count);
        if self.gave_up.some() {
            let facts = facts(self.failed.count.max(1));
            let finding = Finding::new(FindingId::SysCrashLoop, Severity::Critical).with(facts);
            notes.found(because(finding, &self.gave_up));
            return;
        }
        let runs = self.started >= self.failed.last && self.started.saturating_add(RUNS_S) <= now;
        if self.failed.count > FAILURES && self.again && !runs {
            let finding =
                Finding::new(FindingId::SysCrashLoop, Severity::Warning).with(facts(self.failed.count));
            notes.found(because(finding, &self.failed));
        }
    }
}

/// The last process that the kernel killed for its memory.
#[derive(Debug, Default)]
pub(crate) struct Killed {
    name: String,
    bytes: u64,
    tally: Tally,
}

impl Killed {
    /// Takes in a message of the kernel.
    pub(crate) fn message(&mut self, now: u64, at: u64, text: &str) {
        if at.saturating_add(HOUR_S) < now {
            return;
        }
        if let Some((name, bytes)) = killed(text) {
            // One that the sites need is told rather than any other.
            if is_needed(name) || !is_needed(&self.name) {
                name.clone_into(&mut self.name);
                self.bytes = bytes;
                self.tally.add(at, text.as_bytes());
            }
        }
    }

    /// Says what it comes to. A task of the night that was too large for its own limit harms nobody.
    pub(crate) fn judge(&self, now: u64, notes: &mut Notes) {
        if !self.tally.some() {
            return;
        }
        let severity = match is_needed(&self.name) {
            true if self.tally.last.saturating_add(TEN_MINUTES_S) >= now => Severity::Critical,
            true => Severity::Warning,
            false => Severity::Info,
        };
        let facts = Facts::new().text(FactName::Name, &self.name).number(FactName::Size, self.bytes);
        notes.found(because(Finding::new(FindingId::MemOom, severity).with(facts), &self.tally));
    }
}

fn is_needed(name: &str) -> bool {
    NEEDED.iter().any(|needed| name == *needed || (*needed == "php-fpm" && name.starts_with(needed)))
}

/// Who was killed, and the bytes that it had to itself: `Out of memory: Killed process 99 (mariadbd) total-vm:…kB,
/// anon-rss:…kB, …`, also of one group of processes only.
pub fn killed(text: &str) -> Option<(&str, u64)> {
    let rest = ["Out of memory: Killed process ", "Memory cgroup out of memory: Killed process "]
        .iter()
        .find_map(|mark| text.strip_prefix(mark))?;
    let (_, rest) = rest.split_once(" (")?;
    let (name, rest) = rest.split_once(')')?;
    let kilobytes = rest.split_once("anon-rss:").map_or(0, |(_, size)| number(size));
    Some((name, kilobytes.saturating_mul(1024)))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_795_311_290;
    const UNIT: &str = "nginx.service";
    const FAILED: &str = "nginx.service: Failed with result 'exit-code'.";
    const GAVE_UP: &str = "nginx.service: Start request repeated too quickly.";
    const AGAIN: &str = "nginx.service: Scheduled restart job, restart counter is at 1.";
    const STARTED: &str = "Started nginx.service - A high performance web server.";

    fn severity(messages: &[(u64, &str)]) -> Option<Severity> {
        let (mut unit, mut notes) = (Unit::default(), Notes::default());
        for (age, text) in messages {
            unit.message(NOW, NOW - age, UNIT, text);
        }
        unit.judge(NOW, UNIT, &mut notes);
        notes.findings().first().map(|finding| finding.severity)
    }

    #[test]
    fn more_than_two_failures_in_five_minutes_are_a_loop_until_it_runs() {
        let failed = |ages: [u64; 3]| [vec![(60, AGAIN)], ages.map(|age| (age, FAILED)).to_vec()].concat();
        assert_eq!(severity(&failed([300, 200, 50])), Some(Severity::Warning));
        assert_eq!(severity(&failed([301, 200, 50])), None);
        let and = |age, text| [failed([100, 80, 50]), vec![(age, text)]].concat();
        assert_eq!(severity(&and(20, STARTED)), None);
        assert_eq!(severity(&and(19, STARTED)), Some(Severity::Warning));
        assert_eq!(severity(&[(9, FAILED); 5]), None, "somebody tries to start it");
        let other = [vec![(9, AGAIN)], vec![(9, "other.service: Failed with result 'signal'."); 5]].concat();
        assert_eq!(severity(&other), None);
    }

    #[test]
    fn a_service_that_systemd_gave_up_is_down_until_it_starts() {
        assert_eq!(severity(&[(600, GAVE_UP)]), Some(Severity::Critical));
        assert_eq!(severity(&[(601, GAVE_UP)]), None);
        assert_eq!(severity(&[(30, GAVE_UP), (5, STARTED)]), None);
    }

    #[test]
    fn who_was_killed_is_read_and_who_is_needed_counts_more() {
        let line = |name: &str| {
            format!(
                "Out of memory: Killed process 99 ({name}) total-vm:900kB, anon-rss:300kB, file-rss:0kB, UID:110"
            )
        };
        assert_eq!(killed(&line("mariadbd")), Some(("mariadbd", 300 * 1024)));
        assert_eq!(killed(&format!("Memory cgroup {}", line("php").to_lowercase())), None);
        assert_eq!(
            killed("Memory cgroup out of memory: Killed process 7 (php-fpm8.2) x"),
            Some(("php-fpm8.2", 0))
        );
        let judged = |messages: &[(u64, &str)]| {
            let (mut all, mut notes) = (Killed::default(), Notes::default());
            messages.iter().for_each(|(age, name)| all.message(NOW, NOW - age, &line(name)));
            all.judge(NOW, &mut notes);
            notes.findings().first().map(|finding| (finding.severity, finding.to_string()))
        };
        let said = |name: &str| format!("Memory ran out: the kernel killed {name}");
        assert_eq!(judged(&[(600, "mariadbd"), (5, "backup")]), Some((Severity::Critical, said("mariadbd"))));
        assert_eq!(judged(&[(601, "php-fpm8.2")]), Some((Severity::Warning, said("php-fpm8.2"))));
        assert_eq!(judged(&[(5, "backup")]), Some((Severity::Info, said("backup"))));
        assert_eq!(judged(&[(3_601, "mariadbd")]), None);
    }

    proptest! {
        #[test]
        fn any_message_is_read_or_not(text in "\\PC{0,80}") {
            let _either = killed(&format!("Out of memory: Killed process {text}"));
        }
    }
}
