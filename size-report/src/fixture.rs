//! Small ELF files for the tests, with each property switched on or off.

use object::Endianness;
use object::build::elf::{Builder, Dynamic, SectionData, SectionId};
use object::elf;

/// What the file shall say of itself. The default is what a released binary says.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    pub(crate) is_64: bool,
    pub(crate) machine: u16,
    pub(crate) kind: u16,
    pub(crate) interpreter: bool,
    /// `None` leaves the dynamic section out.
    pub(crate) dynamic: Option<Vec<(i64, u64)>>,
    pub(crate) dynamic_strings: Vec<(i64, &'static str)>,
    pub(crate) relro: bool,
    pub(crate) stack: Option<u32>,
    pub(crate) load: u32,
    pub(crate) build_id: Option<Vec<u8>>,
    /// Name, kind, local, offset in `.text`, size.
    pub(crate) functions: Vec<(&'static str, u8, bool, u64, u64)>,
    /// Name, offset in `.rodata`, size.
    pub(crate) constants: Vec<(&'static str, u64, u64)>,
    pub(crate) text: usize,
    pub(crate) debug: bool,
}

impl Default for Fixture {
    fn default() -> Self {
        Self {
            is_64: true,
            machine: elf::EM_X86_64,
            kind: elf::ET_DYN,
            interpreter: false,
            dynamic: Some(vec![(elf::DT_FLAGS_1, u64::from(elf::DF_1_NOW | elf::DF_1_PIE))]),
            dynamic_strings: Vec::new(),
            relro: true,
            stack: Some(elf::PF_R | elf::PF_W),
            load: elf::PF_R | elf::PF_X,
            build_id: Some(vec![0xab; 20]),
            functions: Vec::new(),
            constants: Vec::new(),
            text: 256,
            debug: false,
        }
    }
}

/// Where the first section lies, behind all headers.
const START: u64 = 0x400;
pub(crate) const RODATA: usize = 128;
pub(crate) const UNWIND: usize = 48;
pub(crate) const RELOCATIONS: usize = 24;

impl Fixture {
    /// The bytes of the file.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut builder = Builder::new(Endianness::Little, self.is_64);
        builder.header.e_type = self.kind;
        builder.header.e_machine = self.machine;
        builder.header.e_phoff = builder.file_header_size() as u64;
        let exec = u64::from(elf::SHF_ALLOC | elf::SHF_EXECINSTR);
        let text = add(&mut builder, ".text", elf::SHT_PROGBITS, exec, vec![0x90; self.text]);
        let alloc = u64::from(elf::SHF_ALLOC);
        let rodata = add(&mut builder, ".rodata", elf::SHT_PROGBITS, alloc, vec![7; RODATA]);
        add(&mut builder, ".eh_frame", elf::SHT_PROGBITS, alloc, vec![0; UNWIND]);
        add(&mut builder, ".rela.dyn", elf::SHT_PROGBITS, alloc, vec![0; RELOCATIONS]);
        let note = self.build_id.as_ref().map(|id| {
            let head: Vec<u8> = [4, id.len() as u32, 3].iter().flat_map(|word| word.to_le_bytes()).collect();
            let bytes = [head.as_slice(), b"GNU\0", id].concat();
            add(&mut builder, ".note.gnu.build-id", elf::SHT_NOTE, alloc, bytes)
        });
        let interpreter = self
            .interpreter
            .then(|| add(&mut builder, ".interp", elf::SHT_PROGBITS, alloc, b"/lib/ld-musl.so\0".to_vec()));
        let dynamic = self.dynamic.as_ref().map(|entries| self.add_dynamic(&mut builder, entries));
        if self.debug {
            add(&mut builder, ".debug_info", elf::SHT_PROGBITS, 0, vec![1; 64]);
        }
        self.add_symbols(&mut builder, text, rodata);
        let names = builder.sections.add();
        names.name = b".shstrtab".as_slice().into();
        names.sh_type = elf::SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
        let end = place(&mut builder);
        self.add_segments(
            &mut builder,
            end,
            [(elf::PT_NOTE, note), (elf::PT_INTERP, interpreter), (elf::PT_DYNAMIC, dynamic)],
        );
        let mut bytes = Vec::new();
        builder.write(&mut bytes).unwrap();
        bytes
    }

    fn add_dynamic(&self, builder: &mut Builder<'_>, entries: &[(i64, u64)]) -> SectionId {
        let strings = builder.sections.add();
        strings.name = b".dynstr".as_slice().into();
        strings.sh_type = elf::SHT_STRTAB;
        strings.sh_flags = u64::from(elf::SHF_ALLOC);
        strings.sh_addralign = 1;
        strings.data = SectionData::DynamicString;
        let strings = strings.id();
        let named = self.dynamic_strings.iter();
        let mut all: Vec<Dynamic<'_>> = named
            .map(|(tag, text)| Dynamic::String { tag: *tag, val: text.as_bytes().to_vec().into() })
            .collect();
        all.extend(entries.iter().map(|(tag, val)| Dynamic::Integer { tag: *tag, val: *val }));
        all.push(Dynamic::Auto { tag: elf::DT_STRTAB });
        all.push(Dynamic::Integer { tag: elf::DT_NULL, val: 0 });
        let section = builder.sections.add();
        section.name = b".dynamic".as_slice().into();
        section.sh_type = elf::SHT_DYNAMIC;
        section.sh_flags = u64::from(elf::SHF_ALLOC | elf::SHF_WRITE);
        section.sh_addralign = 8;
        section.sh_link_section = Some(strings);
        section.data = SectionData::Dynamic(all);
        section.id()
    }

    fn add_symbols(&self, builder: &mut Builder<'_>, text: SectionId, rodata: SectionId) {
        if self.functions.is_empty() && self.constants.is_empty() {
            return;
        }
        for (name, data) in [(".strtab", SectionData::String), (".symtab", SectionData::Symbol)] {
            let section = builder.sections.add();
            section.name = name.as_bytes().to_vec().into();
            section.sh_type = if name == ".symtab" { elf::SHT_SYMTAB } else { elf::SHT_STRTAB };
            section.sh_addralign = 8;
            section.data = data;
        }
        for (name, kind, local, offset, size) in &self.functions {
            let symbol = builder.symbols.add();
            symbol.name = name.as_bytes().to_vec().into();
            symbol.set_st_info(if *local { elf::STB_LOCAL } else { elf::STB_GLOBAL }, *kind);
            if *kind == elf::STT_FILE {
                symbol.st_shndx = elf::SHN_ABS;
            } else {
                symbol.section = Some(text);
            }
            symbol.st_value = START + offset;
            symbol.st_size = *size;
        }
        let rodata_at = (START + self.text as u64).next_multiple_of(16);
        for (name, offset, size) in &self.constants {
            let symbol = builder.symbols.add();
            symbol.name = name.as_bytes().to_vec().into();
            symbol.set_st_info(elf::STB_GLOBAL, elf::STT_OBJECT);
            symbol.section = Some(rodata);
            symbol.st_value = rodata_at + offset;
            symbol.st_size = *size;
        }
    }

    fn add_segments(&self, builder: &mut Builder<'_>, end: u64, of_sections: [(u32, Option<SectionId>); 3]) {
        let mut segments = vec![(elf::PT_LOAD, self.load, 0, end)];
        for (kind, section) in of_sections {
            if let Some(id) = section {
                let section = builder.sections.get(id);
                segments.push((kind, elf::PF_R, section.sh_offset, section.sh_size));
            }
        }
        segments.extend(self.stack.map(|flags| (elf::PT_GNU_STACK, flags, 0, 0)));
        if self.relro {
            segments.push((elf::PT_GNU_RELRO, elf::PF_R, START, 16));
        }
        for (kind, flags, offset, size) in segments {
            let segment = builder.segments.add();
            segment.p_type = kind;
            segment.p_flags = flags;
            segment.p_offset = offset;
            segment.p_vaddr = offset;
            segment.p_filesz = size;
            segment.p_memsz = size;
            segment.p_align = if kind == elf::PT_NOTE { 4 } else { 16 };
        }
    }
}

fn add(builder: &mut Builder<'_>, name: &str, kind: u32, flags: u64, data: Vec<u8>) -> SectionId {
    let section = builder.sections.add();
    section.name = name.as_bytes().to_vec().into();
    section.sh_type = kind;
    section.sh_flags = flags;
    section.sh_addralign = 16;
    section.data = SectionData::Data(data.into());
    section.id()
}

/// Lays the loaded sections out one after the other and returns where they end.
fn place(builder: &mut Builder<'_>) -> u64 {
    builder.set_section_sizes();
    let mut offset = START;
    for section in &mut builder.sections {
        if section.is_alloc() {
            offset = offset.next_multiple_of(16);
            section.sh_offset = offset;
            section.sh_addr = offset;
            offset += section.sh_size;
        }
    }
    offset
}
