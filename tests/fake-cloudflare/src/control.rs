//! The endpoints under `/control/`: how a test in another process causes and reads things.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secmon_fake_http::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::expression::{Visit, evaluates};
use crate::fault::Planned;
use crate::rate::RateLimit;
use crate::reply::Reply;
use crate::state::{Shared, State};
use crate::waiting::Wait;
use crate::zone::Zone;

type Query = BTreeMap<String, String>;
type Endpoint = fn(&mut State, &Query, &[u8]) -> Result<Value, String>;

/// Every endpoint but `GET wait`, which waits.
const ENDPOINTS: [(&str, &str, Endpoint); 14] = [
    ("POST", "zones", add_zone),
    ("GET", "zone", zone),
    ("POST", "tokens", add_token),
    ("POST", "edit", edit),
    ("POST", "faults", plan),
    ("DELETE", "faults", clear),
    ("GET", "faults", |state, _, _| Ok(json!(state.faults.left()))),
    ("POST", "rate_limit", rate_limit),
    ("POST", "origin", origin),
    ("POST", "evaluate", evaluate),
    ("GET", "requests", |state, _, _| Ok(json!(state.requests))),
    ("GET", "visits", |state, _, _| Ok(json!(state.edge.visits))),
    ("GET", "violations", |state, _, _| Ok(json!(state.violations))),
    ("GET", "state", |state, _, _| Ok(overview(state))),
];

/// Answers a request to `/control/…`.
pub(crate) async fn handle(shared: &Arc<Shared>, request: &Request) -> Reply {
    let name = request.path.trim_start_matches("/control/");
    let query: Query = request.query_pairs().into_iter().collect();
    if name == "wait" {
        return wait(shared, &query).await;
    }
    let same_name = || ENDPOINTS.iter().filter(|(_, known, _)| *known == name);
    match same_name().find(|(verb, _, _)| *verb == request.verb) {
        Some((_, _, run)) => match shared.change(|state| run(state, &query, &request.body)) {
            Ok(result) => Reply::json(200, &result),
            Err(what) => refusal(400, &what),
        },
        None if same_name().next().is_some() => refusal(405, "not with this verb"),
        None => refusal(404, "no such control endpoint"),
    }
}

fn refusal(status: u16, what: &str) -> Reply {
    Reply::json(status, &json!({"error": what}))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

async fn wait(shared: &Arc<Shared>, query: &Query) -> Reply {
    let count = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let condition = Wait {
        requests: count("requests"),
        method: query.get("method").cloned(),
        path: query.get("path").cloned(),
        visits: count("visits"),
        security_level: query.get("zone").cloned().zip(query.get("security_level").cloned()),
    };
    let timeout = count("timeout_ms").unwrap_or(10_000);
    let deadline = Instant::now() + Duration::from_millis(timeout as u64);
    let mut changes = shared.changes();
    loop {
        let (holds, now) = shared.peek(|state| (condition.holds(state), overview(state)));
        if holds {
            return Reply::json(200, &now);
        }
        if timeout_at(deadline, changes.changed()).await.is_err() {
            return Reply::json(408, &now);
        }
    }
}

/// The figures that conditions are about, and what a failed test wants to see.
fn overview(state: &State) -> Value {
    json!({
        "now_ms": state.now_ms(),
        "zones": state.zones.len(),
        "requests": state.requests.len(),
        "visits": state.edge.visits.len(),
        "violations": state.violations.len(),
        "faults": state.faults.left().len(),
        "checked": state.spec.is_some(),
    })
}

fn add_zone(state: &mut State, _: &Query, body: &[u8]) -> Result<Value, String> {
    state.add_zone(Zone::new(parse(body)?));
    Ok(json!({"zones": state.zones.len()}))
}

fn zone(state: &mut State, query: &Query, _: &[u8]) -> Result<Value, String> {
    let zone = query.get("id").and_then(|id| state.zone(id)).ok_or("no such zone")?;
    Ok(zone.snapshot())
}

fn add_token(state: &mut State, _: &Query, body: &[u8]) -> Result<Value, String> {
    state.add_token(parse(body)?);
    Ok(json!({"tokens": state.tokens.len()}))
}

fn edit(state: &mut State, _: &Query, body: &[u8]) -> Result<Value, String> {
    state.edit(&parse(body)?)?;
    Ok(json!({}))
}

fn plan(state: &mut State, _: &Query, body: &[u8]) -> Result<Value, String> {
    state.faults.plan(parse::<Planned>(body)?);
    Ok(json!({"faults": state.faults.left().len()}))
}

fn clear(state: &mut State, _: &Query, _: &[u8]) -> Result<Value, String> {
    state.faults.clear();
    Ok(json!({"faults": 0}))
}

fn rate_limit(state: &mut State, _: &Query, body: &[u8]) -> Result<Value, String> {
    state.windows.limit = parse::<Option<RateLimit>>(body)?;
    Ok(json!(state.windows.limit))
}

fn origin(state: &mut State, _: &Query, body: &[u8]) -> Result<Value, String> {
    state.edge.origin = parse(body)?;
    Ok(json!(state.edge.origin))
}

fn evaluate(_: &mut State, _: &Query, body: &[u8]) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Question {
        expression: String,
        visit: Visit,
    }
    let question: Question = parse(body)?;
    let matches = evaluates(&question.expression, &question.visit).map_err(|error| error.to_string())?;
    Ok(json!({"matches": matches}))
}
