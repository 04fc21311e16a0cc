//! Divides every byte of a binary among those it belongs to.
//!
//! Pure. The parts always add up to the length of the file: what no rule claims is named as such. Sizes of
//! functions come from a build of the same code that kept its symbols; the sizes that count are those of
//! the stripped file.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::area::{self, AreaSize};
use crate::image::{Image, Section, Symbol};
use crate::owner::{Owner, Owners};

/// A weighed binary.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weight {
    pub(crate) bytes: u64,
    /// Sections with bytes in the file, in file order.
    pub(crate) sections: Vec<SectionSize>,
    /// Who the bytes belong to, heaviest first.
    pub(crate) parts: Vec<Part>,
    /// Named code and constants, heaviest first; empty without symbols.
    pub(crate) symbols: Vec<Named>,
    /// What the diagnostics add by what they look at, heaviest first; empty without symbols.
    pub(crate) areas: Vec<AreaSize>,
    /// Why there is no division by crates, if there is none.
    pub(crate) note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SectionSize {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

/// A share of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) code: u64,
    pub(crate) data: u64,
    pub(crate) bytes: u64,
}

/// What a part stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Code and constants of an owner.
    Owner,
    /// Code or constants, undivided, for want of symbols.
    Section,
    /// What the format needs: unwind tables, relocations, headers.
    Format,
}

/// A function or a constant; instances of the same name are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) code: bool,
    pub(crate) bytes: u64,
    pub(crate) instances: u64,
}

/// What the bytes of a section are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Code,
    Data,
    Unwind,
    Relocations,
    /// Names, notes and the like, counted with the headers.
    Rest,
}

/// Weighs a stripped binary, by crate where a symbol build is given that is of the same code.
pub(crate) fn weigh(stripped: &Image, symbols: Option<&Image>, owners: &Owners) -> Weight {
    let mut weight = Weight { bytes: stripped.bytes, ..Weight::default() };
    weight.sections = stripped
        .sections
        .iter()
        .filter(|section| section.file_bytes > 0)
        .map(|section| SectionSize { name: section.name.clone(), bytes: section.file_bytes })
        .collect();
    match symbols.map(|symbols| (symbols, difference(stripped, symbols))) {
        Some((symbols, None)) => divide(&mut weight, symbols, owners),
        Some((_, Some(difference))) => {
            weight.note = Some(format!("the symbol build is of other code: {difference}"));
            undivided(&mut weight, stripped);
        }
        None => {
            weight.note = Some("no symbol build".into());
            undivided(&mut weight, stripped);
        }
    }
    let claimed: u64 = weight.parts.iter().map(|part| part.bytes).sum();
    for (class, name) in [(Class::Unwind, "unwind tables"), (Class::Relocations, "relocations")] {
        weight.parts.push(format_part(name, total(stripped, class)));
    }
    let tables = total(stripped, Class::Unwind) + total(stripped, Class::Relocations);
    weight.parts.push(format_part("headers, padding", stripped.bytes.saturating_sub(claimed + tables)));
    weight.parts.retain(|part| part.bytes > 0);
    weight.parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    weight
}

fn format_part(name: &str, bytes: u64) -> Part {
    Part { name: name.into(), kind: Kind::Format, code: 0, data: 0, bytes }
}

/// The first loaded section whose size differs between the two builds.
fn difference(stripped: &Image, symbols: &Image) -> Option<String> {
    let loaded = |image: &Image| -> BTreeMap<String, u64> {
        let sections = image.sections.iter().filter(|section| section.allocated);
        sections.map(|section| (section.name.clone(), section.size)).collect()
    };
    let (here, there) = (loaded(stripped), loaded(symbols));
    let names = here.keys().chain(there.keys());
    // The build id differs by design and weighs the same; only sizes are compared.
    names
        .filter(|name| here.get(*name) != there.get(*name))
        .map(|name| {
            let size = |sizes: &BTreeMap<String, u64>| sizes.get(name).copied().unwrap_or(0);
            format!("{name} has {} bytes, not {}", size(&there), size(&here))
        })
        .next()
}

fn class(section: &Section) -> Class {
    let name = section.name.as_str();
    let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    if !section.allocated || begins(&[".note", ".gnu.", ".hash", ".dyn", ".interp"]) {
        Class::Rest
    } else if begins(&[".eh_frame", ".gcc_except_table", ".ARM.ex"]) {
        Class::Unwind
    } else if begins(&[".rel"]) && !begins(&[".relro"]) {
        Class::Relocations
    } else if section.executable {
        Class::Code
    } else {
        Class::Data
    }
}

fn total(image: &Image, wanted: Class) -> u64 {
    let sections = image.sections.iter().filter(|section| class(section) == wanted);
    sections.map(|section| section.file_bytes).sum()
}

fn undivided(weight: &mut Weight, image: &Image) {
    let (code, data) = (total(image, Class::Code), total(image, Class::Data));
    for (name, code, data) in [("code", code, 0), ("constants, data", 0, data)] {
        weight.parts.push(Part { name: name.into(), kind: Kind::Section, code, data, bytes: code + data });
    }
}

fn divide(weight: &mut Weight, image: &Image, owners: &Owners) {
    let mut parts: BTreeMap<Owner, (u64, u64)> = BTreeMap::new();
    let mut names: BTreeMap<(String, Owner, bool), (u64, u64)> = BTreeMap::new();
    for (index, section) in image.sections.iter().enumerate() {
        let code = match class(section) {
            Class::Code => true,
            Class::Data => false,
            Class::Unwind | Class::Relocations | Class::Rest => continue,
        };
        if section.file_bytes == 0 {
            continue;
        }
        let mut named = 0;
        for (symbol, bytes) in spans(image, index, section) {
            let owner = owners.of(&symbol.name, symbol.file.as_deref());
            add(&mut parts, owner.clone(), code, bytes);
            let name = format!("{:#}", rustc_demangle::demangle(&symbol.name));
            let entry = names.entry((name, owner, code)).or_default();
            entry.0 += bytes;
            entry.1 += 1;
            named += bytes;
        }
        add(&mut parts, Owner::Unknown, code, section.file_bytes.saturating_sub(named));
    }
    weight.parts = parts
        .into_iter()
        .map(|(owner, (code, data))| Part {
            name: owner.label().into(),
            kind: Kind::Owner,
            code,
            data,
            bytes: code + data,
        })
        .collect();
    weight.symbols = names
        .into_iter()
        .map(|((name, owner, code), (bytes, instances))| Named {
            name,
            owner: owner.label().into(),
            code,
            bytes,
            instances,
        })
        .collect();
    weight.symbols.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    weight.areas = area::divide(&weight.symbols);
}

fn add(parts: &mut BTreeMap<Owner, (u64, u64)>, owner: Owner, code: bool, bytes: u64) {
    let entry = parts.entry(owner).or_default();
    if code {
        entry.0 += bytes;
    } else {
        entry.1 += bytes;
    }
}

/// The symbols of a section with the bytes that each one claims: where two overlap (aliases, functions
/// folded into one) every byte is counted once, for the first and longest.
fn spans<'a>(image: &'a Image, index: usize, section: &Section) -> Vec<(&'a Symbol, u64)> {
    let mut symbols: Vec<&Symbol> = image.symbols.iter().filter(|symbol| symbol.section == index).collect();
    symbols.sort_by(|a, b| {
        let longest = b.size.cmp(&a.size);
        a.address.cmp(&b.address).then(longest).then_with(|| a.name.cmp(&b.name))
    });
    let mut claimed = section.address;
    let limit = section.address.saturating_add(section.size);
    let mut spans = Vec::new();
    for symbol in symbols {
        let start = symbol.address.max(claimed);
        let end = symbol.address.saturating_add(symbol.size).min(limit);
        if end > start {
            spans.push((symbol, end - start));
            claimed = end;
        }
    }
    spans
}

#[cfg(test)]
#[path = "weigh_tests.rs"]
mod tests;
