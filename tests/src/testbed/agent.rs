//! The agent on a real host, set up as `secmon agent add` says that one does it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Guest, Testbed, target_directory};
use crate::agent_host::{Answer, binary, text, until};
use crate::plane::Plane;

/// Where the agent listens.
pub const PORT: u16 = 7443;

impl Testbed {
    /// Makes this host web1 of the client acme, with an agent that may restart these units, each at most every
    /// three seconds, and returns once the agent listens.
    pub fn install_agent(&self, plane: &Plane, operations: &[(&str, &str)]) {
        let operations: Vec<_> = operations.iter().map(|(action, unit)| (*action, *unit, 3)).collect();
        self.install_agent_with_intervals(plane, &operations);
    }

    /// Has the control plane sign another manifest, changed by `change`, and starts the agent anew with it.
    pub fn change_manifest(&self, plane: &Plane, change: impl FnOnce(&mut serde_json::Value)) {
        let installed = "/etc/secmon-agent/capabilities.manifest.json";
        let mut body = serde_json::from_str(&self.shell(&format!("cat {installed}"))).expect("JSON");
        change(&mut body);
        let (draft, signed) = (plane.at("draft.json"), plane.at("signed.json"));
        std::fs::write(&draft, body.to_string()).expect("a written file");
        let manifest = plane.secmon(&["manifest", "sign", draft.to_str().expect("a plain path")]);
        std::fs::write(&signed, manifest).expect("a written file");
        self.push(&signed, installed, "644");
        self.shell("systemctl restart secmon-agent");
    }

    /// The same with a minimum interval for each operation, in seconds.
    pub fn install_agent_with_intervals(&self, plane: &Plane, operations: &[(&str, &str, u32)]) {
        let program = self.agent_program();
        self.push(&program, "/usr/local/bin/secmon-agent", "755");
        self.push(&packed_bundle(plane, self, operations), "/root/bundle.tar", "600");
        self.shell(
            "mkdir -m 700 /etc/secmon-agent /var/lib/secmon-agent && \
             tar -x --no-same-owner -C /etc/secmon-agent -f /root/bundle.tar && rm /root/bundle.tar && \
             for user in secmon-net secmon-diag; do \
             useradd --system --no-create-home --shell /usr/sbin/nologin $user || exit 1; done && \
             secmon-agent init",
        );
        self.start_agent();
    }

    /// curl as the control plane, with more arguments; panics without an HTTP answer.
    pub fn curl(&self, plane: &Plane, arguments: &[&str], path: &str) -> Answer {
        let name = "web1.agent.secmon.internal";
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--max-time", "100", "--noproxy", "*"]);
        for (option, file) in [("--cacert", "ca.pem"), ("--cert", "control.pem"), ("--key", "control.key")] {
            curl.arg(option).arg(plane.data(file));
        }
        curl.args(["--resolve", &format!("{name}:{PORT}:{}", self.address())]).args(arguments);
        curl.arg(format!("https://{name}:{PORT}{path}")).stdin(Stdio::null());
        let output = curl.output().expect("curl runs");
        let answer = Answer::first(&output.stdout).map(|(answer, _)| answer);
        answer.unwrap_or_else(|| panic!("no answer: {} {:?}", text(&output.stderr), text(&output.stdout)))
    }

    /// The released programs of another architecture, in `SECMON_CROSS_DIR` or where `cross/build` puts them.
    pub fn cross_program(&self, name: &str) -> Option<PathBuf> {
        let built = || target_directory().join("cross");
        let cross = std::env::var_os("SECMON_CROSS_DIR").map_or_else(built, PathBuf::from);
        self.guest().triple().map(|triple| cross.join(triple).join(name))
    }

    fn agent_program(&self) -> PathBuf {
        let Some(program) = self.cross_program("secmon-agent") else { return binary("secmon-agent") };
        assert!(
            program.is_file(),
            "{} is missing; build it with: cross/build {}",
            program.display(),
            self.guest().triple().unwrap_or_default()
        );
        program
    }

    fn start_agent(&self) {
        match self.guest() {
            Guest::Systemd
            | Guest::Apache
            | Guest::Bare
            | Guest::MySql
            | Guest::Amd64
            | Guest::Arm64
            | Guest::ArmHf => {
                self.exec(&["cp", "/etc/secmon-agent/secmon-agent.service", "/etc/systemd/system/"]);
                self.exec(&["systemctl", "enable", "--now", "secmon-agent"]);
            }
            Guest::OpenRc => {
                self.push(&init_script("openrc"), "/etc/init.d/secmon-agent", "755");
                self.exec(&["rc-service", "secmon-agent", "start"]);
            }
            Guest::SysV => {
                self.push(&init_script("sysv"), "/etc/init.d/secmon-agent", "755");
                self.exec(&["/etc/init.d/secmon-agent", "start"]);
            }
        }
        let listeners = format!("ss -Hltn sport = :{PORT}");
        until("the agent to listen", || (!self.shell(&listeners).is_empty()).then_some(()));
    }
}

fn init_script(manager: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testbed/agent").join(manager)
}

/// The bundle that the control plane makes for this host, as a tar archive.
fn packed_bundle(plane: &Plane, bed: &Testbed, operations: &[(&str, &str, u32)]) -> PathBuf {
    let (bundle, archive) = (plane.at("bundle"), plane.at("bundle.tar"));
    plane.client("acme");
    let mut command = plane.command();
    command.args(["agent", "add", "acme", "web1", "--address", &format!("{}:{PORT}", bed.address())]);
    command.arg("--out").arg(&bundle);
    if bed.guest().is_machine() {
        // qemu forwards from an address that the machine itself doesn't have.
        command.args(["--listen", &format!("0.0.0.0:{PORT}")]);
    }
    for (operation, unit, interval) in operations {
        command.args(["--allow", &format!("{operation}={unit}")]);
        command.args(["--min-interval", &format!("{operation}={interval}")]);
    }
    let output = command.output().expect("secmon runs");
    assert!(output.status.success(), "agent add: {}", text(&output.stderr));
    let tar = Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&bundle).arg(".").output();
    let tar = tar.expect("tar runs");
    assert!(tar.status.success(), "tar: {}", text(&tar.stderr));
    archive
}
