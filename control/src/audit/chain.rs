//! The hash chain, pure: a head and a record in, a line and the next head out.
//!
//! It knows no file and no clock, and it never decides whether a line is durable.

use secmon_wire::Hash;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::canonical::write_object;
use super::record::Record;

/// Where a chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The sequence number of the last record; 0 before the first.
    pub seq: u64,
    /// The `record_hash` of the last record; `None` before the first, which is written as `""`.
    pub hash: Option<Hash>,
}

impl Head {
    /// The head of a chain without records.
    pub const START: Self = Self { seq: 0, hash: None };

    /// The hash as the next record's `prev_hash` has it.
    pub fn prev_hash(&self) -> String {
        self.hash.map_or_else(String::new, |hash| hash.to_string())
    }
}

/// A record's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its sequence number, from 1.
    pub seq: u64,
    /// Its `record_hash`.
    pub hash: Hash,
}

impl Sealed {
    /// The head of the chain that ends with this record.
    pub const fn head(self) -> Head {
        Head { seq: self.seq, hash: Some(self.hash) }
    }
}

/// The line of `record` (with its newline) as the next one after `head`, and its place there.
pub fn seal(head: Head, record: Record) -> (Vec<u8>, Sealed) {
    let mut fields = record.into_fields();
    let prev_hash = head.prev_hash();
    let seq = head.seq.saturating_add(1);
    fields.insert("seq".to_owned(), Value::from(seq));
    fields.remove("prev_hash");
    fields.remove("record_hash");
    let mut line = Vec::with_capacity(512);
    write_object(&mut line, &fields);
    let hash = record_hash(prev_hash.as_bytes(), &line);
    fields.insert("prev_hash".to_owned(), Value::from(prev_hash));
    fields.insert("record_hash".to_owned(), Value::from(hash.to_string()));
    line.clear();
    write_object(&mut line, &fields);
    line.push(b'\n');
    (line, Sealed { seq, hash })
}

/// SHA-256 over `prev_hash ‖ "|" ‖ canonical`.
pub fn record_hash(prev_hash: &[u8], canonical: &[u8]) -> Hash {
    let digest = Sha256::new().chain_update(prev_hash).chain_update(b"|").chain_update(canonical).finalize();
    Hash(digest.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python's json and hashlib.
    #[test]
    fn lines_are_what_an_independent_writer_writes() {
        let (first, sealed) = seal(Head::START, Record::new(1_767_225_600, "started").with("who", "é\n"));
        assert_eq!(String::from_utf8(first).expect("UTF-8"), PYTHON_FIRST);
        let (second, sealed) = seal(sealed.head(), Record::new(1_767_225_601, "stopped").with("code", -1));
        assert_eq!(String::from_utf8(second).expect("UTF-8"), PYTHON_SECOND);
        assert_eq!(sealed.seq, 2);
    }

    const PYTHON_FIRST: &str = concat!(
        r#"{"event":"started","prev_hash":"","#,
        r#""record_hash":"220de11c68381d50ead561f5748d0a4ae60f701ca5180cb440dd558981790036","seq":1,"ts":1767225600,"who":"é\n"}"#,
        "\n",
    );
    const PYTHON_SECOND: &str = concat!(
        r#"{"code":-1,"event":"stopped","prev_hash":"220de11c68381d50ead561f5748d0a4ae60f701ca5180cb440dd558981790036","#,
        r#""record_hash":"9e93d54660552f59c0bf110d551510baf679b9b8031a187c37205ad4a676d79c","seq":2,"ts":1767225601}"#,
        "\n",
    );
}
