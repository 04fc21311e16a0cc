//! Has requests answered, and performs failures on the way out.

use std::sync::Arc;
use std::time::Duration;

use secmon_fake_http::{Handler, Next, Request, client_left, reset, write};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::api;
use crate::control;
use crate::edge;
use crate::fault::{Fault, Planned};
use crate::rate::{RateLimit, too_many};
use crate::record::RequestRecord;
use crate::reply::{Refusal, Reply};
use crate::spec::PREFIX;
use crate::state::{Shared, State};

/// The API on connections, and the control endpoints.
pub(crate) struct Api(pub(crate) Arc<Shared>);

/// The zones' edge on connections.
pub(crate) struct Edge(pub(crate) Arc<Shared>);

impl Handler for Api {
    async fn answer(&self, stream: &mut TcpStream, request: &Request) -> Next {
        if request.path.starts_with("/control/") {
            let reply = tokio::select! {
                reply = control::handle(&self.0, request) => reply,
                () = client_left(stream) => return Next::Close,
            };
            return write(stream, &reply.bytes()).await;
        }
        answer(&self.0, stream, request).await
    }

    fn broken(&self, status: u16) -> Vec<u8> {
        Reply::gateway_page(status).bytes()
    }
}

impl Handler for Edge {
    async fn answer(&self, stream: &mut TcpStream, request: &Request) -> Next {
        let reply = self.0.change(|state| edge::answer(state, edge::visit(request)));
        write(stream, &reply.bytes()).await
    }

    fn broken(&self, status: u16) -> Vec<u8> {
        Reply::gateway_page(status).bytes()
    }
}

async fn answer(shared: &Arc<Shared>, stream: &mut TcpStream, request: &Request) -> Next {
    match shared.change(|state| take(state, request)) {
        Sent::Whole(reply) => write(stream, &reply.bytes()).await,
        Sent::Late(reply, ms) => {
            sleep(Duration::from_millis(ms)).await;
            write(stream, &reply.bytes()).await
        }
        Sent::Half(reply) => {
            let half = reply.body.get(..reply.body.len() / 2).unwrap_or_default();
            let _ = write(stream, &[reply.head(reply.body.len()).as_slice(), half].concat()).await;
            Next::Close
        }
        Sent::Never => {
            client_left(stream).await;
            Next::Close
        }
        Sent::Closed => Next::Close,
        Sent::Reset => reset(stream),
    }
}

/// What the client gets.
enum Sent {
    Whole(Reply),
    Late(Reply, u64),
    Half(Reply),
    Never,
    Closed,
    Reset,
}

impl Sent {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Whole(reply) | Self::Late(reply, _) | Self::Half(reply) => Some(reply.status),
            Self::Never | Self::Closed | Self::Reset => None,
        }
    }
}

/// Writes the request down, checks it against the specification, and carries it out unless a failure comes first.
fn take(state: &mut State, request: &Request) -> Sent {
    let path = request.path.strip_prefix(PREFIX).unwrap_or(&request.path).to_owned();
    let planned = state.faults.strike(&request.verb, &path);
    let planned = planned.unwrap_or_else(|| Planned { fault: None, ..Planned::default() });
    edit(state, &planned.before);
    let kind = planned.fault.as_ref().and_then(|fault| Some(json!(fault).get("kind")?.as_str()?.to_owned()));
    let token = request.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
    let carried_out = planned.lets_it_happen();
    state.requests.push(RequestRecord {
        method: request.verb.clone(),
        path,
        query: request.query.clone(),
        body: serde_json::from_slice::<Value>(&request.body).ok(),
        token: token.map(str::to_owned),
        at_ms: state.now_ms(),
        status: None,
        carried_out,
        fault: kind,
    });
    let index = state.requests.len() - 1;
    let breaches = state.spec.as_ref().map(|spec| spec.check_request(request));
    state.violations.extend(breaches.unwrap_or_default());
    // A request that isn't carried out has no true answer.
    let reply = if carried_out { api::answer(state, request) } else { Reply::gateway_page(500) };
    if carried_out {
        let breaches = state.spec.as_ref().map(|spec| spec.check_answer(request, reply.status, &reply.body));
        state.violations.extend(breaches.unwrap_or_default());
    }
    edit(state, &planned.afterwards);
    let sent = match planned.fault {
        None => Sent::Whole(reply),
        Some(fault) => failed(fault, reply),
    };
    // Written down before it leaves, so that a client that has its answer finds it in the record.
    if let Some(record) = state.requests.get_mut(index) {
        record.status = sent.status();
    }
    sent
}

fn edit(state: &mut State, edits: &[crate::edit::Edit]) {
    for edit in edits {
        if let Err(why) = state.edit(edit) {
            state.violations.push(format!("a planned edit can't be made: {why}: {edit:?}"));
        }
    }
}

/// What a failure makes of an answer. `reply` is the true one where the request was carried out.
fn failed(fault: Fault, mut reply: Reply) -> Sent {
    Sent::Whole(match fault {
        Fault::Status { status } => Reply::gateway_page(status),
        Fault::Error { status, code, message } => Refusal::new(status, code, message).into(),
        Fault::TooMany { retry_after } => too_many(RateLimit::PUBLISHED, i64::from(retry_after)),
        Fault::Answer { status, body } => Reply::json(status, &Value::Null).with_body(body.into_bytes()),
        Fault::Garbage => {
            Reply::json(200, &Value::Null).with_body(b"\x00\xff\xfe<<<no json>>>\xc3\x28".to_vec())
        }
        Fault::Truncated => {
            reply.body.truncate(reply.body.len() / 2);
            reply
        }
        Fault::Delay { ms } => return Sent::Late(reply, ms),
        Fault::CutMiddle => return Sent::Half(reply),
        Fault::Hang => return Sent::Never,
        Fault::Cut => return Sent::Closed,
        Fault::Reset => return Sent::Reset,
    })
}
