//! What is kept of the lines: how many there were when, and who and what there was most of. All of it has a fixed
//! size and is allocated once.

use std::net::IpAddr;

use super::agent::{Agent, agent};
use super::bytes::{hash, hash_number};
use super::distinct::{Bits, Distinct};
use super::kept::{AgentNote, KeyNote, Network, Pace, PathNote, Visitor, column, is_page};
use super::line::Line;
use super::rates::{Rates, Tally};
use super::request::{KINDS, Kind, Request, plain_path};
use super::top::Top;
use super::whose::{Guard, Whose};

/// Kinds whose different sources are counted: those before [`Kind::Missing`].
const SOURCED: usize = Kind::Missing as usize;

/// Any number, so that the two kinds of addresses have nothing to do with each other.
const OF_IPV6: u64 = 0x5851_f42d_4c95_7f2d;
/// Visitors whose failed logins are counted.
const FAILURES: usize = 64;

/// All of it.
#[derive(Debug)]
pub(super) struct State {
    seed: u64,
    pub(super) rates: Rates,
    pub(super) first: [u64; KINDS],
    pub(super) spared: [u32; KINDS],
    /// The most missing pages in one second.
    pub(super) missing_burst: u32,
    second: (u64, u32),
    pub(super) visitors: Top,
    pub(super) visitor: Box<[Visitor]>,
    pub(super) networks: Top,
    pub(super) network: Box<[Network]>,
    pub(super) paths: Top,
    pub(super) path: Box<[PathNote]>,
    pub(super) agents: Top,
    pub(super) agent: Box<[AgentNote]>,
    pub(super) keys: Top,
    pub(super) key: Box<[KeyNote]>,
    pub(super) sources: Box<[Distinct; SOURCED]>,
    pub(super) variables: Box<[Distinct; 3]>,
    pub(super) error_sources: Distinct,
    pub(super) missing_paths: Distinct,
    /// Who tried passwords in the hour.
    pub(super) login_sources: Distinct,
    pub(super) logins: u32,
    /// Who got in in the hour, each time.
    pub(super) got_in: u32,
    failures: Top,
    /// How many of each place's failures were before somebody got in.
    forgiven: [u32; FAILURES],
    /// The visitor who logged in after the most failures, in the window.
    pub(super) broke_in: Option<(IpAddr, u32, u64)>,
    known: [(u64, u32); 128],
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        let nobody = IpAddr::from([0, 0, 0, 0]);
        let visitor = Visitor {
            address: nobody,
            guard: Guard::Nobodys,
            by_kind: [0; KINDS],
            probes: Bits::default(),
            agents: 0,
            pace: Pace::default(),
            tries: Pace::default(),
            claims: None,
        };
        let network = Network { address: nobody, load: 0, members: Bits::default(), pace: Pace::default() };
        Self {
            seed,
            rates: Rates::new(),
            first: [0; KINDS],
            spared: [0; KINDS],
            missing_burst: 0,
            second: (0, 0),
            visitors: Top::new(256),
            visitor: vec![visitor; 256].into(),
            networks: Top::new(128),
            network: vec![network; 128].into(),
            paths: Top::new(128),
            path: vec![PathNote::default(); 128].into(),
            agents: Top::new(64),
            agent: vec![AgentNote::default(); 64].into(),
            keys: Top::new(64),
            key: vec![KeyNote::default(); 64].into(),
            sources: Box::new([Distinct::new(); SOURCED]),
            variables: Box::new([Distinct::new(); 3]),
            error_sources: Distinct::new(),
            missing_paths: Distinct::new(),
            login_sources: Distinct::new(),
            logins: 0,
            got_in: 0,
            failures: Top::new(FAILURES as u16),
            forgiven: [0; FAILURES],
            broke_in: None,
            known: [(0, 0); 128],
        }
    }

    /// Bytes of all of it.
    pub(super) fn size(&self) -> usize {
        let tops = [&self.visitors, &self.networks, &self.paths, &self.agents, &self.keys, &self.failures];
        let tops: usize = tops.iter().map(|top| top.size()).sum();
        [
            size_of::<Self>(),
            tops,
            size_of_val(&*self.visitor),
            size_of_val(&*self.network),
            size_of_val(&*self.path),
            size_of_val(&*self.agent),
            size_of_val(&*self.key),
            size_of_val(&*self.sources),
            size_of_val(&*self.variables),
        ]
        .iter()
        .sum()
    }

    /// The note on a line's user agent.
    #[inline]
    pub(super) fn meet(&mut self, text: &[u8]) -> Option<usize> {
        let place = self.agents.hit(hash(self.seed, text));
        let note = self.agent.get_mut(place.at)?;
        if place.fresh {
            *note = AgentNote { text: note.text, agent: agent(text), ..AgentNote::default() };
            note.text.set(text);
        }
        Some(place.at)
    }

    /// Counts a line. `at` is how many seconds of the window had passed, at most [`WINDOW`].
    pub(super) fn count(
        &mut self,
        line: &Line<'_>,
        request: &Request<'_>,
        met: usize,
        at: u64,
        whose: &Whose<'_>,
    ) {
        let slot = Rates::slot(at);
        self.answer(line, request.kind, slot);
        let source =
            line.client.map(|address| (address, self.hash_address(crate::networks::visitor(address))));
        if request.kind == Kind::Asset || request.kind == Kind::Junk {
            self.rates.add(slot, request.kind as usize);
            if let Some(note) = self.agent.get_mut(met) {
                note.assets = note.assets.saturating_add(1);
            }
            let visitor = source.and_then(|(_, hash)| self.visitors.place(hash));
            if let Some(visitor) = visitor.and_then(|at| self.visitor.get_mut(at)) {
                add(&mut visitor.by_kind, request.kind);
            }
            return;
        }
        let (guard, visitor) = match source {
            Some((address, hash)) => self.visit(line, request, address, hash, met, whose),
            None => (Guard::Nobodys, None),
        };
        if request.spared || guard == Guard::Spared {
            add(&mut self.spared, request.kind);
            return;
        }
        self.rates.add(slot, request.kind as usize);
        if let Some(first) = self.first.get_mut(request.kind as usize).filter(|first| **first == 0) {
            *first = line.time;
        }
        if let Some((_, hash)) = source {
            if let Some(sources) = self.sources.get_mut(request.kind as usize) {
                sources.add(hash);
            }
            if line.status >= 500 {
                self.error_sources.add(hash);
            }
        }
        if let Some(at) = visitor {
            self.blame(line, request, at, source.map_or(0, |(_, hash)| hash));
        }
        self.describe(line, request, met, slot, source.map(|(_, hash)| hash));
    }

    /// What the answer says, whoever asked.
    #[inline]
    fn answer(&mut self, line: &Line<'_>, kind: Kind, slot: usize) {
        self.rates.add(slot, Tally::All as usize);
        if matches!(kind, Kind::Page | Kind::Asset) {
            self.rates.add(slot, Tally::Seen as usize);
            if (200..400).contains(&line.status) {
                self.rates.add(slot, Tally::Well as usize);
            }
        }
        if kind == Kind::Page && line.status == 200 && !line.cache.is_empty() {
            let tally = if line.cache == b"HIT" { Tally::CacheHit } else { Tally::CacheMiss };
            self.rates.add(slot, tally as usize);
        }
        if line.status >= 500 {
            self.rates.add(slot, Tally::E5xx as usize);
        }
        let tally = match line.status {
            499 => Tally::GaveUp,
            502 => Tally::E502,
            503 => Tally::E503,
            504 => Tally::E504,
            _ => return,
        };
        self.rates.add(slot, tally as usize);
    }

    /// Takes a visitor down; who it is, and its place if it may be accused of anything.
    #[inline]
    fn visit(
        &mut self,
        line: &Line<'_>,
        request: &Request<'_>,
        address: IpAddr,
        hash: u64,
        met: usize,
        whose: &Whose<'_>,
    ) -> (Guard, Option<usize>) {
        let place = self.visitors.hit(hash);
        let Some(visitor) = self.visitor.get_mut(place.at) else { return (Guard::Nobodys, None) };
        if place.fresh {
            *visitor = Visitor {
                address: crate::networks::visitor(address),
                guard: whose.guard(address),
                by_kind: [0; KINDS],
                probes: Bits::default(),
                agents: 0,
                pace: Pace::default(),
                tries: Pace::default(),
                claims: None,
            };
        }
        add(&mut visitor.by_kind, request.kind);
        visitor.agents |= 1 << (met & 63);
        if request.kind == Kind::Crawled
            && let Some(Agent::Search(crawler)) = self.agent.get(met).map(|note| note.agent)
        {
            visitor.claims = Some(crawler);
        }
        if visitor.guard != Guard::Nobodys || request.spared {
            return (visitor.guard, None);
        }
        if request.kind.is_load() {
            visitor.pace.step(line.time, 60);
        }
        if request.kind == Kind::Login {
            visitor.tries.step(line.time, 10);
        }
        if request.probe {
            visitor.probes.add(super::bytes::hash(self.seed, line.path));
        }
        (Guard::Nobodys, Some(place.at))
    }

    /// What is kept of those who may be accused: their networks, and failed logins.
    #[inline]
    fn blame(&mut self, line: &Line<'_>, request: &Request<'_>, at: usize, hash: u64) {
        let Some(address) = self.visitor.get(at).map(|visitor| visitor.address) else { return };
        if request.kind.is_load() && !matches!(request.kind, Kind::Crawled | Kind::Staff | Kind::LoginOk) {
            let network = super::whose::network(address);
            let place = self.networks.hit(self.hash_address(network));
            if let Some(note) = self.network.get_mut(place.at) {
                if place.fresh {
                    *note = Network {
                        address: network,
                        load: 0,
                        members: Bits::default(),
                        pace: Pace::default(),
                    };
                }
                note.load = note.load.saturating_add(1);
                note.members.add(hash);
                note.pace.step(line.time, 60);
            }
        }
        match request.kind {
            Kind::Login => {
                let place = self.failures.hit(hash);
                if let Some(forgiven) = self.forgiven.get_mut(place.at).filter(|_| place.fresh) {
                    *forgiven = 0;
                }
                self.login_sources.add(hash);
                self.logins = self.logins.saturating_add(1);
            }
            Kind::LoginOk => {
                self.got_in = self.got_in.saturating_add(1);
                let place = self.failures.place(hash);
                let all = place.and_then(|at| self.failures.get(at)).map_or(0, |key| key.at_least());
                // Of many who share an address, each gets in after few failures.
                let forgiven = place.and_then(|at| self.forgiven.get_mut(at));
                let failed =
                    forgiven.map_or(0, |forgiven| all.saturating_sub(std::mem::replace(forgiven, all)));
                if self.broke_in.is_none_or(|(_, most, _)| failed > most) {
                    self.broke_in = Some((address, failed, line.time));
                }
            }
            _ => {}
        }
    }

    /// What the request was about.
    #[inline]
    fn describe(
        &mut self,
        line: &Line<'_>,
        request: &Request<'_>,
        met: usize,
        slot: usize,
        source: Option<u64>,
    ) {
        if request.kind.is_load() {
            let mut tool = false;
            if let Some(note) = self.agent.get_mut(met) {
                note.load = note.load.saturating_add(1);
                note.pages = note.pages.saturating_add(u32::from(is_page(request.kind)));
                note.busts = note.busts.saturating_add(u32::from(request.kind == Kind::Bust));
                note.carts = note.carts.saturating_add(u32::from(request.cart));
                note.sources.add(source.unwrap_or(0));
                tool = note.agent == Agent::Tool;
            }
            if tool && is_page(request.kind) {
                self.rates.add(slot, Tally::Tool as usize);
            }
        }
        let path_hash = hash(self.seed, line.path);
        if matches!(request.kind, Kind::Missing | Kind::MissingPage) {
            self.missing_paths.add(path_hash);
            self.second = if self.second.0 == line.time {
                (line.time, self.second.1.saturating_add(1))
            } else {
                (line.time, 1)
            };
            self.missing_burst = self.missing_burst.max(self.second.1);
        }
        self.note_path(line, request.kind, path_hash);
        self.note_query(request);
    }

    #[inline]
    fn note_path(&mut self, line: &Line<'_>, kind: Kind, hash: u64) {
        let place = self.paths.hit(hash);
        if let Some(note) = self.path.get_mut(place.at) {
            if place.fresh {
                *note = PathNote { text: note.text, ..PathNote::default() };
                note.text.set(plain_path(line.path));
            }
            if let Some(count) = column(kind).and_then(|column| note.by_kind.get_mut(column)) {
                *count = count.saturating_add(1);
            }
            if line.status >= 500 {
                note.errors = note.errors.saturating_add(1);
            }
            if line.status == 504 {
                note.timeouts = note.timeouts.saturating_add(1);
                note.slowest = note.slowest.max(line.milliseconds);
            }
        }
    }

    /// What of the query is different each time, and what it is called.
    #[inline]
    fn note_query(&mut self, request: &Request<'_>) {
        if !request.variable.is_empty() {
            let which = match request.kind {
                Kind::Search => 0,
                Kind::Bust => 1,
                _ => 2,
            };
            if let Some(distinct) = self.variables.get_mut(which) {
                distinct.add(hash(self.seed, request.variable));
            }
        }
        if !request.key.is_empty() {
            let place = self.keys.hit(hash(self.seed, request.key));
            if let Some(note) = self.key.get_mut(place.at) {
                if place.fresh {
                    note.by_kind = [0; 3];
                    note.text.set(request.key);
                }
                if let Some(count) = column(request.kind).and_then(|column| note.by_kind.get_mut(column)) {
                    *count = count.saturating_add(1);
                }
            }
        }
    }

    pub(super) fn hash_address(&self, address: IpAddr) -> u64 {
        match address {
            IpAddr::V4(v4) => hash_number(self.seed, u128::from(v4.to_bits())),
            // A seed without zeros would make one of all networks, whose lower half is empty.
            IpAddr::V6(v6) => hash_number(self.seed ^ OF_IPV6, v6.to_bits()),
        }
    }

    /// The peak minute that this visitor or network had in an earlier window.
    pub(super) fn known(&self, hash: u64) -> u32 {
        self.known.get(hash as usize & 127).filter(|(known, _)| *known == hash).map_or(0, |(_, peak)| *peak)
    }

    /// Remembers that this visitor or network is always there.
    pub(super) fn remember(&mut self, hash: u64, peak: u32) {
        if let Some(slot) = self.known.get_mut(hash as usize & 127) {
            let same_or_weaker = slot.0 == hash || slot.1 <= peak;
            *slot = if same_or_weaker { (hash, slot.1.max(peak)) } else { (slot.0, slot.1 / 2) };
        }
    }

    /// Closes the window: its minutes, but for what was part of a flood, become history, and `idle` empty minutes
    /// after it. `skip` seconds of its beginning were before the log began.
    pub(super) fn turn(&mut self, flooded: &[usize], skip: u64, idle: u64) {
        self.rates.turn(flooded, skip, idle);
        (self.first, self.spared) = ([0; KINDS], [0; KINDS]);
        (self.missing_burst, self.broke_in) = (0, None);
        for top in [&mut self.visitors, &mut self.networks, &mut self.paths, &mut self.agents, &mut self.keys]
        {
            top.clear();
        }
        self.sources.fill(Distinct::new());
        self.variables.fill(Distinct::new());
        (self.error_sources, self.missing_paths) = (Distinct::new(), Distinct::new());
    }

    /// Forgets what was kept for an hour.
    pub(super) fn turn_hour(&mut self) {
        (self.login_sources, self.logins, self.got_in) = (Distinct::new(), 0, 0);
        self.failures.clear();
    }
}

fn add(counts: &mut [u32; KINDS], kind: Kind) {
    if let Some(count) = counts.get_mut(kind as usize) {
        *count = count.saturating_add(1);
    }
}
