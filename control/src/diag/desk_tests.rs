#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;

use secmon_wire::diag::{
    Check, CounterId, Counters, FactName, Facts, Finding, FindingId, ReportWriter, Severity,
};
use secmon_wire::limits::REPORT_MAX;
use secmon_wire::{ActionId, Area, Capability, ClientId, ManifestBody, OperationId, Unit};
use tokio::sync::Notify;

use super::*;

/// What agents answer, in order, each when it is let go.
#[derive(Debug, Default)]
struct Answers {
    waiting: Mutex<VecDeque<Result<Vec<u8>, CallError>>>,
    asked: Mutex<Vec<String>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    held: Option<Arc<Notify>>,
}

impl Ask for Answers {
    async fn report(&self, _agent: &AgentRow, areas: &Areas) -> Result<Vec<u8>, CallError> {
        self.asked.lock().expect("no panic").push(areas.query());
        self.most.fetch_max(self.under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        if let Some(held) = &self.held {
            held.notified().await;
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        self.waiting.lock().expect("no panic").pop_front().expect("an answer for each question")
    }
}

fn agent(diagnostics: &[Area]) -> AgentRow {
    let (id, client) = (AgentId::new("web1").expect("an id"), ClientId::new("acme").expect("an id"));
    let unit = Unit::new("nginx").expect("a unit");
    let web = Capability::new(OperationId::RestartWeb, unit, 60).expect("a capability");
    let body = ManifestBody {
        agent_id: id.clone(),
        client_id: client.clone(),
        diagnostics: diagnostics.iter().copied().collect(),
        issued: 0,
        operations: [web].into_iter().collect(),
        seq: 1,
        tuning: Default::default(),
    };
    let manifest = body.seal([7; 64], b"secret").expect("a manifest");
    let manifest = crate::fleet::manifest::canonical(&manifest).expect("bytes");
    let address = "127.0.0.1:1".to_owned();
    AgentRow { id, client, address, receipt_key: [0; 32], not_after: 0, manifest, created: 0 }
}

fn report(findings: &[Finding], kills: u64) -> Vec<u8> {
    let mut counters = Counters::new();
    counters.add(CounterId::OomKills, "", kills);
    let report = ReportWriter {
        areas: &[Area::System],
        boot: [7; 16],
        checked: &[Check::Kernel],
        clock: 1_767_225_600,
        counters: &counters,
        duration_ms: 42,
        findings,
        not_checked: &[],
    };
    report.write(&mut Box::new([0; REPORT_MAX])).expect("room").to_vec()
}

struct Place {
    _directory: tempfile::TempDir,
    desk: Arc<Desk<Answers>>,
    agent: AgentRow,
    areas: Areas,
}

impl Place {
    fn new(answers: Vec<Result<Vec<u8>, CallError>>, held: Option<Arc<Notify>>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Arc::new(Store::open(&directory.path().join("secmon.db")).expect("a store"));
        let agent = agent(&[Area::Db, Area::System]);
        store.add_client(&agent.client, 0).expect("a client");
        store.add_agent(&agent).expect("an agent");
        let answers = Answers { waiting: Mutex::new(answers.into()), held, ..Answers::default() };
        let desk = Arc::new(Desk::new(Arc::new(answers), store));
        Self { _directory: directory, desk, agent, areas: Areas::parse("system").expect("areas") }
    }

    async fn ask(&self, fresh_s: u64) -> Arc<Visit> {
        let fresh = Duration::from_secs(fresh_s);
        self.desk.visit(vec![self.agent.clone()], &self.areas, fresh).await.remove(0)
    }

    fn asked(&self) -> Vec<String> {
        self.desk.agents.asked.lock().expect("no panic").clone()
    }
}

#[tokio::test]
async fn many_who_ask_at_once_get_one_look() {
    let held = Arc::new(Notify::new());
    let place = Arc::new(Place::new(vec![Ok(report(&[], 0))], Some(Arc::clone(&held))));
    let mut asking = JoinSet::new();
    for _ in 0..8 {
        let place = Arc::clone(&place);
        asking.spawn(async move { place.ask(0).await });
    }
    while place.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    // The others have arrived, too, and wait for their turn.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    held.notify_one();
    let visits = tokio::time::timeout(Duration::from_secs(60), asking.join_all()).await;
    let visits = visits.expect("nobody waits for a look of their own");
    assert!(visits.iter().all(|visit| visit.result.is_ok() && Arc::ptr_eq(visit, &visits[0])));
    assert_eq!(place.asked(), ["system"]);
    assert_eq!(place.desk.agents.most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_look_serves_while_it_is_fresh_and_a_failure_serves_nobody_later() {
    let answers = vec![Err(CallError::TooLate), Ok(report(&[], 0)), Ok(report(&[], 0))];
    let place = Place::new(answers, None);
    assert!(matches!(place.ask(3_600).await.result, Err(NotRun::TooLate)));
    let first = place.ask(3_600).await;
    assert!(first.result.is_ok());
    assert!(Arc::ptr_eq(&first, &place.ask(3_600).await));
    assert!(!Arc::ptr_eq(&first, &place.ask(0).await));
    assert_eq!(place.asked().len(), 3);
}

#[tokio::test]
async fn only_what_the_manifest_allows_is_asked_for() {
    let mut place = Place::new(vec![Ok(report(&[], 0))], None);
    place.areas = Areas::all();
    let visit = place.ask(0).await;
    let look = visit.result.as_ref().expect("a look");
    assert_eq!(place.asked(), ["db,system"]);
    assert_eq!(
        look.not_allowed.as_ref().map(Areas::query).as_deref(),
        Some("disk,flood,http,net,php,tls,web")
    );
    place.areas = Areas::parse("web").expect("areas");
    let error = place.ask(0).await.result.clone().expect_err("not allowed");
    assert_eq!(error.to_string(), "its manifest doesn't allow web; it allows db, system");
    place.agent = agent(&[]);
    let error = place.ask(0).await.result.clone().expect_err("nothing allowed");
    assert!(error.to_string().starts_with("its manifest allows no diagnostics; "), "{error}");
    assert_eq!(place.asked().len(), 1);
}

#[tokio::test]
async fn a_look_is_compared_with_the_one_before_and_kept_for_the_next() {
    let db = Finding::new(FindingId::DbDown, Severity::Critical);
    let answers = vec![Ok(report(&[], 5)), Ok(report(&[db], 6)), Ok(b"{}".to_vec()), Ok(vec![b'['; 50_000])];
    let place = Place::new(answers, None);
    let first = place.ask(0).await;
    let first = first.result.as_ref().expect("a look");
    assert_eq!((first.compared, first.verdict.is_healthy()), (None, true));
    // An hour goes by.
    let mut earlier = place.desk.store.samples(&place.agent.id).expect("samples").remove(0);
    earlier.taken -= 3_600;
    place.desk.store.keep_sample(&place.agent.id, &earlier).expect("kept");
    let second = place.ask(0).await;
    let second = second.result.as_ref().expect("a look");
    assert!(second.compared.is_some_and(|age| (3_600..3_700).contains(&age)), "{:?}", second.compared);
    let ids: Vec<_> = second.verdict.judged.iter().map(|one| one.finding.id).collect();
    assert_eq!(ids, [FindingId::MemOom], "and nothing of an area that nobody asked for");
    for _ in 0..2 {
        let bad = place.ask(0).await.result.clone().expect_err("no report");
        assert!(matches!(bad, NotRun::NotAReport(_)), "{bad}");
    }
    assert!(place.desk.store.samples(&place.agent.id).expect("samples").len() <= 3);
}

#[tokio::test]
async fn a_flood_is_judged_by_the_days_before_and_the_report_stays_as_it_came() {
    let facts = Facts::new().number(FactName::Rate, 60).number(FactName::Sources, 40);
    let flood = Finding::new(FindingId::FloodSearch, Severity::Critical).with(facts);
    let report = report(&[flood.action(ActionId::CfManagedChallenge)], 0);
    let mut place = Place::new(vec![Ok(report.clone()), Ok(report)], None);
    place.agent = agent(&[Area::Flood]);
    place.areas = Areas::parse("flood").expect("areas");
    let severity = |visit: &Visit| {
        let look = visit.result.as_ref().expect("a look");
        let judged: Vec<_> = look.verdict.judged.iter().map(|one| one.finding.severity).collect();
        (judged, look.seen.findings.first().map(|finding| finding.severity))
    };
    let first = place.ask(0).await;
    assert_eq!(severity(&first), (vec![Severity::Critical], Some(Severity::Critical)));
    let mut counters = Counters::new();
    for key in ["flood-distributed", "flood-search"] {
        counters.add(CounterId::RequestRate, key, 30);
    }
    for day in (1..4).rev() {
        let sample = Sample { taken: now() - day * 86_400, boot: [7; 16], counters: counters.clone() };
        place.desk.store.keep_sample(&place.agent.id, &sample).expect("kept");
    }
    let second = place.ask(0).await;
    assert_eq!(severity(&second), (vec![Severity::Info], Some(Severity::Critical)));
}
