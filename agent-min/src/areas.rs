//! A set of areas of diagnostics: what a request asks for, what the manifest allows.

use secmon_wire::Area;

/// One bit for each area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Areas(u16);

impl Areas {
    /// None: a run that only locks itself in.
    pub(crate) const NONE: Self = Self(0);
    /// Every one.
    pub(crate) const ALL: Self = Self((1 << Area::ALL.len()) - 1);

    /// Names with commas, or `all`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "all" {
            return Some(Self::ALL);
        }
        text.split(',').try_fold(Self::NONE, |areas, name| Some(areas.with(Area::new(name)?)))
    }

    /// From bits; `None` if one is no area's.
    pub(crate) const fn from_bits(bits: u16) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 { Some(Self(bits)) } else { None }
    }

    pub(crate) const fn bits(self) -> u16 {
        self.0
    }

    pub(crate) const fn with(self, area: Area) -> Self {
        Self(self.0 | 1 << area as u16)
    }

    pub(crate) const fn has(self, area: Area) -> bool {
        self.0 & 1 << area as u16 != 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Area> {
        Area::ALL.iter().copied().filter(move |area| self.has(*area))
    }
}

impl FromIterator<Area> for Areas {
    fn from_iter<T: IntoIterator<Item = Area>>(areas: T) -> Self {
        areas.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_nothing_else_is() {
        assert_eq!(Areas::parse("all"), Some(Areas::ALL));
        let some = Areas::parse("web,db").expect("areas");
        assert_eq!(some.iter().collect::<Vec<_>>(), [Area::Db, Area::Web]);
        assert_eq!(Areas::from_bits(some.bits()), Some(some));
        for wrong in ["", "web,", ",web", "Web", "web db", "all,web", "web%2Cdb"] {
            assert_eq!(Areas::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Areas::from_bits(1 << Area::ALL.len()), None);
    }
}
