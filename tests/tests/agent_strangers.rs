//! A hostile account of the agent's host, without rights: what it can reach, read, signal or exchange, which is nothing
//! that makes the agent do anything; and what it has exchanged before the start is found.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use secmon_tests::agent_host::{
    Host, PATIENCE, agent_binary, envelope, is_alive, root_or_skipped, set_mode, text, until,
};
use serde_json::{Value, json};

/// Linux's id for what has none.
const NOBODY: u32 = 65_534;

fn run(host: &Host, envelope: &Value) -> Value {
    host.receipt(&host.execute(&envelope.to_string()))
}

/// A host whose files are where another account gets at them, as far as their modes let it.
fn open_host(network_user: &str) -> Host {
    let mut host = Host::installed();
    let mut configuration = host.configuration();
    configuration["network_user"] = json!(network_user);
    host.configure(&configuration);
    for directory in [".", "bundle", "state", "run", "init.d"] {
        set_mode(&host.at(directory), 0o755);
    }
    host.start();
    host
}

/// What an account without rights tries on each process and file; one line each: what, and `done` or the error.
const STRANGER: &str = include_str!("../src/agent_host/stranger.py");

/// What the stranger got done, and how often it was turned away. Anything else that kept it is no wall.
fn stranger(host: &Host, signals: bool) -> (Vec<String>, usize) {
    let numbers = [NOBODY, host.monitor(), host.network()].map(|number| number.to_string());
    let mut python = Command::new("python3");
    python.args(["-c", STRANGER]).args(numbers).arg(host.at("")).args(signals.then_some("signals"));
    let output = python.output().expect("python3 runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let denied =
        |line: &&str| ["Permission denied", "Operation not permitted"].iter().any(|e| line.ends_with(e));
    let (denied, others): (Vec<&str>, Vec<&str>) = said.lines().partition(denied);
    (others.into_iter().map(str::to_owned).collect(), denied.len())
}

fn assert_got_nothing(host: &Host, signals: bool) {
    let (monitor, network) = (host.monitor(), host.network());
    let (done, denied) = stranger(host, signals);
    assert_eq!(done, ["neighbour: read bundle/ca.pem done", "neighbour: read own environ done"]);
    assert!(denied > 90, "{denied}");
    println!("{denied} attempts denied");
    assert_eq!((host.monitor(), host.network()), (monitor, network));
    assert_eq!(run(host, &envelope("restart-web"))["state"], "succeeded");
}

#[test]
fn an_account_of_the_host_gets_at_no_process_no_key_and_no_file() {
    if root_or_skipped("another account") {
        // Any account of the system that is neither root nor the stranger.
        assert_got_nothing(&open_host("daemon"), true);
    }
}

#[test]
fn an_account_that_shares_the_network_processs_user_can_look_into_neither_process() {
    if !root_or_skipped("another account") {
        return;
    }
    let host = open_host("nobody");
    let status = fs::read_to_string(format!("/proc/{}/status", host.network())).expect("a process");
    let shared = status.lines().any(|line| line.starts_with(&format!("Uid:\t{NOBODY}\t")));
    assert!(shared, "nobody is somebody else here: {status}");
    // What the kernel allows between processes of one user is left out: signals and limits. See below.
    assert_got_nothing(&host, false);
}

#[test]
fn the_agent_has_no_socket_that_a_path_leads_to_and_strangers_get_no_answer_by_tcp() {
    let host = Host::running();
    if root_or_skipped("the list of the agent's sockets") {
        let named = fs::read_to_string("/proc/net/unix").expect("a list");
        for pid in [host.monitor(), host.network()] {
            for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors") {
                let target = fs::read_link(entry.expect("an entry").path()).unwrap_or_default();
                let target = target.display().to_string();
                let Some(inode) = target.strip_prefix("socket:[").and_then(|t| t.strip_suffix(']')) else {
                    continue;
                };
                let line = named.lines().find(|line| line.split_whitespace().nth(6) == Some(inode));
                assert!(line.is_none_or(|line| line.split_whitespace().nth(7).is_none()), "{line:?}");
            }
        }
    }
    let stranger = host.curl_as(None, &[], "/v1/health");
    assert!(!stranger.status.success() && stranger.stdout.is_empty(), "{stranger:?}");
    assert_eq!(host.get("/v1/health").status, 200);
}

/// Every file of the bundle.
const BUNDLE: [&str; 7] = [
    "agent.json",
    "agent.key",
    "agent.pem",
    "ca.pem",
    "capabilities.manifest.json",
    "dispatch.pub",
    "receipt.key",
];

/// `run` ends with 1 and one line, which names `file`.
fn assert_stops(host: &Host, program: &Path, file: &Path, what: &str) {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", &PATIENCE.as_secs().to_string()]).arg(program);
    let output = command.arg("run").arg("--config").arg(host.bundle("agent.json")).output().expect("it runs");
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{what}: {line}");
    assert!(line.lines().count() == 1 && line.starts_with("secmon-agent: "), "{what}: {line}");
    assert!(line.contains(&file.display().to_string()), "{what}: {line}");
}

fn assert_starts(host: &mut Host) {
    host.start();
    assert_eq!(host.get("/v1/health").status, 200);
    host.kill();
}

/// Puts something else in the place of `path`, by every trick, and sees `run` stop each time.
fn assert_every_exchange_stops(host: &Host, path: &Path) {
    let stops = |what: &str| assert_stops(host, &agent_binary(), path, what);
    let good = path.with_extension("good");
    fs::rename(path, &good).expect("a moved file");
    symlink(&good, path).expect("a link");
    stops("a symbolic link to the right file");
    fs::remove_file(path).expect("a removed link");
    symlink("/dev/zero", path).expect("a link");
    stops("a symbolic link to a device");
    fs::remove_file(path).expect("a removed link");
    fs::create_dir(path).expect("a directory");
    stops("a directory");
    fs::remove_dir(path).expect("a removed directory");
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success());
    set_mode(path, 0o600);
    stops("a FIFO");
    fs::remove_file(path).expect("a removed FIFO");
    // A hard link to a file that its owner goes on writing.
    let others = path.with_extension("others");
    fs::copy(&good, &others).expect("a copy");
    chown(&others, Some(NOBODY), None).expect("another owner");
    fs::hard_link(&others, path).expect("a link");
    stops("a hard link to another user's file");
    fs::remove_file(path).expect("a removed link");
    fs::remove_file(&others).expect("a removed file");
    fs::rename(&good, path).expect("a moved file");
}

#[test]
fn a_file_of_the_bundle_that_was_exchanged_by_any_trick_stops_the_start_and_is_named() {
    if !root_or_skipped("another owner") {
        return;
    }
    let mut host = Host::installed();
    for file in BUNDLE {
        assert_every_exchange_stops(&host, &host.bundle(file));
    }
    assert_starts(&mut host);
}

#[test]
fn a_state_that_was_exchanged_by_any_trick_stops_the_start_and_is_named() {
    if !root_or_skipped("another owner") {
        return;
    }
    let mut host = Host::installed();
    let state = host.at("state/state");
    assert_every_exchange_stops(&host, &state);
    for mode in [0o660, 0o606, 0o622] {
        set_mode(&state, mode);
        assert_stops(&host, &agent_binary(), &state, "a state that others can write");
    }
    set_mode(&state, 0o600);
    assert_starts(&mut host);
}

#[test]
fn a_directory_that_others_can_write_in_stops_the_start_and_is_named() {
    if !root_or_skipped("another owner") {
        return;
    }
    let mut host = Host::installed();
    assert_starts(&mut host);
    for directory in ["bundle", "state", "state/empty"].map(|name| host.at(name)) {
        for mode in [0o775, 0o757, 0o777] {
            set_mode(&directory, mode);
            assert_stops(&host, &agent_binary(), &directory, "a directory that others can write in");
        }
        set_mode(&directory, 0o755);
        chown(&directory, Some(NOBODY), None).expect("another owner");
        assert_stops(&host, &agent_binary(), &directory, "another user's directory");
        chown(&directory, Some(0), None).expect("our own again");
    }
    fs::write(host.at("state/empty/file"), "").expect("a written file");
    assert_stops(&host, &agent_binary(), &host.at("state/empty"), "a root that isn't empty");
    fs::remove_file(host.at("state/empty/file")).expect("a removed file");
    assert_starts(&mut host);
}

/// A copy of the agent's program in a directory of its own.
fn own_program(host: &Host) -> PathBuf {
    let directory = host.at("bin");
    fs::create_dir(&directory).expect("a new directory");
    let program = directory.join("secmon-agent");
    fs::copy(agent_binary(), &program).expect("a copy");
    set_mode(&program, 0o755);
    program
}

fn assert_starts_as(host: &mut Host, program: &Path) {
    host.start_as(&mut Command::new(program));
    assert_eq!(host.get("/v1/health").status, 200);
    host.kill();
}

#[test]
fn an_agents_program_that_others_can_write_stops_the_start_and_is_named() {
    if !root_or_skipped("another owner") {
        return;
    }
    let mut host = Host::installed();
    let program = own_program(&host);
    assert_starts_as(&mut host, &program);
    for mode in [0o775, 0o757, 0o777] {
        set_mode(&program, mode);
        assert_stops(&host, &program, &program, "a program that others can write");
    }
    set_mode(&program, 0o755);
    chown(&program, Some(NOBODY), None).expect("another owner");
    assert_stops(&host, &program, &program, "another user's program");
    chown(&program, Some(0), None).expect("our own again");
    assert_starts_as(&mut host, &program);
}

#[test]
fn a_directory_of_the_agents_program_that_others_can_write_in_stops_the_start_and_is_named() {
    if !root_or_skipped("another owner") {
        return;
    }
    let mut host = Host::installed();
    let program = own_program(&host);
    assert_starts_as(&mut host, &program);
    // Whoever can write in it exchanges the program that the monitor starts the network process from.
    for mode in [0o775, 0o777] {
        set_mode(&host.at("bin"), mode);
        assert_stops(&host, &program, &host.at("bin"), "a program's directory that others can write in");
    }
    set_mode(&host.at("bin"), 0o755);
    assert_starts_as(&mut host, &program);
}

#[test]
fn a_stranger_who_shares_the_user_and_kills_the_network_process_costs_a_second_and_nothing_else() {
    if !root_or_skipped("another account") {
        return;
    }
    let host = open_host("nobody");
    let (monitor, network) = (host.monitor(), host.network());
    let nobody = NOBODY.to_string();
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", "kill", "-s", "KILL"]);
    let killed = setpriv.args([network.to_string(), monitor.to_string()]).output().expect("setpriv runs");
    assert!(!killed.status.success(), "the monitor is root's: {killed:?}");
    until("the network process to end", || (!is_alive(network)).then_some(()));
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
    assert_eq!(host.monitor(), monitor);
}
