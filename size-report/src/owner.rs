//! Who a symbol belongs to: a crate, the standard library, ring's C and assembler, the C library.
//!
//! Pure: works on names alone. What the names can't tell is called unknown, not guessed.

use std::collections::BTreeSet;

use crate::v0;

/// Whose bytes they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Crate(String),
    /// std, core, alloc and what the standard library brings along.
    Std,
    /// The C and assembler parts of ring.
    RingNative,
    /// The C library and the compiler's C runtime.
    Libc,
    /// Pieces of any crate's functions that the compiler found to be alike and made one of.
    Outlined,
    /// Constants without a name, padding, assembler without sizes.
    Unknown,
}

impl Owner {
    pub(crate) fn label(&self) -> &str {
        match self {
            Self::Crate(name) => name,
            Self::Std => "std/core/alloc",
            Self::RingNative => "ring (C/asm)",
            Self::Libc => "libc (C)",
            Self::Outlined => "outlined pieces",
            Self::Unknown => "unknown",
        }
    }
}

/// Crates that arrive with the standard library, unless the agent's own list names them.
const STD: [&str; 21] = [
    "__rustc",
    "addr2line",
    "adler2",
    "alloc",
    "cfg_if",
    "compiler_builtins",
    "core",
    "gimli",
    "hashbrown",
    "libc",
    "libunwind",
    "memchr",
    "miniz_oxide",
    "object",
    "panic_abort",
    "panic_unwind",
    "rustc_demangle",
    "rustc_literal_escaper",
    "std",
    "std_detect",
    "unwind",
];

/// C files of ring; its static functions have no prefix, but the symbol table names their file.
const RING_FILES: [&str; 15] = [
    "aes_nohw.c",
    "cpu_intel.c",
    "crypto.c",
    "curve25519.c",
    "curve25519_64_adx.c",
    "ecp_nistz.c",
    "gfp_p256.c",
    "gfp_p384.c",
    "limbs.c",
    "mem.c",
    "montgomery.c",
    "montgomery_inv.c",
    "p256-nistz.c",
    "p256.c",
    "poly1305.c",
];

/// Beginnings of names in ring's assembler, whose files the symbol table doesn't name.
const RING_NAMES: [&str; 21] = [
    "ChaCha20_",
    "__bn_",
    "__ecp_nistz",
    "_aesni",
    "_bsaes",
    "_vpaes",
    "aes_nohw",
    "bn_",
    "chacha",
    "ecp_nistz",
    "fe_",
    "fiat_",
    "gcm_",
    "ge_",
    "gfp_",
    "mul4x_",
    "mulx4x_",
    "poly1305",
    "poly_hash_",
    "ring_core_",
    "x25519_",
];

/// Names that the compiler gives to constants of any crate.
const ANONYMOUS: [&str; 6] = [".L", "anon.", "switch.table", "str.", "vtable.", "__unnamed"];

/// Names that std's runtime has without mangling.
const RUNTIME: [&str; 7] = ["__rust", "rust_", "__rdl_", "__rg_", "_Unwind_", "unw_", "__unw_"];

/// Knows which crates the agent depends on itself.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    listed: BTreeSet<String>,
}

impl Owners {
    /// `dependencies` are package names.
    pub(crate) fn new<'a>(dependencies: impl Iterator<Item = &'a str>) -> Self {
        Self { listed: dependencies.map(|name| name.replace('-', "_")).collect() }
    }

    /// The owner of a symbol, by its name and the file that the symbol table names for it.
    pub(crate) fn of(&self, symbol: &str, file: Option<&str>) -> Owner {
        let Ok(demangled) = rustc_demangle::try_demangle(symbol) else { return native(symbol, file) };
        let text = format!("{demangled:#}");
        // Drop glue stands in core but is made of the dropped type's own drops.
        if let Some(glue) = drop_glue(&text) {
            return self.first_foreign(glue);
        }
        match v0::defining_crate(symbol).or_else(|| self.of_path(&text)) {
            Some(name) => self.named(name),
            None => Owner::Std,
        }
    }

    fn named(&self, name: &str) -> Owner {
        if STD.contains(&name) && !self.listed.contains(name) {
            Owner::Std
        } else {
            Owner::Crate(name.into())
        }
    }

    fn is_std(&self, name: &str) -> bool {
        self.named(name) == Owner::Std
    }

    /// The crate of a demangled path, or of `<Type as Trait>::method`.
    fn of_path<'a>(&self, text: &'a str) -> Option<&'a str> {
        let Some(inner) = text.strip_prefix('<') else { return leading_crate(text) };
        let (implementor, behaviour) = split_as(inner);
        let implementor = leading_crate(implementor);
        // By the orphan rule one of both is of the crate that wrote the code, and that is not std
        // where one of them isn't.
        match (implementor, behaviour.and_then(leading_crate)) {
            (Some(name), _) if !self.is_std(name) => Some(name),
            (_, Some(name)) => Some(name),
            (name, None) => name,
        }
    }

    /// The first crate in a type that isn't the standard library's.
    fn first_foreign(&self, text: &str) -> Owner {
        let mut before = ' ';
        for (at, letter) in text.char_indices() {
            let starts = is_name(letter) && !is_name(before) && before != ':';
            before = letter;
            if !starts {
                continue;
            }
            if let Some(name) = leading_crate(text.get(at..).unwrap_or_default())
                && !self.is_std(name)
            {
                return Owner::Crate(name.into());
            }
        }
        Owner::Std
    }
}

fn native(symbol: &str, file: Option<&str>) -> Owner {
    let begins = |names: &[&str]| names.iter().any(|name| symbol.starts_with(name));
    if begins(&RING_NAMES) || file.is_some_and(|file| RING_FILES.contains(&file)) {
        Owner::RingNative
    } else if symbol.starts_with("OUTLINED_FUNCTION") {
        Owner::Outlined
    } else if begins(&ANONYMOUS) || symbol.is_empty() {
        Owner::Unknown
    } else if begins(&RUNTIME) {
        Owner::Std
    } else {
        Owner::Libc
    }
}

/// The type that a drop glue drops.
fn drop_glue(text: &str) -> Option<&str> {
    ["core::ptr::drop_in_place", "core::ptr::drop_glue"].iter().find_map(|glue| {
        let rest = text.strip_prefix(glue)?;
        rest.strip_prefix("::<").or_else(|| rest.strip_prefix('<'))
    })
}

/// The first name of a path, past references, pointers and the like; nothing for primitive types and
/// generic parameters, which have no path.
fn leading_crate(text: &str) -> Option<&str> {
    let mut text = text;
    loop {
        let trimmed = text.trim_start_matches(['&', '*', '[', '(', '<', ' ']);
        let next = ["mut ", "const ", "dyn "].iter().find_map(|word| trimmed.strip_prefix(word));
        match next {
            Some(next) => text = next,
            None => {
                text = trimmed;
                break;
            }
        }
    }
    let end = text.find(|letter| !is_name(letter))?;
    let (name, rest) = text.split_at_checked(end)?;
    (!name.is_empty() && rest.starts_with("::")).then_some(name)
}

/// Splits `Type as Trait>::method` at the `as` that belongs to the outermost brackets.
fn split_as(text: &str) -> (&str, Option<&str>) {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        match letter {
            '<' | '(' | '[' => depth += 1,
            // The arrow of a function type closes nothing.
            '>' if before == '-' => {}
            '>' | ')' | ']' if depth == 0 => return (text.get(..at).unwrap_or(text), None),
            '>' | ')' | ']' => depth -= 1,
            ' ' if depth == 0 => {
                if let Some(behaviour) = text.get(at..).and_then(|rest| rest.strip_prefix(" as ")) {
                    return (text.get(..at).unwrap_or(text), Some(behaviour));
                }
            }
            _ => {}
        }
        before = letter;
    }
    (text, None)
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
