//! Paths of the machine that built a binary, left inside it.
//!
//! They tell strangers about that machine, and they make builds in two places differ. Panic messages of
//! the standard library keep their public `/rustc/<commit>/…` names, which say nothing of a host.

use std::path::Path;

use memchr::memmem;

/// What no released binary may contain, wherever it was built.
const EVERYWHERE: [&str; 5] = ["/home/", "/root/", "/Users/", "registry/src/", ".rustup/toolchains/"];

/// Variables whose values are directories of this host.
pub(crate) const VARIABLES: [&str; 4] = ["HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_TARGET_DIR"];

/// How many different findings are named; more only repeat the point.
const LIMIT: usize = 8;

/// The strings to look for on this host: the general ones, the workspace and what the variables name.
pub(crate) fn forbidden(workspace: &Path, values: impl Iterator<Item = String>) -> Vec<String> {
    let mut words: Vec<String> = EVERYWHERE.iter().map(|word| String::from(*word)).collect();
    for place in values.chain([workspace.display().to_string()]) {
        // "/" or "/x" would match in any binary by chance.
        if place.len() >= 4 && place.starts_with('/') && !words.contains(&place) {
            words.push(place);
        }
    }
    words
}

/// The printable runs of `bytes` that contain a forbidden word, each once, cut to what names the place.
pub(crate) fn find(bytes: &[u8], forbidden: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in forbidden {
        for at in memmem::find_iter(bytes, word.as_bytes()) {
            let text = around(bytes, at, word.len());
            if !found.contains(&text) {
                found.push(text);
            }
            if found.len() == LIMIT {
                return found;
            }
        }
    }
    found
}

/// The path around a hit: constants lie side by side without terminators, so it is cut at odd characters.
fn around(bytes: &[u8], at: usize, length: usize) -> String {
    const REACH: usize = 80;
    let before = bytes.get(at.saturating_sub(REACH)..at).unwrap_or_default();
    let after = bytes.get(at..).unwrap_or_default();
    let start = before.iter().rev().take_while(|byte| is_path(**byte)).count();
    let end = after.iter().take(length + REACH).take_while(|byte| is_path(**byte)).count().max(length);
    let text = bytes.get(at - start..at + end).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<String> {
        forbidden(Path::new("/srv/build/secmon"), ["/opt/cargo".to_string(), "/".to_string()].into_iter())
    }

    #[test]
    fn a_clean_binary_has_no_findings() {
        assert_eq!(
            find(b"\x7fELF /rustc/0123/library/core/src/str.rs\0/etc/secmon-agent", &words()),
            [""; 0]
        );
    }

    #[test]
    fn every_kind_of_host_path_is_found_and_named() {
        for path in [
            "/home/kim/secmon/agent.rs",
            "/root/.cargo/x.rs",
            "/opt/cargo/git/y.rs",
            "/srv/build/secmon/agent-min/src/run.rs",
            "/var/registry/src/index/ring-0.17/src/lib.rs",
        ] {
            let bytes = [b"abc\0\x01".as_slice(), path.as_bytes(), b"\0more"].concat();
            assert_eq!(find(&bytes, &words()), [path.to_string()], "{path}");
        }
    }

    #[test]
    fn findings_are_listed_once_and_are_limited() {
        let mut bytes = Vec::new();
        for number in 0..40 {
            bytes.extend_from_slice(format!("/home/kim/{}\0", number / 2).as_bytes());
        }
        assert_eq!(find(&bytes, &words()).len(), LIMIT);
    }

    #[test]
    fn a_root_directory_as_home_forbids_nothing() {
        assert!(!words().contains(&"/".to_string()));
    }
}
