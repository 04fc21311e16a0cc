#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

//! Every way in which something changes without anybody asking, with the switch on, off, and turned at the worst moment.

use secmon_fake_cloudflare::{DEFAULT_TOKEN, FakeCloudflare, Fault, NewZone, Options, Planned, Wait};
use secmon_wire::diag::{FindingId, Flood, Pattern, PatternField, Severity, Source, Window};
use serde_json::Value;

use super::*;
use crate::approval::Operator;
use crate::audit::Create;
use crate::cloudflare::api::Api;
use crate::cloudflare::{LeaseId, Parts, Plan, Switch, Vault, ZoneId};
use crate::config::{ApiUrl, AutoCloudflare, DataKeys, Durations, Secret};
use crate::dispatch::Agents;
use crate::store::{Put, SeenZone, ZoneRow};

/// In the order in which zones are changed.
const ZONES: [(&str, &str); 2] =
    [("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a.example"), ("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "b.example")];
const WAITS: Duration = Duration::from_secs(20);
/// Long enough for the switch to be turned meanwhile on a busy machine.
const HELD: Fault = Fault::Delay { ms: 1_500 };

/// How the switch is turned off.
#[derive(Clone, Copy, Debug)]
enum Off {
    Variable,
    File,
}

struct Rig {
    directory: tempfile::TempDir,
    cloudflare: Arc<FakeCloudflare>,
    store: Arc<Store>,
    audit: AuditLog,
}

impl Rig {
    fn new(zones: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Arc::new(Store::open(&directory.path().join("secmon.db")).expect("a store"));
        let audit =
            AuditLog::open(&directory.path().join("audit.jsonl"), Create::IfMissing).expect("a log").log;
        store.add_client(&acme(), 0).expect("a client");
        let zones = &ZONES[..zones];
        for (id, name) in zones {
            let token = Secret::new(DEFAULT_TOKEN.to_owned());
            let seen = SeenZone {
                name: (*name).to_owned(),
                plan: Plan::Free,
                status: "active".to_owned(),
                paused: false,
                checked: 0,
            };
            let credential = vault().seal(&token, 0).expect("a credential");
            let row =
                ZoneRow { zone: ZoneId::new(id).expect("an id"), client: acme(), credential, added: 0, seen };
            let put = store.put_zone(&row, |_| Ok::<_, crate::fleet::RegistryError>(())).expect("a zone");
            assert_eq!(put, Put::Added);
        }
        let zones = zones.iter().map(|(id, name)| NewZone::new(id, name)).collect();
        let cloudflare = Arc::new(FakeCloudflare::start(Options { zones, ..Options::default() }));
        Self { directory, cloudflare, store, audit }
    }

    fn auto(&self, variable: AutoCloudflare) -> Auto {
        let outbox = Outbox::new(Arc::clone(&self.store), Arc::default(), [Operator(1)]);
        let base = ApiUrl::new(&self.cloudflare.url()).expect("a URL");
        let leases = Leases::new(Parts {
            store: Arc::clone(&self.store),
            audit: self.audit.clone(),
            api: Arc::new(Api::new(base).expect("a client")),
            vault: vault(),
            switch: Switch::new(variable, self.file()),
            durations: Durations::default(),
            outbox: outbox.clone(),
        });
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Auto {
            store: Arc::clone(&self.store),
            audit: self.audit.clone(),
            leases: Arc::new(leases),
            desk: Arc::new(Desk::new(Arc::new(Agents::new(tls)), Arc::clone(&self.store))),
            outbox,
            policy: AutoPolicy::Ladder,
            flips_max: 4,
        }
    }

    fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("auto-off")
    }

    /// With the switch off.
    fn switched_off(&self, off: Off) -> Auto {
        match off {
            Off::Variable => self.auto(AutoCloudflare::Disabled),
            Off::File => {
                self.turn_off();
                self.auto(AutoCloudflare::Allowed)
            }
        }
    }

    fn turn_off(&self) {
        std::fs::write(self.file(), "").expect("a file");
    }

    fn on_again(&self) -> Auto {
        let _there_may_be_none = std::fs::remove_file(self.file());
        self.auto(AutoCloudflare::Allowed)
    }

    /// What a way of changing something may change.
    fn state(&self) -> (Vec<Value>, Vec<(LeaseId, State, u64)>) {
        let zones = ZONES.iter().map(|(id, _)| self.cloudflare.zone(id)).collect();
        let open = self.store.open_leases().expect("leases");
        (zones, open.iter().map(|lease| (lease.id, lease.state, lease.expires)).collect())
    }

    /// The audit records of one kind.
    fn records(&self, event: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.directory.path().join("audit.jsonl")).expect("a log");
        let records = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        records.filter(|record| record["event"] == event).collect()
    }

    /// The ways that the audit log says were suppressed.
    fn suppressed(&self) -> Vec<String> {
        let records = self.records("auto-suppressed");
        records.iter().map(|record| record["path"].as_str().expect("a path").to_owned()).collect()
    }

    /// How often operators were told of the switch.
    fn told(&self) -> i64 {
        let path = self.directory.path().join("secmon.db");
        let database = rusqlite::Connection::open(path).expect("a database");
        let count = "SELECT count(*) FROM outbox WHERE reply LIKE '%automatic changes are switched off (%'";
        database.query_row(count, [], |row| row.get(0)).expect("a count")
    }

    /// Waits for so many requests with this method and part of the path.
    async fn wait(&self, method: &str, path: &str) {
        let (verb, part) = (Some(method.to_owned()), Some(path.to_owned()));
        let came = Wait { requests: Some(1), method: verb, path: part, ..Wait::default() };
        let cloudflare = Arc::clone(&self.cloudflare);
        let waited = tokio::task::spawn_blocking(move || cloudflare.wait(&came, WAITS));
        assert!(waited.await.expect("a wait"), "{method} {path:?} never came");
    }
}

fn vault() -> Vault {
    let key = Secret::new("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned());
    Vault::new(DataKeys::new(&key).expect("a key"))
}

fn acme() -> ClientId {
    ClientId::new("acme").expect("an id")
}

fn finding() -> Finding {
    let address = "203.0.113.7".parse().expect("an address");
    Finding::new(FindingId::FloodXmlrpc, Severity::Critical).flood(Flood {
        count: 1_000,
        error: 0,
        pattern: Pattern::new(PatternField::Path, "/xmlrpc.php"),
        sources: std::iter::once(Source { address, bits: 32, count: 900 }).collect(),
        spared: 0,
        window: Window { end: now(), seconds: 60 },
    })
}

fn armed(auto: &Auto) -> Watched {
    let (client, until) = (acme(), now() + 3600);
    let row = ArmedRow { client, lease: LeaseId([1; 8]), operator: Operator(1), since: now(), until };
    auto.watched(row).expect("a ladder")
}

/// Goes this way once. A new way doesn't compile without an arm here, and takes part in every test below.
async fn go(auto: &Auto, watched: &mut Watched, path: Path) {
    match path {
        Path::Narrow => auto.act(watched, Step::Narrow, Some(&finding())).await,
        Path::UnderAttack => auto.act(watched, Step::UnderAttack, Some(&finding())).await,
        Path::Back => auto.act(watched, Step::Back, None).await,
        Path::Prolong => auto.prolong(watched).await,
    }
}

/// The way of a step, if it changes anything. A new step doesn't compile without an arm here.
fn path_of(step: Step) -> Option<Path> {
    match step {
        Step::Stay | Step::Hold => None,
        Step::Narrow => Some(Path::Narrow),
        Step::UnderAttack => Some(Path::UnderAttack),
        Step::Back => Some(Path::Back),
    }
}

const ALL: [Path; 4] = [Path::Narrow, Path::UnderAttack, Path::Back, Path::Prolong];

/// Puts in force what there must be before one can go this way.
async fn prepare(rig: &Rig, path: Path) {
    if matches!(path, Path::Narrow | Path::UnderAttack) {
        return;
    }
    let auto = rig.auto(AutoCloudflare::Allowed);
    go(&auto, &mut armed(&auto), Path::Narrow).await;
    for mut lease in rig.store.open_leases().expect("leases") {
        assert_eq!(lease.state, State::Active);
        lease.expires = now() + 5;
        rig.store.update_lease(&lease).expect("written");
    }
}

#[tokio::test]
async fn no_way_is_gone_while_the_switch_is_off_and_each_is_recorded_and_told_once() {
    for off in [Off::Variable, Off::File] {
        for path in ALL {
            let rig = Rig::new(1);
            prepare(&rig, path).await;
            let (before, asked) = (rig.state(), rig.cloudflare.requests().len());
            let auto = rig.switched_off(off);
            let mut watched = armed(&auto);
            for _ in 0..3 {
                go(&auto, &mut watched, path).await;
            }
            assert_eq!(rig.state(), before, "{path:?} {off:?}");
            assert_eq!(rig.cloudflare.requests().len(), asked, "{path:?} {off:?}");
            assert_eq!((rig.suppressed(), rig.told()), (vec![path.as_str().to_owned()], 1), "{off:?}");
            // The neighbour: the same with the switch on.
            let auto = rig.on_again();
            go(&auto, &mut armed(&auto), path).await;
            assert_ne!(rig.state(), before, "{path:?}");
            assert_eq!(rig.suppressed().len(), 1);
        }
    }
}

#[tokio::test]
async fn what_is_no_flood_never_leads_to_under_attack_mode() {
    let rig = Rig::new(1);
    let auto = rig.auto(AutoCloudflare::Allowed);
    for (id, changed) in [(FindingId::CrawlAi, false), (FindingId::FloodSearch, true)] {
        let mut watched = armed(&auto);
        let found = Finding { id, ..finding() };
        auto.act(&mut watched, Step::UnderAttack, Some(&found)).await;
        assert_eq!(watched.refused.is_none(), changed, "{id}: {:?}", watched.refused);
        assert_eq!(rig.cloudflare.security_level(ZONES[0].0) == "under_attack", changed, "{id}");
    }
}

#[tokio::test]
async fn a_step_that_changes_nothing_changes_nothing_with_the_switch_on() {
    let rig = Rig::new(1);
    let auto = rig.auto(AutoCloudflare::Allowed);
    let before = rig.state();
    for step in [Step::Stay, Step::Hold] {
        assert_eq!(path_of(step), None);
        auto.act(&mut armed(&auto), step, Some(&finding())).await;
    }
    assert_eq!(rig.state(), before);
    assert_eq!(rig.cloudflare.requests(), []);
}

#[tokio::test]
async fn the_switch_that_is_turned_after_planning_stops_the_change_and_leaves_no_lease() {
    for (path, read) in [(Path::Narrow, "/rulesets"), (Path::UnderAttack, "/security_level")] {
        let rig = Rig::new(1);
        let auto = rig.auto(AutoCloudflare::Allowed);
        let mut watched = armed(&auto);
        rig.cloudflare.plan(Planned::on("GET", read).fails(HELD));
        tokio::join!(go(&auto, &mut watched, path), async {
            rig.wait("GET", read).await;
            rig.turn_off();
        });
        assert_eq!((rig.cloudflare.changes().len(), rig.state().1), (0, vec![]), "{path:?}");
        assert_eq!(rig.records("intent"), Vec::<Value>::new(), "{path:?}");
        assert_eq!((rig.suppressed(), rig.told()), (vec![path.as_str().to_owned()], 1));
        assert_eq!(watched.ladder.level(), Level::Off);
    }
}

#[tokio::test]
async fn the_switch_that_is_turned_between_two_zones_spares_the_second() {
    let rig = Rig::new(2);
    let auto = rig.auto(AutoCloudflare::Allowed);
    let mut watched = armed(&auto);
    rig.cloudflare.plan(Planned::on("PATCH", ZONES[0].0).fails(HELD));
    tokio::join!(go(&auto, &mut watched, Path::UnderAttack), async {
        rig.wait("PATCH", ZONES[0].0).await;
        rig.turn_off();
    });
    let levels = ZONES.map(|(id, _)| rig.cloudflare.security_level(id));
    assert_eq!(levels, ["under_attack", "medium"]);
    let open = rig.store.open_leases().expect("leases");
    let zones: Vec<_> = open.iter().map(|lease| (lease.zone_name.as_str(), lease.state)).collect();
    assert_eq!(zones, [("a.example", State::Active)]);
    assert_eq!((rig.suppressed(), rig.told()), (vec!["under-attack".to_owned()], 1));
}

#[tokio::test]
async fn the_switch_that_is_turned_between_two_ends_leaves_the_second_in_force() {
    let rig = Rig::new(2);
    prepare(&rig, Path::Back).await;
    let auto = rig.auto(AutoCloudflare::Allowed);
    let mut watched = armed(&auto);
    rig.cloudflare.plan(Planned::on("DELETE", "").fails(HELD));
    tokio::join!(go(&auto, &mut watched, Path::Back), async {
        rig.wait("DELETE", "").await;
        rig.turn_off();
    });
    let open = rig.store.open_leases().expect("leases");
    assert_eq!(open.iter().map(|lease| lease.state).collect::<Vec<_>>(), [State::Active]);
    assert_eq!(watched.ladder.level(), Level::Narrow, "not all of it is put back");
    assert_eq!((rig.suppressed(), rig.told()), (vec!["back".to_owned()], 1));
}

/// What changes something, and every file that may call it, with the number of calls.
const CALLERS: &[(&str, &[(&str, usize)])] = &[
    // The API: only one file writes to zones, and three may call it.
    (".set_security_level(", &[("cloudflare/lease/change.rs", 2)]),
    (".create_entrypoint(", &[("cloudflare/lease/change.rs", 1)]),
    (".add_rule(", &[("cloudflare/lease/change.rs", 1)]),
    (".delete_rule(", &[("cloudflare/lease/change.rs", 2)]),
    (".delete_ruleset(", &[]),
    (".add_access_rule(", &[("cloudflare/lease/change.rs", 1)]),
    (".delete_access_rule(", &[("cloudflare/lease/change.rs", 2)]),
    (
        "use super::change::",
        &[("cloudflare/lease/end.rs", 1), ("cloudflare/lease/keeper.rs", 1), ("cloudflare/lease/make.rs", 1)],
    ),
    (" make(&", &[("cloudflare/lease/make.rs", 1)]),
    (" undo(api,", &[("cloudflare/lease/end.rs", 1)]),
    // Automatic changes: each begins in the watcher and asks for its permit right before it happens.
    (".dispatch_automatically(", &[("cloudflare/auto/watch.rs", 1)]),
    (".step_back(", &[("cloudflare/auto/watch.rs", 1)]),
    (".leases.prolong(", &[("cloudflare/auto/watch.rs", 1)]),
    (".permit(", &[("cloudflare/lease/order.rs", 3)]),
    ("Licence::Automatic", &[("cloudflare/lease/order.rs", 1)]),
    ("Permit(path)", &[("cloudflare/auto/switch.rs", 1)]),
];

#[test]
fn nothing_changes_a_zone_but_by_the_ways_that_are_tested_here() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found: HashMap<&str, Vec<(String, usize)>> = HashMap::new();
    let mut directories = vec![source.clone()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(&source).expect("below").to_str().expect("a plain path").to_owned();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let is_test = name.ends_with("_tests.rs") || name.ends_with("testing.rs");
            if is_test || !name.ends_with(".rs") || name.starts_with("cloudflare/api/") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            let code = text.split("#[cfg(test)]").next().expect("a first part");
            for (call, _) in CALLERS {
                let count = code.matches(call).count();
                if count > 0 {
                    found.entry(call).or_default().push((name.clone(), count));
                }
            }
        }
    }
    for (call, expected) in CALLERS {
        let expected: Vec<_> = expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let mut found = found.remove(call).unwrap_or_default();
        found.sort();
        assert_eq!(found, expected, "{call}: a new way needs a Path of its own and its tests");
    }
}
