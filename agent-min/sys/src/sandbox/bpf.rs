//! Makes a seccomp filter (seccomp(2)) from a list of calls, while the compiler runs: the program is a
//! constant, and a mistake in a list is an error of the build.
//!
//! The filter is a row of comparisons: the calls in the order of their list, then the default. A call of
//! another architecture never gets that far. Comparing whole numbers also refuses x32 calls on x86-64: theirs
//! have a bit of their own, so they equal no entry.

use nix::libc::sock_filter;

/// One entry of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) number: u32,
    /// All must hold, or the entry is passed over.
    pub(super) checks: &'static [Check],
    pub(super) answer: Answer,
    /// Who makes this call, and why it may.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for those who read the list, and the test that it is there")
    )]
    pub(super) caller: &'static str,
}

/// What the kernel does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Allow,
    /// The call does nothing and returns this error.
    Errno(u16),
    KillProcess,
}

/// A condition on one argument: `argument & mask` is one of `any_of`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    argument: u8,
    width: Width,
    mask: u64,
    any_of: &'static [u64],
}

#[derive(Clone, Copy, Debug)]
enum Width {
    /// The kernel reads an `int`: it ignores the upper half of the register, and so must we.
    Int,
    /// The kernel reads a `long`: bits of the upper half count.
    Word,
}

impl Check {
    /// An `int` that is one of these.
    pub(super) const fn int(argument: u8, any_of: &'static [u64]) -> Self {
        Self { argument, width: Width::Int, mask: 0xffff_ffff, any_of }
    }

    /// An `int` that is one of these once the bits of `ignored` are cleared.
    pub(super) const fn int_without(argument: u8, ignored: u64, any_of: &'static [u64]) -> Self {
        Self { argument, width: Width::Int, mask: 0xffff_ffff & !ignored, any_of }
    }

    /// An `int` that has none of these bits.
    pub(super) const fn int_has_none(argument: u8, bits: u64) -> Self {
        Self { argument, width: Width::Int, mask: bits, any_of: &[0] }
    }

    /// A `long` that has no bits but these.
    pub(super) const fn word_has_only(argument: u8, bits: u64) -> Self {
        Self { argument, width: Width::Word, mask: !bits, any_of: &[0] }
    }

    /// A `long` of which the bits of `mask` are exactly `bits`.
    pub(super) const fn word_has(argument: u8, mask: u64, bits: &'static [u64; 1]) -> Self {
        Self { argument, width: Width::Word, mask, any_of: bits }
    }
}

// linux/bpf_common.h: 32-bit words, constants as operands.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
// Offsets in `struct seccomp_data`. All our targets are little-endian: the lower half comes first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;
const _: () = assert!(cfg!(target_endian = "little"));

/// A jump to the end of an entry whose length isn't known yet.
const TO_THE_END: u8 = u8::MAX;

/// A program with room to grow.
#[derive(Clone, Copy)]
pub(super) struct Assembly {
    code: [sock_filter; Self::ROOM],
    length: usize,
}

impl Assembly {
    const ROOM: usize = 512;

    /// The filter for calls of `architecture`: each list in turn, then `default`.
    pub(super) const fn of(architecture: u32, lists: &[&[Call]], default: Answer) -> Self {
        let nothing = sock_filter { code: 0, jt: 0, jf: 0, k: 0 };
        let mut program = Self { code: [nothing; Self::ROOM], length: 0 };
        program.push(LOAD, 0, 0, ARCHITECTURE);
        program.push(JUMP_IF_EQUAL, 1, 0, architecture);
        program.push(RETURN, 0, 0, Answer::KillProcess.code());
        program.push(LOAD, 0, 0, NUMBER);
        let mut list = 0;
        while list < lists.len() {
            let mut entry = 0;
            while entry < lists[list].len() {
                program.call(&lists[list][entry]);
                entry += 1;
            }
            list += 1;
        }
        program.push(RETURN, 0, 0, default.code());
        program
    }

    pub(super) const fn length(&self) -> usize {
        self.length
    }

    #[cfg(test)]
    pub(super) const fn room(&self) -> &[sock_filter] {
        &self.code
    }

    /// The program alone; `N` is its length.
    pub(super) const fn code<const N: usize>(&self) -> [sock_filter; N] {
        assert!(N == self.length);
        let mut code = [self.code[0]; N];
        let mut at = 0;
        while at < N {
            code[at] = self.code[at];
            at += 1;
        }
        code
    }

    const fn call(&mut self, call: &Call) {
        let start = self.length;
        self.push(JUMP_IF_EQUAL, 0, TO_THE_END, call.number);
        let mut at = 0;
        while at < call.checks.len() {
            self.check(&call.checks[at]);
            at += 1;
        }
        self.push(RETURN, 0, 0, call.answer.code());
        self.end_jumps(start);
        if !call.checks.is_empty() {
            // A failed check has left an argument where the next entry expects the number. That another
            // number passes here too only costs it one instruction.
            self.push(LOAD, 0, 0, NUMBER);
        }
    }

    /// Goes on if the check holds, else to the end of the entry.
    const fn check(&mut self, check: &Check) {
        assert!(check.argument < 6 && !check.any_of.is_empty());
        let lower = ARGUMENTS + 8 * check.argument as u32;
        if let Width::Word = check.width {
            assert!(check.any_of.len() == 1);
            self.push(LOAD, 0, 0, lower + 4);
            self.push(AND, 0, 0, (check.mask >> 32) as u32);
            self.push(JUMP_IF_EQUAL, 0, TO_THE_END, (check.any_of[0] >> 32) as u32);
        }
        self.push(LOAD, 0, 0, lower);
        self.push(AND, 0, 0, check.mask as u32);
        let mut left = check.any_of.len();
        while left > 0 {
            left -= 1;
            let otherwise = if left == 0 { TO_THE_END } else { 0 };
            self.push(JUMP_IF_EQUAL, left as u8, otherwise, check.any_of[left] as u32);
        }
    }

    /// Gives the jumps to the end, from `start` on, their distance.
    const fn end_jumps(&mut self, start: usize) {
        let mut at = start;
        while at < self.length {
            if self.code[at].jf == TO_THE_END {
                let distance = self.length - at - 1;
                assert!(distance < TO_THE_END as usize);
                self.code[at].jf = distance as u8;
            }
            at += 1;
        }
    }

    const fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) {
        self.code[self.length] = sock_filter { code, jt, jf, k };
        self.length += 1;
    }
}

impl Answer {
    /// linux/seccomp.h. A kernel before 4.14 takes KILL_PROCESS for KILL_THREAD, because it doesn't look at
    /// the highest bit.
    pub(super) const fn code(self) -> u32 {
        match self {
            Self::Allow => 0x7fff_0000,
            Self::Errno(errno) => 0x0005_0000 | errno as u32,
            Self::KillProcess => 0x8000_0000,
        }
    }
}

#[cfg(test)]
#[path = "bpf_tests.rs"]
pub(super) mod tests;
