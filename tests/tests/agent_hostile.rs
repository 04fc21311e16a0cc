//! Hostile neighbours of the agent, from outside: a control plane whose keys are in the wrong hands, and an
//! account of the host that has no rights. Neither gets more than the manifest says, or the file modes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use secmon_tests::agent_host::{
    Answer, Host, PATIENCE, agent_binary, envelope, is_alive, now, root_or_skipped, set_mode, sha256, text,
    until,
};
use serde_json::{Value, json};

const ACTIONS: [&str; 3] = ["restart-web", "restart-php", "restart-db"];
/// A user without rights, as Linux has it everywhere.
const NOBODY: u32 = 65_534;

fn run(host: &Host, envelope: &Value) -> Value {
    host.receipt(&host.execute(&envelope.to_string()))
}

fn with(envelope: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut changed = envelope.clone();
    changed[field] = value.into();
    changed
}

fn restarts(host: &Host) -> [usize; 3] {
    [host.web.restarts(), host.php.restarts(), host.db.restarts()]
}

fn receipts(host: &Host) -> Vec<Value> {
    let answer = host.get("/v1/receipts").canonical();
    answer["receipts"].as_array().expect("a list").clone()
}

/// The first word of a refusal's reason; a run's state.
fn word(receipt: &Value) -> String {
    if receipt["state"] != "refused" {
        return receipt["state"].as_str().expect("a state").to_owned();
    }
    let reason = receipt["reason"].as_str().expect("a reason");
    reason.split(": ").next().expect("a word").to_owned()
}

/// Sends bodies with their right signatures on one connection, one after the other.
fn send_all(host: &Host, bodies: &[String]) -> Vec<Answer> {
    let mut raw = host.raw();
    let answer = |body: &String| {
        raw.send(&host.order(body.as_bytes()));
        raw.answer()
    };
    bodies.iter().map(answer).collect()
}

/// What a hostile control plane writes where the agent expects something else.
fn hostile_values() -> Vec<Value> {
    let words = [
        "",
        " ",
        "nginx",
        "nginx.service",
        "sshd",
        "restart-ssh",
        "restart-web ",
        " restart-web",
        "Restart-Web",
        "RESTART-WEB",
        "restart-web\0",
        "restart-web\0.service",
        "restart-web\n",
        "restart-web;reboot",
        "restart-web $(reboot)",
        "`reboot`",
        "|reboot",
        "-h",
        "--help",
        "restart-web --force",
        "/bin/sh",
        "../../../../bin/sh",
        "..",
        "/etc/passwd",
        "/proc/self/exe",
        "%s%s%n",
        "restart\u{2011}web",
        "ｒestart-web",
        "restart-we\u{0431}",
        "\u{202e}bew-tratser",
        "\u{feff}restart-web",
        "restart-web\u{0301}",
        "😀",
        "\u{7f}",
        "null",
        "web1/../web2",
        "web1.",
        "WEB1",
        "5e",
        "5E5E5E5E5E5E5E5E",
        "0x00000000000001",
        "0000000000000001 ",
        "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦",
    ];
    let long = "a".repeat(200);
    let mut values: Vec<Value> = words.map(Value::from).into();
    values.extend([
        json!(long),
        json!("a".repeat(33)),
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
    ]);
    values.extend([json!(u64::MAX), json!(i64::MIN), json!(9_007_199_254_740_992_u64), json!(1e300)]);
    values.extend([json!([]), json!({}), json!(["restart-web"]), json!({"unit": "sshd"})]);
    values
}

/// An honest envelope with one thing wrong in its bytes, which no JSON library would write.
fn hostile_bytes() -> Vec<Vec<u8>> {
    let honest = || envelope("restart-web").to_string();
    let replaced = |from: &str, to: &str| {
        let bytes = honest().replacen(from, to, 1);
        assert_ne!(bytes.len(), honest().len(), "{from}");
        bytes.into_bytes()
    };
    let mut invalid = replaced("restart-web", "restart-web!");
    let position = invalid.iter().position(|byte| *byte == b'!').expect("the mark");
    invalid[position] = 0xff;
    let mut truncated = honest().into_bytes();
    truncated.pop();
    let mut raw_nul = replaced("restart-web", "restart-web!");
    raw_nul[position] = 0;
    vec![
        invalid,
        raw_nul,
        truncated,
        replaced("restart-web", r"\u0072estart-web"),
        replaced("restart-web", r"restart-web\u0000"),
        replaced("restart-web", r"restart-web\/"),
        replaced("{", "{ "),
        replaced("{", "\u{feff}{"),
        replaced("{", "[{"),
        replaced("\"v\":1", "\"v\":1,\"v\":1"),
        replaced("\"v\":1", "\"v\":01"),
        replaced("\"v\":1", "\"v\":1.0"),
        replaced("\"v\":1", "\"v\":1e0"),
        replaced("\"v\":1", "\"v\":+1"),
        replaced("\"action\":\"restart-web\"", "\"action\":\"restart-web\",\"action\":\"restart-db\""),
        [honest().as_bytes(), b"\n"].concat(),
        [honest().as_bytes(), b"\0"].concat(),
        [honest().as_bytes(), honest().as_bytes()].concat(),
        [b"\0", honest().as_bytes()].concat(),
        "[".repeat(500).into_bytes(),
        "{\"a\":".repeat(80).into_bytes(),
        vec![0; 512],
        vec![0xff; 512],
        b"null".to_vec(),
        b"\"restart-web\"".to_vec(),
    ]
}

/// 400, or a signed refusal: whatever is in a signed envelope, it is one of the two.
fn assert_goes_nowhere(host: &Host, answer: &Answer, what: &str) {
    match answer.status {
        400 | 403 => assert!(!answer.error(answer.status).is_empty(), "{what}"),
        200 => assert_eq!(host.receipt(answer)["state"], "refused", "{what}"),
        other => panic!("{other} for {what}"),
    }
}

#[test]
fn whatever_stands_in_a_field_of_a_signed_envelope_goes_nowhere() {
    let host = Host::running();
    let (monitor, network) = (host.monitor(), host.network());
    let mut bodies = BTreeSet::new();
    for value in hostile_values() {
        for field in ["action", "agent_id", "nonce", "ts", "v", "intent"] {
            let honest = envelope("restart-web");
            if honest[field] != value {
                bodies.insert(with(&honest, field, value.clone()).to_string());
            }
        }
        for field in ["hash", "seq"] {
            let mut changed = envelope("restart-web");
            // Any number below 2^53 is a record's, and is bound and not looked at.
            changed["intent"][field] = value.clone();
            if field == "hash" || value.as_u64().is_none_or(|number| number >= 1 << 53) {
                bodies.insert(changed.to_string());
            }
        }
        for field in ["unit", "argv", "command", "env", "a", "zz", "restart-web", "V"] {
            bodies.insert(with(&envelope("restart-web"), field, value.clone()).to_string());
        }
        let mut changed = envelope("restart-web");
        changed["intent"]["unit"] = value;
        bodies.insert(changed.to_string());
    }
    for field in ["action", "agent_id", "nonce", "ts", "v", "intent"] {
        let mut cut = envelope("restart-web");
        cut.as_object_mut().expect("an object").remove(field);
        bodies.insert(cut.to_string());
    }
    let fits = |body: &String| body.len() <= 512;
    let bodies: Vec<String> = bodies.into_iter().filter(fits).collect();
    assert!(bodies.len() > 800, "{}", bodies.len());
    thread::scope(|scope| {
        for part in bodies.chunks(bodies.len().div_ceil(4)) {
            scope.spawn(|| {
                for (body, answer) in part.iter().zip(send_all(&host, part)) {
                    assert_goes_nowhere(&host, &answer, body);
                }
            });
        }
    });
    let mut raw = host.raw();
    for body in hostile_bytes() {
        raw.send(&host.order(&body));
        assert_goes_nowhere(&host, &raw.answer(), &text(&body));
    }
    assert_eq!(restarts(&host), [0; 3]);
    for kept in receipts(&host) {
        assert_eq!(kept["body"]["state"], "refused", "{kept}");
    }
    assert_eq!((host.monitor(), host.network()), (monitor, network), "neither has ended");
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
    assert_eq!(restarts(&host), [1, 0, 0]);
}

#[test]
fn a_control_plane_gone_wild_gets_one_run_per_interval_and_a_receipt_for_each_envelope() {
    const CONNECTIONS: usize = 4;
    const EACH: usize = 24;
    let mut host = Host::installed();
    let mut manifest = host.manifest();
    manifest["operations"] = json!([
        {"action": "restart-php", "min_interval_s": 3600, "unit": "lsphp"},
        {"action": "restart-web", "min_interval_s": 3600, "unit": "openlitespeed"},
    ]);
    host.install_manifest(&manifest);
    host.start();
    let storm = |_| {
        let bodies: Vec<String> = (0..EACH).map(|i| envelope(ACTIONS[i % 3]).to_string()).collect();
        send_all(&host, &bodies)
    };
    let mut answers: Vec<Answer> = thread::scope(|scope| {
        let parts: Vec<_> = (0..CONNECTIONS).map(|i| scope.spawn(move || storm(i))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("answers")).collect()
    });
    // Each is verified by openssl on the way.
    let number = |answer: &Answer| host.receipt(answer)["seq"].as_u64().expect("a number");
    answers.sort_by_cached_key(number);
    let mut prev = String::new();
    let mut words = Vec::new();
    for (answer, seq) in answers.iter().zip(1..) {
        let receipt = answer.canonical();
        assert_eq!((&receipt["seq"], &receipt["prev"]), (&json!(seq), &json!(prev)), "one unbroken chain");
        prev = sha256(&answer.body);
        words.push((receipt["action"].as_str().expect("an action").to_owned(), word(&receipt)));
    }
    assert_eq!(words.len(), CONNECTIONS * EACH);
    let count =
        |action: &str, word: &str| words.iter().filter(|w| **w == (action.into(), word.into())).count();
    for action in ["restart-web", "restart-php"] {
        assert_eq!(count(action, "succeeded"), 1, "{words:?}");
        // So many in one second are more than there are places for nonces; then all are as if used.
        let refused = ["interval", "busy", "nonce"].map(|word| count(action, word));
        assert_eq!(refused.iter().sum::<usize>(), CONNECTIONS * EACH / 3 - 1, "{words:?}");
    }
    let refused = count("restart-db", "unlisted") + count("restart-db", "nonce");
    assert_eq!(refused, CONNECTIONS * EACH / 3, "{words:?}");
    assert_eq!(restarts(&host), [1, 1, 0]);
}

#[test]
fn two_runs_of_an_operation_are_an_interval_apart_however_hard_it_is_tried() {
    let host = Host::running();
    let mut runs = Vec::new();
    until("three runs", || {
        let receipt = run(&host, &envelope("restart-web"));
        match word(&receipt).as_str() {
            "succeeded" => runs.push(receipt),
            "interval" => {}
            _ => panic!("{receipt}"),
        }
        (runs.len() == 3).then_some(())
    });
    // The receipt's clock is of the end of a run, and its duration tells the beginning, in whole seconds.
    let begun = |receipt: &Value| {
        let number = |name: &str| receipt[name].as_u64().expect("a number");
        number("clock") * 1000 - number("duration_ms")
    };
    for pair in runs.windows(2) {
        assert!(begun(&pair[1]) - begun(&pair[0]) >= 2_000, "{runs:?}");
    }
    assert_eq!(host.web.restarts(), 3);
}

#[test]
fn floods_of_signed_envelopes_make_no_second_run_and_hide_none() {
    const EACH: u64 = 120;
    let host = Host::running();
    let order = envelope("restart-web");
    let first = host.execute(&order.to_string());
    let ran = host.receipt(&first);
    assert_eq!(ran["state"], "succeeded");
    let at = now();
    let stamped = |action: &str, ts: u64| with(&envelope(action), "ts", ts).to_string();
    // The run's own nonce and time stamp under other bodies, old time stamps, and the edge of freshness.
    let same_nonce =
        |i| with(&with(&order, "intent", json!({"hash": "5e".repeat(32), "seq": i + 2})), "v", 1);
    let old: Vec<String> = (0..EACH).map(|i| stamped("restart-web", 1 + i)).collect();
    let hour: Vec<String> = (0..EACH).map(|i| stamped("restart-web", at - 3_600 - i)).collect();
    let copies: Vec<String> = (0..EACH).map(|i| same_nonce(i).to_string()).collect();
    let refused = |bodies: &[String], words: &[&str]| {
        let answers = send_all(&host, bodies);
        assert_eq!(answers.len(), bodies.len());
        for receipt in answers.iter().map(Answer::canonical) {
            assert!(words.contains(&word(&receipt).as_str()), "{receipt}");
        }
    };
    let is_known = || {
        let kept = receipts(&host);
        assert!(kept.iter().any(|kept| kept["body"] == ran), "the receipt of the run is still there");
        let again = host.execute(&order.to_string());
        assert_eq!((again.status, text(&again.body)), (200, text(&first.body)));
    };
    for flood in [&old, &hour] {
        refused(flood, &["stale"]);
        is_known();
    }
    refused(&copies, &["nonce"]);
    is_known();
    // Nothing of it keeps the neighbour from running.
    let neighbour = envelope("restart-php");
    let php = run(&host, &neighbour);
    assert_eq!(php["state"], "succeeded");
    // The far future fills every place that nonces have; what was there is not forgotten into a second run.
    for direction in [1, EACH] {
        let ts = |i: u64| 9_007_199_254_740_991 - i.abs_diff(direction);
        refused(&(0..EACH).map(|i| stamped("restart-web", ts(i))).collect::<Vec<_>>(), &["stale"]);
    }
    let edge: Vec<String> = (0..EACH).map(|i| stamped("restart-web", now() + 290 - i % 60)).collect();
    refused(&edge, &["nonce", "interval", "stale"]);
    is_known();
    assert!(receipts(&host).iter().any(|kept| kept["body"] == php));
    for (action, ran) in [("restart-php", &neighbour), ("restart-web", &order)] {
        let changed = with(ran, "ts", now()).to_string();
        assert_eq!(word(&host.receipt(&host.execute(&changed))), "nonce", "{action}");
    }
    assert_eq!(restarts(&host), [1, 1, 0]);
    let health = host.get("/v1/health").canonical();
    assert_eq!(health["receipts"].as_u64(), Some(2 + 6 * EACH + 2), "each was told, however often");
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
