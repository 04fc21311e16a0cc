//! `run` and `init`: puts the two sides together and lets them work.

use std::fmt::Display;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixDatagram;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use secmon_sys::clock::wall_seconds;
use secmon_sys::files::{FileProblem, check_directory};
use secmon_sys::process::keep_children_waitable;
use secmon_sys::state_file::{PAYLOAD_MAX, StateFile};

use crate::bundle::{self, Findings};
use crate::config::Config;
use crate::monitor::{Monitor, Services, Stop, WAITERS_MAX};
use crate::net::{CONNECTIONS_MAX, Network};
use crate::state::State;
use crate::state_codec::{ENCODED_MAX, decode, encode};

/// Bytes of stack for the acting side: several times what its deepest call needs.
const ACTING_STACK: usize = 1024 * 1024;

const _: () = assert!(WAITERS_MAX >= CONNECTIONS_MAX, "every connection can wait for an operation");

/// Serves until something stops it; what that was.
pub(crate) fn run(config: &Path) -> String {
    match start(config) {
        Ok(never) => match never {},
        Err(problem) => problem,
    }
}

/// Makes the state file; the line to print.
pub(crate) fn init(config: &Path) -> Result<String, String> {
    let config = Config::load(config).map_err(text)?;
    if let Some(directory) = config.state.parent().filter(|directory| !directory.exists()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|e| text(FileProblem::new(directory, e.to_string(), "make this directory")))?;
    }
    let mut out = Box::new([0; ENCODED_MAX]);
    let payload = encode(&State::new(config.agent_id.clone()), &mut out).unwrap_or_default();
    StateFile::create(&config.state, payload).map_err(text)?;
    Ok(format!("made {} for {}\n", config.state.display(), config.agent_id))
}

fn start(config: &Path) -> Result<std::convert::Infallible, String> {
    keep_children_waitable();
    let config = Config::load(config).map_err(text)?;
    let mut findings = Findings::default();
    let bundle = bundle::load(&config, wall_seconds(), &mut findings);
    let Some(bundle) = bundle else {
        return Err(findings
            .fatal
            .first()
            .map_or_else(|| "the bundle is incomplete".into(), ToString::to_string));
    };
    for note in &findings.notes {
        say(note);
    }
    let (file, state) = open_state(&config).map_err(text)?;
    let (network_end, acting_end) = UnixDatagram::pair().map_err(text)?;
    let network = Network::bind(config.listen, network_end, bundle.network).map_err(|e| {
        format!(
            "{}: can't listen on {}: {e}; free the port or change it",
            config.path.display(),
            config.listen
        )
    })?;
    let address = network.address().map_err(text)?;
    let services = Services::find(&config);
    let monitor = Monitor::new(acting_end, bundle.acting, file, state, services).map_err(text)?;
    // The acting side's end is the whole process's end: without it nothing here is of use.
    std::thread::Builder::new()
        .name("acting".into())
        .stack_size(ACTING_STACK)
        .spawn(move || {
            // Also after a panic, where those unwind: the network side alone would be up and of no use.
            let stop = std::panic::catch_unwind(AssertUnwindSafe(|| monitor.run()));
            if let Ok(stop) = stop {
                say(&stop.to_string());
            }
            std::process::exit(1)
        })
        .map_err(text)?;
    say(&format!("listening on {address} as {}", config.agent_id));
    Err(format!("the acting side is gone: {}", network.run()))
}

/// Opens the state and checks that it is this agent's.
fn open_state(config: &Config) -> Result<(StateFile, Box<State>), FileProblem> {
    if let Some(directory) = config.state.parent().filter(|directory| directory.exists()) {
        check_directory(directory)?;
    }
    let opened = StateFile::open(&config.state)?;
    let state = read_state(config, &opened.payload)?;
    if opened.damaged_slot {
        say(&format!("{}: one slot was cut short in writing; the other one stands", config.state.display()));
    }
    Ok((opened.file, Box::new(state)))
}

/// The state in `payload`, if it is one, and of this agent.
pub(crate) fn read_state(config: &Config, payload: &[u8]) -> Result<State, FileProblem> {
    debug_assert!(payload.len() <= PAYLOAD_MAX);
    let problem = |what: String| {
        FileProblem::new(
            &config.state,
            what,
            "run the version of the agent, with the agent_id, that wrote it",
        )
    };
    let state =
        decode(payload).ok_or_else(|| problem("was written by another version of the agent".into()))?;
    if state.agent_id != config.agent_id {
        return Err(problem(format!("is the state of the agent {}", state.agent_id)));
    }
    Ok(state)
}

fn text(problem: impl Display) -> String {
    problem.to_string()
}

fn say(line: &str) {
    let _nobody_listens = writeln!(std::io::stderr(), "secmon-agent: {line}");
}

impl Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::State(problem) => write!(f, "stopped, because nothing runs without a record: {problem}"),
            Self::NetworkGone => f.write_str("stopped: the network side is gone"),
            Self::BadState => f.write_str("stopped: the state holds an operation that is none"),
            Self::NoProc => f.write_str("stopped: /proc doesn't show our own processes ; mount it"),
        }
    }
}
