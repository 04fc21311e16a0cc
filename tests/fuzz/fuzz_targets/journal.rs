//! systemd's journals: however its places point to each other, reading one takes a bounded number of reads, and gives
//! no more, no longer and no older messages than were asked for.
#![no_main]

use std::cell::Cell;

use secmon_diag::journal::Journal;

/// Blocks of 4 KiB that one journal may cost, whatever is asked of it.
const READS: usize = 8192;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let reads = Cell::new(0);
    let source = |at: u64, out: &mut [u8]| {
        reads.set(reads.get() + 1);
        let rest = bytes.get(usize::try_from(at).ok()?..).unwrap_or_default();
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        Some(count)
    };
    let Ok(mut journal) = Journal::open(&source) else { return };
    for (field, since, most) in
        [("_SYSTEMD_UNIT=nginx.service", 0, 3), ("_SYSTEMD_UNIT=nginx.service", 1 << 30, 300)]
    {
        let messages = journal.newest(field, since, most);
        assert!(messages.len() <= most);
        for message in messages {
            assert!(message.at >= since && message.message.len() <= 600);
        }
    }
    assert!(reads.get() <= READS, "{} reads", reads.get());
});
