//! A control plane whose clients have zones at a stand-in for Cloudflare. Zones are made known by `secmon cloudflare
//! add`; what an agent found is put into the database as a look at it would have.

use std::io::Write;
use std::process::Stdio;

use secmon_control::cloudflare::{Lease, LeaseId, Plan, Vault, ZoneId};
use secmon_control::config::Secret;
use secmon_control::fleet::RegistryError;
use secmon_control::store::{Put, SeenZone, Store, ZoneRow};
use secmon_fake_cloudflare::{FakeCloudflare, NewZone, Options, Token};
use secmon_wire::diag::{
    Counters, Finding, FindingId, Flood, Pattern, PatternField, ReportWriter, Severity, Source, Window,
};
use secmon_wire::limits::REPORT_MAX;
use secmon_wire::{AgentId, Area, ClientId};
use serde_json::Value;

use super::{OWNER, Plane, Totp, new_address};
use crate::agent_host::{PATIENCE, now, text};

/// The phase of custom rules.
pub const CUSTOM: &str = "http_request_firewall_custom";
/// The phase of rate limiting rules.
pub const RATE_LIMIT: &str = "http_ratelimit";
/// What a flood consists of, unless a test says something else.
pub const SOURCES: &[(&str, u8, u32)] = &[("203.0.113.7", 32, 900), ("2001:db8:1:2::", 64, 600)];

/// A control plane and what it changes.
#[derive(Debug)]
pub struct Cloud {
    /// The control plane.
    pub plane: Plane,
    /// What it changes.
    pub cloudflare: FakeCloudflare,
}

impl Cloud {
    /// A control plane without clients, not yet running, before a stand-in without zones. There is one operator,
    /// [`OWNER`]: what happens by itself is told to each.
    pub fn new() -> Self {
        Self::facing(Options { zones: Vec::new(), tokens: Vec::new(), ..Options::default() })
    }

    /// The same before a stand-in of one's own making.
    pub fn facing(options: Options) -> Self {
        let mut plane = Plane::new(Totp::Off);
        let cloudflare = FakeCloudflare::start(options);
        plane.set("SECMON_CLOUDFLARE_API_URL", &cloudflare.url());
        plane.set("SECMON_TELEGRAM_ALLOWED_USER_IDS", &OWNER.to_string());
        Self { plane, cloudflare }
    }

    /// Adds a client with one registered host, on which nothing runs.
    pub fn client(&self, client: &str) {
        self.plane.client(client);
        let (agent, address) = (agent_of(client), new_address());
        let bundle = self.plane.at(&format!("bundle-{client}"));
        let bundle = bundle.to_str().expect("a plain path");
        let arguments = ["agent", "add", client, &agent, "--service-manager", "sysv", "--address", &address];
        self.plane.secmon(&[&arguments[..], &["--allow", "restart-web=lsws", "--out", bundle]].concat());
    }

    /// Makes a zone with a token of its own at the stand-in, and known to the control plane; the token's secret.
    pub fn zone(&self, client: &str, zone: NewZone) -> String {
        let (id, secret) = (zone.id.clone(), token_of(&zone.id));
        self.cloudflare.add_token(Token::new(&secret).for_zones(&[&id]));
        self.cloudflare.add_zone(zone);
        self.hand_over(client, &id, &secret);
        secret
    }

    /// Many clients with one host and one zone each, like [`Self::client`] and [`Self::zone`] and quicker: the hosts are
    /// copies of one, and the zones are put into the database as the command does. The control plane must not run.
    pub fn crowd(&self, clients: Vec<(String, NewZone)>) {
        self.client("model");
        let copies = clients.iter().map(|(client, _)| {
            let agent = agent_of(client);
            format!(
                "INSERT INTO client (id, created) VALUES ('{client}', 1);
                 INSERT INTO agent SELECT '{agent}', '{client}', address, receipt_key, not_after, manifest, created
                 FROM agent WHERE client = 'model';"
            )
        });
        self.plane.sql(&copies.collect::<String>());
        let (store, vault, now) = (self.store(), Vault::new(self.plane.data_keys()), now());
        for (client, zone) in clients {
            let secret = Secret::new(token_of(&zone.id));
            let row = ZoneRow {
                zone: ZoneId::new(&zone.id).expect("an id"),
                client: ClientId::new(&client).expect("an id"),
                credential: vault.seal(&secret, now).expect("an encrypted token"),
                added: now,
                seen: SeenZone {
                    name: zone.name.clone(),
                    plan: Plan::new(&format!("{:?}", zone.plan).to_lowercase()).expect("a plan"),
                    status: "active".to_owned(),
                    paused: false,
                    checked: now,
                },
            };
            let put = store.put_zone(&row, |_| Ok::<_, RegistryError>(()));
            assert_eq!(put.expect("a stored zone"), Put::Added);
            self.cloudflare.add_token(Token::new(secret.expose()).for_zones(&[&zone.id]));
            self.cloudflare.add_zone(zone);
        }
    }

    /// `secmon cloudflare add` with a token on its standard input; what it printed.
    pub fn hand_over(&self, client: &str, zone: &str, secret: &str) -> String {
        let mut command = self.plane.command();
        command.args(["cloudflare", "add", client, zone]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("secmon runs");
        let mut stdin = child.stdin.take().expect("a piped stdin");
        writeln!(stdin, "{secret}").expect("the token is read");
        drop(stdin);
        let output = child.wait_with_output().expect("secmon ends");
        assert!(output.status.success(), "cloudflare add: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Puts a report of a client's host into the database, as if it had been taken so many seconds ago.
    pub fn found(&self, client: &str, findings: &[Finding], seconds_ago: u64) {
        let taken = now() - seconds_ago;
        let agent = AgentId::new(&agent_of(client)).expect("an id");
        let client = ClientId::new(client).expect("an id");
        self.store().keep_flood(&agent, &client, taken, &report(findings, taken)).expect("a kept report");
    }

    /// The control plane's database, beside its own use of it.
    pub fn store(&self) -> Store {
        Store::open(&self.plane.data("secmon.db")).expect("the database")
    }

    /// Approves; the whole answer.
    pub fn approve(&mut self, action: &str, client: &str) -> String {
        let operator = OWNER;
        let line = self.plane.line(action, client);
        self.plane.ask(operator, line).text().to_owned()
    }

    /// Waits until the chat was told something with these words; all of it.
    pub fn told(&self, words: &str) -> String {
        let told = self.plane.telegram.wait_message(PATIENCE, |message| message.text().contains(words));
        let told = told.unwrap_or_else(|| panic!("nothing says {words:?}: {}", self.plane.log()));
        told.text().to_owned()
    }

    /// Every lease that hasn't ended.
    pub fn open_leases(&self) -> Vec<Lease> {
        self.store().open_leases().expect("leases")
    }

    /// Those of one client.
    pub fn open_leases_of(&self, client: &str) -> Vec<Lease> {
        self.store().open_leases_of(&ClientId::new(client).expect("an id")).expect("leases")
    }

    /// Makes the time of a client's leases be over. The control plane sees it at its next look at the leases: after a
    /// start, or after the next approval.
    pub fn run_out(&self, client: &str) {
        let store = self.store();
        let client = ClientId::new(client).expect("an id");
        for mut lease in store.open_leases_of(&client).expect("leases") {
            lease.expires = now() - 1;
            store.update_lease(&lease).expect("a kept lease");
        }
    }

    /// The rules of a phase that carry a tag of ours, each with its lease.
    pub fn ours(&self, zone: &str, phase: &str) -> Vec<(LeaseId, Value)> {
        let rules = self.cloudflare.rules(zone, phase);
        rules.into_iter().filter_map(|rule| Some((LeaseId::of_tag(rule["ref"].as_str()?)?, rule))).collect()
    }

    /// What must hold after every test.
    pub fn finish(&mut self) {
        self.plane.finish();
        self.cloudflare.assert_no_violations();
    }
}

impl Default for Cloud {
    fn default() -> Self {
        Self::new()
    }
}

/// The host of a client.
pub fn agent_of(client: &str) -> String {
    format!("{client}-web")
}

/// The id of a zone with this number.
pub fn zone_id(number: usize) -> String {
    format!("{:032x}", 0x9f18_0000_u128 + number as u128)
}

/// The secret of the token for a zone.
pub fn token_of(zone: &str) -> String {
    format!("token-of-{zone}-AAAA")
}

/// A flood that does harm.
pub fn flood(id: FindingId, pattern: Option<(PatternField, &str)>, sources: &[(&str, u8, u32)]) -> Finding {
    let count = sources.iter().map(|(_, _, count)| u64::from(*count)).sum();
    let source = |(address, bits, count): &(&str, u8, u32)| Source {
        address: address.parse().expect("an address"),
        bits: *bits,
        count: *count,
    };
    Finding::new(id, Severity::Critical).flood(Flood {
        count,
        error: 0,
        pattern: pattern.map(|(field, value)| Pattern::new(field, value).expect("a pattern")),
        sources: sources.iter().map(source).collect(),
        spared: 0,
        window: Window { end: now(), seconds: 300 },
    })
}

/// A flood of one path from a few addresses: every action fits it, on every plan.
pub fn login_flood() -> Finding {
    flood(FindingId::FloodLogin, Some((PatternField::Path, "/wp-login.php")), SOURCES)
}

/// A flood of a path that a service asks for as well, which a rate limit of a small plan couldn't leave alone.
pub fn xmlrpc_flood() -> Finding {
    flood(FindingId::FloodXmlrpc, Some((PatternField::Path, "/xmlrpc.php")), SOURCES)
}

/// A flood with nothing in common, from many addresses that each did little: only under-attack mode fits it.
pub fn spread_flood() -> Finding {
    flood(FindingId::FloodDistributed, None, &[("203.0.113.7", 32, 20), ("203.0.113.8", 32, 19)])
}

/// A report with these findings, canonical.
pub fn report(findings: &[Finding], clock: u64) -> Vec<u8> {
    let mut bytes = [0; REPORT_MAX];
    let writer = ReportWriter {
        areas: &[Area::Flood],
        boot: [7; 16],
        checked: &[],
        clock,
        counters: &Counters::new(),
        duration_ms: 12,
        findings,
        not_checked: &[],
    };
    writer.write(&mut bytes).expect("a report").to_vec()
}
