//! The long form: every finding with its evidence, symptoms under their causes, what was looked at and what not.

use std::sync::Arc;

use secmon_wire::diag::{Finding, FindingId, Flood, PatternField};

use super::line::{Line, advice, cause, cut, foreign, icon, seconds, sentence, words};
use super::page::heading;
use super::{Client, Look, Visit};
use crate::chat::Reply;

/// UTF-16 units of a message in a chat, with room for its last line.
const CHAT_UNITS: usize = 3_700;
/// Characters of one line.
const LINE_MAX: usize = 300;
/// Sources of a flood that are shown.
const SOURCES_SHOWN: usize = 5;

/// Where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// In a message: as much as fits into one.
    Chat,
    /// At a terminal: all of it.
    Terminal,
}

/// The long form.
pub fn details(client: &Client<'_>, visits: &[Arc<Visit>], room: Room) -> Reply {
    let mut reply = Reply::new();
    let mut untold = 0_usize;
    for visit in visits {
        let head = heading(Reply::new(), client, visit);
        let lines = match &visit.result {
            Err(why) => {
                reply = reply.append(head.text(format!(": not looked at: {why}\n")));
                continue;
            }
            Ok(look) => lines(client, look),
        };
        reply = reply.append(head.text("\n"));
        for line in lines {
            let longer = reply.clone().parts(cut(line, LINE_MAX)).text("\n");
            // What follows a line that has no room would be out of its place.
            if untold > 0 || (room == Room::Chat && longer.units() > CHAT_UNITS) {
                untold = untold.saturating_add(1);
            } else {
                reply = longer;
            }
        }
    }
    if untold > 0 {
        let command = format!("secmon diag {} {} --details", client.id, client.asked.query());
        reply = reply.text(format!("and {untold} more lines, on the control plane: ")).code(command);
    }
    reply
}

fn lines(client: &Client<'_>, look: &Look) -> Vec<Line> {
    let mut lines = Vec::new();
    if look.verdict.judged.is_empty() {
        lines.push(vec![words("✓ nothing wrong")]);
    }
    let mut told = Vec::new();
    for one in look.verdict.causes() {
        lines.push(cause(one, look.seen.clock, LINE_MAX));
        lines.extend(evidence(&one.finding, 1));
        if let Some(advice) = advice(one.advice, |action| client.offered.contains(&action)) {
            lines.push(vec![words(format!("  {advice}"))]);
        }
        follow(look, one.finding.id, 1, &mut told, &mut lines);
    }
    if look.verdict.untold > 0 {
        lines.push(vec![words(format!("  and {} findings that are less severe", look.verdict.untold))]);
    }
    lines.extend(looked_at(look));
    lines
}

/// The symptoms of a finding, and theirs; once, of whatever is found several times.
fn follow(look: &Look, of: FindingId, depth: usize, told: &mut Vec<FindingId>, lines: &mut Vec<Line>) {
    if told.contains(&of) {
        return;
    }
    told.push(of);
    for one in look.verdict.symptoms(of) {
        let mut line = vec![words(format!("{}↳ {} ", "  ".repeat(depth), icon(one.finding.severity)))];
        line.extend(sentence(&one.finding));
        lines.push(line);
        lines.extend(evidence(&one.finding, depth.saturating_add(1)));
        follow(look, one.finding.id, depth.saturating_add(1), told, lines);
    }
}

/// Its name, the line that decided it, and what a flood consists of.
fn evidence(finding: &Finding, depth: usize) -> Vec<Line> {
    let indent = "  ".repeat(depth);
    let mut line = vec![words(format!("{indent}{}", finding.id))];
    if !finding.line.is_empty() {
        line.extend([words(": "), foreign(&finding.line)]);
    }
    let mut lines = vec![line];
    lines.extend(finding.flood.as_ref().map(|consists| flood(consists, &indent)));
    lines
}

fn flood(flood: &Flood, indent: &str) -> Line {
    let mut line = vec![words(format!(
        "{indent}{} requests in {}",
        flood.count,
        seconds(u64::from(flood.window.seconds))
    ))];
    if let Some(pattern) = &flood.pattern {
        let field = match pattern.field {
            PatternField::Path => "path",
            PatternField::QueryKey => "query",
            PatternField::UserAgent => "user agent",
        };
        line.extend([words(format!(", {field} ")), foreign(&pattern.value)]);
    }
    for (at, source) in flood.sources.iter().take(SOURCES_SHOWN).enumerate() {
        line.push(words(if at == 0 { "; from " } else { ", " }));
        line.push(foreign(&format!("{}/{}", source.address, source.bits)));
        line.push(words(format!(" {}", source.count)));
    }
    let more = flood.sources.len().saturating_sub(SOURCES_SHOWN);
    if more > 0 {
        line.push(words(format!(" and {more} more")));
    }
    if flood.error > 0 {
        line.push(words(format!(" (at least; counted within {})", flood.error)));
    }
    if flood.spared > 0 {
        line.push(words(format!("; {} of those who are never blocked", flood.spared)));
    }
    line
}

fn looked_at(look: &Look) -> Vec<Line> {
    let names: Vec<&str> = look.seen.checked.iter().map(|check| check.as_str()).collect();
    let (whole, tenths) =
        (look.seen.duration_ms.div_euclid(1_000), look.seen.duration_ms.rem_euclid(1_000).div_euclid(100));
    let mut lines = vec![vec![words(format!(
        "Checked in {whole}.{tenths} s: {}",
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    ))]];
    for skipped in &look.seen.not_checked {
        let mut line = vec![words(format!("Not checked: {} ({})", skipped.what, skipped.why))];
        if !skipped.detail.is_empty() {
            line.extend([words(" "), foreign(&skipped.detail)]);
        }
        lines.push(line);
    }
    let forbidden = look.not_allowed.as_ref();
    lines.extend(forbidden.map(|areas| vec![words(format!("Not in its manifest: {areas}"))]));
    let silent = look.asked.without(&look.seen.areas);
    lines.extend(silent.map(|areas| vec![words(format!("Not answered: {areas}"))]));
    lines.push(vec![words(match look.compared {
        Some(age) => format!("Compared with what was counted up to {} ago.", seconds(age)),
        None => "Nothing to compare with yet: what grows or happens again shows at the next look.".to_owned(),
    })]);
    lines
}

#[cfg(test)]
#[path = "details_tests.rs"]
mod tests;
