//! The tour: one approval that works, everything that is refused, and the audit log that shows it.

use std::path::Path;

use super::stage::{AGENT, CLIENT, OPERATOR, Stage};
use super::{DemoError, at};
use crate::approval::Operator;
use crate::dispatch::now;

/// Plays the tour; any step that doesn't go as it should ends it with an error.
pub(super) fn play(mut stage: Stage) -> Result<(), DemoError> {
    println!("secmon: a tour with a real agent, mutual TLS, and a real service in a throw-away directory.");
    let approved = approve(&stage)?;
    refuse(&stage, &approved)?;
    edit_manifest(&mut stage)?;
    tamper(&stage)?;
    println!("\nDone: one approval executed, everything else refused, every step in the audit log.");
    Ok(())
}

fn approve(stage: &Stage) -> Result<String, DemoError> {
    title("An approval restarts the service");
    let before = stage.service_pid()?;
    // The previous step's code is as good as the current one, which a later step of the tour uses.
    let line = stage.approval("restart-web", &stage.code(-1), now());
    say(stage, OPERATOR, &line, "approval", &["✓ succeeded", AGENT])?;
    let after = stage.service_pid()?;
    println!("  the service was process {before} and is process {after}");
    if before == after {
        return Err(DemoError::Unexpected {
            step: "approval",
            expected: "another process".to_owned(),
            found: after,
        });
    }
    Ok(line)
}

fn refuse(stage: &Stage, approved: &str) -> Result<(), DemoError> {
    let pid = stage.service_pid()?;
    title("The same line again");
    say(stage, OPERATOR, approved, "replay", &["rejected", "replay"])?;
    title("A line that is ten minutes old");
    let old = stage.approval("restart-web", &stage.code(0), now().saturating_sub(600));
    say(stage, OPERATOR, &old, "stale ts", &["rejected", "old"])?;
    title("A wrong code");
    let wrong = stage.approval("restart-web", &wrong_code(stage), now());
    say(stage, OPERATOR, &wrong, "wrong otp", &["rejected", "wrong otp"])?;
    title("An action that doesn't exist");
    let unknown = stage.approval("reboot-everything", &stage.code(0), now());
    say(stage, OPERATOR, &unknown, "unknown action", &["rejected", "unknown action"])?;
    title("Somebody else: no answer at all");
    let line = stage.approval("restart-web", &stage.code(0), now());
    println!("  666> {line}");
    let answer = stage.console(Operator(666), &[&line])?;
    if !answer.is_empty() {
        return Err(DemoError::Unexpected {
            step: "unknown sender",
            expected: "silence".to_owned(),
            found: answer,
        });
    }
    title("An action that the server's manifest doesn't list");
    let unlisted = stage.approval("restart-db", &stage.code(0), now());
    say(stage, OPERATOR, &unlisted, "unlisted action", &["rejected", "offers"])?;
    if stage.service_pid()? != pid {
        let expected = format!("process {pid}");
        return Err(DemoError::Unexpected { step: "refusals", expected, found: stage.service_pid()? });
    }
    Ok(())
}

fn edit_manifest(stage: &mut Stage) -> Result<(), DemoError> {
    title("A manifest edited on the server: the agent doesn't start");
    let path = stage.path("bundle").join("capabilities.manifest.json");
    let manifest = std::fs::read_to_string(&path).map_err(at("the manifest"))?;
    let edited = manifest.replace("lsws", "nginx");
    std::fs::write(&path, edited).map_err(at("the manifest"))?;
    let said = stage.restart_agent()?;
    expect("edited manifest", &said, &["not signed by this control plane"])
}

fn tamper(stage: &Stage) -> Result<(), DemoError> {
    title("The audit log");
    let path = stage.path("data").join("audit.jsonl");
    verify(stage, &path, "sound")?;
    title("One byte of it changed");
    let mut log = std::fs::read(&path).map_err(at("the audit log"))?;
    let line = 1 + log.iter().position(|byte| *byte == b'\n').unwrap_or_default();
    let at_byte = log
        .windows(9)
        .position(|window| window == b"\"operator")
        .and_then(|field| field.checked_add(12))
        .filter(|position| *position > line);
    if let Some(byte) = at_byte.and_then(|position| log.get_mut(position)) {
        *byte = if *byte == b'1' { b'2' } else { b'1' };
    }
    let copy = stage.path("tampered.jsonl");
    std::fs::write(&copy, log).map_err(at("the tampered log"))?;
    verify(stage, &copy, ":2:")
}

fn verify(stage: &Stage, path: &Path, expected: &str) -> Result<(), DemoError> {
    let said = stage.command(&["audit", "verify", &path.display().to_string()])?;
    expect("audit verify", &said, &[expected])
}

/// One line through the console, which has to be answered with all of these words.
fn say(
    stage: &Stage,
    operator: Operator,
    line: &str,
    step: &'static str,
    expected: &[&str],
) -> Result<(), DemoError> {
    println!("  {operator}> {line}");
    expect(step, &stage.console(operator, &[line])?, expected)
}

fn expect(step: &'static str, found: &str, expected: &[&str]) -> Result<(), DemoError> {
    for line in found.lines() {
        println!("  {line}");
    }
    match expected.iter().find(|word| !found.contains(**word)) {
        None => Ok(()),
        Some(word) => {
            Err(DemoError::Unexpected { step, expected: (*word).to_owned(), found: found.to_owned() })
        }
    }
}

fn title(text: &str) {
    println!("\n{text} ({CLIENT})");
}

/// Six digits that are none of the codes that are good now.
fn wrong_code(stage: &Stage) -> String {
    let good: Vec<String> = (-2..=2).map(|offset| stage.code(offset)).collect();
    ["000000", "111111", "222222", "333333", "444444", "555555"]
        .iter()
        .find(|code| !good.iter().any(|good| good == *code))
        .map_or_else(String::new, |code| (*code).to_owned())
}
