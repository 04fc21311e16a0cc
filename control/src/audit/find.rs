//! Finds intents in the log by their nonces, after a crash. One pass; only lines that hold a nonce are parsed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use memchr::memmem::Finder;
use secmon_wire::{AgentId, Hash, Nonce, Unit};
use serde::Deserialize;

use crate::cloudflare::LeaseId;

/// An intent in the log, and what the log says of its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number of the intent's record.
    pub seq: u64,
    /// Its record hash.
    pub hash: Hash,
    /// Who was to run it, if an agent was.
    pub agent: Option<AgentId>,
    /// On what.
    pub unit: Option<Unit>,
    /// What it was to arm, if it was that.
    pub lease: Option<LeaseId>,
    /// The envelope's time stamp.
    pub ts: u64,
    /// The final outcome in words, if one was recorded.
    pub outcome: Option<String>,
    /// Whether an unknown outcome was recorded.
    pub told_unknown: bool,
}

#[derive(Deserialize)]
struct Line {
    event: String,
    seq: u64,
    ts: u64,
    record_hash: String,
    agent: Option<String>,
    unit: Option<String>,
    lease: Option<String>,
    nonce: Option<String>,
    state: Option<String>,
    reason: Option<String>,
    #[serde(rename = "final")]
    is_final: Option<bool>,
}

/// The intents with these nonces. The chain was checked to its last line when the log was opened.
pub fn find_intents(path: &Path, nonces: &[Nonce]) -> io::Result<HashMap<Nonce, Found>> {
    let intent = Finder::new(b"\"event\":\"intent\"");
    let outcome = Finder::new(b"\"event\":\"outcome\"");
    let mut found = HashMap::new();
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(found);
        }
        let relevant = intent.find(&line).is_some() || outcome.find(&line).is_some();
        if !relevant {
            continue;
        }
        let line: Line = serde_json::from_slice(&line)?;
        let nonce = line.nonce.as_deref().and_then(Nonce::new).filter(|nonce| nonces.contains(nonce));
        if let Some(nonce) = nonce {
            note(&mut found, nonce, line)?;
        }
    }
}

fn note(found: &mut HashMap<Nonce, Found>, nonce: Nonce, line: Line) -> io::Result<()> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("record {} is damaged", line.seq));
    match line.event.as_str() {
        "intent" => {
            let intent = Found {
                seq: line.seq,
                hash: Hash::new(&line.record_hash).ok_or_else(damaged)?,
                agent: line
                    .agent
                    .as_deref()
                    .map(AgentId::new)
                    .map(|id| id.ok_or_else(damaged))
                    .transpose()?,
                unit: line.unit.as_deref().map(Unit::new).map(|unit| unit.ok_or_else(damaged)).transpose()?,
                lease: line.lease.as_deref().and_then(LeaseId::new),
                ts: line.ts,
                outcome: None,
                told_unknown: false,
            };
            found.insert(nonce, intent);
        }
        "outcome" => {
            let Some(intent) = found.get_mut(&nonce) else { return Err(damaged()) };
            let state = line.state.clone().unwrap_or_default();
            match line.is_final {
                Some(true) => {
                    let reason = line.reason.as_deref().filter(|reason| !reason.is_empty());
                    intent.outcome =
                        Some(reason.map_or_else(|| state.clone(), |reason| format!("{state}: {reason}")));
                }
                _ => intent.told_unknown = true,
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether any line of the log holds this text.
pub fn holds_text(path: &Path, text: &str) -> io::Result<bool> {
    let finder = Finder::new(text.as_bytes());
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(false);
        }
        if finder.find(&line).is_some() {
            return Ok(true);
        }
    }
}
