//! What a released binary must look like, judged from the facts of its ELF file.
//!
//! Pure: reads nothing, only judges an [`Image`] and the places that `host_paths` found.

use object::elf;

use crate::image::Image;
use crate::targets::Pie;

/// One property and how the file fares.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
}

/// Whether a property holds. The text says what was found.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    Holds(String),
    Broken(String),
}

impl Verdict {
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_))
    }
}

/// Judges every property, in the order in which the report lists them.
pub(crate) fn judge(image: &Image, pie: Pie, host_paths: &[String]) -> Vec<Property> {
    vec![
        Property { name: "static", verdict: is_static(image) },
        Property { name: "pie", verdict: position(image, pie) },
        Property { name: "relro", verdict: relro(image) },
        Property { name: "nx", verdict: no_executable_data(image) },
        Property { name: "rpath", verdict: no_rpath(image) },
        Property { name: "stripped", verdict: stripped(image) },
        Property { name: "build-id", verdict: build_id(image) },
        Property { name: "host-paths", verdict: no_host_paths(host_paths) },
    ]
}

/// Nothing is asked of the system: no interpreter, no library.
fn is_static(image: &Image) -> Verdict {
    if image.segments.iter().any(|segment| segment.kind == elf::PT_INTERP) {
        return Verdict::Broken("asks for an interpreter (PT_INTERP)".into());
    }
    let needed = image.dynamic.as_ref().map_or(&[][..], |dynamic| &dynamic.needed);
    if needed.is_empty() {
        Verdict::Holds("no interpreter, no library".into())
    } else {
        Verdict::Broken(format!("needs {}", needed.join(", ")))
    }
}

fn position(image: &Image, wanted: Pie) -> Verdict {
    let is = match image.kind {
        elf::ET_EXEC => Pie::Fixed,
        // A shared library has the same type; only the flag or an interpreter tells a program.
        elf::ET_DYN if image.dynamic.as_ref().is_some_and(|dynamic| dynamic.pie_flag) => Pie::Independent,
        elf::ET_DYN => return Verdict::Broken("of type ET_DYN without DF_1_PIE: a library?".into()),
        other => return Verdict::Broken(format!("of ELF type {other}, not a program")),
    };
    if is == wanted {
        Verdict::Holds(is.describe().into())
    } else {
        Verdict::Broken(format!("{}, but the targets table wants {}", is.describe(), wanted.describe()))
    }
}

/// Full RELRO: what the loader relocates is read-only afterwards, and nothing is bound later.
fn relro(image: &Image) -> Verdict {
    if !image.segments.iter().any(|segment| segment.kind == elf::PT_GNU_RELRO) {
        return Verdict::Broken("no PT_GNU_RELRO".into());
    }
    match &image.dynamic {
        None => Verdict::Holds("full, nothing to bind".into()),
        Some(dynamic) if dynamic.bind_now => Verdict::Holds("full, bound at start".into()),
        Some(dynamic) if dynamic.lazy_bytes == 0 => Verdict::Holds("full, nothing to bind".into()),
        Some(dynamic) => Verdict::Broken(format!(
            "partial: {} bytes of lazy relocations without BIND_NOW",
            dynamic.lazy_bytes
        )),
    }
}

/// The stack is declared without execute, and no loaded segment is writable and executable at once.
fn no_executable_data(image: &Image) -> Verdict {
    let Some(stack) = image.segments.iter().find(|segment| segment.kind == elf::PT_GNU_STACK) else {
        return Verdict::Broken("no PT_GNU_STACK: the kernel may make the stack executable".into());
    };
    if stack.flags & elf::PF_X != 0 {
        return Verdict::Broken("an executable stack".into());
    }
    let both = elf::PF_W | elf::PF_X;
    if image.segments.iter().any(|segment| segment.kind == elf::PT_LOAD && segment.flags & both == both) {
        return Verdict::Broken("a segment that is writable and executable".into());
    }
    Verdict::Holds("stack and data are not executable".into())
}

fn no_rpath(image: &Image) -> Verdict {
    let paths = image.dynamic.as_ref().map_or(&[][..], |dynamic| &dynamic.rpath);
    if paths.is_empty() {
        Verdict::Holds("none".into())
    } else {
        Verdict::Broken(format!("library search path {}", paths.join(", ")))
    }
}

fn stripped(image: &Image) -> Verdict {
    let kept: Vec<&str> =
        image.sections.iter().map(|section| section.name.as_str()).filter(is_debug).collect();
    if kept.is_empty() {
        Verdict::Holds("no symbols, no debug sections".into())
    } else {
        Verdict::Broken(format!("still has {}", kept.join(", ")))
    }
}

fn is_debug(name: &&str) -> bool {
    *name == ".symtab" || *name == ".strtab" || name.starts_with(".debug") || name.starts_with(".zdebug")
}

fn build_id(image: &Image) -> Verdict {
    match &image.build_id {
        Some(id) if id.len() >= 8 => {
            Verdict::Holds(id.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        Some(id) => Verdict::Broken(format!("only {} bytes long", id.len())),
        None => Verdict::Broken("no NT_GNU_BUILD_ID note".into()),
    }
}

fn no_host_paths(found: &[String]) -> Verdict {
    match found {
        [] => Verdict::Holds("none".into()),
        [first] => Verdict::Broken(first.clone()),
        [first, rest @ ..] => Verdict::Broken(format!("{first} and {} more", rest.len())),
    }
}

#[cfg(test)]
#[path = "properties_tests.rs"]
mod tests;
