//! How Apache writes its configuration: one directive a line, sections in angle brackets.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

/// More values of a directive are dropped.
const VALUES_MAX: usize = 128;

/// One line; names in lower case.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// `Name value value`
    Directive(String, Vec<String>),
    /// `<Name value>`
    Open(String, Vec<String>),
    /// `</Name>`
    Close,
}

/// Reads the next line that says something from `at` on, and moves `at` behind it. `None` at the end.
pub fn line(text: &[u8], at: &mut usize) -> Option<Line> {
    loop {
        let bytes = joined(text, at)?;
        let text = String::from_utf8_lossy(bytes.trim_ascii());
        if text.starts_with('#') {
            continue;
        }
        let (inside, section) = match text.strip_prefix('<') {
            Some(rest) => (rest.strip_suffix('>').unwrap_or(rest), true),
            None => (text.as_ref(), false),
        };
        if section && inside.starts_with('/') {
            return Some(Line::Close);
        }
        let mut values = values(inside);
        if values.is_empty() {
            continue;
        }
        let name = values.remove(0).to_ascii_lowercase();
        return Some(if section { Line::Open(name, values) } else { Line::Directive(name, values) });
    }
}

/// The next line with those that its `\` at the end continues.
fn joined(text: &[u8], at: &mut usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let rest = text.get(*at..).filter(|rest| !rest.is_empty())?;
        let end = rest.iter().position(|c| *c == b'\n').unwrap_or(rest.len());
        *at = at.saturating_add(end).saturating_add(1);
        let line = rest.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(line) = line.strip_suffix(b"\\").filter(|_| *at < text.len()) else {
            out.extend_from_slice(line);
            return Some(out);
        };
        out.extend_from_slice(line);
    }
}

/// Words, or what is in quotes; `\"` in quotes is a quote.
fn values(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while out.len() < VALUES_MAX {
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        let Some(first) = chars.next() else { break };
        let quote = matches!(first, '"' | '\'').then_some(first);
        let mut word = if quote.is_none() { String::from(first) } else { String::new() };
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\\', Some(quote)) if chars.peek() == Some(&quote) => word.extend(chars.next()),
                (c, Some(quote)) if c == quote => break,
                (c, None) if c.is_ascii_whitespace() => break,
                (c, _) => word.push(c),
            }
        }
        out.push(word);
    }
    out
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sections_quotes_and_continued_lines_are_read() {
        let text =
            b"# c\n<IfModule !mod_ssl.c>\r\n  LogFormat \"%h \\\"%r\\\"\" \\\n  short\n</IfModule>\n\nX";
        let mut at = 0;
        let lines: Vec<Line> = std::iter::from_fn(|| line(text, &mut at)).collect();
        let strings = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            lines,
            [
                Line::Open("ifmodule".into(), strings(&["!mod_ssl.c"])),
                Line::Directive("logformat".into(), strings(&["%h \"%r\"", "short"])),
                Line::Close,
                Line::Directive("x".into(), Vec::new()),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end(text in prop::collection::vec(prop::sample::select(b"a<>/'\"\\#\n \xff".to_vec()), 0..400)) {
            let mut at = 0;
            let mut lines = 0;
            while line(&text, &mut at).is_some() {
                lines += 1;
                prop_assert!(lines <= text.len());
            }
        }
    }
}
