//! Everything that the server knows.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use secmon_fake_http as http;

use crate::clock::instant;
use crate::edge::Counter;
use crate::fault::Faults;
use crate::rate::Windows;
use crate::record::{RequestRecord, VisitRecord};
use crate::spec::Spec;
use crate::token::Token;
use crate::zone::Zone;

/// The state behind its lock.
pub(crate) type Shared = http::Shared<State>;

/// The state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) spec: Option<Spec>,
    pub(crate) zones: Vec<Zone>,
    pub(crate) tokens: Vec<Token>,
    /// How many access rules the account may have.
    pub(crate) access_rule_quota: usize,
    pub(crate) windows: Windows,
    pub(crate) faults: Faults,
    pub(crate) requests: Vec<RequestRecord>,
    pub(crate) violations: Vec<String>,
    pub(crate) clock_offset_ms: i64,
    pub(crate) edge: Edge,
    ids: u64,
}

/// What only the edge looks at.
#[derive(Debug)]
pub(crate) struct Edge {
    /// What a visitor gets while a zone is under attack.
    pub(crate) under_attack_status: u16,
    /// Pages that the origin answers with another status than 200.
    pub(crate) origin: BTreeMap<String, u16>,
    pub(crate) counters: BTreeMap<String, Counter>,
    pub(crate) visits: Vec<VisitRecord>,
}

impl State {
    pub(crate) fn new(spec: Option<Spec>) -> Self {
        Self {
            spec,
            zones: Vec::new(),
            tokens: Vec::new(),
            access_rule_quota: 50_000,
            windows: Windows::default(),
            faults: Faults::default(),
            requests: Vec::new(),
            violations: Vec::new(),
            clock_offset_ms: 0,
            edge: Edge {
                under_attack_status: 403,
                origin: BTreeMap::new(),
                counters: BTreeMap::new(),
                visits: Vec::new(),
            },
            ids: 0,
        }
    }

    /// Milliseconds since the epoch, by the server's clock.
    pub(crate) fn now_ms(&self) -> i64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        i64::try_from(real).unwrap_or(i64::MAX).saturating_add(self.clock_offset_ms)
    }

    /// The same as the API writes it.
    pub(crate) fn now(&self) -> String {
        instant(self.now_ms())
    }

    /// 32 hexadecimal digits that were never given before.
    pub(crate) fn new_id(&mut self) -> String {
        self.ids += 1;
        // Spread by a multiplication that is one-to-one, so that ids don't sort in the order of their making.
        format!("{:016x}{:016x}", self.ids.wrapping_mul(0x9e37_79b9_7f4a_7c15), self.ids)
    }

    pub(crate) fn zone(&self, id: &str) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.basics.id == id)
    }

    pub(crate) fn zone_mut(&mut self, id: &str) -> Option<&mut Zone> {
        self.zones.iter_mut().find(|zone| zone.basics.id == id)
    }

    /// Adds a zone, or puts it in the place of the one with its id.
    pub(crate) fn add_zone(&mut self, zone: Zone) {
        self.zones.retain(|known| known.basics.id != zone.basics.id);
        self.zones.push(zone);
    }

    /// Adds a token, or puts it in the place of the one with its secret.
    pub(crate) fn add_token(&mut self, token: Token) {
        self.tokens.retain(|known| known.secret != token.secret);
        self.tokens.push(token);
    }
}
