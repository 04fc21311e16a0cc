//! Patterns of file names (glob(7)), as `include` lines have them.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use crate::host::Host;

/// How many names of one directory are looked at.
const NAMES_MAX: usize = 1024;
/// How many directories one pattern may look into.
const DIRECTORIES_MAX: usize = 64;

/// The paths that a pattern stands for, sorted, at most `most`. One without wildcards stands for itself.
pub(super) fn expand(host: &dyn Host, pattern: &str, most: usize) -> Vec<String> {
    if !is_pattern(pattern) {
        return vec![pattern.to_owned()];
    }
    let mut paths = vec![String::new()];
    let mut parts = pattern.trim_start_matches('/').split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        if !is_pattern(part) {
            paths.iter_mut().for_each(|path| {
                path.push('/');
                path.push_str(part);
            });
            continue;
        }
        let mut found = Vec::new();
        for directory in paths.iter().take(DIRECTORIES_MAX) {
            let at = if directory.is_empty() { "/" } else { directory };
            let mut names = host.list(at, NAMES_MAX).unwrap_or_default();
            names.retain(|name| matches(part.as_bytes(), name.as_bytes()));
            names.sort_unstable();
            found.extend(names.into_iter().map(|name| format!("{directory}/{name}")));
        }
        found.truncate(if last { most } else { DIRECTORIES_MAX });
        paths = found;
    }
    paths
}

/// Whether a text stands for several names.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a name fits a pattern of `*`, `?` and `[...]`. A leading dot must be spelled out.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut rest, mut left) = (pattern, name);
    // Where to go on when what follows the last star does not fit: one byte further.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some((b'*', after)) = rest.split_first() {
            star = Some((after, left));
            rest = after;
            continue;
        }
        match (one(rest, left.first().copied()), left.split_first()) {
            (Some(after), Some((_, tail))) => (rest, left) = (after, tail),
            (None, None) if rest.is_empty() => return true,
            _ => match star {
                Some((after, tried)) => match tried.split_first() {
                    Some((_, tail)) => {
                        star = Some((after, tail));
                        (rest, left) = (after, tail);
                    }
                    None => return false,
                },
                None => return false,
            },
        }
    }
}

/// What is left of the pattern when its first element takes this byte.
fn one(pattern: &[u8], byte: Option<u8>) -> Option<&[u8]> {
    let byte = byte?;
    let (first, after) = pattern.split_first()?;
    match first {
        b'?' => Some(after),
        b'[' => {
            let end = after.iter().skip(1).position(|c| *c == b']')?.saturating_add(1);
            let (class, after) = (after.get(..end)?, after.get(end.saturating_add(1)..)?);
            let (negated, class) = match class.split_first() {
                Some((b'!' | b'^', class)) => (true, class),
                _ => (false, class),
            };
            (in_class(class, byte) != negated).then_some(after)
        }
        literal => (*literal == byte).then_some(after),
    }
}

fn in_class(mut class: &[u8], byte: u8) -> bool {
    loop {
        match class {
            [from, b'-', to, rest @ ..] => {
                if (*from..=*to).contains(&byte) {
                    return true;
                }
                class = rest;
            }
            [one, rest @ ..] => {
                if *one == byte {
                    return true;
                }
                class = rest;
            }
            [] => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::discover::fake::FakeHost;

    #[test]
    fn names_fit_patterns_as_in_a_shell() {
        for (pattern, name, fits) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            ("*.conf", "a.conf.bak", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("[0-9][0-9]-*", "00-mpm", true),
            ("[!0-9]*", "00-mpm", false),
            ("[^ab]x", "cx", true),
            ("[a]", "a", true),
            ("[a", "[a", false),
            ("?.?", "8.2", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_in_the_middle_of_a_path_is_expanded_too_and_sorted() {
        let host = FakeHost::new(0)
            .file("/etc/php/8.2/fpm/pool.d/www.conf", "")
            .file("/etc/php/7.4/fpm/pool.d/shop.conf", "")
            .file("/etc/php/8.2/fpm/pool.d/www.conf.bak", "");
        let found = expand(&host, "/etc/php/*/fpm/pool.d/*.conf", 10);
        assert_eq!(found, ["/etc/php/7.4/fpm/pool.d/shop.conf", "/etc/php/8.2/fpm/pool.d/www.conf"]);
        assert_eq!(expand(&host, "/etc/php/*/fpm/pool.d/*.conf", 1).len(), 1);
        assert_eq!(expand(&host, "/etc/plain", 1), ["/etc/plain"]);
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in prop::collection::vec(prop::sample::select(b"*?[]-!ab".to_vec()), 0..40),
                            name in prop::collection::vec(prop::sample::select(b"ab]-.".to_vec()), 0..60)) {
            let _either = matches(&pattern, &name);
        }
    }
}
