//! What a control plane leaves behind: its audit records, and what must hold of all that it wrote.

use std::fs;
use std::path::{Path, PathBuf};

use secmon_control::config::{DataKeys, Secret};
use serde_json::Value;

use super::{Plane, TOTP_SECRET, assert_sound_chain};
use crate::agent_host::until;

impl Plane {
    /// Every audit record.
    pub fn audit(&self) -> Vec<Value> {
        self.audit_from(0)
    }

    /// The audit records since the last call.
    pub fn new_audit(&mut self) -> Vec<Value> {
        let new = self.audit_from(self.audited);
        self.audited += new.len();
        new
    }

    fn audit_from(&self, first: usize) -> Vec<Value> {
        let log = fs::read_to_string(self.data("audit.jsonl")).expect("an audit log");
        // A last line without its end is being written just now.
        let lines = log.split_inclusive('\n').filter(|line| line.ends_with('\n')).skip(first);
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// The audit records of one kind.
    pub fn events(&self, event: &str) -> Vec<Value> {
        self.audit().into_iter().filter(|record| record["event"] == event).collect()
    }

    /// Waits until there are `count` records of one kind; all of them.
    pub fn wait_events(&self, event: &str, count: usize) -> Vec<Value> {
        until(&format!("{count} audit records {event}"), || {
            Some(self.events(event)).filter(|events| events.len() >= count)
        })
    }

    /// The receipt in the last outcome.
    pub fn last_receipt(&self) -> Value {
        let outcome = self.events("outcome").pop().expect("an outcome");
        let receipt = outcome["receipt"].as_str().unwrap_or_else(|| panic!("no receipt: {outcome}"));
        serde_json::from_str(receipt).expect("JSON")
    }

    /// What holds after every test: the chain is sound, no request broke the specification, no secret leaked.
    pub fn finish(&mut self) {
        if self.serve.is_some() {
            self.stop();
        }
        assert_sound_chain(&self.data("audit.jsonl"));
        self.telegram.assert_no_violations();
        self.assert_no_leaks();
    }

    /// The keys that credentials are encrypted with.
    pub fn data_keys(&self) -> DataKeys {
        let settings = fs::read_to_string(self.data("secmon.env")).expect("settings");
        let key = settings.lines().find_map(|line| line.strip_prefix("SECMON_DATA_KEY="));
        let key = key.unwrap_or_else(|| panic!("no data key in {settings}")).trim_matches(['"', '\'']);
        DataKeys::new(&Secret::new(key.to_owned())).expect("a data key")
    }

    /// Looks for secrets in everything that was written.
    fn assert_no_leaks(&self) {
        let settings = fs::read_to_string(self.data("secmon.env")).expect("settings");
        let made = ["SECMON_MANIFEST_SECRET", "SECMON_DATA_KEY"].map(|name| {
            let found = settings.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("no {name} in {settings}")).trim_matches(['"', '\'']).to_owned()
        });
        let token = self.telegram.token();
        let password = token.split_once(':').expect("a token").1;
        let secrets = [password, TOTP_SECRET, &made[0], &made[1]];
        let mut places: Vec<(String, Vec<u8>)> = files_under(self.dir.path())
            .into_iter()
            .filter(|path| !path.ends_with("secmon.env"))
            .map(|path| (path.display().to_string(), fs::read(&path).unwrap_or_default()))
            .collect();
        let said: Vec<_> = self.telegram.sent().iter().map(|sent| sent.first.raw.clone()).collect();
        places.push(("a message".to_owned(), said.join("\n").into_bytes()));
        for (place, content) in &places {
            for secret in secrets {
                let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{place} holds a secret");
            }
        }
    }
}

fn files_under(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let entry = entry.expect("an entry");
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            files.extend(files_under(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files
}
