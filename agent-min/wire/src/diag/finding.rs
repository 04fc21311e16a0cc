//! One finding: what is so, how bad it is, since when, by which evidence, and which action its check proposes.

use core::fmt;

use heapless::String;

use crate::canonical::{Object, Writer};
use crate::limits::EVIDENCE_LINE_MAX;
use crate::{ActionId, WireError};

use super::fact::{Fact, FactName, Facts, printable, read_printable, show};
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

/// A part of a finding's sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'f> {
    /// The catalogue's own words.
    Words(&'f str),
    /// A fact in its place.
    Fact(FactName, &'f Fact),
    /// The place of a fact that isn't there.
    Unknown,
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

    /// The catalogue's sentence with the facts in their places.
    pub fn sentence(&self) -> impl Iterator<Item = Part<'_>> {
        let mut rest = self.id.entry().sentence;
        let mut one = false;
        core::iter::from_fn(move || {
            let (part, after) = if let Some(place) = rest.strip_prefix('{') {
                let (name, after) = place.split_once('}')?;
                let fact = FactName::new(name).and_then(|name| Some((name, self.facts.get(name)?)));
                one = matches!(fact, Some((_, Fact::Number(1))));
                (fact.map_or(Part::Unknown, |(name, fact)| Part::Fact(name, fact)), after)
            } else if let Some(forms) = rest.strip_prefix('[') {
                let (forms, after) = forms.split_once(']')?;
                let (many, single) = forms.split_once('|')?;
                (Part::Words(if one { single } else { many }), after)
            } else {
                let (words, after) = rest.split_at(rest.find(['{', '[']).unwrap_or(rest.len()));
                (Part::Words(Some(words).filter(|words| !words.is_empty())?), after)
            };
            rest = after;
            Some(part)
        })
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
        self.sentence().try_for_each(|part| match part {
            Part::Words(words) => f.write_str(words),
            Part::Fact(name, fact) => show(fact, name.quantity(), f),
            Part::Unknown => f.write_str("?"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn one_of_something_is_no_several() {
        let said = |id, facts| Finding::new(id, Severity::Warning).with(facts).to_string();
        let queue = |count, limit| {
            let facts = Facts::new().number(FactName::Count, count).number(FactName::Limit, limit);
            said(FindingId::PhpQueue, facts)
        };
        assert_eq!(queue(2, 5), "2 requests wait for PHP (5 workers)");
        assert_eq!(queue(1, 5), "1 request waits for PHP (5 workers)");
        assert_eq!(queue(9, 1), "9 requests wait for PHP (1 worker)");
        let accept = |count| said(FindingId::WebAcceptQueue, Facts::new().number(FactName::Count, count));
        assert_eq!(accept(1), "1 connection waits for the web server to accept it");
        // What isn't known may be several.
        assert_eq!(said(FindingId::PhpQueue, Facts::new()), "? requests wait for PHP (? workers)");
    }
}
