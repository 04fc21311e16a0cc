//! Lines for a phone: our own words as text, strangers' words set apart as code.
//!
//! What a log or a configuration file of a host says was written by anybody. Set apart, a chat makes neither a link
//! nor a command of it. Each line begins with words of ours, so that none is ever taken for a prepared approval.

use secmon_wire::diag::{Advice, Fact, FactName, Facts, Finding, Part as Shown, Severity};

use super::Judged;
use crate::chat::Part;

/// Characters of a line in the short form.
pub(super) const LINE_MAX: usize = 120;

/// A piece of a reply without the end of its line.
pub(super) type Line = Vec<Part>;

/// How bad it is, at a glance.
pub(super) const fn icon(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "🔴",
        Severity::Warning => "🟡",
        Severity::Info => "🔵",
    }
}

/// Our own words.
pub(super) fn words(text: impl Into<String>) -> Part {
    Part::Text(text.into())
}

/// Words of somebody else.
pub(super) fn foreign(text: &str) -> Part {
    Part::Code(if text.trim().is_empty() { "?".to_owned() } else { text.to_owned() })
}

/// The catalogue's sentence with the facts in their places.
pub(super) fn sentence(finding: &Finding) -> Line {
    let part = |part: Shown<'_>| match part {
        Shown::Words(text) => words(text),
        Shown::Fact(_, Fact::Text(text)) => foreign(text),
        Shown::Fact(name, Fact::Number(_)) => {
            words(finding.facts.shown(name).map(|shown| shown.to_string()).unwrap_or_default())
        }
        Shown::Unknown => words("?"),
    };
    finding.sentence().map(part).collect()
}

/// A cause in one line: how bad, what, since when; at most `limit` characters.
pub(super) fn cause(judged: &Judged, clock: u64, limit: usize) -> Line {
    let tail = since(judged, clock).map_or_else(String::new, |since| format!(", {since}"));
    let head = format!("{} ", icon(judged.severity));
    let room = limit.saturating_sub(head.chars().count()).saturating_sub(tail.chars().count());
    let mut line = vec![words(head)];
    line.extend(cut(sentence(&judged.finding), room));
    line.push(words(tail));
    line
}

/// Since when, or within which time.
pub(super) fn since(judged: &Judged, clock: u64) -> Option<String> {
    match (judged.finding.since, judged.within) {
        (Some(since), _) => {
            clock.checked_sub(since).filter(|age| *age > 0).map(|age| format!("for {}", seconds(age)))
        }
        (None, Some(within)) => Some(format!("in the last {}", seconds(within))),
        (None, None) => None,
    }
}

/// What to do about a cause, or why not; a reader has a button for what `offered` holds of.
pub(super) fn advice(advice: Advice, offered: impl Fn(secmon_wire::ActionId) -> bool) -> Option<String> {
    match advice {
        Advice::Do(action) if offered(action) => Some(format!("→ {action} may help")),
        Advice::Do(action) => Some(format!("→ {action} may help, but is not offered here")),
        Advice::NotYet { action, because, why } => {
            Some(format!("→ not {action} yet ({because}): {}", why.sentence()))
        }
        Advice::DoNotRestart(why) => Some(format!("→ no restart: {}", why.sentence())),
        Advice::Nothing => None,
    }
}

/// A time in its largest fitting unit.
pub(super) fn seconds(number: u64) -> String {
    let facts = Facts::new().number(FactName::Seconds, number);
    facts.shown(FactName::Seconds).map_or_else(String::new, |shown| shown.to_string())
}

/// Characters of a line.
pub(super) fn length(line: &[Part]) -> usize {
    line.iter().map(|part| text(part).chars().count()).fold(0, usize::saturating_add)
}

/// The beginning of a line, with a sign where it was cut.
pub(super) fn cut(line: Line, limit: usize) -> Line {
    if length(&line) <= limit {
        return line;
    }
    let mut left = limit.saturating_sub(1);
    let mut kept = Line::new();
    for part in line {
        let all = text(&part).chars().count();
        if all <= left {
            left = left.saturating_sub(all);
            kept.push(part);
            continue;
        }
        let beginning: String = text(&part).chars().take(left).collect();
        if !beginning.is_empty() {
            kept.push(match part {
                Part::Text(_) => Part::Text(beginning),
                Part::Bold(_) => Part::Bold(beginning),
                Part::Code(_) => Part::Code(beginning),
                Part::Block(_) => Part::Block(beginning),
                Part::Folded(_) => Part::Folded(beginning),
            });
        }
        break;
    }
    kept.push(words("…"));
    kept
}

fn text(part: &Part) -> &str {
    match part {
        Part::Text(text) | Part::Bold(text) | Part::Code(text) | Part::Block(text) | Part::Folded(text) => {
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use secmon_wire::diag::FindingId;

    use super::*;

    fn shown(line: &[Part]) -> String {
        line.iter().map(text).collect()
    }

    #[test]
    fn a_sentence_reads_as_the_catalogue_has_it_and_sets_strangers_words_apart() {
        for id in FindingId::ALL {
            let facts = FactName::ALL.iter().step_by(4).fold(Facts::new(), |facts, name| {
                use secmon_wire::diag::Quantity;
                match name.quantity() {
                    Quantity::Text => facts.text(*name, "theirs"),
                    _ => facts.number(*name, 7),
                }
            });
            let finding = Finding::new(*id, Severity::Warning).with(facts);
            let line = sentence(&finding);
            assert_eq!(shown(&line), finding.to_string());
            for part in line {
                assert_eq!(matches!(part, Part::Code(_)), text(&part) == "theirs", "{id}");
            }
        }
    }

    #[test]
    fn a_line_is_cut_where_its_room_ends_and_keeps_since_when() {
        let facts = Facts::new().text(FactName::Path, &"p".repeat(80)).number(FactName::Rate, 90);
        let finding = Finding::new(FindingId::FloodPost, Severity::Critical).with(facts).since(1_000);
        let judged = Judged {
            finding,
            within: None,
            explained_by: None,
            advice: Advice::Nothing,
            severity: Severity::Critical,
        };
        let line = cause(&judged, 1_000 + 7_200, 60);
        assert_eq!(length(&line), 60);
        let text = shown(&line);
        assert!(text.starts_with("🔴 ppp") && text.ends_with("p…, for 2 h"), "{text}");
        assert_eq!(shown(&cause(&judged, 1_000, LINE_MAX)), format!("🔴 {}", judged.finding));
    }

    #[test]
    fn what_nobody_wrote_shows_as_a_question_mark() {
        assert_eq!(foreign("  "), Part::Code("?".to_owned()));
        let finding = Finding::new(FindingId::WebDown, Severity::Critical);
        assert_eq!(shown(&sentence(&finding)), "? is not running: nothing listens on port ?");
    }
}
