//! `agent.json`: who this agent is, where it listens, and where things are on this host.
//!
//! Everything else about an agent is signed by the control plane or fixed in the code.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secmon_sys::files::{FileProblem, Privacy, check_directory, read_small};
use secmon_wire::AgentId;
use serde::Deserialize;

/// Where the configuration is if nobody says otherwise.
pub(crate) const DEFAULT_PATH: &str = "/etc/secmon-agent/agent.json";

/// The network process's user if nobody says otherwise.
pub(crate) const NETWORK_USER: &str = "secmon-net";
/// The diagnostics process's.
pub(crate) const DIAGNOSTICS_USER: &str = "secmon-diag";

/// Bytes of `agent.json`.
const CONFIG_MAX: usize = 4096;

/// The configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// The file that it came from.
    pub(crate) path: PathBuf,
    pub(crate) agent_id: AgentId,
    pub(crate) listen: SocketAddr,
    pub(crate) service_manager: ManagerChoice,
    pub(crate) state: PathBuf,
    pub(crate) init_dir: PathBuf,
    pub(crate) run_dir: PathBuf,
    /// Whose rights the network process has.
    pub(crate) network_user: String,
    /// Whose rights the diagnostics process has.
    pub(crate) diagnostics_user: String,
}

/// Which service manager to speak to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ManagerChoice {
    /// The one that is found.
    #[default]
    Auto,
    Systemd,
    OpenRc,
    SysV,
    Procd,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(default)]
    agent_id: Option<&'a str>,
    #[serde(default)]
    listen: Option<&'a str>,
    #[serde(default)]
    service_manager: ManagerChoice,
    #[serde(default)]
    state: Option<&'a str>,
    #[serde(default)]
    init_dir: Option<&'a str>,
    #[serde(default)]
    run_dir: Option<&'a str>,
    #[serde(default)]
    network_user: Option<&'a str>,
    #[serde(default)]
    diagnostics_user: Option<&'a str>,
}

impl Config {
    /// Reads and checks the file.
    pub(crate) fn load(path: &Path) -> Result<Self, FileProblem> {
        let bytes = read_small(path, CONFIG_MAX, Privacy::Public)?;
        let config = Self::parse(path, &bytes).map_err(|what| {
            FileProblem::new(path, what, "correct it; `secmon-agent --help` lists the fields")
        })?;
        check_directory(config.directory())?;
        Ok(config)
    }

    /// The directory of the bundle.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, String> {
        let (fields, used) = serde_json_core::from_slice::<Fields<'_>>(bytes)
            .map_err(|e| {
                format!(
                    "is not one JSON object with the text fields agent_id, listen, service_manager, state, init_dir, \
                     run_dir, network_user and diagnostics_user and no others: {e}"
                )
            })?;
        if bytes.get(used..).is_some_and(|rest| !rest.trim_ascii().is_empty()) {
            return Err("has something behind the closing brace".into());
        }
        // The reader leaves escapes as they stand and lets control characters through: no name needs either.
        let plain = |text: &str| !text.contains(|c: char| c == '\\' || c.is_control());
        let absolute = |name: &str, given: Option<&str>, default: &str| {
            let text = given.unwrap_or(default);
            if Path::new(text).is_absolute() && plain(text) {
                Ok(PathBuf::from(text))
            } else {
                Err(format!("has a {name} that is not an absolute path"))
            }
        };
        let user = |name: &str, given: Option<&str>, default: &str| {
            let text = given.unwrap_or(default);
            if plain(text) {
                Ok(text.to_owned())
            } else {
                Err(format!("has a {name} that is no user's name"))
            }
        };
        Ok(Self {
            path: path.to_owned(),
            agent_id: AgentId::new(fields.agent_id.ok_or("has no agent_id")?)
                .ok_or("has an agent_id that is not of the form [a-z0-9][a-z0-9-]{0,31}")?,
            listen: fields
                .listen
                .ok_or("has no listen")?
                .parse()
                .map_err(|_| "has a listen that is not ADDRESS:PORT")?,
            service_manager: fields.service_manager,
            state: absolute("state", fields.state, "/var/lib/secmon-agent/state")?,
            init_dir: absolute("init_dir", fields.init_dir, "/etc/init.d")?,
            run_dir: absolute("run_dir", fields.run_dir, "/run")?,
            network_user: user("network_user", fields.network_user, NETWORK_USER)?,
            diagnostics_user: user("diagnostics_user", fields.diagnostics_user, DIAGNOSTICS_USER)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("/etc/secmon-agent/agent.json"), text.as_bytes())
    }

    #[test]
    fn two_fields_are_enough_and_the_rest_has_defaults() {
        let config =
            parse("{ \"agent_id\": \"web1\",\n \"listen\": \"0.0.0.0:7443\" }\n").expect("a configuration");
        assert_eq!(config.service_manager, ManagerChoice::Auto);
        assert_eq!(config.state, Path::new("/var/lib/secmon-agent/state"));
        assert_eq!(config.init_dir, Path::new("/etc/init.d"));
        assert_eq!(config.run_dir, Path::new("/run"));
        assert_eq!(config.directory(), Path::new("/etc/secmon-agent"));
    }

    #[test]
    fn every_field_can_be_given() {
        for (name, choice) in [
            ("auto", ManagerChoice::Auto),
            ("systemd", ManagerChoice::Systemd),
            ("openrc", ManagerChoice::OpenRc),
            ("sysv", ManagerChoice::SysV),
            ("procd", ManagerChoice::Procd),
        ] {
            let config = parse(&format!(
                r#"{{"agent_id":"w","listen":"[::1]:0","service_manager":"{name}","state":"/s","init_dir":"/i","run_dir":"/r"}}"#
            ))
            .expect("a configuration");
            assert_eq!(config.service_manager, choice);
            assert_eq!(
                (config.state.as_path(), config.init_dir.as_path()),
                (Path::new("/s"), Path::new("/i"))
            );
        }
    }

    #[test]
    fn what_is_unknown_missing_doubled_or_wrong_is_refused() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"agent_id":"web1"}"#,
            r#"{"listen":"0.0.0.0:1"}"#,
            r#"{"agent_id":"web1","listen":"0.0.0.0:1","shell":"/bin/sh"}"#,
            r#"{"agent_id":"web1","agent_id":"web2","listen":"0.0.0.0:1"}"#,
            r#"{"agent_id":"Web1","listen":"0.0.0.0:1"}"#,
            r#"{"agent_id":"web1","listen":"0.0.0.0"}"#,
            r#"{"agent_id":"web1","listen":"example.org:1"}"#,
            r#"{"agent_id":"web1","listen":"0.0.0.0:1","state":"state"}"#,
            r#"{"agent_id":"web1","listen":"0.0.0.0:1","init_dir":"/a\\b"}"#,
            r#"{"agent_id":"web1","listen":"0.0.0.0:1","service_manager":"runit"}"#,
            r#"{"agent_id":"web1","listen":"0.0.0.0:1","network_user":"secmon\u002dnet"}"#,
            r#"{"agent_id":"web1","listen":"0.0.0.0:1","diagnostics_user":"secmon\u002ddiag"}"#,
            "{\"agent_id\":\"web1\",\"listen\":\"0.0.0.0:1\",\"state\":\"/a\nb\"}",
            r#"{"agent_id":"web1","listen":"0.0.0.0:1"} {}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(r#"{"agent_id":"web1","listen":"0.0.0.0:1"}"#).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics_the_parser(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
