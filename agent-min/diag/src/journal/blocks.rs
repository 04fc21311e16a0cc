//! A file, read in blocks of which the last ones are kept: a journal's entries share most of what they point to.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

/// What reads the file: fills the buffer from an offset on, and says how much there was.
pub type Source<'a> = &'a dyn Fn(u64, &mut [u8]) -> Option<usize>;

/// What is read at once, how much of it is kept, and how often there may be a read in one file.
const BLOCK: u64 = 4096;
const BLOCKS: usize = 32;
const READS_MAX: usize = 8192;
/// How often anything may be looked up in them: a few hundred messages take a tenth of it. Lists that overlap could
/// lead over the same blocks without an end.
const LOOKS_MAX: usize = 1 << 20;

/// Pieces of the file that were read last.
pub(super) struct Blocks<'a> {
    source: Source<'a>,
    kept: Vec<(u64, Vec<u8>)>,
    oldest: usize,
    reads_left: usize,
    looks_left: usize,
}

impl<'a> Blocks<'a> {
    pub(super) const fn new(source: Source<'a>) -> Self {
        Self { source, kept: Vec::new(), oldest: 0, reads_left: READS_MAX, looks_left: LOOKS_MAX }
    }

    /// So many bytes from an offset on; none if the file has less.
    pub(super) fn array<const N: usize>(&mut self, at: u64) -> Option<[u8; N]> {
        let mut out = [0; N];
        self.read(at, &mut out)?;
        Some(out)
    }

    /// Fills the buffer from an offset on.
    pub(super) fn read(&mut self, at: u64, out: &mut [u8]) -> Option<()> {
        let mut filled = 0;
        while filled < out.len() {
            let from = at.checked_add(u64::try_from(filled).ok()?)?;
            let block = from.checked_div(BLOCK)?;
            let inside = usize::try_from(from.checked_rem(BLOCK)?).ok()?;
            let bytes = self.block(block)?.get(inside..).filter(|bytes| !bytes.is_empty())?;
            let room = out.get_mut(filled..)?;
            let count = bytes.len().min(room.len());
            room.get_mut(..count)?.copy_from_slice(bytes.get(..count)?);
            filled = filled.checked_add(count)?;
        }
        Some(())
    }

    fn block(&mut self, number: u64) -> Option<&[u8]> {
        self.looks_left = self.looks_left.checked_sub(1)?;
        if let Some(known) = self.kept.iter().position(|(kept, _)| *kept == number) {
            return self.kept.get(known).map(|(_, bytes)| bytes.as_slice());
        }
        self.reads_left = self.reads_left.checked_sub(1)?;
        let mut bytes = vec![0; usize::try_from(BLOCK).ok()?];
        let count = (self.source)(number.checked_mul(BLOCK)?, &mut bytes)?;
        bytes.truncate(count);
        let slot = if self.kept.len() < BLOCKS {
            self.kept.push((number, bytes));
            self.kept.len().checked_sub(1)?
        } else {
            let slot = self.oldest;
            *self.kept.get_mut(slot)? = (number, bytes);
            self.oldest = slot.checked_add(1)?.checked_rem(BLOCKS)?;
            slot
        };
        self.kept.get(slot).map(|(_, bytes)| bytes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_to_an_end_though_all_is_kept() {
        let mut blocks = Blocks::new(&|_, out| Some(out.len()));
        let looks = (0..LOOKS_MAX + 9).take_while(|_| blocks.array::<8>(5) == Some([0; 8])).count();
        assert_eq!((looks, blocks.reads_left), (LOOKS_MAX, READS_MAX - 1));
    }
}
