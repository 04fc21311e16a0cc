//! What came of a day, and its line in the table.

use std::fmt;

use secmon_wire::ActionId;

use super::edge::Answer;
use super::{Day, Request};

/// The figures of one day.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The day's name.
    pub name: String,
    /// Requests of floods.
    pub flood: u64,
    /// Those of them that the edge kept away.
    pub flood_stopped: u64,
    /// Those that came after the first mitigation.
    pub flood_after: u64,
    /// All other requests.
    pub others: u64,
    /// Those of them that the edge refused.
    pub others_blocked: u64,
    /// Those of them whose sender had to show that they are a person.
    pub others_challenged: u64,
    /// When the flood began.
    pub began: Option<u64>,
    /// What was made, and when.
    pub made: Vec<(ActionId, u64)>,
    /// When everything was put back.
    pub backs: Vec<u64>,
}

impl Figures {
    pub(super) fn of(day: &Day) -> Self {
        Self { name: day.name.clone(), ..Self::default() }
    }

    pub(super) fn count(&mut self, request: &Request, answer: Answer) {
        if !request.is_flood {
            self.others += 1;
            self.others_blocked += u64::from(answer == Answer::Stopped);
            self.others_challenged += u64::from(answer == Answer::Challenged);
            return;
        }
        self.began.get_or_insert(request.at);
        self.flood += 1;
        self.flood_stopped += u64::from(answer == Answer::Stopped);
        self.flood_after += u64::from(!self.made.is_empty());
    }

    pub(super) fn made(&mut self, action: ActionId, now: u64) {
        self.made.push((action, now));
    }

    pub(super) fn back(&mut self, now: u64) {
        self.backs.push(now);
    }

    /// Seconds from a flood's first request to the first mitigation.
    pub fn seconds_to_mitigation(&self) -> Option<u64> {
        Some(self.made.first()?.1.saturating_sub(self.began?))
    }

    /// How often something was made after everything had been put back.
    pub fn flips(&self) -> usize {
        let again = |back: &&u64| self.made.iter().any(|(_, at)| at > *back);
        self.backs.iter().filter(again).count()
    }

    /// The head of the table.
    pub const HEAD: &str = "\
        | day | requests | of a flood | first answer after | answers | put back after | flips | flood stopped \
        | of what came after the answer | others refused | others challenged |\n\
        | --- | --: | --: | --: | --- | --: | --: | --: | --: | --: | --: |";
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value} s"));
        let names: Vec<&str> = self.made.iter().map(|(action, _)| action.as_str()).collect();
        let answers = if names.is_empty() { "none".to_owned() } else { format!("`{}`", names.join("`, `")) };
        let first = self.made.first().map(|(_, at)| *at);
        let on = self.backs.first().zip(first).map(|(back, first)| back - first);
        let Self { name, flood, others, .. } = self;
        write!(
            f,
            "| {name} | {} | {flood} | {} | {answers} | {} | {} | {} | {} | {} | {} |",
            flood + others,
            seconds(self.seconds_to_mitigation()),
            seconds(on),
            self.flips(),
            percent(self.flood_stopped, *flood),
            percent(self.flood_stopped, self.flood_after),
            percent(self.others_blocked, *others),
            percent(self.others_challenged, *others),
        )
    }
}

fn percent(part: u64, whole: u64) -> String {
    match (part * 1_000).checked_div(whole) {
        None => "–".to_owned(),
        Some(tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}
