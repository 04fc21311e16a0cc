//! Has requests answered, and performs faults on the way out.

use crate::answer::{ApiError, Reply};
use crate::control;
use crate::fault::{Fault, PlannedFault};
use crate::methods;
use crate::params::Params;
use crate::poll;
use crate::record::RequestRecord;
use crate::state::{Shared, State};
use secmon_fake_http::{Handler, Next, Request, client_left, percent_decode, reset, write};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// The Bot API on connections.
pub(crate) struct Api(pub(crate) Arc<Shared>);

impl Handler for Api {
    async fn answer(&self, stream: &mut TcpStream, request: &Request) -> Next {
        answer(&self.0, stream, request).await
    }

    fn broken(&self, status: u16) -> Vec<u8> {
        let page = Reply::gateway_page(status);
        [page.head(page.body.len()).as_slice(), &page.body].concat()
    }
}

async fn answer(shared: &Arc<Shared>, stream: &mut TcpStream, request: &Request) -> Next {
    if request.path.starts_with("/control/") {
        let reply = tokio::select! {
            reply = control::handle(shared, request) => reply,
            () = client_left(stream) => return Next::Close,
        };
        return send(stream, &reply).await;
    }
    let path =
        String::from_utf8_lossy(&percent_decode(request.path.replace('+', "%2B").as_bytes())).into_owned();
    let call = path.strip_prefix("/bot").and_then(|rest| rest.split_once('/'));
    let Some((token, method)) = call else {
        return send(stream, &ApiError::new(404, "Not Found").into()).await;
    };
    let content_type = request.content_type();
    let params = match Params::read(&request.query, content_type, &request.body) {
        Ok(params) => params,
        Err(error) => {
            shared.change(|state| state.violations.push(format!("{method}: {}", error.description)));
            return send(stream, &error.into()).await;
        }
    };
    let (index, fault) = shared.change(|state| record(state, method, &params));
    let happens = fault.as_ref().is_none_or(PlannedFault::lets_it_happen);
    let reply = tokio::select! {
        // An answer that is ready goes out even to a client that closed its sending side.
        biased;
        reply = carry_out(shared, token, method, &params, fault.as_ref()), if happens => Some(reply),
        () = client_left(stream), if happens => return Next::Close,
        else => None,
    };
    let (next, status) = match fault {
        None => match reply {
            Some(reply) => (send(stream, &reply).await, Some(reply.status)),
            None => (Next::Close, None),
        },
        Some(planned) => deliver(stream, planned.fault, reply).await,
    };
    shared.change(|state| {
        if let Some(record) = state.requests.get_mut(index) {
            record.status = status;
        }
    });
    next
}

/// Writes the request down, checks it against the specification, and asks for a fault.
fn record(state: &mut State, method: &str, params: &Params) -> (usize, Option<PlannedFault>) {
    let breaches = state.spec.as_ref().map(|spec| spec.check_request(method, params));
    state.violations.extend(breaches.unwrap_or_default());
    let fault = state.faults.strike(method);
    let kind =
        fault.as_ref().and_then(|planned| Some(json!(planned.fault).get("kind")?.as_str()?.to_owned()));
    state.requests.push(RequestRecord {
        method: method.to_owned(),
        transport: params.transport,
        params: params.values.clone(),
        files: params.files.clone(),
        at_ms: state.now_ms(),
        status: None,
        fault: kind,
    });
    (state.requests.len() - 1, fault)
}

/// The true answer of a method.
async fn carry_out(
    shared: &Arc<Shared>,
    token: &str,
    method: &str,
    params: &Params,
    fault: Option<&PlannedFault>,
) -> Reply {
    if let Some(Fault::Delay { ms }) = fault.map(|planned| &planned.fault) {
        sleep(Duration::from_millis(*ms)).await;
    }
    if let Err(error) = shared.peek(|state| check_token(state, token)) {
        return error.into();
    }
    if method.eq_ignore_ascii_case("getUpdates") {
        return poll::get_updates(shared, params).await.unwrap_or_else(Reply::from);
    }
    match shared.change(|state| methods::call(state, method, params)) {
        Ok(result) => Reply::ok(&result),
        Err(error) => error.into(),
    }
}

fn check_token(state: &State, token: &str) -> Result<(), ApiError> {
    if token.starts_with('0') || token.len() > 80 || !token.contains(':') {
        return Err(ApiError::new(401, "Unauthorized: invalid token specified"));
    }
    if token == state.token { Ok(()) } else { Err(ApiError::unauthorized()) }
}

/// Performs a fault. `reply` is there whenever the request was carried out.
async fn deliver(stream: &mut TcpStream, fault: Fault, reply: Option<Reply>) -> (Next, Option<u16>) {
    let fake = match fault {
        Fault::Status { status } => Reply::gateway_page(status),
        Fault::Error { code, description } => ApiError::new(code, description).into(),
        Fault::Flood { retry_after } => ApiError::flood(retry_after).into(),
        Fault::Conflict => ApiError::conflict().into(),
        Fault::Unauthorized => ApiError::unauthorized().into(),
        Fault::Answer { status, body } => json_bytes(status, body.into_bytes()),
        Fault::Garbage => json_bytes(200, b"\x00\xff\xfe<<<not json at all>>>\xc3\x28".to_vec()),
        Fault::Hang => {
            client_left(stream).await;
            return (Next::Close, None);
        }
        Fault::Cut => return (Next::Close, None),
        Fault::Reset => return (reset(stream), None),
        Fault::Truncated
        | Fault::Delay { .. }
        | Fault::CutMiddle
        | Fault::Drip { .. }
        | Fault::TooLong { .. } => {
            let Some(reply) = reply else { return (Next::Close, None) };
            let status = Some(reply.status);
            return (distort(stream, &fault, reply).await, status);
        }
    };
    (send(stream, &fake).await, Some(fake.status))
}

/// Sends a true answer in a wrong way.
async fn distort(stream: &mut TcpStream, fault: &Fault, mut reply: Reply) -> Next {
    match fault {
        Fault::Truncated => {
            reply.body.truncate(reply.body.len() / 2);
            send(stream, &reply).await
        }
        Fault::CutMiddle => {
            let half = reply.body.get(..reply.body.len() / 2).unwrap_or_default();
            let _ = stream.write_all(&[reply.head(reply.body.len()).as_slice(), half].concat()).await;
            Next::Close
        }
        Fault::Drip { chunk, ms } => {
            let bytes = [reply.head(reply.body.len()), reply.body].concat();
            for piece in bytes.chunks((*chunk).max(1)) {
                if stream.write_all(piece).await.is_err() {
                    return Next::Close;
                }
                sleep(Duration::from_millis(*ms)).await;
            }
            Next::KeepAlive
        }
        Fault::TooLong { extra } => {
            let surplus = vec![b'#'; *extra];
            let bytes = [reply.head(reply.body.len()), reply.body, surplus].concat();
            write(stream, &bytes).await
        }
        _ => send(stream, &reply).await,
    }
}

fn json_bytes(status: u16, body: Vec<u8>) -> Reply {
    Reply { status, content_type: "application/json", retry_after: None, body }
}

async fn send(stream: &mut TcpStream, reply: &Reply) -> Next {
    write(stream, &[reply.head(reply.body.len()).as_slice(), &reply.body].concat()).await
}
