//! The agent's checked-in list of dependencies, against the one that the baseline was made with.

use std::collections::BTreeSet;

use serde::Serialize;

/// What came and what went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) count: usize,
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
}

/// The names in `dependencies.txt`: one per line, `#` begins a comment.
pub(crate) fn parse(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(String::from).collect()
}

/// The difference to an earlier list; without one, nothing is new.
pub(crate) fn compare(now: &BTreeSet<String>, earlier: Option<&BTreeSet<String>>) -> Difference {
    let earlier = earlier.unwrap_or(now);
    Difference {
        count: now.len(),
        added: now.difference(earlier).cloned().collect(),
        removed: earlier.difference(now).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_dependencies() {
        let names = parse("# the list\nring\n\n rustls # TLS\n");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["ring", "rustls"]);
    }

    #[test]
    fn what_came_and_what_went_is_named() {
        let difference = compare(&parse("a\nb\nd"), Some(&parse("a\nb\nc")));
        assert_eq!((difference.added, difference.removed), (vec!["d".to_string()], vec!["c".to_string()]));
        assert_eq!(compare(&parse("a"), None), Difference { count: 1, ..Difference::default() });
    }
}
