//! The endpoints under `/control/`: how a test in another process causes and reads things.

use crate::answer::Reply;
use crate::fault::PlannedFault;
use crate::inject::{Incoming, Press};
use crate::params::Params;
use crate::state::{Shared, State};
use crate::waiting::Wait;
use secmon_fake_http::Request;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

type Endpoint = fn(&mut State, &Params, &[u8]) -> Result<Value, String>;

/// Every endpoint but `GET wait`, which waits.
const ENDPOINTS: [(&str, &str, Endpoint); 15] = [
    ("POST", "updates", inject_raw),
    ("POST", "message", |state, _, body| Ok(json!(state.receive(&parse::<Incoming>(body)?)))),
    ("POST", "callback", |state, _, body| Ok(json!(state.press(&parse::<Press>(body)?)))),
    ("POST", "chats", add_chat),
    ("POST", "clock", set_clock),
    ("POST", "rate_limit", set_rate_limit),
    ("POST", "faults", plan_fault),
    ("DELETE", "faults", clear_faults),
    ("GET", "faults", |state, _, _| Ok(json!(state.faults.left()))),
    ("GET", "sent", |state, _, _| Ok(json!(state.messages.sent))),
    ("GET", "requests", requests),
    ("GET", "answers", |state, _, _| Ok(json!(state.answers))),
    ("GET", "commands", |state, _, _| Ok(json!(state.commands))),
    ("GET", "violations", |state, _, _| Ok(json!(state.violations))),
    ("GET", "state", |state, _, _| Ok(overview(state))),
];

/// Answers a request to `/control/…`.
pub(crate) async fn handle(shared: &Arc<Shared>, request: &Request) -> Reply {
    let name = request.path.trim_start_matches("/control/");
    // Bodies are read by the endpoints, whatever content type a hasty curl gives them.
    let Ok(query) = Params::read(&request.query, "", b"") else {
        return refusal(400, "the query is not in UTF-8");
    };
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
    Reply::json(status, &json!({"ok": false, "error": what}))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

async fn wait(shared: &Arc<Shared>, query: &Params) -> Reply {
    let count = |name: &str| query.int(name).and_then(|number| usize::try_from(number).ok());
    let condition = Wait {
        sent: count("sent"),
        edits: count("edits"),
        answers: count("answers"),
        requests: count("requests"),
        method: query.text("method"),
        confirmed: query.int("confirmed"),
        drained: query.flag("drained"),
        polling: query.flag("polling"),
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
    #[derive(Serialize)]
    struct Overview {
        now_ms: i64,
        pending: Vec<i64>,
        confirmed: i64,
        polling: bool,
        sent: usize,
        answers: usize,
        requests: usize,
        violations: usize,
        faults: usize,
    }
    json!(Overview {
        now_ms: state.now_ms(),
        pending: state.queue.pending(),
        confirmed: state.queue.confirmed(),
        polling: state.polling.waiting.is_some(),
        sent: state.messages.sent.len(),
        answers: state.answers.len(),
        requests: state.requests.len(),
        violations: state.violations.len(),
        faults: state.faults.left().len(),
    })
}

fn inject_raw(state: &mut State, query: &Params, body: &[u8]) -> Result<Value, String> {
    Ok(json!(state.inject(body.to_vec(), query.int("update_id"), query.flag("assign"))))
}

fn add_chat(state: &mut State, _: &Params, body: &[u8]) -> Result<Value, String> {
    let id = state.add_chat(&parse(body)?).ok_or("a chat needs an integer id")?;
    Ok(json!({"id": id}))
}

fn set_clock(state: &mut State, _: &Params, body: &[u8]) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Clock {
        offset_ms: Option<i64>,
        advance_ms: Option<i64>,
    }
    let clock: Clock = parse(body)?;
    let offset = clock.offset_ms.unwrap_or(state.clock_offset_ms);
    state.clock_offset_ms = offset.saturating_add(clock.advance_ms.unwrap_or(0));
    Ok(json!({"now_ms": state.now_ms(), "offset_ms": state.clock_offset_ms}))
}

fn set_rate_limit(state: &mut State, _: &Params, body: &[u8]) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct RateLimit {
        on: bool,
    }
    let RateLimit { on } = parse(body)?;
    state.limit_rate(on);
    Ok(json!({"on": on}))
}

fn plan_fault(state: &mut State, _: &Params, body: &[u8]) -> Result<Value, String> {
    state.faults.plan(parse::<PlannedFault>(body)?);
    Ok(json!({"faults": state.faults.left().len()}))
}

fn clear_faults(state: &mut State, _: &Params, _: &[u8]) -> Result<Value, String> {
    state.faults.clear();
    Ok(json!({"faults": 0}))
}

fn requests(state: &mut State, query: &Params, _: &[u8]) -> Result<Value, String> {
    let method = query.text("method");
    let wanted = |name: &str| method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(name));
    Ok(json!(state.requests.iter().filter(|request| wanted(&request.method)).collect::<Vec<_>>()))
}
