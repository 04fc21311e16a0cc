//! An ELF file, read into the plain facts that the report and the checks need.
//!
//! Knows the file format and no policy: what a good binary looks like is said in `properties`.

use object::elf;
use object::read::elf::{Dyn, FileHeader, NoteIterator, ProgramHeader, SectionHeader, Sym};
use object::{Endianness, FileKind};

/// What an ELF file says of itself.
#[derive(Debug)]
pub(crate) struct Image {
    /// The length of the whole file.
    pub(crate) bytes: u64,
    /// `e_type`: `ET_EXEC` or `ET_DYN` for programs.
    pub(crate) kind: u16,
    pub(crate) segments: Vec<Segment>,
    /// Absent when the program has no dynamic section at all.
    pub(crate) dynamic: Option<Dynamic>,
    pub(crate) build_id: Option<Vec<u8>>,
    pub(crate) sections: Vec<Section>,
    pub(crate) symbols: Vec<Symbol>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
}

/// The entries of the dynamic section that matter here.
#[derive(Debug, Default)]
pub(crate) struct Dynamic {
    pub(crate) needed: Vec<String>,
    pub(crate) rpath: Vec<String>,
    pub(crate) bind_now: bool,
    pub(crate) pie_flag: bool,
    /// Bytes of relocations that a lazy binder would resolve.
    pub(crate) lazy_bytes: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) address: u64,
    /// Bytes in memory.
    pub(crate) size: u64,
    /// Bytes in the file: none for `.bss`.
    pub(crate) file_bytes: u64,
    /// Loaded when the program runs.
    pub(crate) allocated: bool,
    pub(crate) executable: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) address: u64,
    pub(crate) size: u64,
    /// Index into `Image::sections`.
    pub(crate) section: usize,
    /// The source file that the symbol table names for a local symbol.
    pub(crate) file: Option<String>,
}

/// Why bytes could not be read as an ELF file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("not an ELF program")]
    NotElf,
    #[error("a broken ELF file: {0}")]
    Broken(#[from] object::read::Error),
}

impl Image {
    /// Reads a 32-bit or 64-bit ELF file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        match FileKind::parse(bytes) {
            Ok(FileKind::Elf32) => read::<elf::FileHeader32<Endianness>>(bytes),
            Ok(FileKind::Elf64) => read::<elf::FileHeader64<Endianness>>(bytes),
            _ => Err(ImageError::NotElf),
        }
    }
}

fn read<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Result<Image, ImageError> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let mut segments = Vec::new();
    let mut dynamic = None;
    let mut build_id = None;
    for segment in header.program_headers(endian, bytes)? {
        segments.push(Segment { kind: segment.p_type(endian), flags: segment.p_flags(endian) });
        if let Some(entries) = segment.dynamic(endian, bytes)? {
            dynamic = Some(read_dynamic::<Elf>(header, endian, entries, bytes)?);
        }
        if let Some(notes) = segment.notes(endian, bytes)? {
            build_id = build_id.or(find_build_id(notes, endian)?);
        }
    }
    let (sections, symbols) = read_sections::<Elf>(header, endian, bytes)?;
    Ok(Image {
        bytes: bytes.len() as u64,
        kind: header.e_type(endian),
        segments,
        dynamic,
        build_id,
        sections,
        symbols,
    })
}

fn find_build_id<Elf: FileHeader<Endian = Endianness>>(
    mut notes: NoteIterator<'_, Elf>,
    endian: Endianness,
) -> Result<Option<Vec<u8>>, ImageError> {
    while let Some(note) = notes.next()? {
        if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
            return Ok(Some(note.desc().to_vec()));
        }
    }
    Ok(None)
}

fn read_dynamic<Elf: FileHeader<Endian = Endianness>>(
    header: &Elf,
    endian: Endianness,
    entries: &[Elf::Dyn],
    bytes: &[u8],
) -> Result<Dynamic, ImageError> {
    let mut dynamic = Dynamic::default();
    for entry in entries {
        let value = entry.val(endian);
        match entry.tag(endian) {
            elf::DT_NULL => break,
            elf::DT_NEEDED => dynamic.needed.push(text_at::<Elf>(header, endian, entries, value, bytes)?),
            elf::DT_RPATH | elf::DT_RUNPATH => {
                dynamic.rpath.push(text_at::<Elf>(header, endian, entries, value, bytes)?);
            }
            elf::DT_BIND_NOW => dynamic.bind_now = true,
            elf::DT_FLAGS if value & u64::from(elf::DF_BIND_NOW) != 0 => dynamic.bind_now = true,
            elf::DT_FLAGS_1 => {
                dynamic.bind_now |= value & u64::from(elf::DF_1_NOW) != 0;
                dynamic.pie_flag |= value & u64::from(elf::DF_1_PIE) != 0;
            }
            elf::DT_PLTRELSZ => dynamic.lazy_bytes = value,
            _ => {}
        }
    }
    Ok(dynamic)
}

/// The string of a dynamic entry, found through `DT_STRTAB` as a loader finds it.
fn text_at<Elf: FileHeader<Endian = Endianness>>(
    header: &Elf,
    endian: Endianness,
    entries: &[Elf::Dyn],
    offset: u64,
    bytes: &[u8],
) -> Result<String, ImageError> {
    let table = entries.iter().find(|entry| entry.tag(endian) == elf::DT_STRTAB);
    let address = table.map_or(0, |entry| entry.val(endian)).saturating_add(offset);
    for segment in header.program_headers(endian, bytes)? {
        if segment.p_type(endian) != elf::PT_LOAD {
            continue;
        }
        let start: u64 = segment.p_vaddr(endian).into();
        let (file_start, file_size) = segment.file_range(endian);
        let Some(inside) = address.checked_sub(start).filter(|inside| *inside < file_size) else { continue };
        let from = usize::try_from(file_start.saturating_add(inside)).unwrap_or(usize::MAX);
        let rest = bytes.get(from..).unwrap_or_default();
        let end = memchr::memchr(0, rest).unwrap_or(rest.len());
        return Ok(String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned());
    }
    // A name that no segment holds is still an entry that should not be there.
    Ok(String::from("?"))
}

fn read_sections<Elf: FileHeader<Endian = Endianness>>(
    header: &Elf,
    endian: Endianness,
    bytes: &[u8],
) -> Result<(Vec<Section>, Vec<Symbol>), ImageError> {
    let table = header.sections(endian, bytes)?;
    let mut sections = Vec::new();
    for section in table.iter() {
        let size: u64 = section.sh_size(endian).into();
        let flags: u64 = section.sh_flags(endian).into();
        let in_file = !matches!(section.sh_type(endian), elf::SHT_NOBITS | elf::SHT_NULL);
        sections.push(Section {
            name: String::from_utf8_lossy(table.section_name(endian, section)?).into_owned(),
            address: section.sh_addr(endian).into(),
            size,
            file_bytes: if in_file { size } else { 0 },
            allocated: flags & u64::from(elf::SHF_ALLOC) != 0,
            executable: flags & u64::from(elf::SHF_EXECINSTR) != 0,
        });
    }
    let arm = header.e_machine(endian) == elf::EM_ARM;
    let mut symbols = Vec::new();
    let mut file = None;
    let names = table.symbols(endian, bytes, elf::SHT_SYMTAB)?;
    for symbol in names.iter() {
        let name = String::from_utf8_lossy(symbol.name(endian, names.strings())?).into_owned();
        if symbol.st_type() == elf::STT_FILE {
            file = Some(name);
            continue;
        }
        let size: u64 = symbol.st_size(endian).into();
        let section = usize::from(symbol.st_shndx(endian));
        // Thread-local symbols have offsets, not addresses; sections without bytes weigh nothing.
        if size == 0 || symbol.st_type() == elf::STT_TLS || section == 0 || section >= sections.len() {
            continue;
        }
        let value: u64 = symbol.st_value(endian).into();
        // The lowest bit of an ARM function's address says "Thumb code", not where the function is.
        let thumb = u64::from(arm && symbol.st_type() == elf::STT_FUNC);
        let local = symbol.st_bind() == elf::STB_LOCAL;
        symbols.push(Symbol {
            name,
            address: value & !thumb,
            size,
            section,
            file: file.clone().filter(|_| local),
        });
    }
    Ok((sections, symbols))
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
