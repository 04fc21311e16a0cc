//! What is read of small ELF files of both classes.

use object::elf;

use super::*;
use crate::fixture::Fixture;

fn both() -> [Fixture; 2] {
    let narrow = Fixture { is_64: false, machine: elf::EM_ARM, ..Fixture::default() };
    [Fixture::default(), narrow]
}

#[test]
fn both_classes_are_read_alike() {
    for mut fixture in both() {
        fixture.dynamic_strings = vec![(elf::DT_NEEDED, "libc.so"), (elf::DT_RUNPATH, "/opt/lib")];
        let bytes = fixture.build();
        let image = Image::parse(&bytes).unwrap();
        let dynamic = image.dynamic.unwrap();
        assert_eq!((dynamic.needed, dynamic.rpath), (vec!["libc.so".into()], vec!["/opt/lib".into()]));
        assert!(dynamic.bind_now && dynamic.pie_flag);
        assert_eq!(image.build_id, Some(vec![0xab; 20]));
        assert_eq!(image.bytes, bytes.len() as u64);
        assert!(image.sections.iter().any(|section| section.name == ".text" && section.executable));
    }
}

#[test]
fn a_thumb_function_begins_at_the_even_address() {
    let mut fixture = Fixture { is_64: false, machine: elf::EM_ARM, ..Fixture::default() };
    fixture.functions = vec![("thumb", elf::STT_FUNC, false, 17, 8)];
    let image = Image::parse(&fixture.build()).unwrap();
    assert_eq!(image.symbols[0].address % 16, 0);
    fixture.machine = elf::EM_386;
    let image = Image::parse(&fixture.build()).unwrap();
    assert_eq!(image.symbols[0].address % 16, 1);
}

#[test]
fn only_local_symbols_belong_to_the_file_named_before_them() {
    let fixture = Fixture {
        functions: vec![
            ("curve25519.c", elf::STT_FILE, true, 0, 0),
            ("table_select", elf::STT_FUNC, true, 0, 8),
            ("memcpy", elf::STT_FUNC, false, 16, 8),
        ],
        ..Fixture::default()
    };
    let image = Image::parse(&fixture.build()).unwrap();
    let files: Vec<_> =
        image.symbols.iter().map(|symbol| (symbol.name.as_str(), symbol.file.as_deref())).collect();
    assert_eq!(files, [("table_select", Some("curve25519.c")), ("memcpy", None)]);
}

#[test]
fn what_is_no_elf_file_or_a_cut_one_is_an_error_and_never_a_panic() {
    assert!(matches!(Image::parse(b"#!/bin/sh\n"), Err(ImageError::NotElf)));
    assert!(matches!(Image::parse(b""), Err(ImageError::NotElf)));
    let fixture = Fixture { dynamic_strings: vec![(elf::DT_NEEDED, "libc.so")], ..Fixture::default() };
    let whole = fixture.build();
    for length in 0..whole.len() {
        // Cut inside the data that nothing refers to, a file is merely shorter; it must not panic.
        let _ = Image::parse(&whole[..length]);
    }
    for at in 0..whole.len() {
        let mut broken = whole.clone();
        broken[at] ^= 0xff;
        let _ = Image::parse(&broken);
    }
}
