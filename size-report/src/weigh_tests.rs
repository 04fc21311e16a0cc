//! Every byte is counted once.

use object::elf;

use super::*;
use crate::fixture::{Fixture, RELOCATIONS, RODATA, UNWIND};

const MAIN: &str = "_RNvCs1_12secmon_agent4main";
const ALIAS: &str = "_RNvCs1_6rustls5alias";
const INSIDE: &str = "_RNvCs1_6rustls6inside";

fn parts(weight: &Weight) -> BTreeMap<&str, u64> {
    weight.parts.iter().map(|part| (part.name.as_str(), part.bytes)).collect()
}

fn image(fixture: &Fixture) -> Image {
    Image::parse(&fixture.build()).unwrap()
}

fn with_symbols() -> Fixture {
    Fixture {
        functions: vec![
            (MAIN, elf::STT_FUNC, false, 0, 100),
            // The same bytes under a second name, and a piece of them under a third.
            (ALIAS, elf::STT_FUNC, false, 0, 60),
            (INSIDE, elf::STT_FUNC, false, 90, 30),
            ("memcpy", elf::STT_FUNC, false, 200, 1000),
        ],
        constants: vec![("ecp_nistz256_precomputed", 0, 64)],
        ..Fixture::default()
    }
}

#[test]
fn the_parts_add_up_to_the_file_with_and_without_symbols() {
    let stripped = image(&Fixture::default());
    for symbols in [None, Some(image(&with_symbols()))] {
        let weight = weigh(&stripped, symbols.as_ref(), &Owners::default());
        let sum: u64 = weight.parts.iter().map(|part| part.bytes).sum();
        assert_eq!(sum, stripped.bytes);
        assert_eq!(parts(&weight)["unwind tables"], UNWIND as u64);
        assert_eq!(parts(&weight)["relocations"], RELOCATIONS as u64);
    }
}

#[test]
fn overlapping_symbols_are_counted_once_and_sizes_end_with_the_section() {
    let weight = weigh(&image(&Fixture::default()), Some(&image(&with_symbols())), &Owners::default());
    assert_eq!(weight.note, None);
    let parts = parts(&weight);
    assert_eq!(parts["secmon_agent"], 100);
    assert_eq!(parts["rustls"], 20);
    assert_eq!(parts["libc (C)"], 56);
    assert_eq!(parts["ring (C/asm)"], 64);
    // The gap between the functions, and the constants without a name.
    assert_eq!(parts["unknown"], 80 + RODATA as u64 - 64);
    let heaviest = &weight.symbols[0];
    assert_eq!((heaviest.name.as_str(), heaviest.bytes, heaviest.code), ("secmon_agent::main", 100, true));
}

#[test]
fn a_symbol_build_of_other_code_is_refused_with_the_section_that_differs() {
    let other = Fixture { text: 272, ..with_symbols() };
    let weight = weigh(&image(&Fixture::default()), Some(&image(&other)), &Owners::default());
    let note = weight.note.clone().unwrap();
    assert!(note.contains(".text has 272 bytes, not 256"), "{note}");
    assert!(weight.symbols.is_empty());
    assert_eq!(parts(&weight)["code"], 256);
}

#[test]
fn without_symbols_code_and_constants_are_told_apart() {
    let weight = weigh(&image(&Fixture::default()), None, &Owners::default());
    assert_eq!(weight.note.as_deref(), Some("no symbol build"));
    assert_eq!(parts(&weight)["code"], 256);
    assert!(parts(&weight)["constants, data"] >= RODATA as u64);
}
