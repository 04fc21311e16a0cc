//! One-time codes by pyotp, which shares no code with what is tested.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = "import pyotp,sys
codes=pyotp.TOTP(sys.argv[1])
for line in sys.stdin: print(codes.at(int(line)),flush=True)";

/// A Python process that answers a time with its code.
#[derive(Debug)]
pub struct Codes {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Codes {
    /// Codes of this secret (base32).
    pub fn new(secret: &str) -> Self {
        let mut command = python();
        command.args(["-c", SCRIPT, secret]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 runs");
        let stdin = child.stdin.take().expect("a piped stdin");
        let stdout = BufReader::new(child.stdout.take().expect("a piped stdout"));
        Self { child, stdin, stdout }
    }

    /// The code of a time, in seconds since the epoch.
    pub fn at(&mut self, seconds: u64) -> String {
        writeln!(self.stdin, "{seconds}").expect("python3 reads (pip install -r tests/requirements.txt)");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("python3 answers");
        let code = line.trim().to_owned();
        assert_eq!(code.len(), 6, "no code (pip install -r tests/requirements.txt): {code:?}");
        code
    }

    /// Six digits that are no code of any step near this time.
    pub fn wrong(&mut self, seconds: u64) -> String {
        let near: Vec<String> = (0..8).map(|step| self.at(seconds + 30 * step - 120)).collect();
        let free = (0..100).map(|number| format!("{number:06}")).find(|code| !near.contains(code));
        free.expect("eight codes leave some of a hundred free")
    }
}

/// Python with what `tests/install` installed beside the build, or else the system's.
fn python() -> Command {
    let test = std::env::current_exe().expect("a path of this program");
    let installed = test.ancestors().nth(3).expect("target/debug/deps/test").join("tests-venv/bin/python3");
    Command::new(if installed.is_file() { installed } else { "python3".into() })
}

impl Drop for Codes {
    fn drop(&mut self) {
        // Best effort: it ends by itself when its input does.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
