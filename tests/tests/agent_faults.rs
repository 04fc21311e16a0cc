//! Faults, from outside: each process killed at any moment under load, stopped, out of descriptors or memory;
//! services that hang, fork, die or never stop talking. The outcome is right, told once, and never lost.
//!
//! Clocks that jump are in `own_kernel.rs`: `CLOCK_REALTIME` can't be changed for one process alone (time namespaces
//! cover the others only, time_namespaces(7)), and that of this machine isn't ours to set. Full and read-only disks are
//! in `agent_crash.rs`.

use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use secmon_tests::agent_host::{
    Dice, HEALTH, Host, RawClient, Service, descriptors, envelope, is_alive, kill, kilobytes,
    limit_descriptors, now, root_or_skipped, sha256, signal, text, until,
};
use serde_json::{Value, json};

const RECEIPTS: &str = "GET /v1/receipts HTTP/1.1\r\nHost: agent\r\n\r\n";
const ACTIONS: [&str; 3] = ["restart-web", "restart-php", "restart-db"];

fn run(host: &Host, envelope: &Value) -> Value {
    host.receipt(&host.execute(&envelope.to_string()))
}

fn service<'a>(host: &'a Host, action: &str) -> &'a Service {
    match action {
        "restart-web" => &host.web,
        "restart-php" => &host.php,
        _ => &host.db,
    }
}

fn says(receipt: &Value, word: &str) -> bool {
    receipt["reason"].as_str().is_some_and(|reason| reason.starts_with(word))
}

fn assert_serves(host: &Host) {
    assert_eq!(host.get("/v1/health").status, 200);
}

fn missing(host: &Host) -> Value {
    host.get("/v1/health").canonical()["sandbox_missing"].clone()
}

/// One host, killed again and again, and what it has said.
struct Siege {
    host: Host,
    dice: Dice,
    /// The bodies of all receipts, in their order.
    told: Vec<Vec<u8>>,
    last_runs: [u64; 3],
    /// Rounds by victim and outcome.
    outcomes: Vec<String>,
    /// How often the agent ended instead of starting.
    ended_at_start: usize,
    /// What the first network process lacked of its walls.
    missing: Value,
}

impl Siege {
    fn new(dice: Dice) -> Self {
        let host = Host::running();
        let missing = missing(&host);
        let (told, outcomes) = (Vec::new(), Vec::new());
        Self { host, dice, told, last_runs: [0; 3], outcomes, ended_at_start: 0, missing }
    }

    /// Work of random length, mostly short: no clock decides when it is over.
    fn work(&mut self) {
        let magnitude = self.dice.below(13);
        for _ in 0..self.dice.below(1 << magnitude) {
            std::hint::black_box(fs::read("/proc/self/stat").expect("our own"));
        }
    }

    fn kill_something(&mut self) -> &'static str {
        let monitor = self.dice.below(2) == 0;
        if !monitor {
            kill(self.host.network());
            return "network";
        }
        self.crash();
        if self.dice.below(3) > 0 {
            return "monitor";
        }
        // Once more, while it finishes what it found.
        self.work();
        self.crash();
        "monitor twice"
    }

    fn crash(&mut self) {
        self.host.kill();
        self.ended_at_start += self.host.start_again();
    }

    fn round(&mut self, number: usize) {
        let action = ACTIONS[number % 3];
        until("the interval to pass", || (now() >= self.last_runs[number % 3] + 3).then_some(()));
        let (old, before) = (service(&self.host, action).pid(), service(&self.host, action).restarts());
        let body = envelope(action).to_string();
        let order = self.host.order(body.as_bytes());
        let mut clients: [RawClient; 2] = [self.host.raw(), self.host.raw()];
        for client in &mut clients {
            client.send(HEALTH.as_bytes());
            assert_eq!(client.answer().status, 200);
        }
        clients[0].send(RECEIPTS.repeat(20).as_bytes());
        clients[1].send(&order);
        self.work();
        let victim = self.kill_something();
        let host = &self.host;
        let answer = host.execute(&body);
        let receipt = host.receipt(&answer);
        let ran = service(host, action).restarts() - before;
        let pid = service(host, action).pid();
        let round = format!("round {number}, killed {victim}: {receipt}");
        match receipt["state"].as_str() {
            Some("succeeded") => assert!(ran == 1 && pid.is_some() && pid != old, "{ran} {round}"),
            Some("failed") => {
                assert!(says(&receipt, "interrupted: ") && victim != "network", "{round}");
                assert_eq!((ran, pid), (0, old), "{round}");
            }
            _ => panic!("{round}"),
        }
        let again = host.execute(&body);
        assert_eq!((text(&again.body), service(host, action).restarts() - before), (text(&answer.body), ran));
        self.outcomes.push(format!("{victim}: {}", receipt["state"]));
        self.told.push(answer.body);
        self.last_runs[number % 3] = now();
    }

    /// Over all rounds: every receipt chained to the one before, none lost, and as many runs as were told.
    fn settle(&self) {
        let mut prev = String::new();
        let mut succeeded = 0;
        for (body, seq) in self.told.iter().zip(1..) {
            let receipt: Value = serde_json::from_slice(body).expect("JSON");
            assert_eq!(
                (&receipt["seq"], &receipt["prev"]),
                (&json!(seq), &json!(prev)),
                "one unbroken chain"
            );
            prev = sha256(body);
            succeeded += usize::from(receipt["state"] == "succeeded");
        }
        let runs: usize = ACTIONS.iter().map(|action| service(&self.host, action).restarts()).sum();
        assert_eq!(runs, succeeded, "the services' own logs agree");
        let health = self.host.get("/v1/health").canonical();
        assert_eq!(health["receipts"].as_u64(), Some(self.told.len() as u64));
        assert_eq!(missing(&self.host), self.missing, "the last one's walls are those of the first");
    }
}

#[test]
fn whatever_is_killed_at_whatever_moment_under_load_every_outcome_is_right_and_told_once() {
    const HOSTS: usize = 8;
    const ROUNDS: usize = 27;
    let mut dice = Dice::thrown();
    let siege = |dice: Dice| {
        let mut siege = Siege::new(dice);
        (0..ROUNDS).for_each(|number| siege.round(number));
        siege.settle();
        if siege.ended_at_start > 0 {
            println!("{} starts took one more", siege.ended_at_start);
        }
        siege.outcomes.clone()
    };
    let mut outcomes: Vec<String> = thread::scope(|scope| {
        let hosts: Vec<_> = (0..HOSTS)
            .map(|_| {
                let dice = dice.fork();
                scope.spawn(move || siege(dice))
            })
            .collect();
        hosts.into_iter().flat_map(|host| host.join().expect("a host that held")).collect()
    });
    outcomes.sort();
    for group in outcomes.chunk_by(|one, other| one == other) {
        println!("{:4} × {}", group.len(), group[0]);
    }
    assert_eq!(outcomes.len(), HOSTS * ROUNDS);
}

#[test]
fn a_stopped_network_process_holds_no_operation_up_and_serves_its_receipt_when_it_goes_on() {
    let host = Host::running();
    let mut visit = host.web.hold();
    let body = envelope("restart-web").to_string();
    let mut raw = host.raw();
    raw.send(&host.order(body.as_bytes()));
    visit.arrival();
    let (monitor, network) = (host.monitor(), host.network());
    signal(network, "STOP");
    visit.release();
    let done = |host: &Host| host.log().iter().any(|line| line.contains("receipt 1 restart-web"));
    until("the receipt, told on stderr", || done(&host).then_some(()));
    assert_eq!(host.web.restarts(), 1);
    // Whoever connects meanwhile waits.
    let waiting = thread::scope(|scope| {
        let waiting = scope.spawn(|| host.get("/v1/receipts"));
        signal(network, "CONT");
        waiting.join().expect("an answer")
    });
    let answer = raw.answer();
    let receipt = host.receipt(&answer);
    assert_eq!(receipt["state"], "succeeded", "{receipt}");
    assert_eq!(waiting.canonical()["receipts"][0]["body"], receipt);
    assert_eq!(host.execute(&body).body, answer.body);
    assert_eq!((host.monitor(), host.network(), host.web.restarts()), (monitor, network, 1));
}

#[test]
fn a_stopped_monitor_serves_when_it_goes_on() {
    let host = Host::running();
    signal(host.monitor(), "STOP");
    let body = envelope("restart-web").to_string();
    let mut raw = host.raw();
    // The handshake itself waits for the monitor, which has the key.
    raw.send(&host.order(body.as_bytes()));
    assert_eq!(host.web.restarts(), 0);
    signal(host.monitor(), "CONT");
    assert_eq!(host.receipt(&raw.answer())["state"], "succeeded");
    assert_eq!(host.web.restarts(), 1);
}

#[test]
fn a_network_process_without_descriptors_serves_again_once_there_are_some() {
    if !root_or_skipped("a look at the network process's descriptors") {
        return;
    }
    let host = Host::running();
    assert_serves(&host);
    let network = host.network();
    let idle = until("the connections to end", || {
        let (one, other) = (descriptors(network), descriptors(network));
        (one == other).then_some(one)
    });
    let most = idle + 3;
    limit_descriptors(network, most);
    let connect = || TcpStream::connect(("127.0.0.1", host.port())).expect("room in the backlog");
    let held: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    until("descriptors to run out", || (descriptors(network) == most).then_some(()));
    drop(held);
    assert_serves(&host);
    assert_eq!(host.network(), network, "it has not ended");
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
}

#[test]
fn a_flood_of_connections_takes_no_more_descriptors_than_there_are_seats() {
    if !root_or_skipped("a look at the network process's descriptors") {
        return;
    }
    let host = Host::running();
    let network = host.network();
    let idle = descriptors(network);
    let mut most = idle;
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(TcpStream::connect(("127.0.0.1", host.port())).expect("a connection"));
        most = most.max(descriptors(network));
    }
    // 16 connections, and one to refuse.
    assert!(most <= idle + 17, "{idle} idle, {most} at most");
    drop(held);
    until("a seat", || {
        let output = host.curl_as(Some(&host.at("work/control")), &[], "/v1/health");
        output.status.success().then_some(())
    });
    assert_eq!(host.network(), network, "it has not ended");
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
}

#[test]
fn a_monitor_without_descriptors_says_what_it_did_and_works_again_once_there_are_some() {
    if !root_or_skipped("a look at the monitor's descriptors") {
        return;
    }
    let host = Host::running();
    let monitor = host.monitor();
    assert_serves(&host);
    let idle = descriptors(monitor);
    let mut failures = 0;
    for (spare, action) in (0..9).zip(ACTIONS.iter().cycle()) {
        limit_descriptors(monitor, idle + spare);
        let before = service(&host, action).restarts();
        let old = service(&host, action).pid();
        let receipt = until("the interval to pass", || {
            let receipt = run(&host, &envelope(action));
            (!says(&receipt, "interval: ")).then_some(receipt)
        });
        let ran = service(&host, action).restarts() - before;
        let replaced = service(&host, action).pid() != old;
        println!("{spare} spare: {} {} ran {ran}", receipt["state"], receipt["reason"]);
        assert_eq!(receipt["state"] == "succeeded", ran == 1 && replaced, "{spare} spare: {receipt}");
        failures += usize::from(receipt["state"] == "failed");
        assert_eq!(descriptors(monitor), idle, "none is lost");
    }
    assert!(failures > 0, "so few descriptors are enough?");
    limit_descriptors(monitor, 1024);
    let receipt = until("the interval to pass", || {
        let receipt = run(&host, &envelope("restart-web"));
        (!says(&receipt, "interval: ")).then_some(receipt)
    });
    assert_eq!(receipt["state"], "succeeded", "{receipt}");
    assert_eq!(host.monitor(), monitor);
}

#[test]
fn a_network_process_that_ends_while_the_monitor_has_no_descriptors_is_back_once_there_are_some() {
    if !root_or_skipped("a look at the monitor's descriptors") {
        return;
    }
    let mut host = Host::running();
    assert_serves(&host);
    let monitor = host.monitor();
    limit_descriptors(monitor, descriptors(monitor));
    kill(host.network());
    // Without a descriptor for its channel there is no other: the monitor says so, stays, and tries again.
    until("the monitor to say so", || {
        host.log()
            .iter()
            .any(|line| {
                line.contains("network process can't be started: ")
                    && line.ends_with("(os error 24); trying again")
            })
            .then_some(())
    });
    limit_descriptors(monitor, 1024);
    until("another one", || host.network_now().is_some().then_some(()));
    assert!(host.is_running());
    assert_serves(&host);
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
}

/// Replaces what restart-web's script does on `restart`, after it has written its line.
fn script(host: &Host, restart: &str) {
    let path = host.at("init.d/openlitespeed");
    let script = fs::read_to_string(&path).expect("a script");
    let changed = script.replacen("    visit\n    stop\n    start\n", restart, 1);
    assert_ne!(changed, script);
    fs::write(&path, changed).expect("a written file");
}

#[test]
fn a_service_that_hangs_on_stop_and_ignores_sigterm_costs_its_time_and_nothing_else() {
    let host = Host::running();
    // Both the script and what it waits for ignore SIGTERM; opening a FIFO that nobody writes waits for ever.
    script(&host, "    trap '' TERM\n    sh -c 'read -r _ <\"$0\"' \"$dir/forever\"\n");
    let old = host.web.pid();
    let body = envelope("restart-web").to_string();
    let begun = Instant::now();
    let (answer, meanwhile) = thread::scope(|scope| {
        let answer = scope.spawn(|| host.execute(&body));
        until("the script to begin", || (host.web.restarts() == 1).then_some(()));
        // Others are served, and nothing else runs.
        assert_serves(&host);
        let meanwhile = run(&host, &envelope("restart-php"));
        (answer.join().expect("an answer"), meanwhile)
    });
    assert!(says(&meanwhile, "busy: "), "{meanwhile}");
    let receipt = host.receipt(&answer);
    println!("answered after {:?}: {}", begun.elapsed(), receipt["reason"]);
    assert_eq!(receipt["state"], "failed", "{receipt}");
    assert!(says(&receipt, "timeout: "), "{receipt}");
    assert_eq!((host.web.pid(), host.web.restarts()), (old, 1), "the service itself was never touched");
    let leader =
        host.web.log().iter().find_map(|line| line.strip_prefix("restart ")?.split(' ').next()?.parse().ok());
    let leader: u32 = leader.expect("the script's process");
    until("the script and all of its group to end", || group(leader).is_empty().then_some(()));
    assert_eq!(host.execute(&body).body, answer.body);
    assert_eq!(run(&host, &envelope("restart-php"))["state"], "succeeded");
}

/// The processes of a process group that still run.
fn group(leader: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("a /proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let belongs = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let group = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(2)?.parse().ok());
        group == Some(leader) && is_alive(*pid)
    };
    pids.filter(belongs).collect()
}

#[test]
fn a_service_that_forks_and_writes_its_pid_file_after_the_script_has_ended_is_waited_for() {
    let host = Host::running();
    // The daemon's first process ends at once; the second writes the pid file when it is told to.
    script(
        &host,
        "    stop\n    mkfifo \"$dir/later\"\n    setsid sh -c 'read -r _ <\"$1/later\"; echo $$ >\"$2\"; \
         echo \"started $$\" >>\"$1/log\"; exec cat \"$1/forever\"' sh \"$dir\" \"$pid_file\" \
         </dev/null >/dev/null 2>&1 &\n    echo ended >>\"$dir/log\"\n    exit 0\n",
    );
    let body = envelope("restart-web").to_string();
    let receipt = thread::scope(|scope| {
        let answer = scope.spawn(|| host.execute(&body));
        until("the script to end", || host.web.log().contains(&"ended".to_owned()).then_some(()));
        // Opening waits for the daemon's other half.
        fs::write(host.web.file("later"), "go\n").expect("a FIFO");
        host.receipt(&answer.join().expect("an answer"))
    });
    assert_eq!(receipt["state"], "succeeded", "{receipt}");
    assert!(host.web.pid().is_some());
}

#[test]
fn a_service_that_forks_and_ends_at_once_is_a_failure() {
    let host = Host::running();
    script(&host, "    stop\n    true &\n    echo $! >\"$pid_file\"\n    wait\n    exit 0\n");
    let receipt = run(&host, &envelope("restart-web"));
    assert_eq!((&receipt["state"], &receipt["exit"]), (&json!("failed"), &json!(0)), "{receipt}");
    assert!(says(&receipt, "inactive: "), "{receipt}");
    assert_eq!((host.web.pid(), host.web.restarts()), (None, 1));
    assert_eq!(run(&host, &envelope("restart-php"))["state"], "succeeded");
}

/// Prints 1 GB, and waits where the pipe is full.
const LOUD: &str = "import os, select\nleft, piece = 1 << 30, b'x' * 65536\nwhile left > 0:\n    \
    select.select([], [1], [])\n    try: left -= os.write(1, piece[:left])\n    except BlockingIOError: pass\n";

#[test]
fn a_service_that_prints_a_gigabyte_costs_no_memory_and_still_restarts() {
    let host = Host::running();
    fs::write(host.web.file("loud.py"), LOUD).expect("a written file");
    script(&host, "    python3 \"$dir/loud.py\" && echo printed >>\"$dir/log\"\n    stop\n    start\n");
    assert_eq!(run(&host, &envelope("restart-php"))["state"], "succeeded");
    let peak = || kilobytes(host.monitor(), "status", "VmHWM");
    let before = peak();
    let receipt = run(&host, &envelope("restart-web"));
    assert_eq!(receipt["state"], "succeeded", "{receipt}");
    assert!(host.web.log().contains(&"printed".to_owned()), "all of it: {:?}", host.web.log());
    let after = peak();
    println!(
        "VmHWM of the monitor: {before} kB before 1 GB, {after} kB after, {} ms",
        receipt["duration_ms"]
    );
    assert!(after - before <= 256, "{before} kB before, {after} kB after");
}
