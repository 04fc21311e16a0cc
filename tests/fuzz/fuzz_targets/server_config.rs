//! Configurations: reading one comes to its end, what was read reads the same when it is written down again, and
//! patterns of file names fit what a table says that they fit.
#![no_main]

use secmon_diag::discover::{
    ApacheLine, IniLine, NginxPiece, apache_line, glob_matches, ini_bytes, ini_line, nginx_piece,
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    nginx(bytes);
    apache(bytes);
    let text = String::from_utf8_lossy(bytes);
    text.lines().for_each(ini);
    if let Some((pattern, name)) = text.split_once('\n').filter(|(pattern, _)| pattern.len() < 64) {
        let name = &name.as_bytes()[..name.len().min(64)];
        assert_eq!(
            glob_matches(pattern.as_bytes(), name),
            fits(pattern.as_bytes(), name),
            "{pattern:?} {name:?}"
        );
    }
});

fn nginx(text: &[u8]) {
    let (mut at, mut before) = (0, 0);
    while let Some(piece) = nginx_piece(text, &mut at) {
        assert!(at > before && at <= text.len(), "each piece is somewhere");
        before = at;
        let (words, end) = match &piece {
            NginxPiece::Directive(words) => (words, ';'),
            NginxPiece::Open(words) => (words, '{'),
            NginxPiece::Close => continue,
        };
        assert!(words.len() <= 256 && words.iter().all(|word| word.len() <= 3 * 2048));
        if words.iter().any(|word| word.len() > 2048) {
            continue;
        }
        let quoted: Vec<_> = words
            .iter()
            .map(|word| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        let again = format!("{} {end}", quoted.join(" "));
        assert_eq!(nginx_piece(again.as_bytes(), &mut 0), Some(piece), "{again:?}");
    }
}

fn apache(text: &[u8]) {
    let (mut at, mut before) = (0, 0);
    while let Some(line) = apache_line(text, &mut at) {
        assert!(at > before);
        before = at;
        let (name, values, around) = match &line {
            ApacheLine::Directive(name, values) => (name, values, ["", ""]),
            ApacheLine::Open(name, values) => (name, values, ["<", ">"]),
            ApacheLine::Close => continue,
        };
        assert!(values.len() < 128 && name.chars().all(|c| !c.is_ascii_uppercase()));
        let words: Vec<_> = std::iter::once(name).chain(values).map(|word| format!("\"{word}\"")).collect();
        if words.iter().any(|word| word.contains(['\\', '\n']) || word.matches('"').count() > 2) {
            continue;
        }
        let again = format!("{}{}{}", around[0], words.join(" "), around[1]);
        assert_eq!(apache_line(again.as_bytes(), &mut 0), Some(line), "{again:?}");
    }
}

fn ini(text: &str) {
    if let Some(bytes) = ini_bytes(text) {
        assert_eq!(ini_bytes(&bytes.to_string()), Some(bytes));
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        assert!(bytes >= digits.parse().expect("a number"));
    }
    let Some(line) = ini_line(text) else { return };
    let again = match line {
        IniLine::Section(name) => format!("[{name}]"),
        IniLine::Directive(name, value) => format!("!{name} {value}"),
        IniLine::Setting(name, value) if value.contains('"') && value.contains('\'') => {
            format!("{name}=").clone()
        }
        IniLine::Setting(name, value) if value.contains('"') => format!("{name} = '{value}' ; as it is"),
        IniLine::Setting(name, value) => format!("{name}=\"{value}\""),
    };
    match (line, ini_line(&again)) {
        (IniLine::Setting(name, value), Some(IniLine::Setting(same, _)))
            if value.contains('"') && value.contains('\'') =>
        {
            assert_eq!(name, same);
        }
        (line, again) => assert_eq!(Some(line), again),
    }
}

/// A pattern's elements: so many, and what one of them takes.
enum Element {
    Star,
    Any,
    Class(bool, Vec<(u8, u8)>),
    Byte(u8),
    /// A `[` without an end takes nothing.
    Nothing,
}

/// A table of which part of the name each part of the pattern fits.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let mut row: Vec<bool> = (0..=name.len()).map(|length| length == 0).collect();
    for element in elements(pattern) {
        let mut next = vec![false; name.len() + 1];
        next[0] = row[0] && matches!(element, Element::Star);
        for at in 0..name.len() {
            let takes = match &element {
                Element::Star => {
                    next[at + 1] = row[at + 1] || next[at];
                    continue;
                }
                Element::Any => true,
                Element::Class(negated, ranges) => {
                    ranges.iter().any(|(from, to)| (*from..=*to).contains(&name[at])) != *negated
                }
                Element::Byte(byte) => *byte == name[at],
                Element::Nothing => false,
            };
            next[at + 1] = row[at] && takes;
        }
        row = next;
    }
    row[name.len()]
}

fn elements(pattern: &[u8]) -> Vec<Element> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < pattern.len() {
        let byte = pattern[at];
        at += 1;
        out.push(match byte {
            b'*' => Element::Star,
            b'?' => Element::Any,
            // The first one may be a `]`.
            b'[' => match pattern.iter().skip(at + 1).position(|byte| *byte == b']') {
                Some(end) => {
                    let mut class = &pattern[at..=at + end];
                    at += end + 2;
                    let negated = matches!(class.first(), Some(b'!' | b'^'));
                    class = &class[usize::from(negated)..];
                    let mut ranges = Vec::new();
                    while let Some(from) = class.first() {
                        let to = class.get(2).filter(|_| class[1] == b'-');
                        ranges.push((*from, *to.unwrap_or(from)));
                        class = &class[if to.is_some() { 3 } else { 1 }..];
                    }
                    Element::Class(negated, ranges)
                }
                None => Element::Nothing,
            },
            byte => Element::Byte(byte),
        });
    }
    out
}
