//! What a mitigation breaks: pages that have to go on answering, before it and after it. Pure: who looks at them is the
//! edge's client, and nothing is decided here about putting anything back.

use std::fmt;

use super::{LeaseId, Probe};

/// Pages of one zone that are looked at, at most.
const PAGES_MAX: usize = 12;
/// Looked at wherever anything is: the front page, and what apps and plugins of WordPress talk to.
const ALWAYS: [&str; 2] = ["/", "/wp-json/"];

/// How a page answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It was let through: the status that came.
    Served(u16),
    /// The edge wants to see a person.
    Challenged,
    /// A status with which the edge turns requests away; a server may send it too.
    Refused(u16),
    /// No answer in time.
    Nothing,
}

/// A page, and how it answered.
pub(super) type Seen = (Probe, Sight);

/// A page that a mitigation broke, as it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub page: Probe,
    /// How it answered before, if it was looked at.
    pub before: Option<Sight>,
    /// How it answers now.
    pub now: Sight,
}

/// What is looked at in a zone where these pages were named; nothing where none was.
pub(super) fn pages(named: &[Probe]) -> Vec<Probe> {
    if named.is_empty() {
        return Vec::new();
    }
    let mut pages: Vec<Probe> = Vec::new();
    for page in ALWAYS.iter().filter_map(|path| Probe::new(path)).chain(named.iter().cloned()) {
        if !pages.contains(&page) {
            pages.push(page);
        }
    }
    pages.truncate(PAGES_MAX);
    pages
}

/// Which pages are worse off than before.
pub(super) fn broken(before: &[Seen], after: &[Seen]) -> Vec<Broken> {
    let mut broken = Vec::new();
    for (page, now) in after {
        let before = before.iter().find(|(of, _)| of == page).map(|(_, sight)| *sight);
        if is_worse(page, before, *now) {
            broken.push(Broken { page: page.clone(), before, now: *now });
        }
    }
    broken
}

/// A challenge is always the edge's. A refusal may be the server's own, and counts only where the page was served
/// before; that a flooded server doesn't answer is the flood's doing.
fn is_worse(page: &Probe, before: Option<Sight>, now: Sight) -> bool {
    match now {
        // People pass, and that they are asked is what a challenge is for.
        Sight::Challenged if page.is_front() => false,
        Sight::Challenged => !matches!(before, Some(Sight::Challenged | Sight::Refused(_))),
        Sight::Refused(_) => matches!(before, Some(Sight::Served(_))),
        Sight::Served(_) | Sight::Nothing => false,
    }
}

impl Sight {
    /// What a status means, and whether the edge says that it challenges.
    pub(super) const fn of(status: u16, is_challenge: bool) -> Self {
        match (is_challenge, status) {
            (true, _) => Self::Challenged,
            (false, 403 | 429) => Self::Refused(status),
            (false, _) => Self::Served(status),
        }
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Served(status) => status.fmt(f),
            Self::Challenged => f.write_str("challenged"),
            Self::Refused(status) => write!(f, "refused ({status})"),
            Self::Nothing => f.write_str("no answer"),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} now, ", self.page, self.now)?;
        match self.before {
            Some(before) => write!(f, "{before} before"),
            None => f.write_str("not looked at before"),
        }
    }
}

/// What was found after a lease came into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collateral {
    /// Because of which.
    pub lease: LeaseId,
    /// How many pages were looked at.
    pub looked: usize,
    /// Those that it broke.
    pub broken: Vec<Broken>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(text: &str) -> Probe {
        Probe::new(text).expect(text)
    }

    #[test]
    fn where_no_page_is_named_nothing_is_looked_at_and_else_each_page_once() {
        assert_eq!(pages(&[]), []);
        let named = [probe("/wp-json/"), probe("https://www.example.com/")];
        assert_eq!(pages(&named), [probe("/"), probe("/wp-json/"), probe("https://www.example.com/")]);
        let many: Vec<_> = (0..100).map(|number| probe(&format!("/{number}"))).collect();
        assert_eq!(pages(&many).len(), PAGES_MAX);
    }

    #[test]
    fn only_what_a_mitigation_made_worse_is_broken() {
        use Sight::{Challenged, Nothing, Refused, Served};
        for (page, before, now, expected) in [
            ("/hook", Some(Served(200)), Challenged, true),
            ("/hook", Some(Served(404)), Refused(403), true),
            ("/hook", Some(Served(200)), Refused(429), true),
            ("/hook", Some(Nothing), Challenged, true),
            ("/hook", None, Challenged, true),
            ("/", Some(Served(200)), Refused(403), true),
            ("/hook", Some(Served(200)), Served(200), false),
            ("/hook", Some(Served(200)), Served(503), false),
            ("/hook", Some(Served(200)), Nothing, false),
            ("/hook", Some(Refused(403)), Refused(403), false),
            ("/hook", Some(Challenged), Challenged, false),
            ("/hook", Some(Refused(403)), Challenged, false),
            ("/hook", Some(Nothing), Refused(403), false),
            ("/hook", None, Refused(403), false),
            ("/", Some(Served(200)), Challenged, false),
        ] {
            let before: Vec<Seen> = before.map(|sight| (probe(page), sight)).into_iter().collect();
            let found = broken(&before, &[(probe(page), now)]);
            assert_eq!(!found.is_empty(), expected, "{page}: {before:?}, then {now}");
        }
    }

    #[test]
    fn a_challenge_is_known_by_its_header_whatever_its_status() {
        for status in [200, 403, 503] {
            assert_eq!(Sight::of(status, true), Sight::Challenged);
        }
        assert_eq!(Sight::of(403, false), Sight::Refused(403));
        assert_eq!(Sight::of(503, false), Sight::Served(503), "a server says so, too");
        let broken =
            Broken { page: probe("/hook"), before: Some(Sight::Served(200)), now: Sight::Challenged };
        assert_eq!(broken.to_string(), "/hook: challenged now, 200 before");
    }
}
