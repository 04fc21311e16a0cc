//! Turns what programs print into a reason for a receipt: one line, short, printable.
//!
//! The text ends up in a chat and in a log, so nothing of it may be a control character, an escape sequence
//! or a character that changes the direction of the text.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::fmt::{self, Display, Write};

use heapless::String;
use secmon_wire::limits::REASON_MAX;

/// A reason as it stands in a receipt.
pub(crate) type Reason = String<REASON_MAX>;

/// `word: detail`, or the word alone, cut to its limit.
pub(crate) fn reason(word: &str, detail: impl Display) -> Reason {
    let mut text = Printable { text: Reason::new(), separator: "", escape: Escape::No };
    let written = text.write_str(word).and_then(|()| {
        text.separator = if word.is_empty() { "" } else { ": " };
        write!(text, "{detail}")
    });
    text.end(written)
}

/// A detail without a word.
pub(crate) fn detail(detail: impl Display) -> Reason {
    reason("", detail)
}

/// A line of a program's output, in whatever encoding it may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line<'a>(&'a [u8]);

impl Line<'_> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any of the words is in it, in upper or lower case.
    pub(crate) fn says(&self, words: &[&str]) -> bool {
        let found =
            |word: &&str| self.0.windows(word.len()).any(|at| at.eq_ignore_ascii_case(word.as_bytes()));
        words.iter().any(found)
    }
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.utf8_chunks().try_for_each(|chunk| {
            f.write_str(chunk.valid())?;
            f.write_str(if chunk.invalid().is_empty() { "" } else { "?" })
        })
    }
}

/// The last line of a program's output; empty if it said nothing.
pub(crate) fn last_line(output: &[u8]) -> Line<'_> {
    let mut lines = output.rsplit(|c| *c == b'\n').map(|line| Line(line.trim_ascii()));
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

/// The line of a program's output that says best what is wrong; empty if it said nothing.
///
/// Checks print warnings before errors (nginx), or a summary after them (apache2ctl), so a line that calls
/// itself an error goes first; then the first one that isn't a warning; then the first.
pub(crate) fn first_error_line(output: &[u8]) -> Line<'_> {
    let lines =
        || output.split(|c| *c == b'\n').map(|line| Line(line.trim_ascii())).filter(|line| !line.is_empty());
    let warning = |line: &Line<'_>| line.says(&["[warn]", "warning", "notice", "ah00558"]);
    let error = |line: &Line<'_>| line.says(&["emerg", "[alert]", "[crit]", "error", "fatal", "failed"]);
    lines()
        .find(|line| error(line) && !warning(line))
        .or_else(|| lines().find(|line| !warning(line)))
        .or_else(|| lines().next())
        .unwrap_or_default()
}

/// Takes text and keeps printable ASCII of it. Terminal escape sequences (ECMA-48 CSI) vanish, anything else
/// becomes a question mark.
struct Printable {
    text: Reason,
    /// What comes before the next character, once.
    separator: &'static str,
    escape: Escape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    No,
    Begun,
    InSequence,
}

impl Printable {
    fn end(mut self, written: fmt::Result) -> Reason {
        if written.is_err() {
            // Characters of one byte each: the last three make room for the mark of a cut.
            self.text.truncate(REASON_MAX.saturating_sub(3));
            let _fits = self.text.push_str("...");
        }
        self.text
    }

    fn keep(&mut self, c: char) -> fmt::Result {
        let separator = std::mem::take(&mut self.separator);
        self.text.push_str(separator).and_then(|()| self.text.push(c)).map_err(|_| fmt::Error)
    }
}

impl Write for Printable {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.escape = match (self.escape, c) {
                (Escape::Begun, '[') => Escape::InSequence,
                (Escape::Begun, _) | (Escape::InSequence, '@'..='~') => Escape::No,
                (Escape::InSequence, _) => Escape::InSequence,
                (Escape::No, '\x1b') => Escape::Begun,
                (Escape::No, c) => {
                    self.keep(match c {
                        '\t' => ' ',
                        ' '..='~' => c,
                        _ => '?',
                    })?;
                    Escape::No
                }
            };
        }
        Ok(())
    }
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
            assert_eq!(first_error_line(output.as_bytes()).to_string(), expected);
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
            let text = reason("preflight", first_error_line(&output));
            prop_assert!(text.len() <= REASON_MAX);
            prop_assert!(text.bytes().all(|c| (b' '..=b'~').contains(&c)));
        }
    }
}
