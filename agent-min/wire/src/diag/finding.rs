//! One finding: what is so, how bad it is, since when, by which evidence, and which action its check proposes.

use core::fmt;

use heapless::String;

use crate::canonical::{Object, Writer};
use crate::limits::EVIDENCE_LINE_MAX;
use crate::{ActionId, WireError};

use super::fact::{Facts, printable, read_printable, show};
use super::flood::Flood;
use super::table::{FindingId, closed_list};

closed_list! {
    /// How bad it is. Ordered.
    Severity {
        Info = "info",
        Warning = "warning",
        Critical = "critical",
    }
}

/// `{"action","facts","flood","id","line","severity","since"}`; `action`, `flood` and `since` can be `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Finding {
    /// Which.
    pub id: FindingId,
    /// How bad.
    pub severity: Severity,
    /// The numbers and names of its sentence.
    pub facts: Facts,
    /// The log line that decided it, without secrets, in printable ASCII; empty if none did.
    pub line: String<EVIDENCE_LINE_MAX>,
    /// When it began, in seconds since the epoch, where the evidence says so.
    pub since: Option<u64>,
    /// What may help. [`conclude`](super::conclude) may find a reason against it.
    pub action: Option<ActionId>,
    /// What a mitigation at the edge needs to know.
    pub flood: Option<Flood>,
}

impl Finding {
    /// A finding without anything else.
    pub const fn new(id: FindingId, severity: Severity) -> Self {
        Self {
            id,
            severity,
            facts: Facts::new(),
            line: String::new(),
            since: None,
            action: None,
            flood: None,
        }
    }

    /// With these facts.
    pub fn with(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// With the line that decided it. Secrets must be gone from it already.
    pub fn line(mut self, line: &str) -> Self {
        self.line = printable(line);
        self
    }

    /// With the moment of its beginning.
    pub fn since(mut self, since: u64) -> Self {
        self.since = Some(since);
        self
    }

    /// With an action that may help.
    pub fn action(mut self, action: ActionId) -> Self {
        self.action = Some(action);
        self
    }

    /// With what a mitigation needs.
    pub fn flood(mut self, flood: Flood) -> Self {
        self.flood = Some(flood);
        self
    }

    pub(super) fn read(object: Object<'_>) -> Result<Self, WireError> {
        let [action, facts, flood, id, line, severity, since] =
            object.exact(["action", "facts", "flood", "id", "line", "severity", "since"])?;
        let action = match action.is_null() {
            true => None,
            false => Some(ActionId::new(action.plain("action")?).ok_or(WireError::BadValue("action"))?),
        };
        let flood = if flood.is_null() { None } else { Some(Flood::read(flood.object("flood")?)?) };
        Ok(Self {
            id: FindingId::new(id.plain("id")?).ok_or(WireError::BadValue("id"))?,
            severity: Severity::new(severity.plain("severity")?).ok_or(WireError::BadValue("severity"))?,
            facts: Facts::read(facts.object("facts")?)?,
            line: read_printable(line.text("line")?, "line")?,
            since: if since.is_null() { None } else { Some(since.unsigned("since")?) },
            action,
            flood,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.open(b'{');
        w.key("action");
        match self.action {
            Some(action) => w.text(action.as_str()),
            None => w.raw(b"null"),
        }
        w.key("facts");
        self.facts.write(w);
        w.key("flood");
        match &self.flood {
            Some(flood) => flood.write(w),
            None => w.raw(b"null"),
        }
        w.key("id");
        w.text(self.id.as_str());
        w.key("line");
        w.text(&self.line);
        w.key("severity");
        w.text(self.severity.as_str());
        w.key("since");
        match self.since {
            Some(since) => w.unsigned(since),
            None => w.raw(b"null"),
        }
        w.close(b'}');
    }
}

impl fmt::Display for Finding {
    /// The catalogue's sentence with the facts in their places; one that isn't there shows as `?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.id.entry().sentence;
        while let Some((before, after)) = rest.split_once('{') {
            f.write_str(before)?;
            let Some((name, after)) = after.split_once('}') else { return Ok(()) };
            let fact = super::FactName::new(name).and_then(|name| Some((name, self.facts.get(name)?)));
            match fact {
                Some((name, fact)) => show(fact, name.quantity(), f)?,
                None => f.write_str("?")?,
            }
            rest = after;
        }
        f.write_str(rest)
    }
}
