//! Journals as systemd lays them out, made here, and real ones where the testbed's hosts left some.
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_795_311_290;
const BUCKETS: u64 = 4;
const TABLE_AT: usize = 272;

/// Writes a journal with these entries.
fn journal(compact: bool, entries: &[(u64, Vec<&str>)]) -> Vec<u8> {
    let width = if compact { 4 } else { 8 };
    let payload = if compact { 72 } else { 64 };
    let mut out = vec![0_u8; TABLE_AT];
    out[..8].copy_from_slice(SIGNATURE);
    put32(&mut out, 12, KEYED_HASH | if compact { COMPACT } else { 0 });
    out[24..40].copy_from_slice(b"0123456789abcdef");
    let table = object(&mut out, 4, &[0; BUCKETS as usize * 16]) + 16;
    put64(&mut out, 104, table);
    put64(&mut out, 112, BUCKETS * 16);
    let mut known: Vec<(&str, usize, Vec<u64>)> = Vec::new();
    for (at, fields) in entries {
        let mut items = Vec::new();
        for field in fields {
            let place = match known.iter().position(|(content, ..)| content == field) {
                Some(place) => place,
                None => {
                    let mut body = vec![0; payload - 16];
                    body.extend_from_slice(field.as_bytes());
                    let data = object(&mut out, DATA, &body);
                    let hash = siphash24(*b"0123456789abcdef", field.as_bytes());
                    put64(&mut out, data + 16, hash);
                    link(&mut out, table + usize::try_from(hash % BUCKETS).expect("small") * 16, data);
                    known.push((field, data, Vec::new()));
                    known.len() - 1
                }
            };
            items.push(place);
        }
        let mut body = vec![0; 48];
        body[8..16].copy_from_slice(&(at * 1_000_000 + 5).to_le_bytes());
        for place in &items {
            let offset = known[*place].1 as u64;
            body.extend_from_slice(&offset.to_le_bytes()[..width]);
            body.extend(if compact { vec![] } else { vec![0; 8] });
        }
        let entry = object(&mut out, ENTRY, &body) as u64;
        items.iter().for_each(|place| known[*place].2.push(entry));
    }
    for (_, data, entries) in &known {
        put64(&mut out, data + 40, entries[0]);
        put64(&mut out, data + 56, entries.len() as u64);
        // Parts of four and then eight, the last one with room left.
        let mut link_at = data + 48;
        let mut rest = &entries[1..];
        let mut room = 4;
        while !rest.is_empty() {
            let mut body = vec![0; 8 + room * width];
            for (slot, entry) in rest.iter().take(room).enumerate() {
                body[8 + slot * width..][..width].copy_from_slice(&entry.to_le_bytes()[..width]);
            }
            let array = object(&mut out, ENTRY_ARRAY, &body);
            put64(&mut out, link_at, array as u64);
            link_at = array + 16;
            rest = &rest[room.min(rest.len())..];
            room *= 2;
        }
    }
    out
}

fn object(out: &mut Vec<u8>, kind: u8, body: &[u8]) -> usize {
    out.resize(out.len().next_multiple_of(8), 0);
    let at = out.len();
    out.extend_from_slice(&[kind, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&(16 + body.len() as u64).to_le_bytes());
    out.extend_from_slice(body);
    at
}

/// Puts a data object at the end of its chain.
fn link(out: &mut [u8], bucket: usize, data: usize) {
    let mut at = bucket;
    loop {
        match usize::try_from(field64(out, at)).expect("small") {
            0 => break put64(out, at, data as u64),
            next => at = next + 24,
        }
    }
}

fn put64(out: &mut [u8], at: usize, value: impl TryInto<u64>) {
    let value = value.try_into().unwrap_or_else(|_| panic!("a number"));
    out[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut [u8], at: usize, value: u32) {
    out[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn source(bytes: &[u8]) -> impl Fn(u64, &mut [u8]) -> Option<usize> + '_ {
    |at, out| {
        let rest = bytes.get(usize::try_from(at).ok()?..).unwrap_or_default();
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        Some(count)
    }
}

fn messages(bytes: &[u8], field: &str, since: u64, most: usize) -> Vec<(u64, String)> {
    let source = source(bytes);
    let mut journal = Journal::open(&source).expect("a journal");
    let entries = journal.newest(field, since, most).into_iter();
    entries.map(|entry| (entry.at, String::from_utf8_lossy(&entry.message).into_owned())).collect()
}

fn sample(compact: bool, count: u64) -> Vec<u8> {
    let texts: Vec<String> = (0..count).map(|n| format!("MESSAGE=number {n}")).collect();
    let entries: Vec<(u64, Vec<&str>)> = texts
        .iter()
        .zip(0..)
        .map(|(text, n)| {
            let unit = if n % 3 == 0 { "_SYSTEMD_UNIT=a.service" } else { "_SYSTEMD_UNIT=b.service" };
            (NOW + n, vec!["_HOSTNAME=host", unit, text.as_str()])
        })
        .collect();
    journal(compact, &entries)
}

#[test]
fn the_newest_messages_of_a_unit_are_read_in_both_layouts() {
    for compact in [false, true] {
        let bytes = sample(compact, 60);
        let all = messages(&bytes, "_SYSTEMD_UNIT=a.service", 0, 100);
        assert_eq!(all.len(), 20);
        assert_eq!(all[0], (NOW, "number 0".into()));
        assert_eq!(all[19], (NOW + 57, "number 57".into()));
        assert_eq!(
            messages(&bytes, "_SYSTEMD_UNIT=b.service", 0, 2),
            [(NOW + 58, "number 58".into()), (NOW + 59, "number 59".into())]
        );
        assert_eq!(messages(&bytes, "_SYSTEMD_UNIT=a.service", NOW + 54, 100).len(), 2);
        assert!(messages(&bytes, "_SYSTEMD_UNIT=c.service", 0, 100).is_empty());
    }
}

#[test]
fn a_compressed_or_missing_message_is_left_out() {
    let mut bytes = journal(
        false,
        &[
            (NOW, vec!["U=1", "MESSAGE=one"]),
            (NOW, vec!["U=1", "OTHER=two"]),
            (NOW, vec!["U=1", "MESSAGE=three"]),
        ],
    );
    let at = bytes.windows(11).position(|part| part == b"MESSAGE=one").expect("there") - 64;
    bytes[at + 1] = 4;
    assert_eq!(messages(&bytes, "U=1", 0, 9), [(NOW, "three".into())]);
}

#[test]
fn what_is_no_journal_or_an_old_one_is_told_apart() {
    let open = |bytes: &[u8]| Journal::open(&source(bytes)).map(|_| ()).expect_err("not readable");
    assert_eq!(open(b""), Unreadable::Broken);
    assert_eq!(open(&[0; 4096]), Unreadable::Broken);
    let mut bytes = sample(false, 3);
    put32(&mut bytes, 12, 0);
    assert_eq!(open(&bytes), Unreadable::Old);
    put32(&mut bytes, 12, KEYED_HASH | 1 << 9);
    assert_eq!(open(&bytes), Unreadable::Broken);
}

#[test]
fn lists_that_lead_in_circles_end() {
    let mut bytes = sample(false, 60);
    let objects = |bytes: &[u8], kind: u8| -> Vec<usize> {
        let is_one = |at: &usize| bytes[*at] == kind && (24..4096).contains(&field64(bytes, at + 8));
        (TABLE_AT..bytes.len() - 64).step_by(8).filter(is_one).collect()
    };
    // Each list of entries goes on where it began: what is in the object and in the first part is left.
    for at in objects(&bytes, ENTRY_ARRAY) {
        put64(&mut bytes, at + 16, at as u64);
    }
    assert_eq!(messages(&bytes, "_SYSTEMD_UNIT=a.service", 0, 100).len(), 5);
    // Each chain of data, too: what is not at its beginning is never reached.
    for at in objects(&bytes, DATA) {
        put64(&mut bytes, at + 24, at as u64);
    }
    assert!(messages(&bytes, "_SYSTEMD_UNIT=absent.service", 0, 100).is_empty());
}

proptest! {
    #[test]
    fn any_damage_ends_well(compact in any::<bool>(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let mut bytes = sample(compact, 30);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let source = source(&bytes);
        if let Ok(mut journal) = Journal::open(&source) {
            prop_assert!(journal.newest("_SYSTEMD_UNIT=a.service", 0, 50).len() <= 50);
        }
    }
}
