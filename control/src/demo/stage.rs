//! The stage: a data directory made by the ordinary commands, an agent, a service under an init script.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{DemoError, at};
use crate::approval::{Operator, TotpSecret};
use crate::dispatch::now;

/// Who approves in the demonstration.
pub(super) const OPERATOR: Operator = Operator(1001);
/// For whom.
pub(super) const CLIENT: &str = "acme";
/// On which server.
pub(super) const AGENT: &str = "web1";
/// A unit of the table whose name collides with little else; it has no preflight.
const UNIT: &str = "lsws";
const PID_FILE: &str = "lshttpd.pid";
/// RFC 6238's own test secret: in a demonstration it protects nothing.
const TOTP: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// Everything that a demonstration started. Dropping it stops and removes all of it.
pub(super) struct Stage {
    directory: PathBuf,
    program: PathBuf,
    agent_program: PathBuf,
    agent: Option<Child>,
}

impl Stage {
    /// Sets everything up.
    pub(super) fn set(agent_program: Option<PathBuf>) -> Result<Self, DemoError> {
        let program = std::env::current_exe().map_err(at("this program"))?;
        let agent_program = find_agent(agent_program, &program).ok_or(DemoError::NoAgent)?;
        let directory = std::env::temp_dir().join(format!("secmon-demo-{}-{}", std::process::id(), now()));
        std::fs::create_dir(&directory).map_err(at(directory.display().to_string()))?;
        let mut stage = Self { directory, program, agent_program, agent: None };
        stage.start_service()?;
        let address = free_address()?;
        stage.command(&["init"])?;
        stage.command(&["client", "add", CLIENT])?;
        let allow = format!("restart-web={UNIT}");
        // The bundle is for a host; here the host is a directory.
        let places =
            ["bundle", "agent.state", "init.d", "run"].map(|name| stage.path(name).display().to_string());
        let [bundle, state, init_dir, run_dir] = places.each_ref().map(String::as_str);
        stage.command(&[
            "agent",
            "add",
            CLIENT,
            AGENT,
            "--address",
            &address,
            "--allow",
            &allow,
            "--service-manager",
            "sysv",
            "--state",
            state,
            "--init-dir",
            init_dir,
            "--run-dir",
            run_dir,
            "--out",
            bundle,
        ])?;
        stage.agent_command("init")?;
        stage.start_agent()?;
        Ok(stage)
    }

    /// A path on the stage.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The code of the step that is `offset` steps from now.
    pub(super) fn code(&self, offset: i64) -> String {
        let secret = TotpSecret::from_base32(TOTP);
        let time = now().saturating_add_signed(offset.saturating_mul(30));
        secret.map(|secret| secret.code_at(time)).unwrap_or_default()
    }

    /// The service's process id, as it says itself.
    pub(super) fn service_pid(&self) -> Result<String, DemoError> {
        let port = std::fs::read_to_string(self.path("service.port")).map_err(at("the service's port"))?;
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).map_err(at("the service"))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: demo\r\n\r\n").map_err(at("the service"))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(at("the service"))?;
        Ok(answer.split_whitespace().last().unwrap_or_default().to_owned())
    }

    /// What `secmon` prints when it is called like this, on both streams, whether it succeeds or not.
    pub(super) fn command(&self, args: &[&str]) -> Result<String, DemoError> {
        let output = self.secmon(args).stdin(Stdio::null()).output().map_err(at("secmon"))?;
        Ok(text(&output.stdout, &output.stderr))
    }

    /// What the console answers to these lines.
    pub(super) fn console(&self, operator: Operator, lines: &[&str]) -> Result<String, DemoError> {
        let mut child = self
            .secmon(&["console", "--as", &operator.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(at("secmon console"))?;
        if let Some(mut stdin) = child.stdin.take() {
            for line in lines {
                writeln!(stdin, "{line}").map_err(at("secmon console"))?;
            }
        }
        let output = child.wait_with_output().map_err(at("secmon console"))?;
        Ok(text(&output.stdout, &output.stderr))
    }

    /// Stops the agent and returns what it says when it is started again.
    pub(super) fn restart_agent(&mut self) -> Result<String, DemoError> {
        self.stop_agent();
        self.agent_command("run")
    }

    /// Hands the terminal to the console.
    pub(super) fn interact(self) -> Result<(), DemoError> {
        println!("The service: {}", self.service_pid()?);
        println!("The data directory: {}", self.path("data").display());
        println!(
            "You are operator {OPERATOR}. The one-time code is {} for the next seconds.\n",
            self.code(0)
        );
        println!("Write `/prepare restart-web {CLIENT}` and answer with the code, or paste this line:\n");
        println!("{}\n", self.approval("restart-web", &self.code(0), now()));
        println!("Ctrl-D ends the demonstration.\n");
        let mut console = self.secmon(&["console", "--as", &OPERATOR.to_string()]);
        let status = console.status().map_err(at("secmon console"))?;
        println!("\nThe service: {}", self.service_pid()?);
        print!("{}", self.command(&["audit", "verify"])?);
        if status.success() {
            Ok(())
        } else {
            Err(at("secmon console")(std::io::Error::other(status.to_string())))
        }
    }

    /// An approval line with a fresh nonce.
    pub(super) fn approval(&self, action: &str, code: &str, ts: u64) -> String {
        let nonce = u64::from_be_bytes(fresh_bytes());
        format!("APPROVE: {action} {CLIENT} otp={code} nonce={nonce:016x} ts={ts}")
    }

    fn secmon(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).env_clear();
        for name in ["PATH", "TERM", "HOME", "LANG"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
            .env("SECMON_DATA_DIR", self.path("data"))
            .env("SECMON_TELEGRAM_ALLOWED_USER_IDS", OPERATOR.to_string())
            .env("SECMON_TELEGRAM_TOTP_SECRET", TOTP)
            .env("SECMON_LOG", "error");
        command
    }

    fn start_service(&self) -> Result<(), DemoError> {
        let (init, run) = (self.path("init.d"), self.path("run"));
        for directory in [&init, &run] {
            std::fs::create_dir(directory).map_err(at(directory.display().to_string()))?;
        }
        let script = init.join(UNIT);
        std::fs::write(&script, self.init_script()).map_err(at("the init script"))?;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))
            .map_err(at("the init script"))?;
        let status = Command::new(&script).arg("start").status().map_err(at("the init script"))?;
        if status.success() {
            Ok(())
        } else {
            Err(at("the init script")(std::io::Error::other(status.to_string())))
        }
    }

    /// An init script as a small daemon's: it returns when the service listens or is gone.
    fn init_script(&self) -> String {
        let (program, pid) = (self.program.display(), self.path("run").join(PID_FILE).display().to_string());
        let port = self.path("service.port").display().to_string();
        format!(
            "#!/bin/sh\n\
             alive() {{ [ -s '{pid}' ] && kill -0 \"$(cat '{pid}')\" 2>/dev/null; }}\n\
             start() {{\n\
             \trm -f '{pid}'\n\
             \tsetsid '{program}' demo --service-pid-file '{pid}' --service-port-file '{port}' </dev/null >/dev/null 2>&1 &\n\
             \tn=0; until alive || [ $n -ge 100 ]; do n=$((n+1)); sleep 0.1; done\n\
             \talive\n\
             }}\n\
             stop() {{\n\
             \talive || return 0; p=$(cat '{pid}'); kill \"$p\"\n\
             \tn=0; while kill -0 \"$p\" 2>/dev/null && [ $n -lt 100 ]; do n=$((n+1)); sleep 0.1; done\n\
             \trm -f '{pid}'\n\
             }}\n\
             case $1 in\n\
             start) start ;;\n\
             stop) stop ;;\n\
             restart) stop; start ;;\n\
             status) alive ;;\n\
             *) exit 2 ;;\n\
             esac\n"
        )
    }

    fn agent_command(&self, verb: &str) -> Result<String, DemoError> {
        let output = self.agent(verb).stdin(Stdio::null()).output().map_err(at("secmon-agent"))?;
        Ok(text(&output.stdout, &output.stderr))
    }

    fn agent(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.agent_program);
        command.arg(verb).arg("--config").arg(self.path("bundle").join("agent.json"));
        command
    }

    fn start_agent(&mut self) -> Result<(), DemoError> {
        let mut child = self
            .agent("run")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(at("secmon-agent"))?;
        let stderr = child.stderr.take();
        self.agent = Some(child);
        let mut said = String::new();
        let mut lines = stderr.map(BufReader::new);
        while let Some(lines) = &mut lines {
            let read = lines.read_line(&mut said).map_err(at("secmon-agent"))?;
            if said.contains("listening on") {
                break;
            }
            if read == 0 {
                return Err(DemoError::Unexpected {
                    step: "secmon-agent run",
                    expected: "listening on".to_owned(),
                    found: said,
                });
            }
        }
        // Its later lines go nowhere, but the pipe must not fill up.
        if let Some(mut lines) = lines {
            std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        }
        Ok(())
    }

    fn stop_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            // It may have ended by itself.
            let _killed = agent.kill();
            let _status = agent.wait();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop_agent();
        let script = self.path("init.d").join(UNIT);
        // What can't be stopped or removed is in the system's temporary directory.
        let _stopped = Command::new(script).arg("stop").process_group(0).status();
        let _removed = std::fs::remove_dir_all(&self.directory);
    }
}

fn find_agent(named: Option<PathBuf>, program: &Path) -> Option<PathBuf> {
    let beside = program.with_file_name("secmon-agent");
    let searched = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&searched).map(|directory| directory.join("secmon-agent"));
    named.into_iter().chain([beside]).chain(in_path).find(|path| path.is_file())
}

fn free_address() -> Result<String, DemoError> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(at("a free port"))?;
    listener.local_addr().map(|address| address.to_string()).map_err(at("a free port"))
}

fn text(stdout: &[u8], stderr: &[u8]) -> String {
    format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}

fn fresh_bytes() -> [u8; 8] {
    let mut bytes = [0; 8];
    if ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).is_err() {
        bytes = now().to_be_bytes();
    }
    bytes
}
