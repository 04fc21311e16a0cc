//! What the agent weighs, in the builds that are there.

use anyhow::Result;

use super::stage::Stage;

/// DESIGN's hard cap and the users' promise, in bytes.
const CAP: u64 = 1_400_000;

pub(crate) fn measure(stage: &Stage) -> Result<()> {
    println!("\nSizes");
    let target = stage.programs.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let mut found = false;
    for build in ["agent", "x86_64-unknown-linux-musl/agent"] {
        let path = target.join(build).join("secmon-agent");
        if let Ok(metadata) = std::fs::metadata(&path) {
            found = true;
            let size = metadata.len();
            println!(
                "{build}/secmon-agent: {size} bytes, {} % of the cap of {CAP}",
                size.saturating_mul(100) / CAP
            );
        }
    }
    if !found {
        println!("no agent of the `agent` profile here: cargo build --profile agent -p secmon-agent");
    }
    Ok(())
}
