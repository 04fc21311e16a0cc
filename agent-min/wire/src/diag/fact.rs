//! Facts: the numbers and names that make a finding's sentence.

use core::fmt::{self, Write};

use heapless::{String, Vec};

use crate::WireError;
use crate::canonical::{Object, Writer};
use crate::limits::{FACT_TEXT_MAX, FACTS_MAX, INTEGER_MAX};

use super::table::closed_list;

closed_list! {
    /// What a fact is called. Its name decides its unit. Names sort as variants do.
    FactName {
        Address = "address",
        Baseline = "baseline",
        Busy = "busy",
        Code = "code",
        Count = "count",
        Days = "days",
        File = "file",
        Free = "free",
        Host = "host",
        Hours = "hours",
        Limit = "limit",
        Milliseconds = "milliseconds",
        Name = "name",
        Needed = "needed",
        Normal = "normal",
        Path = "path",
        Percent = "percent",
        Plugin = "plugin",
        Rate = "rate",
        Seconds = "seconds",
        Size = "size",
        Sources = "sources",
        State = "state",
        Time = "time",
        Total = "total",
        Unit = "unit",
        UserAgent = "user_agent",
        What = "what",
    }
}

/// What a number counts, and so how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Seconds since the epoch.
    Time,
    /// No number: a name, an address, a path.
    Text,
}

impl FactName {
    /// Its unit.
    pub const fn quantity(self) -> Quantity {
        match self {
            Self::Baseline
            | Self::Busy
            | Self::Code
            | Self::Count
            | Self::Days
            | Self::Hours
            | Self::Limit
            | Self::Percent
            | Self::Rate
            | Self::Sources
            | Self::Total => Quantity::Count,
            Self::Free | Self::Needed | Self::Size => Quantity::Bytes,
            Self::Milliseconds | Self::Normal => Quantity::Milliseconds,
            Self::Seconds => Quantity::Seconds,
            Self::Time => Quantity::Time,
            Self::Address
            | Self::File
            | Self::Host
            | Self::Name
            | Self::Path
            | Self::Plugin
            | Self::State
            | Self::Unit
            | Self::UserAgent
            | Self::What => Quantity::Text,
        }
    }
}

/// One value. A text is printable ASCII without `"` and `\` ([`Facts::text`] sees to it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// In the unit of the name.
    Number(u64),
    /// A name, an address, a path.
    Text(String<FACT_TEXT_MAX>),
}

/// The facts of one finding, each name once, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(Vec<(FactName, Fact), FACTS_MAX>);

impl Facts {
    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// With a number; the largest that JSON can carry if it is larger.
    #[must_use]
    pub fn number(mut self, name: FactName, number: u64) -> Self {
        debug_assert!(name.quantity() != Quantity::Text);
        self.set(name, Fact::Number(number.min(INTEGER_MAX)));
        self
    }

    /// With a text; what isn't printable ASCII becomes `?`, quotes and backslashes become others, what is too long
    /// is cut and ends in `~`.
    #[must_use]
    pub fn text(mut self, name: FactName, text: &str) -> Self {
        debug_assert!(name.quantity() == Quantity::Text);
        self.set(name, Fact::Text(printable(text)));
        self
    }

    /// The value of this name.
    pub fn get(&self, name: FactName) -> Option<&Fact> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact)
    }

    /// The number of this name.
    pub fn get_number(&self, name: FactName) -> Option<u64> {
        match self.get(name) {
            Some(Fact::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The value of this name as a sentence shows it: a number in its unit.
    pub fn shown(&self, name: FactName) -> Option<impl fmt::Display + '_> {
        self.get(name).map(|fact| Shown { fact, quantity: name.quantity() })
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &(FactName, Fact)> {
        self.0.iter()
    }

    /// Replaces, or puts in its place; a finding never has more than there is room for.
    fn set(&mut self, name: FactName, fact: Fact) {
        let at = self.0.iter().position(|(known, _)| *known >= name).unwrap_or(self.0.len());
        match self.0.get_mut(at) {
            Some(slot) if slot.0 == name => slot.1 = fact,
            _ => {
                let fitted = self.0.insert(at, (name, fact));
                debug_assert!(fitted.is_ok(), "more facts than a finding has room for");
            }
        }
    }

    pub(super) fn read(object: Object<'_>) -> Result<Self, WireError> {
        let mut facts = Vec::new();
        for member in object.members() {
            let (key, value) = member?;
            let name = core::str::from_utf8(key).ok().and_then(FactName::new);
            let name = name.ok_or(WireError::UnknownField)?;
            let fact = match name.quantity() {
                Quantity::Text => Fact::Text(read_printable(value.text(name.as_str())?, name.as_str())?),
                _ => Fact::Number(value.unsigned(name.as_str())?),
            };
            facts.push((name, fact)).map_err(|_| WireError::BadValue("facts"))?;
        }
        Ok(Self(facts))
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.open(b'{');
        for (name, fact) in &self.0 {
            w.key(name.as_str());
            match fact {
                Fact::Number(number) => w.unsigned(*number),
                Fact::Text(text) => w.text(text),
            }
        }
        w.close(b'}');
    }
}

/// The beginning of `text` in printable ASCII, with other quotes and strokes for the two that JSON escapes.
pub(super) fn printable<const N: usize>(text: &str) -> String<N> {
    let mut out = String::new();
    let mut whole = true;
    for c in text.chars() {
        let c = match c {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => c,
            _ => '?',
        };
        whole &= out.push(c).is_ok();
    }
    if !whole {
        let _there_is_one = out.pop();
        let _its_room = out.push('~');
    }
    out
}

/// Refuses a text from elsewhere that [`printable`] would change.
pub(super) fn read_printable<const N: usize>(
    text: String<N>,
    name: &'static str,
) -> Result<String<N>, WireError> {
    let fine = text.chars().all(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'));
    if fine { Ok(text) } else { Err(WireError::BadValue(name)) }
}

struct Shown<'f> {
    fact: &'f Fact,
    quantity: Quantity,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.fact, self.quantity, f)
    }
}

/// Shows a number in its unit: `1.4 GB`, `350 ms`, `12 s`, `5 min`, `3 h`, `2 d`; times in seconds since the epoch.
pub(super) fn show(fact: &Fact, quantity: Quantity, f: &mut dyn Write) -> fmt::Result {
    let number = match fact {
        Fact::Text(text) => return f.write_str(text),
        Fact::Number(number) => *number,
    };
    match quantity {
        Quantity::Bytes => show_bytes(number, f),
        Quantity::Milliseconds if number >= 1_000 => {
            write!(f, "{}.{} s", number / 1_000, number % 1_000 / 100)
        }
        Quantity::Milliseconds => write!(f, "{number} ms"),
        Quantity::Seconds => show_seconds(number, f),
        Quantity::Count | Quantity::Time | Quantity::Text => write!(f, "{number}"),
    }
}

fn show_bytes(number: u64, f: &mut dyn Write) -> fmt::Result {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut scaled = number;
    let mut tenth = 0;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if scaled < 1_000 {
            break;
        }
        tenth = scaled % 1_000 / 100;
        scaled /= 1_000;
        unit = larger;
    }
    if unit == "B" || scaled >= 10 {
        write!(f, "{scaled} {unit}")
    } else {
        write!(f, "{scaled}.{tenth} {unit}")
    }
}

fn show_seconds(number: u64, f: &mut dyn Write) -> fmt::Result {
    match number {
        0..120 => write!(f, "{number} s"),
        120..7_200 => write!(f, "{} min", number / 60),
        7_200..172_800 => write!(f, "{} h", number / 3_600),
        _ => write!(f, "{} d", number / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_variants_do() {
        assert!(FactName::ALL.is_sorted_by_key(|name| name.as_str()));
    }

    #[test]
    fn numbers_read_in_their_unit() {
        let shown = |number, quantity| {
            let mut out = std::string::String::new();
            show(&Fact::Number(number), quantity, &mut out).expect("written");
            out
        };
        for (number, quantity, text) in [
            (999, Quantity::Bytes, "999 B"),
            (1_000, Quantity::Bytes, "1.0 kB"),
            (1_450_000_000, Quantity::Bytes, "1.4 GB"),
            (14_500_000_000, Quantity::Bytes, "14 GB"),
            (u64::MAX, Quantity::Bytes, "18446744 TB"),
            (350, Quantity::Milliseconds, "350 ms"),
            (3_260, Quantity::Milliseconds, "3.2 s"),
            (119, Quantity::Seconds, "119 s"),
            (600, Quantity::Seconds, "10 min"),
            (7_200, Quantity::Seconds, "2 h"),
            (200_000, Quantity::Seconds, "2 d"),
            (7, Quantity::Count, "7"),
        ] {
            assert_eq!(shown(number, quantity), text);
        }
    }

    #[test]
    fn what_a_stranger_wrote_becomes_printable_and_bounded() {
        let facts = Facts::new().text(FactName::Path, "/a\u{202e}\n\0<b>é\"\\");
        assert_eq!(facts.get(FactName::Path), Some(&Fact::Text("/a???<b>?'/".try_into().expect("short"))));
        let long = "x".repeat(FACT_TEXT_MAX + 1);
        let facts = Facts::new().text(FactName::Path, &long);
        let Some(Fact::Text(text)) = facts.get(FactName::Path) else { panic!("a text") };
        assert_eq!(text.len(), FACT_TEXT_MAX);
        assert!(text.ends_with("x~"));
    }

    #[test]
    fn facts_are_sorted_and_a_second_of_a_name_replaces_the_first() {
        let facts = Facts::new()
            .number(FactName::Limit, 5)
            .number(FactName::Busy, 4)
            .number(FactName::Limit, u64::MAX)
            .text(FactName::Address, "::1");
        let names: std::vec::Vec<_> = facts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["address", "busy", "limit"]);
        assert_eq!(facts.get_number(FactName::Limit), Some(INTEGER_MAX));
        assert_eq!(facts.get_number(FactName::Address), None);
        assert_eq!(facts.shown(FactName::Busy).map(|busy| std::format!("{busy}")).as_deref(), Some("4"));
        assert!(facts.shown(FactName::Size).is_none());
    }
}
