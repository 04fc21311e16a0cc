//! Users and groups by name, from `/etc/passwd` and `/etc/group`.
//!
//! A static program has no name service: accounts that only a directory or systemd's DynamicUser knows are
//! not found. The files are root's (passwd(5), group(5)); a line that is not of their form is passed over.

use std::fs::File;
use std::io::Read;

/// Longer files are read up to here.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// A user and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's number.
    pub uid: u32,
    /// The number of the user's own group.
    pub gid: u32,
}

impl Account {
    /// The user of this name; of several, the first, as everywhere.
    pub fn find(name: &str) -> Option<Self> {
        account_in(&read("/etc/passwd")?, name)
    }

    /// The number of the group of this name.
    pub fn group(name: &str) -> Option<u32> {
        group_in(&read("/etc/group")?, name)
    }
}

fn read(path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FILE_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn account_in(file: &[u8], name: &str) -> Option<Account> {
    let mut fields = line_of(file, name)?.skip(2);
    Some(Account { uid: number(fields.next()?)?, gid: number(fields.next()?)? })
}

fn group_in(file: &[u8], name: &str) -> Option<u32> {
    number(line_of(file, name)?.nth(2)?)
}

/// The fields of the first line that begins with `name`.
fn line_of<'f>(file: &'f [u8], name: &str) -> Option<impl Iterator<Item = &'f [u8]>> {
    let fields = |line: &'f [u8]| line.split(|byte| *byte == b':');
    let named = |line: &&'f [u8]| fields(line).next() == Some(name.as_bytes());
    file.split(|byte| *byte == b'\n').filter(|_| !name.is_empty()).find(named).map(fields)
}

/// A number of the files' form. The last one means "unchanged" to the kernel (setresuid(2)) and is nobody's.
fn number(field: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(field).ok().filter(|text| text.bytes().all(|c| c.is_ascii_digit()))?;
    digits.parse().ok().filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n\
        # secmon:x:1:1::/:\n\
        broken:x:12\n\
        secmon-net:x:998:997:Secmon, network:/nonexistent:/usr/sbin/nologin\n\
        secmon-net:x:0:0::/:/bin/sh\n\
        minus:x:-1:5::/:\nplus:x:+7:5::/:\nlast:x:4294967295:5::/:\nbig:x:4294967294:4294967294::/:\n\
        nonsense \xff\xfe:x:1:1\n\
        unended:x:5:6:a:b:c";

    #[test]
    fn the_first_line_of_exactly_this_name_counts() {
        let account = |name| account_in(PASSWD, name);
        assert_eq!(account("secmon-net"), Some(Account { uid: 998, gid: 997 }));
        assert_eq!(account("root"), Some(Account { uid: 0, gid: 0 }));
        assert_eq!(account("unended"), Some(Account { uid: 5, gid: 6 }));
        assert_eq!(account("big"), Some(Account { uid: u32::MAX - 1, gid: u32::MAX - 1 }));
        for absent in ["", "secmon", "secmon-ne", "secmon-net:x", "x", "nobody"] {
            assert_eq!(account(absent), None, "{absent}");
        }
    }

    #[test]
    fn a_line_without_sound_numbers_is_nobody() {
        for name in ["broken", "minus", "plus", "last"] {
            assert_eq!(account_in(PASSWD, name), None, "{name}");
        }
    }

    #[test]
    fn a_group_is_found_with_and_without_members() {
        let file = b"root:x:0:\nadm:x:4:syslog,ubuntu\nsystemd-journal:x:999:\nodd:x\n";
        assert_eq!(group_in(file, "adm"), Some(4));
        assert_eq!(group_in(file, "systemd-journal"), Some(999));
        assert_eq!(group_in(file, "odd"), None);
        assert_eq!(group_in(file, "syslog"), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "reads this host's files")]
    fn root_is_found_on_this_host() {
        assert_eq!(Account::find("root"), Some(Account { uid: 0, gid: 0 }));
        assert_eq!(Account::group("root"), Some(0));
    }
}
