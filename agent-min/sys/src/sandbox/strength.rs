//! Which walls stand around a process: what `check`, `health` and the audit say of it.

use std::fmt;

use super::Role;

/// One wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Protection {
    /// It was root, and is a user without rights.
    Uid,
    /// It is in no groups but those it was given.
    Groups,
    /// It sees an empty directory as the whole file system.
    Chroot,
    /// It had one thread when it entered, so that no other is outside.
    SingleThread,
    /// It has no capabilities.
    Capabilities,
    /// No program that it ran could have any.
    BoundingSet,
    /// No program that it ran could gain rights.
    NoNewPrivileges,
    /// Its memory can be read by root alone, and is never written to a file.
    NotDumpable,
    /// It can't write files or start processes, and has few descriptors.
    Limits,
    /// It ends with the process that started it.
    Parent,
    /// The kernel checks each file, port and signal against a list.
    Landlock,
    /// The kernel checks each of its calls against a list.
    Seccomp,
    /// A call off the list ends the whole process, not only the thread.
    KillProcess,
}

/// Each wall with its name in reports. The order is that of their numbers.
const NAMES: [(Protection, &str); 13] = [
    (Protection::Uid, "uid"),
    (Protection::Groups, "groups"),
    (Protection::Chroot, "chroot"),
    (Protection::SingleThread, "single-thread"),
    (Protection::Capabilities, "capabilities"),
    (Protection::BoundingSet, "bounding-set"),
    (Protection::NoNewPrivileges, "no-new-privs"),
    (Protection::NotDumpable, "not-dumpable"),
    (Protection::Limits, "limits"),
    (Protection::Parent, "parent"),
    (Protection::Landlock, "landlock"),
    (Protection::Seccomp, "seccomp"),
    (Protection::KillProcess, "kill-process"),
];

/// What a landlock older than the version lacks (landlock(7)).
const LANDLOCK_LACKS: [(u8, &str); 4] =
    [(3, "landlock-truncate"), (4, "landlock-tcp"), (5, "landlock-ioctl"), (6, "landlock-scopes")];

/// The walls that a process of a role has put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Strength {
    role: Role,
    /// One bit per [`Protection`].
    has: u16,
    /// The version of landlock that is in force; 0 is none.
    landlock: u8,
}

impl Strength {
    /// Bytes of [`to_bytes`](Self::to_bytes).
    pub const SIZE: usize = 4;

    pub(super) const fn none(role: Role) -> Self {
        Self { role, has: 0, landlock: 0 }
    }

    pub(super) const fn set(&mut self, protection: Protection, stands: bool) {
        if stands {
            self.has |= protection.bit();
        } else {
            self.has &= !protection.bit();
        }
    }

    pub(super) const fn set_landlock(&mut self, version: u8) {
        self.landlock = version;
        self.set(Protection::Landlock, version > 0);
    }

    /// Whether this wall stands.
    pub const fn has(self, protection: Protection) -> bool {
        self.has & protection.bit() != 0
    }

    /// Whose it is.
    pub const fn role(self) -> Role {
        self.role
    }

    /// The version of landlock in force; 0 is none.
    pub const fn landlock(self) -> u8 {
        self.landlock
    }

    /// For a message: role, landlock's version, and the walls' bits, little-endian.
    pub const fn to_bytes(self) -> [u8; Self::SIZE] {
        let [low, high] = self.has.to_le_bytes();
        [self.role as u8, self.landlock, low, high]
    }

    /// From such a message; `None` if it is none. What it says is the sender's word.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let [role, landlock, low, high] = bytes;
        let role = [Role::Network, Role::Diagnostics].into_iter().find(|known| *known as u8 == role)?;
        let has = u16::from_le_bytes([low, high]);
        let strength = Self { role, has, landlock };
        let known = has >> NAMES.len() == 0 && strength.has(Protection::Landlock) == (landlock > 0);
        known.then_some(strength)
    }

    /// The walls that should stand, and don't.
    pub fn missing(self) -> impl Iterator<Item = &'static str> {
        let walls = NAMES.into_iter().filter(move |(wall, _)| self.wants(*wall) && !self.has(*wall));
        // Without landlock, its name says it all.
        let lacks = LANDLOCK_LACKS.into_iter().filter(move |(since, _)| (1..*since).contains(&self.landlock));
        walls.map(|(_, name)| name).chain(lacks.map(|(_, name)| name))
    }

    const fn wants(self, protection: Protection) -> bool {
        match protection {
            // What the diagnostics read lies all over the file system.
            Protection::Chroot => matches!(self.role, Role::Network),
            _ => true,
        }
    }
}

impl Protection {
    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for Strength {
    /// The walls that stand: `uid chroot landlock:7 seccomp …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for (wall, name) in NAMES.into_iter().filter(|(wall, _)| self.has(*wall)) {
            write!(f, "{space}{name}")?;
            if wall == Protection::Landlock {
                write!(f, ":{}", self.landlock)?;
            }
            space = " ";
        }
        if space.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(role: Role) -> Strength {
        let mut strength = Strength::none(role);
        for (wall, _) in NAMES {
            strength.set(wall, true);
        }
        strength.set_landlock(7);
        strength
    }

    #[test]
    fn every_wall_has_its_own_bit_and_name() {
        for (at, (wall, name)) in NAMES.into_iter().enumerate() {
            assert_eq!(wall as usize, at);
            for role in [Role::Network, Role::Diagnostics] {
                let mut strength = whole(role);
                strength.set(wall, false);
                let wanted = !(wall == Protection::Chroot && role == Role::Diagnostics);
                assert_eq!(strength.missing().collect::<Vec<_>>(), if wanted { vec![name] } else { vec![] });
                assert!(!strength.to_string().split(' ').any(|word| word == name));
            }
        }
        assert_eq!(whole(Role::Network).missing().count(), 0);
    }

    #[test]
    fn an_old_landlock_is_weaker_and_says_where() {
        let missing = |version| {
            let mut strength = whole(Role::Network);
            strength.set_landlock(version);
            strength.missing().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(missing(0), "landlock");
        assert_eq!(missing(2), "landlock-truncate landlock-tcp landlock-ioctl landlock-scopes");
        assert_eq!(missing(4), "landlock-ioctl landlock-scopes");
        assert_eq!(missing(6), "");
    }

    #[test]
    fn it_survives_a_message_and_nonsense_is_none() {
        for role in [Role::Network, Role::Diagnostics] {
            for strength in [whole(role), Strength::none(role)] {
                assert_eq!(Strength::from_bytes(strength.to_bytes()), Some(strength));
            }
        }
        let good = whole(Role::Diagnostics).to_bytes();
        for (at, byte) in [(0, 2), (0, 255), (1, 0), (3, 0xff)] {
            let mut bad = good;
            bad[at] = byte;
            assert_eq!(Strength::from_bytes(bad), None, "{at} {byte}");
        }
    }

    #[test]
    fn it_reads_as_a_line() {
        let mut strength = Strength::none(Role::Network);
        assert_eq!(strength.to_string(), "none");
        strength.set(Protection::Uid, true);
        strength.set(Protection::Seccomp, true);
        strength.set_landlock(4);
        assert_eq!(strength.to_string(), "uid landlock:4 seccomp");
    }
}
