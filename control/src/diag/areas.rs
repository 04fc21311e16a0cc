//! Which areas a look is about.

use std::fmt;

use secmon_wire::Area;

/// Areas, sorted, each once, at least one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Areas(Vec<Area>);

impl Areas {
    /// All there are.
    pub fn all() -> Self {
        Self(Area::ALL.to_vec())
    }

    /// Floods alone.
    pub fn flood() -> Self {
        Self(vec![Area::Flood])
    }

    /// `all`, or names with commas.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "all" {
            return Some(Self::all());
        }
        let areas: Option<Vec<Area>> = text.split(',').map(Area::new).collect();
        Self::of(areas?)
    }

    /// These, if there are any.
    pub fn of(areas: impl IntoIterator<Item = Area>) -> Option<Self> {
        let mut areas: Vec<Area> = areas.into_iter().collect();
        areas.sort_unstable();
        areas.dedup();
        (!areas.is_empty()).then_some(Self(areas))
    }

    /// Those of them that `allowed` has, too.
    pub fn within(&self, allowed: &[Area]) -> Option<Self> {
        Self::of(self.iter().filter(|area| allowed.contains(area)))
    }

    /// Those of them that `others` hasn't.
    pub fn without(&self, others: &[Area]) -> Option<Self> {
        Self::of(self.iter().filter(|area| !others.contains(area)))
    }

    /// Whether it is one of them.
    pub fn contains(&self, area: Area) -> bool {
        self.0.contains(&area)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Area> + '_ {
        self.0.iter().copied()
    }

    /// With commas and without spaces, as the agent takes it.
    pub fn query(&self) -> String {
        self.joined(",")
    }

    /// Their names, for a chat or a terminal to choose from.
    pub fn choices() -> String {
        Self::all().to_string()
    }

    fn joined(&self, separator: &str) -> String {
        let names: Vec<&str> = self.0.iter().map(|area| area.as_str()).collect();
        names.join(separator)
    }
}

impl fmt::Display for Areas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_order_and_odd_ones_are_refused() {
        assert_eq!(Areas::parse("web,db,web").map(|areas| areas.query()).as_deref(), Some("db,web"));
        assert_eq!(Areas::parse("all"), Some(Areas::all()));
        for text in ["", ",", "web,", "Web", "web db", "all,web", "web&x=1", "mail"] {
            assert_eq!(Areas::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_allowed_and_what_is_left_are_told_apart() {
        let asked = Areas::parse("db,web").expect("areas");
        assert_eq!(asked.within(&[Area::Web, Area::Tls]), Areas::parse("web"));
        assert_eq!(asked.without(&[Area::Web]), Areas::parse("db"));
        assert_eq!(asked.within(&[]), None);
        assert_eq!(asked.without(&[Area::Db, Area::Web]), None);
    }
}
