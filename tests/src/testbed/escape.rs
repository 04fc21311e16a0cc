//! Tries to get out of walls like those of the agent's processes, on a real host.

use std::path::PathBuf;

use super::{Testbed, target_directory};
use crate::agent_host::text;

/// Where the program that tries is put.
const ESCAPE: &str = "/usr/local/bin/secmon-escape";

impl Testbed {
    /// Runs the program that tries to get out of the walls, prints its table, and insists that nothing does. In a
    /// container, some of what is tried fails outside the walls as well, which the program says with its exit status 2.
    pub fn assert_nothing_escapes(&self) {
        self.push(&self.escape_program(), ESCAPE, "755");
        let output = self.attempt(&[ESCAPE]);
        println!("{:?}\n{}", self.guest(), text(&output.stdout));
        let good = if self.guest().is_machine() { [0, 0] } else { [0, 2] };
        let is_good = output.status.code().is_some_and(|code| good.contains(&code));
        assert!(is_good, "{}{}", text(&output.stdout), text(&output.stderr));
    }

    /// The same in a unit with the rules of the agent's, where more fails outside.
    pub fn assert_nothing_escapes_in_the_agents_unit(&self) {
        self.push(&self.escape_program(), ESCAPE, "755");
        let unit = "/etc/systemd/system/secmon-escape.service";
        self.shell(&format!(
            "sed -e 's|^ExecStart=.*|ExecStart={ESCAPE}|' -e 's/^Type=.*/Type=oneshot/' -e '/^Restart/d' \
             -e '/^NotifyAccess/d' -e '/^StateDirectory/d' -e '/^\\[Service\\]/a SuccessExitStatus=2' \
             /etc/systemd/system/secmon-agent.service >{unit} && systemctl daemon-reload"
        ));
        let started = self.attempt(&["systemctl", "start", "secmon-escape"]);
        let table = self.shell("journalctl --no-pager -o cat _COMM=secmon-escape");
        println!("{:?}, in a unit like the agent's\n{table}", self.guest());
        assert!(started.status.success(), "{table}{}", text(&started.stderr));
        assert!(table.contains(" 0 escaped, 0 broken"), "{table}");
    }

    fn escape_program(&self) -> PathBuf {
        let native = || target_directory().join("debug/examples/escape");
        let program = self.cross_program("secmon-escape").unwrap_or_else(native);
        assert!(
            program.is_file(),
            "{} is missing; build it with: cargo build --workspace --all-targets, or cross/build --escape {}",
            program.display(),
            self.guest().triple().unwrap_or_default()
        );
        program
    }
}
