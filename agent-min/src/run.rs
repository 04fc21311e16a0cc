//! `run` and `init`: loads everything, starts the network process, and becomes the monitor.

use std::ffi::CString;
use std::fmt::Display;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use secmon_sys::files::{FileProblem, check_directory, check_program};
use secmon_sys::process::keep_children_waitable;
use secmon_sys::role::End;
use secmon_sys::sandbox::{Strength, keep_memory_to_ourselves};
use secmon_sys::state_file::{PAYLOAD_MAX, StateFile};
use secmon_sys::wait::{Alone, pause};
use secmon_wire::Tuning;

use crate::areas::Areas;
use crate::bundle::{self, Findings, PublicFiles};
use crate::config::Config;
use crate::diagnostics::Order;
use crate::monitor::{
    Diagnosis, Examiner, Monitor, NetworkProcess, Services, Starter, Stop, WAITERS_MAX, lower_rights,
};
use crate::net::CONNECTIONS_MAX;
use crate::say;
use crate::setup::{POINT, Setup};
use crate::state::State;
use crate::state_codec::{ENCODED_MAX, decode, encode};
use crate::users;

const _: () = assert!(WAITERS_MAX >= CONNECTIONS_MAX, "every connection can wait for an operation");

/// How long a port may be in use that we are to listen on.
const PORT_TIME: Duration = Duration::from_secs(1);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Serves until something stops it; what that was.
#[inline(never)] // see cli.rs
pub(crate) fn run(config: &Path) -> String {
    match start(config) {
        Ok(never) => match never {},
        Err(problem) => problem,
    }
}

/// Makes the state file; the line to print.
#[inline(never)] // see cli.rs
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
    keep_memory_to_ourselves().map_err(|e| format!("can't keep the keys out of core dumps: {e}"))?;
    let mut findings = Findings::default();
    let bundle = bundle::load(&config, &mut findings);
    let (Some(identity), Some(public), Some(tls_key), true) =
        (bundle.monitor, bundle.public, bundle.tls_key, findings.fatal.is_empty())
    else {
        return Err(findings.first_problem());
    };
    let (file, state) = open_state(&config).map_err(text)?;
    let listener = listen(&config)?;
    let address = listener.local_addr().map_err(text)?;
    let services = Services::find(&config);
    let _said_by_check = lower_rights(&services)
        .map_err(|e| format!("can't give up the rights that nothing here needs: {e}"))?;
    let network = start_network(&config, listener, &public, tls_key)?;
    let examiner = examiner(&config, identity.manifest.tuning.clone())?;
    let mut monitor = Monitor::new(network, Some(examiner), identity, file, state, services);
    let missing = monitor.wait_until_ready().map_err(|stop| match stop {
        // It has said why itself.
        Stop::NetworkGone(End::Status(1)) => String::new(),
        stop => text(stop),
    })?;
    for user in [users::network(&config)?, users::diagnostics(&config)?] {
        if user.is_shared() {
            say(&user);
        }
    }
    if !missing.is_empty() {
        say(&format_args!("the network process runs without {}", missing.join(", ")));
    }
    say(&format_args!("listening on {address} as {}", config.agent_id));
    Err(monitor.run().to_string())
}

/// Takes the port. One that an agent before us still had when it was killed is free in a moment, when its network
/// process is gone, too.
fn listen(config: &Config) -> Result<TcpListener, String> {
    let given_up = Instant::now() + PORT_TIME;
    loop {
        match TcpListener::bind(config.listen) {
            Ok(listener) => return Ok(listener),
            Err(e) if e.kind() == ErrorKind::AddrInUse && Instant::now() < given_up => {
                pause(Instant::now() + LOOK_EVERY, &mut Alone);
            }
            Err(e) => {
                let Config { path, listen, .. } = config;
                let path = path.display();
                return Err(format!("{path}: can't listen on {listen}: {e}; free the port or change it"));
            }
        }
    }
}

/// Starts a network process that nobody can reach, to learn how well this host locks it in.
pub(crate) fn try_network(
    config: &Config,
    public: &PublicFiles,
    tls_key: [u8; POINT],
) -> Result<Strength, String> {
    let nowhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(text)?;
    start_network(config, nowhere, public, tls_key)?.try_out().map_err(text)
}

fn start_network(
    config: &Config,
    listener: TcpListener,
    public: &PublicFiles,
    tls_key: [u8; POINT],
) -> Result<NetworkProcess, String> {
    let user = users::network(config)?;
    let empty = make_empty_directory(config).map_err(text)?;
    let setup = Setup {
        agent_id: config.agent_id.clone(),
        account: user.account(),
        directory: config.directory().to_str().ok_or("the configuration's directory is not UTF-8")?,
        empty: empty.to_str().ok_or("the state's directory is not UTF-8")?,
        authority: &public.authority,
        chain: &public.chain,
        manifest: &public.manifest,
        tls_key,
    };
    let setup = setup.encode().ok_or("the bundle is too long for the network process")?;
    let program = own_program()?;
    let starter = Starter::new(program.clone(), listener, setup, !user.is_shared());
    NetworkProcess::start(starter)
        .map_err(|e| format!("{}: can't start the network process: {e}", program.to_string_lossy()))
}

/// Starts a diagnostics process that looks at nothing, to learn how well this host locks it in.
pub(crate) fn try_diagnostics(config: &Config, tuning: Tuning) -> Result<Strength, String> {
    Diagnosis::try_out(examiner(config, tuning)?)
}

/// What it takes to start a diagnostics process.
pub(crate) fn examiner(config: &Config, tuning: Tuning) -> Result<Examiner, String> {
    let user = users::diagnostics(config)?;
    let order = Order { account: user.account(), groups: users::log_groups(), areas: Areas::NONE, tuning };
    Ok(Examiner { program: own_program()?, order, own_user: !user.is_shared() })
}

/// The network process's root: a directory that is empty, and stays so, because only we can write in it.
fn make_empty_directory(config: &Config) -> Result<PathBuf, FileProblem> {
    let path = config.state.parent().unwrap_or(Path::new("/")).join("empty");
    let problem = |e: std::io::Error| FileProblem::new(&path, e.to_string(), "make this an empty directory");
    match std::fs::DirBuilder::new().mode(0o755).create(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(problem(e)),
        _ => {}
    }
    check_directory(&path)?;
    if std::fs::read_dir(&path).map_err(problem)?.next().is_some() {
        return Err(FileProblem::new(&path, "is not empty", "remove what is in it"));
    }
    Ok(path)
}

/// The path of this program, as it was called or as the kernel knows it. It is called so again; where another
/// program runs ours (an emulator, a debugger), it must call ours by a path that runs by itself.
fn own_program() -> Result<CString, String> {
    let called = std::env::args_os().next().map(PathBuf::from).filter(|path| path.is_absolute());
    let program = match called {
        Some(program) => program,
        None => std::env::current_exe().map_err(|e| format!("can't find our own program: {e}"))?,
    };
    check_program(&program).map_err(text)?;
    // Whoever can exchange files there could exchange what we start next.
    program.parent().map_or(Ok(()), check_directory).map_err(text)?;
    CString::new(program.into_os_string().into_vec()).map_err(text)
}

/// Opens the state and checks that it is this agent's.
fn open_state(config: &Config) -> Result<(StateFile, Box<State>), FileProblem> {
    if let Some(directory) = config.state.parent().filter(|directory| directory.exists()) {
        check_directory(directory)?;
    }
    let opened = StateFile::open(&config.state)?;
    let state = read_state(config, &opened.payload)?;
    if opened.damaged_slot {
        say(&format_args!(
            "{}: one slot was cut short in writing; the other one stands",
            config.state.display()
        ));
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

impl Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::State(problem) => write!(f, "stopped, because nothing runs without a record: {problem}"),
            Self::NetworkGone(how) => write!(f, "stopped: the network process ends before it serves ({how})"),
            Self::NoNetwork(errno) => {
                let why = std::io::Error::from_raw_os_error(*errno);
                write!(f, "stopped: the network process can't be started: {why}")
            }
            Self::BadState => f.write_str("stopped: the state holds an operation that is none"),
            Self::NoProc => f.write_str("stopped: /proc doesn't show our own processes ; mount it"),
        }
    }
}
