//! Names of functions, short enough for a tile.

/// The last parts of a path, without generics: `Type::method`, `module::function`; names of C without the
/// version that ring puts before its own.
pub(super) fn short_name(name: &str) -> String {
    if let Some(native) = name.strip_prefix("ring_core_").and_then(|rest| rest.split_once("__")) {
        return native.1.into();
    }
    let flat = match name.strip_prefix('<') {
        Some(inner) => {
            let (implementor, method) = split_bracket(inner);
            let implementor = implementor.split(" as ").next().unwrap_or(implementor);
            format!("{}{}", last_segments(&without_generics(implementor), 1), without_generics(method))
        }
        None => without_generics(name),
    };
    let wanted = if flat.ends_with('}') { 3 } else { 2 };
    last_segments(&flat, wanted)
}

/// Splits `Type as Trait>::method` at the bracket that closes the first one.
fn split_bracket(text: &str) -> (&str, &str) {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' if before == '-' => {}
            '>' if depth == 0 => {
                return (text.get(..at).unwrap_or(text), text.get(at + 1..).unwrap_or_default());
            }
            '>' => depth -= 1,
            _ => {}
        }
        before = letter;
    }
    (text, "")
}

fn without_generics(text: &str) -> String {
    let mut depth = 0_usize;
    let mut before = ' ';
    let mut flat = String::new();
    for letter in text.chars() {
        match letter {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => flat.push(letter),
            _ => {}
        }
        before = letter;
    }
    // `path::<T>::method` leaves an empty segment.
    flat.replace("::::", "::").trim_end_matches("::").into()
}

fn last_segments(path: &str, count: usize) -> String {
    let segments: Vec<&str> = path.split("::").collect();
    segments.get(segments.len().saturating_sub(count)..).unwrap_or(&segments).join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_and_the_method_remain() {
        for (name, short) in [
            (
                "rustls::server::hs::ExpectClientHello::with_certified_key",
                "ExpectClientHello::with_certified_key",
            ),
            ("<rustls::msgs::Ext as rustls::codec::Codec>::read", "Ext::read"),
            ("<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop", "Vec::drop"),
            ("core::ptr::drop_in_place<core::option::Option<rustls::X>>", "ptr::drop_in_place"),
            ("<gimli::read::Unit<R>>::new", "Unit::new"),
            ("async_executor::run::{{closure}}", "async_executor::run::{{closure}}"),
            ("core::iter::<impl core::Fn for fn() -> u8>::call::<T>", "iter::call"),
            ("memcpy", "memcpy"),
            ("ring_core_0_17_14__x25519_fe_add", "x25519_fe_add"),
            ("", ""),
        ] {
            assert_eq!(short_name(name), short, "{name}");
        }
    }
}
