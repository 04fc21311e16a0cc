//! The crate in which a symbol of Rust's v0 mangling is defined.
//!
//! The demangled text of `<T as Trait>::method` doesn't say where that `impl` stands, but the mangled name
//! does: this walks to the first crate root and nothing further. Grammar: RFC 2603.

/// The crate at the root of the path, or nothing when the name isn't v0 or begins with a default method
/// of a trait, whose text says as much as its mangled form.
pub(crate) fn defining_crate(symbol: &str) -> Option<&str> {
    let body = symbol.strip_prefix("_R")?;
    let mut at = 0;
    // Back references only point backwards, so the walk ends; the count is a second guard.
    for _ in 0..64 {
        let rest = body.get(at..)?;
        let tag = rest.bytes().next()?;
        at += 1;
        match tag {
            // A name inside a path: one letter of name space, then the path.
            b'N' => at += 1,
            // An instance of a generic: its path comes first.
            b'I' => {}
            // An implementation: where it stands comes first.
            b'M' | b'X' => at += disambiguator(body.get(at..)?)?,
            b'C' => {
                let name = body.get(at + disambiguator(body.get(at..)?)?..)?;
                return identifier(name);
            }
            b'B' => {
                let (target, _) = base62(body.get(at..)?)?;
                if target + 1 >= at {
                    return None;
                }
                at = target;
            }
            _ => return None,
        }
    }
    None
}

/// The length of an optional `s<number>_`.
fn disambiguator(text: &str) -> Option<usize> {
    match text.strip_prefix('s') {
        Some(rest) => base62(rest).map(|(_, length)| length + 1),
        None => Some(0),
    }
}

/// A base-62 number and its length with the closing underscore.
fn base62(text: &str) -> Option<(usize, usize)> {
    let end = text.find('_')?;
    let mut value = 0_usize;
    for byte in text.bytes().take(end) {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            b'A'..=b'Z' => byte - b'A' + 36,
            _ => return None,
        };
        value = value.checked_mul(62)?.checked_add(usize::from(digit))?;
    }
    // "_" is zero, "0_" is one.
    Some((if end == 0 { 0 } else { value.checked_add(1)? }, end + 1))
}

fn identifier(text: &str) -> Option<&str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let length: usize = text.get(..digits)?.parse().ok()?;
    let rest = text.get(digits..)?;
    let rest = rest.strip_prefix('_').unwrap_or(rest);
    rest.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_plain_nested_and_generic_paths_is_found() {
        assert_eq!(defining_crate("_RNvC6_123foo3bar"), Some("123foo"));
        assert_eq!(defining_crate("_RNvNtCs1234_7mycrate3foo3bar"), Some("mycrate"));
        assert_eq!(defining_crate("_RINvNtC3std3mem8align_ofdE"), Some("std"));
    }

    #[test]
    fn an_implementation_belongs_to_the_crate_that_wrote_it() {
        let gimli = "_RNvMs4_NtNtCsduwmD7cSIQq_5gimli4read5dwarfINtB5_4UnitE3new";
        assert_eq!(defining_crate(gimli), Some("gimli"));
        assert_eq!(defining_crate("_RNvXs2_C6rustlsNtB5_3FooNtNtC4core3fmt5Debug3fmt"), Some("rustls"));
    }

    #[test]
    fn what_is_not_a_path_names_no_crate() {
        for symbol in
            ["", "_R", "_RY", "main", "_RB_", "_RBzzzzzzzzzzzzzzzzzzzz_", "_RNvC99999x", "_RNvCs", "_RN"]
        {
            assert_eq!(defining_crate(symbol), None, "{symbol}");
        }
    }
}
