//! What the agent weighs, in the builds that are there.

use anyhow::Result;

use super::stage::Stage;

pub(crate) fn measure(stage: &Stage) -> Result<()> {
    println!("\nSizes");
    let target = stage.programs.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let mut found = vec![target.join("agent")];
    if let Ok(entries) = std::fs::read_dir(target.join("cross")) {
        found.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
    }
    found.sort();
    let mut any = false;
    for directory in found {
        let path = directory.join("secmon-agent");
        if let Ok(metadata) = std::fs::metadata(&path) {
            any = true;
            println!("{}: {} bytes", path.strip_prefix(&target).unwrap_or(&path).display(), metadata.len());
        }
    }
    if !any {
        println!("no agent built for release here: cross/build x86_64-unknown-linux-musl");
    }
    Ok(())
}
