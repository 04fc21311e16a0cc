//! What PHP says when a script dies: which limit, and whose file it was.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::said::number;

/// Why a script died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Died<'a> {
    /// It wanted more memory than this many bytes, in this file.
    Memory(u64, &'a str),
    /// It ran longer than this many seconds, in this file.
    Time(u64, &'a str),
    /// Anything else, in this file.
    Error(&'a str),
}

/// Reads a line of PHP's log, or what PHP-FPM passes on to the web server.
pub fn died(text: &str) -> Option<Died<'_>> {
    let rest = ["PHP Fatal error:  ", "PHP Parse error:  "].iter().find_map(|mark| text.split_once(mark))?.1;
    if let Some(limit) = rest.strip_prefix("Allowed memory size of ") {
        return Some(Died::Memory(number(limit), file(rest)?));
    }
    if let Some(limit) = rest.strip_prefix("Maximum execution time of ") {
        return Some(Died::Time(number(limit), file(rest)?));
    }
    file(rest).map(Died::Error)
}

/// The path in `... in /path/to/file.php on line 12` or `... in /path/to/file.php:12`.
fn file(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(at) = rest.find(" in /") {
        let path = rest.get(at.checked_add(4)?..)?;
        let end = path.find([' ', ':', '"', '\'', '(']).unwrap_or(path.len());
        let (path, after) = path.split_at_checked(end)?;
        let line = after.strip_prefix(" on line ").or_else(|| after.strip_prefix(':'));
        if line.is_some_and(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
            return Some(path);
        }
        rest = rest.get(at.checked_add(4)?..)?;
    }
    None
}

/// Whose a file is: a plugin's or theme's short name, `core`, or the last two parts of its path.
pub fn owner(path: &str) -> &str {
    for directory in ["/wp-content/plugins/", "/wp-content/themes/", "/wp-content/mu-plugins/"] {
        if let Some((_, rest)) = path.split_once(directory) {
            return rest.split_once('/').map_or(rest, |(slug, _)| slug);
        }
    }
    if path.contains("/wp-includes/") || path.contains("/wp-admin/") {
        return "core";
    }
    let mut slashes = path.rmatch_indices('/').map(|(at, _)| at);
    let second = slashes.nth(1).map_or(0, |at| at.saturating_add(1));
    path.get(second..).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_script_died_of_and_whose_it_was_is_read() {
        for (text, expected, whose) in [
            (
                "PHP message: PHP Fatal error:  Allowed memory size of 8388608 bytes exhausted (tried to allocate 2097152 \
                 bytes) in /var/www/shop/wp-content/themes/heavy/functions.php on line 1\" while reading",
                Died::Memory(8_388_608, "/var/www/shop/wp-content/themes/heavy/functions.php"),
                "heavy",
            ),
            (
                "[22-Nov-2026 10:05:47 UTC] PHP Fatal error:  Maximum execution time of 1 second exceeded in \
                 /var/www/shop/wp-content/plugins/slow-export/run.php on line 1",
                Died::Time(1, "/var/www/shop/wp-content/plugins/slow-export/run.php"),
                "slow-export",
            ),
            (
                "PHP message: PHP Fatal error:  Uncaught Error: Call to undefined function undefined_thing() in \
                 /var/www/shop/wp-content/plugins/broken-gallery/main.php:1",
                Died::Error("/var/www/shop/wp-content/plugins/broken-gallery/main.php"),
                "broken-gallery",
            ),
            (
                "PHP Fatal error:  Array and string offset access syntax with curly braces is no longer supported in \
                 /home/mysite/public_html/wp-includes/script-loader.php on line 652",
                Died::Error("/home/mysite/public_html/wp-includes/script-loader.php"),
                "core",
            ),
            (
                "PHP Parse error:  syntax error, unexpected 'x' in /srv/app/lib/a.php on line 3",
                Died::Error("/srv/app/lib/a.php"),
                "lib/a.php",
            ),
            (
                "PHP Fatal error:  Uncaught Exception: found in /nowhere in particular in /srv/a.php:7",
                Died::Error("/srv/a.php"),
                "srv/a.php",
            ),
        ] {
            let got = died(text);
            assert_eq!(got, Some(expected), "{text}");
            let (Died::Memory(_, file) | Died::Time(_, file) | Died::Error(file)) = expected;
            assert_eq!(owner(file), whose);
        }
    }

    #[test]
    fn warnings_kill_nobody() {
        for text in
            ["PHP Warning:  x in /a.php on line 1", "PHP Fatal error:  x", "PHP Fatal error:  in /a", ""]
        {
            assert_eq!(died(text), None, "{text}");
        }
        assert_eq!(owner(""), "");
        assert_eq!(owner("/a.php"), "/a.php");
        assert_eq!(owner("/x/wp-content/mu-plugins/one.php"), "one.php");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text in "\\PC{0,120}") {
            let _either = (died(&format!("PHP Fatal error:  {text} in /é{text}")), owner(&text));
        }
    }
}
