//! Turns what programs print into a reason for a receipt: one line, short, printable.
//!
//! The text ends up in a chat and in a log, so nothing of it may be a control character, an escape sequence
//! or a character that changes the direction of the text.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use heapless::String;
use secmon_wire::limits::REASON_MAX;

/// A reason as it stands in a receipt.
pub(crate) type Reason = String<REASON_MAX>;

/// `word: detail`, cut to its limit.
pub(crate) fn reason(word: &str, detail: &str) -> Reason {
    let mut text = Reason::new();
    let separator = if detail.is_empty() { "" } else { ": " };
    let all = word.chars().chain(separator.chars()).chain(printable(detail));
    for c in all {
        if text.push(c).is_err() {
            // Characters of one byte each: the last three make room for the mark of a cut.
            text.truncate(REASON_MAX.saturating_sub(3));
            let _fits = text.push_str("...");
            break;
        }
    }
    text
}

/// The line of a program's output that says best what is wrong; empty if it said nothing.
///
/// Checks print warnings before errors (nginx), or a summary after them (apache2ctl), so a line that calls
/// itself an error goes first; then the first one that isn't a warning; then the first.
pub(crate) fn first_error_line(output: &[u8]) -> std::string::String {
    let text = std::string::String::from_utf8_lossy(output);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let says = |line: &str, words: &[&str]| {
        let lower = line.to_ascii_lowercase();
        words.iter().any(|word| lower.contains(word))
    };
    let warning = |line: &str| says(line, &["[warn]", "warning", "notice", "ah00558"]);
    let error = |line: &str| says(line, &["emerg", "[alert]", "[crit]", "error", "fatal", "failed"]);
    lines()
        .find(|line| error(line) && !warning(line))
        .or_else(|| lines().find(|line| !warning(line)))
        .or_else(|| lines().next())
        .unwrap_or_default()
        .to_owned()
}

/// Printable ASCII. Terminal escape sequences (ECMA-48 CSI) vanish, anything else becomes a question mark.
fn printable(text: &str) -> impl Iterator<Item = char> {
    let mut in_sequence = false;
    let mut after_escape = false;
    text.chars().filter_map(move |c| {
        if after_escape {
            after_escape = false;
            in_sequence = c == '[';
            return None;
        }
        if in_sequence {
            in_sequence = !('@'..='~').contains(&c);
            return None;
        }
        match c {
            '\x1b' => {
                after_escape = true;
                None
            }
            '\t' => Some(' '),
            ' '..='~' => Some(c),
            _ => Some('?'),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_line_that_calls_itself_an_error_is_the_one_reported() {
        for (output, expected) in [
            (
                "nginx: [warn] conflicting server name \"a\" on 0.0.0.0:80, ignored\n\
                 nginx: [emerg] unknown directive \"foo\" in /etc/nginx/nginx.conf:3\n\
                 nginx: configuration file /etc/nginx/nginx.conf test failed\n",
                "nginx: [emerg] unknown directive \"foo\" in /etc/nginx/nginx.conf:3",
            ),
            (
                "AH00558: apache2: Could not reliably determine the server's fully qualified domain name\n\
                 AH00526: Syntax error on line 4 of /etc/apache2/sites-enabled/x.conf:\nInvalid command 'Foo'\n",
                "AH00526: Syntax error on line 4 of /etc/apache2/sites-enabled/x.conf:",
            ),
            (
                "[01-Jan-2026 00:00:00] ERROR: [/etc/php/8.2/fpm/pool.d/www.conf:1] unknown entry 'x'\n\
                 [01-Jan-2026 00:00:00] ERROR: failed to load configuration file\n",
                "[01-Jan-2026 00:00:00] ERROR: [/etc/php/8.2/fpm/pool.d/www.conf:1] unknown entry 'x'",
            ),
            ("\n  something else \nmore\n", "something else"),
            ("a warning only\n", "a warning only"),
            ("", ""),
        ] {
            assert_eq!(first_error_line(output.as_bytes()), expected);
        }
    }

    #[test]
    fn escape_sequences_and_control_characters_do_not_reach_a_chat() {
        assert_eq!(
            reason("exit", "1: \x1b[31;1mred\x1b[0m\tend\r\x07\u{202e}").as_str(),
            "exit: 1: red end???"
        );
        assert_eq!(reason("timeout", "").as_str(), "timeout");
    }

    proptest! {
        #[test]
        fn every_output_becomes_a_short_printable_line(output in proptest::collection::vec(any::<u8>(), 0..600)) {
            let text = reason("preflight", &first_error_line(&output));
            prop_assert!(text.len() <= REASON_MAX);
            prop_assert!(text.bytes().all(|c| (b' '..=b'~').contains(&c)));
        }
    }
}
