//! A data directory and an agent, made by the ordinary commands of the programs beside this one.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

pub(crate) struct Stage {
    pub(crate) programs: PathBuf,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) address: String,
    pub(crate) agent: Child,
}

impl Stage {
    /// With the programs of this directory.
    pub(crate) fn set(programs: &Path) -> Result<Self> {
        // Beside the programs, so that the disk measured is the one that is built on, not a memory disk.
        let directory = tempfile::Builder::new().prefix("figures-").tempdir_in(programs)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let secmon = |args: &[&str]| -> Result<()> {
            let output = Command::new(programs.join("secmon"))
                .args(args)
                .env("SECMON_DATA_DIR", path("data"))
                .output()
                .context("secmon: build it with `cargo build --release --workspace`")?;
            ensure!(output.status.success(), "secmon {args:?}: {}", String::from_utf8_lossy(&output.stderr));
            Ok(())
        };
        secmon(&["init"])?;
        secmon(&["client", "add", "acme"])?;
        secmon(&[
            "agent",
            "add",
            "acme",
            "web1",
            "--address",
            &address,
            "--allow",
            "restart-web=lsws",
            "--service-manager",
            "sysv",
            "--state",
            &path("state"),
            "--init-dir",
            &path("init.d"),
            "--run-dir",
            &path("run"),
            "--out",
            &path("bundle"),
        ])?;
        let agent_program = released_agent(programs).unwrap_or_else(|| programs.join("secmon-agent"));
        println!("agent: {}", agent_program.display());
        let agent = start_agent(&agent_program, &path("bundle/agent.json"))?;
        Ok(Self { programs: programs.to_owned(), directory, address, agent })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It is a child of this process; one that has ended can't be killed, and needn't be.
        let _killed = self.agent.kill();
        let _status = self.agent.wait();
    }
}

/// The agent as it is released, if `cross/build` has made it for this machine.
pub(crate) fn released_agent(programs: &Path) -> Option<PathBuf> {
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let agent = programs.parent()?.join("cross").join(triple).join("secmon-agent");
    agent.is_file().then_some(agent)
}

fn start_agent(program: &std::path::Path, config: &str) -> Result<Child> {
    let status = Command::new(program).args(["init", "--config", config]).status().context("secmon-agent")?;
    ensure!(status.success(), "secmon-agent init: {status}");
    let mut agent = Command::new(program)
        .args(["run", "--config", config])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(agent.stderr.take().context("no stderr")?);
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        ensure!(lines.read_line(&mut line)? > 0, "the agent ended before it listened");
    }
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    Ok(agent)
}
