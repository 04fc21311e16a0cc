//! What is tried, what came of it, and how it reads.

use std::fmt;
use std::io;

use nix::errno::Errno;
use nix::libc;
use secmon_sys::role::End;
use secmon_sys::sandbox::Strength;

use crate::captive::Place;
use crate::scene::Scene;

/// One way out.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    /// Whose walls it must not get through. For the others it is their work.
    pub(crate) of: Of,
    pub(crate) attempt: fn(&Scene) -> Result<(), Errno>,
    /// Errors that the kernel gives only to those who are allowed: they are as good as a success.
    pub(crate) allowed: &'static [Errno],
}

/// Processes that a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Both,
    Only(Place),
}

/// What one attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed(Errno),
    Ended(End),
}

/// What that means; the worse, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Denied,
    /// It fails outside as well, so that its failure inside shows nothing.
    Untried,
    /// The process came to an end that is none of the kernel's answers.
    Broken,
    Escaped,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    walls: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    outside: Outcome,
    inside: [Option<(Outcome, Verdict)>; 2],
}

/// An end by the filter of system calls.
const KILLED: Outcome = Outcome::Ended(End::Signal(libc::SIGSYS));

impl Probe {
    pub(crate) const fn new(name: &'static str, attempt: fn(&Scene) -> Result<(), Errno>) -> Self {
        Self { name, of: Of::Both, attempt, allowed: &[] }
    }

    pub(crate) const fn of(mut self, of: Of) -> Self {
        self.of = of;
        self
    }

    pub(crate) const fn allowed(mut self, errors: &'static [Errno]) -> Self {
        self.allowed = errors;
        self
    }

    fn verdict(&self, outside: Outcome, inside: Outcome) -> Verdict {
        let is_allowed = |outcome| match outcome {
            Outcome::Succeeded => true,
            Outcome::Failed(errno) => self.allowed.contains(&errno),
            Outcome::Ended(_) => false,
        };
        match inside {
            KILLED => Verdict::Denied,
            Outcome::Ended(_) => Verdict::Broken,
            inside if is_allowed(inside) => Verdict::Escaped,
            _ if is_allowed(outside) => Verdict::Denied,
            _ => Verdict::Untried,
        }
    }
}

impl Table {
    /// The walls that a process has.
    pub(crate) fn walls(&mut self, place: Place, strength: Strength) {
        let missing: Vec<_> = strength.missing().collect();
        let missing = if missing.is_empty() { "none".into() } else { missing.join(" ") };
        self.walls.push(format!("{}: {strength}; missing: {missing}", place.name()));
    }

    /// Makes a probe everywhere.
    pub(crate) fn row(
        &mut self,
        probe: &Probe,
        attempt: impl Fn(Place) -> io::Result<Outcome>,
    ) -> io::Result<()> {
        let outside = attempt(Place::Outside)?;
        let mut inside = [None; 2];
        for (cell, place) in inside.iter_mut().zip([Place::Network, Place::Diagnostics]) {
            if probe.of == Of::Both || probe.of == Of::Only(place) {
                let outcome = attempt(place)?;
                *cell = Some((outcome, probe.verdict(outside, outcome)));
            }
        }
        self.rows.push(Row { name: probe.name, outside, inside });
        Ok(())
    }

    pub(crate) fn worst(&self) -> Verdict {
        self.verdicts().max().unwrap_or(Verdict::Broken)
    }

    fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.rows.iter().flat_map(|row| row.inside).flatten().map(|(_, verdict)| verdict)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.walls.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "\n{:<44}{:<14}{:<24}diagnostics", "probe", "outside", "network")?;
        for Row { name, outside, inside: [network, diagnostics] } in &self.rows {
            let cell = |cell: &Option<_>| cell.map_or("its work".into(), of_cell);
            let (network, diagnostics) = (cell(network), cell(diagnostics));
            writeln!(f, "{name:<44}{:<14}{network:<24}{diagnostics}", outside.to_string())?;
        }
        let count = |wanted| self.verdicts().filter(|verdict| *verdict == wanted).count();
        writeln!(
            f,
            "\n{} attempts: {} denied, {} not to be tried here, {} escaped, {} broken",
            self.verdicts().count(),
            count(Verdict::Denied),
            count(Verdict::Untried),
            count(Verdict::Escaped),
            count(Verdict::Broken)
        )
    }
}

fn of_cell((outcome, verdict): (Outcome, Verdict)) -> String {
    match verdict {
        Verdict::Denied => outcome.to_string(),
        Verdict::Untried => format!("can't be tried: {outcome}"),
        Verdict::Broken => format!("BROKEN: {outcome}"),
        Verdict::Escaped => format!("ESCAPED: {outcome}"),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Succeeded => f.write_str("works"),
            Self::Failed(errno) => write!(f, "{errno:?}"),
            KILLED => f.write_str("killed"),
            Self::Ended(end) => write!(f, "{end}"),
        }
    }
}
