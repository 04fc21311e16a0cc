//! What is mounted where: `/proc/self/mountinfo` and `/etc/fstab`.

use super::fields::{lines, text, words};

/// Mounts that are looked at. A host with more runs containers, whose mounts are views of the same few disks.
pub const MOUNTS_MAX: usize = 256;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor` of the file system.
    pub device: String,
    /// What of it: `/`, a subvolume, or the file or directory that is bound here.
    pub root: String,
    /// Where.
    pub point: String,
    /// Whether this mount is for reading only.
    pub readonly: bool,
    /// `ext4`, `tmpfs`, …
    pub kind: String,
    /// `/dev/vda1`.
    pub source: String,
    /// Whether the whole file system is for reading only.
    pub filesystem_readonly: bool,
}

/// Reads `/proc/self/mountinfo`. Lines that have another shape are left out.
pub fn mountinfo(bytes: &[u8]) -> Vec<Mount> {
    lines(bytes).filter_map(mount).take(MOUNTS_MAX).collect()
}

/// The mount points that `/etc/fstab` wants to be writable.
pub fn writable_by_fstab(bytes: &[u8]) -> Vec<String> {
    let entries = lines(bytes).filter(|line| !line.trim_ascii_start().starts_with(b"#"));
    let points = entries.filter_map(|line| {
        let mut words = words(line).skip(1);
        let (point, _kind, options) = (words.next()?, words.next()?, words.next()?);
        (!has_option(options, b"ro")).then(|| unescaped(point))
    });
    points.take(MOUNTS_MAX).collect()
}

/// The mount that a path is on: the one with the longest fitting point, and of several, the last.
pub fn mount_of<'m>(mounts: &'m [Mount], path: &str) -> Option<&'m Mount> {
    let fitting = mounts.iter().filter(|mount| {
        let rest = path.strip_prefix(mount.point.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    fitting.max_by_key(|mount| mount.point.len())
}

impl Mount {
    /// Whether it is on a disk that this host writes to; images that are read-only by their nature are none.
    pub fn is_disk(&self) -> bool {
        const DISKS: [&str; 13] = [
            "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "nilfs2", "reiserfs",
            "ubifs", "xfs", "zfs",
        ];
        DISKS.contains(&self.kind.as_str())
    }

    /// Whether it is a file system's own mount, and not a part of one that is bound elsewhere.
    pub fn is_whole(&self) -> bool {
        // Subvolumes share one file system's room.
        self.root == "/" || self.kind == "btrfs"
    }

    /// What is the same for all mounts of one file system. Subvolumes have device numbers of their own.
    pub fn filesystem(&self) -> &str {
        if self.source.starts_with('/') { &self.source } else { &self.device }
    }
}

fn mount(line: &[u8]) -> Option<Mount> {
    let mut words = words(line);
    let device = text(words.nth(2)?);
    let root = unescaped(words.next()?);
    let point = unescaped(words.next()?);
    let options = words.next()?;
    // Optional fields end in a lone hyphen.
    words.find(|word| *word == b"-")?;
    let kind = text(words.next()?);
    let source = unescaped(words.next()?);
    // A file system without options of its own has none.
    let own = words.next().unwrap_or_default();
    Some(Mount {
        device,
        root,
        point,
        readonly: has_option(options, b"ro"),
        kind,
        source,
        filesystem_readonly: has_option(own, b"ro"),
    })
}

fn has_option(options: &[u8], wanted: &[u8]) -> bool {
    options.split(|byte| *byte == b',').any(|option| option == wanted)
}

/// Spaces and the like are written as three octal digits.
fn unescaped(word: &[u8]) -> String {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            u8::from_str_radix(digits, 8).ok()
        });
        match digits {
            Some(byte) => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    text(&out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOUNTINFO: &[u8] = b"22 27 0:21 / /proc rw,relatime - proc proc rw\n\
          27 1 254:1 / / rw,relatime shared:1 master:2 - ext4 /dev/vda1 rw,errors=remount-ro\n\
          30 27 254:16 / /var/lib/my\\040data rw - ext4 /dev/vdb ro\n\
          31 27 7:1 / /snap/core ro,nodev - squashfs /dev/loop1 ro\n\
          32 27 0:40 /sub /srv rw - btrfs /dev/vdc rw,subvol=/sub\n\
          33 27 0:41 / /tmp rw - tmpfs tmpfs\n\
          34 27 0:42 / /broken\n";

    #[test]
    fn mounts_have_two_kinds_of_options_and_optional_fields() {
        let mounts = mountinfo(MOUNTINFO);
        assert_eq!(mounts.len(), 6, "the line that is cut is left out");
        let (root, data) = (&mounts[1], &mounts[2]);
        assert_eq!((root.point.as_str(), root.device.as_str(), root.kind.as_str()), ("/", "254:1", "ext4"));
        assert!(!root.readonly && !root.filesystem_readonly);
        assert_eq!(data.point, "/var/lib/my data");
        assert!(!data.readonly && data.filesystem_readonly);
        assert!(mounts[1].is_disk() && !mounts[3].is_disk() && !mounts[5].is_disk());
        assert_eq!((mounts[4].filesystem(), mounts[5].filesystem()), ("/dev/vdc", "0:41"));
    }

    #[test]
    fn a_path_is_on_the_mount_with_the_longest_point() {
        let mounts = mountinfo(MOUNTINFO);
        let point = |path| mount_of(&mounts, path).map(|mount| mount.point.as_str());
        assert_eq!(point("/var/lib/my data/x"), Some("/var/lib/my data"));
        assert_eq!(point("/var/lib/my data"), Some("/var/lib/my data"));
        assert_eq!(point("/var/lib/my datax"), Some("/"));
        assert_eq!(point("/"), Some("/"));
        assert_eq!(mount_of(&[], "/"), None);
    }

    #[test]
    fn fstab_says_what_should_be_writable() {
        let fstab = b"# <file system> <mount point>\nUUID=1 / ext4 errors=remount-ro 0 1\n\
                      /dev/sr0 /media/cd udf,iso9660 user,noauto,ro 0 0\n/dev/vdb /my\\040data ext4 defaults\nbad line\n";
        assert_eq!(writable_by_fstab(fstab), ["/", "/my data"]);
    }

    #[test]
    fn this_machines_mounts_are_read() {
        let mounts = mountinfo(&std::fs::read("/proc/self/mountinfo").expect("procfs"));
        assert!(mounts.iter().any(|mount| mount.kind == "proc"));
        assert!(mounts.iter().all(|mount| mount.point.starts_with('/') || mount.kind == "nsfs"));
        assert_eq!(mount_of(&mounts, "/proc/self").map(|mount| mount.kind.as_str()), Some("proc"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _read = (mountinfo(&bytes), writable_by_fstab(&bytes), unescaped(&bytes));
        }

        #[test]
        fn what_is_escaped_comes_back(name in "[ -~]{1,20}") {
            let escaped: String = name
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\{:03o}", c as u32) })
                .collect();
            prop_assert_eq!(unescaped(escaped.as_bytes()), name);
        }
    }
}
