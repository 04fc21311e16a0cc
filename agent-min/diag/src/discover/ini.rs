//! Lines of `[section]` and `name = value`, as PHP-FPM and the databases write their configuration.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

/// One line that says something.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// `[name]`
    Section(&'a str),
    /// `name = value`, the value without quotes and comment; empty without a `=`.
    Setting(&'a str, &'a str),
    /// `!include path`, `!includedir path`
    Directive(&'a str, &'a str),
}

/// Reads a line. Nothing for an empty one or a comment.
pub fn line(text: &str) -> Option<Line<'_>> {
    let text = text.trim();
    if text.is_empty() || text.starts_with([';', '#']) {
        return None;
    }
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']').map(|(name, _)| Line::Section(name.trim()));
    }
    if let Some(rest) = text.strip_prefix('!') {
        let (name, value) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        return Some(Line::Directive(name, value.trim()));
    }
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Some(Line::Setting(name.trim(), plain(value.trim())))
}

fn plain(value: &str) -> &str {
    if let Some((quote, rest)) = value.split_at_checked(1).filter(|(quote, _)| matches!(*quote, "\"" | "'")) {
        return rest.split_once(quote).map_or(rest, |(inside, _)| inside);
    }
    let end = value.find([';', '#']).unwrap_or(value.len());
    value.get(..end).unwrap_or(value).trim_end()
}

/// `128M`, `1G`, `512k` or plain bytes.
pub fn bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1_u64.checked_shl(shift)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sections_settings_and_directives_are_told_apart() {
        for (text, expected) in [
            ("[www]", Some(Line::Section("www"))),
            (" [ mysqld ] # x", Some(Line::Section("mysqld"))),
            ("[broken", None),
            ("; x = y", None),
            ("", None),
            ("listen = /run/$pool.sock ; c", Some(Line::Setting("listen", "/run/$pool.sock"))),
            ("a='b;c' # d", Some(Line::Setting("a", "b;c"))),
            ("a = \"b", Some(Line::Setting("a", "b"))),
            ("skip-networking", Some(Line::Setting("skip-networking", ""))),
            ("!includedir /etc/mysql/conf.d/", Some(Line::Directive("includedir", "/etc/mysql/conf.d/"))),
        ] {
            assert_eq!(line(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, size) in [
            ("134217728", Some(134_217_728)),
            ("128M", Some(134_217_728)),
            ("1g", Some(1 << 30)),
            ("128MB", Some(134_217_728)),
            ("8 kB", Some(8192)),
            ("", None),
            ("x", None),
            ("99999999999999999999", None),
            ("18014398509481984k", None),
        ] {
            assert_eq!(bytes(text), size, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_not(text in "\\PC{0,80}") {
            let _either = line(&text);
            let _or = bytes(&text);
        }
    }
}
