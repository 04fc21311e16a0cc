//! Writes a sound chain of N records to standard output, to measure the verifier with:
//!
//! ```text
//! cargo run --release --example audit_chain -- 1000000 > chain.jsonl
//! ```

use std::io::{self, BufWriter, Write};

use secmon_control::audit::{Head, Record, seal};

fn main() -> io::Result<()> {
    let count = match std::env::args().nth(1).as_deref().map(str::parse::<u64>) {
        Some(Ok(count)) => count,
        _ => return Err(io::Error::other("usage: audit_chain COUNT > chain.jsonl")),
    };
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut head = Head::START;
    for number in 0..count {
        let (line, sealed) = seal(head, record(number));
        out.write_all(&line)?;
        head = sealed.head();
    }
    out.flush()
}

/// Records as an approval leaves them, of the usual kinds and lengths.
fn record(number: u64) -> Record {
    let ts = 1_767_225_600 + number;
    let nonce = format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    match number % 3 {
        0 => Record::new(ts, "intent")
            .with("action", "restart-web")
            .with("agent_id", "web1")
            .with("client_id", "acme")
            .with("nonce", nonce)
            .with("operator", 4_242_424_242_u64)
            .with("via", "text"),
        1 => Record::new(ts, "outcome")
            .with("duration_ms", number % 3000)
            .with("exit", 0)
            .with("nonce", nonce)
            .with("reason", "")
            .with("state", "succeeded")
            .with("unit", "nginx"),
        _ => Record::new(ts, "rejected").with("gate", "ttl").with("operator", 4_242_424_242_u64).with(
            "reason",
            "the time stamp is 301 s old; at most 300 s are allowed: »/prepare« makes a new line",
        ),
    }
}
