//! What `tests/fuzz` calls: one function for each border that bytes cross, which panics where a property doesn't
//! hold. Exists in fuzzing builds only; it decides nothing, and no other module may use it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::LazyLock;

use heapless::Vec as Bounded;
use secmon_wire::limits::{ENVELOPE_MAX, FRESHNESS_S, HEALTH_MAX};
use secmon_wire::signature::{Signature, envelope_message};
use secmon_wire::{
    AgentId, Area, Capability, ClientId, Envelope, Hash, Intent, ManifestBody, Nonce, OperationId,
    SIGNATURE_HEADER, Unit,
};

use crate::admit::{Dismissal, Verdict, admit, hash_of};
use crate::config::Config;
use crate::diagnostics::Order;
use crate::keys::{SigningKey, VerifyingKey};
use crate::setup::Setup;
use crate::state::{Kept, Pending, Phase, State};
use crate::state_codec::{ENCODED_MAX, decode, encode};
use crate::{handshake, message};
use http::{Failure, Head, Parsed, Route, failure_body, parse, response_head};
use limits::{BODY_MAX, HEAD_MAX};

// Private to the network process, and small: compiled a second time rather than opened to the whole crate.
#[expect(dead_code, reason = "some failures are the connection's")]
#[path = "net/http.rs"]
mod http;
#[expect(dead_code, reason = "most of them are the connection's")]
#[path = "net/limits.rs"]
mod limits;

/// Requests as a connection reads them, one behind the other: each within its limits, the same however the bytes
/// are cut into pieces, and the same to a second reader.
pub fn http_request(bytes: &[u8]) {
    let mut rest = bytes.get(..HEAD_MAX + BODY_MAX).unwrap_or(bytes);
    for _ in 0..4 {
        match parse(rest) {
            Parsed::Partial => {
                assert!(rest.len() < HEAD_MAX, "a head that doesn't end has a limit");
                assert!(cuts(rest.len()).all(|cut| parse(&rest[..cut]) == Parsed::Partial));
                return;
            }
            Parsed::Failed(failure) => return answered(Err(failure)),
            Parsed::Complete(head) => {
                let whole = &rest[..head.length];
                assert!(cuts(head.length).all(|cut| parse(&whole[..cut]) == Parsed::Partial));
                assert_eq!(parse(whole), Parsed::Complete(head.clone()), "what follows a head isn't in it");
                as_a_second_reader_has_it(whole, &head);
                answered(head.route.map(|_| ()));
                let Some(next) = rest.get(head.length + head.body..) else { return };
                rest = next;
            }
        }
    }
}

/// Where a peer may have cut some bytes: early, evenly, and just before the end.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (0..8)
        .chain((1..8).map(move |part| length * part / 8))
        .chain((1..4).map(move |i| length.saturating_sub(i)))
        .filter(move |cut| *cut < length)
}

/// Reads the head by splitting at line ends and colons only, and asks whether it says the same.
fn as_a_second_reader_has_it(bytes: &[u8], head: &Head) {
    assert!(head.length <= HEAD_MAX && head.body <= BODY_MAX);
    let mut lines = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .skip_while(|line| line.is_empty());
    let first = std::str::from_utf8(lines.next().expect("a request line")).expect("text");
    let [method, target, version] = first.split(' ').collect::<Vec<_>>()[..] else { panic!("{first:?}") };
    let mut fields = Vec::new();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        assert!(!line.iter().any(|byte| matches!(byte, b'\r' | 0)), "one line is two to somebody");
        let colon = line.iter().position(|byte| *byte == b':').expect("a name");
        let name = std::str::from_utf8(&line[..colon]).expect("a name").to_ascii_lowercase();
        assert!(!name.is_empty() && name.bytes().all(|c| c.is_ascii_graphic()), "{name:?}");
        fields.push((name, line[colon + 1..].trim_ascii()));
    }
    assert!(lines.eq([b""]), "the head ends at its first empty line");
    let all = |name: &str| -> Vec<&[u8]> {
        fields.iter().filter(|(known, _)| known == name).map(|(_, value)| *value).collect()
    };

    assert!(matches!(version, "HTTP/1.0" | "HTTP/1.1"));
    assert!(all("transfer-encoding").is_empty() && all("host").len() <= 1);
    let length = match all("content-length")[..] {
        [] => 0,
        [digits] => std::str::from_utf8(digits).expect("digits").parse().expect("a length"),
        _ => panic!("two lengths"),
    };
    assert_eq!(head.body, length);
    let signature = head.signature.map(|signature| secmon_wire::to_hex::<128>(&signature));
    match (signature, &all(&SIGNATURE_HEADER.to_ascii_lowercase())[..]) {
        (Some(signature), [value]) => assert_eq!(signature.as_bytes(), *value),
        (Some(_), _) => panic!("a signature from nowhere"),
        (None, values) => assert!(values.len() <= 1),
    }
    assert_eq!(head.head_only, method == "HEAD");
    assert!(version == "HTTP/1.1" || !head.expects_continue);
    let (path, methods): (_, &[_]) = match head.route {
        Ok(Route::Diagnose(_)) => ("/v1/diag", &["GET"]),
        Ok(Route::Execute) => ("/v1/execute", &["POST"]),
        Ok(Route::Health) => ("/v1/health", &["GET", "HEAD"]),
        Ok(Route::Manifest) => ("/v1/manifest", &["GET", "HEAD"]),
        Ok(Route::Receipts) => ("/v1/receipts", &["GET", "HEAD"]),
        Err(_) => return,
    };
    assert!(methods.contains(&method));
    let target = match (head.route, target.split_once('?')) {
        (Ok(Route::Diagnose(areas)), Some((target, query))) => {
            let named = |area: &Area| query["area=".len()..].split(',').any(|name| name == area.as_str());
            assert!(Area::ALL.iter().all(|area| areas.has(*area) == (query == "area=all" || named(area))));
            target
        }
        (_, query) => {
            assert_eq!(query, None, "nothing else takes one");
            target
        }
    };
    assert!(target == path || target.starts_with("https://") && target.ends_with(path), "{target}");
}

/// Every answer is a whole head.
fn answered(result: Result<(), Failure>) {
    let signature = [0xa5; 64];
    let body = result.map_or_else(|failure| failure_body(failure).len(), |()| HEALTH_MAX);
    let head = response_head(result.map(|()| Some(&signature)), body, false);
    assert!(head.ends_with("\r\n\r\n") && head.matches("\r\n\r\n").count() == 1);
}

/// What the monitor tells a diagnostics process: whatever decodes encodes to the same bytes.
pub fn order(bytes: &[u8]) {
    if let Some(order) = Order::decode(bytes) {
        assert_eq!(order.encode().as_deref(), Some(bytes));
    }
}

/// Messages between the two processes: whatever decodes encodes to the same bytes, and has the one size.
pub fn message(bytes: &[u8]) {
    if let Some((token, request)) = message::Request::decode(bytes) {
        assert_eq!(request.encode(token), bytes);
    }
    if let Some((token, reply)) = message::Reply::decode(bytes) {
        assert_eq!(reply.encode(token), bytes);
    }
    if bytes.len() < message::REPLY_SIZE {
        message(&filled::<{ message::REPLY_SIZE }>(bytes));
    }
    if bytes.len() < message::REQUEST_SIZE {
        message(&filled::<{ message::REQUEST_SIZE }>(bytes));
    }
}

/// The same for handshakes; and the monitor signs a server's CertificateVerify and nothing else.
pub fn handshake(bytes: &[u8]) {
    if let Some(hash) = handshake::transcript_hash(bytes) {
        assert_eq!(handshake::certificate_verify(&hash), bytes);
    }
    for bytes in [bytes, &filled::<{ handshake::REQUEST_SIZE }>(bytes)] {
        if let Some(request) = handshake::SignRequest::decode(bytes) {
            assert_eq!(request.encode(), bytes);
            let signed = handshake::certificate_verify(&request.hash);
            assert_eq!(handshake::transcript_hash(&signed), Some(request.hash));
        }
    }
    for bytes in [bytes, &filled::<{ handshake::REPLY_SIZE }>(bytes)] {
        if let Some(reply) = handshake::SignReply::decode(bytes) {
            assert_eq!(reply.encode(), bytes);
        }
    }
}

/// What the monitor hands over at the start: whatever decodes encodes to the same bytes.
pub fn setup(bytes: &[u8]) {
    if let Some(setup) = Setup::decode(bytes) {
        assert_eq!(setup.encode().as_deref(), Some(bytes));
    }
}

/// The first `N` bytes, with zeros behind them.
fn filled<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    out
}

/// `agent.json` as it is read from its file: each field as text, in the order of their names. What isn't given is
/// there with its default.
pub fn config(bytes: &[u8]) -> Option<[String; 8]> {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = std::env::temp_dir().join(format!("secmon-fuzz-{}", std::process::id()));
        std::fs::create_dir(&directory).expect("a directory of our own");
        directory.join("agent.json")
    });
    std::fs::write(&*FILE, bytes).expect("room");
    let config = Config::load(&FILE).ok()?;
    assert!(bytes.len() <= 4096);
    let path = |path: PathBuf| {
        assert!(path.is_absolute(), "{path:?}");
        path.into_os_string().into_string().expect("text")
    };
    Some([
        config.agent_id.as_str().to_owned(),
        config.diagnostics_user,
        path(config.init_dir),
        config.listen.to_string(),
        config.network_user,
        path(config.run_dir),
        format!("{:?}", config.service_manager).to_lowercase(),
        path(config.state),
    ])
}

/// A state that decodes encodes to the same bytes; and however odd it is, the monitor can work with it.
pub fn state(bytes: &[u8]) {
    let Some(mut state) = decode(bytes) else { return };
    let mut out = Box::new([0; ENCODED_MAX]);
    assert_eq!(encode(&state, &mut out), Some(bytes));
    let clock = state.claims.floor ^ state.last_intent;
    for number in 0..3 {
        let envelope = Envelope {
            action: OperationId::RestartDb,
            agent_id: state.agent_id.clone(),
            intent: Intent { hash: Hash([0; 32]), seq: number },
            nonce: Nonce([0xa5; 8]),
            ts: state.receipt_seq.wrapping_add(number),
        };
        state.take_note(&envelope, clock);
        assert!(
            state.claims.contains(envelope.nonce)
                || state.claims.may_have_forgotten(envelope.ts)
                || envelope.ts > clock
        );
        state.keep(kept(number, b"", true));
        assert!(state.receipt_for(hash_of(b"")).is_some());
    }
    assert!(encode(&state, &mut out).and_then(decode).is_some_and(|again| again == state));
}

fn kept(seq: u64, envelope: &[u8], refusal: bool) -> Kept {
    Kept { seq, envelope: hash_of(envelope), refusal, signature: [0; 64], body: Bounded::new() }
}

/// Envelopes, replays, floods, forgeries, clock jumps and restarts in any order: no envelope is admitted twice,
/// and what is admitted is signed, ours, fresh, listed, alone, and not too soon.
pub fn admission(steps: &[u8]) {
    let mut host = Host::new();
    for step in steps.as_chunks::<6>().0.iter().take(128) {
        host.step(*step);
    }
}

/// An agent `web1` with two operations, as far as the gate and its books go.
struct Host {
    manifest: ManifestBody,
    state: State,
    clock: u64,
    sent: Vec<Vec<u8>>,
    admitted: HashSet<Vec<u8>>,
    flooded: u64,
}

static KEYS: LazyLock<(SigningKey, VerifyingKey)> = LazyLock::new(|| {
    // The seed is 32 sevens, which signs nothing anywhere else.
    let pem = |label: &str, der: &str| format!("-----BEGIN {label}-----\n{der}\n-----END {label}-----\n");
    let private = pem("PRIVATE KEY", "MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH");
    let public = pem("PUBLIC KEY", "MCowBQYDK2VwAyEA6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=");
    let keys = SigningKey::from_pem(private.as_bytes()).zip(VerifyingKey::from_pem(public.as_bytes()));
    keys.expect("a pair of keys")
});

impl Host {
    fn new() -> Self {
        let agent_id = AgentId::new("web1").expect("an id");
        let capability = |action, unit, seconds| {
            Capability::new(action, Unit::new(unit).expect("a unit"), seconds).expect("a capability")
        };
        let operations = [
            capability(OperationId::RestartPhp, "php8.2-fpm", 3),
            capability(OperationId::RestartWeb, "nginx", 30),
        ];
        let manifest = ManifestBody {
            agent_id: agent_id.clone(),
            client_id: ClientId::new("acme").expect("an id"),
            diagnostics: Bounded::new(),
            issued: 0,
            operations: operations.into_iter().collect(),
            seq: 1,
            tuning: Default::default(),
        };
        let state = State::new(agent_id);
        Self { manifest, state, clock: 1 << 30, sent: Vec::new(), admitted: HashSet::new(), flooded: 1 << 32 }
    }

    fn step(&mut self, [kind, a, b, c, d, e]: [u8; 6]) {
        let (wide, signed) = (u64::from(u16::from_le_bytes([b, c])), i64::from(i16::from_le_bytes([d, e])));
        let earlier = self.sent.get(usize::from(b) % self.sent.len().max(1)).cloned();
        match (kind % 8, earlier) {
            (0 | 1, _) => {
                let action = OperationId::ALL[usize::from(a) % OperationId::ALL.len()];
                let agent_id = if a < 0xf0 { "web1" } else { "web2" };
                let body = envelope(agent_id, action, wide, self.clock.saturating_add_signed(signed));
                self.sent.push(body.clone());
                self.present(&body);
            }
            (2, Some(body)) => self.present(&body),
            (3, _) => self.clock = self.clock.saturating_add_signed(signed * (1 << (a % 5))),
            (4, _) => self.conclude(a % 2 == 1),
            (5, _) => {
                let mut out = Box::new([0; ENCODED_MAX]);
                let again = encode(&self.state, &mut out).and_then(decode);
                assert_eq!(again.as_ref(), Some(&self.state), "a restart changes nothing");
            }
            (6, _) => self.flood(a % 80, wide, d % 2 == 1),
            (7, Some(body)) => self.forge(&body, a, c),
            _ => {}
        }
    }

    fn judge(&self, body: &[u8], signature: &Signature) -> Verdict<'_> {
        admit(body, signature, &KEYS.1, &self.manifest, &self.state, self.clock)
    }

    /// As the monitor does it, up to the beginning of a restart.
    fn present(&mut self, body: &[u8]) {
        let signature = sign(body);
        match self.judge(body, &signature) {
            Verdict::Admitted(envelope, capability) => {
                assert!(!self.admitted.contains(body), "an envelope is admitted a second time");
                assert!(envelope.agent_id == self.state.agent_id && capability.action == envelope.action);
                assert!(envelope.ts.abs_diff(self.clock) <= FRESHNESS_S && self.state.pending.is_none());
                let since = self.clock.abs_diff(self.state.last_run(envelope.action));
                assert!(since >= u64::from(capability.min_interval_s));
                let unit = capability.unit.clone();
                self.admitted.insert(body.to_vec());
                self.state.take_note_of_admitted(&envelope, self.clock);
                self.state.set_last_run(envelope.action, self.clock);
                let body = Bounded::from_slice(body).expect("an envelope");
                self.state.pending = Some(Pending { body, began: self.clock, unit, phase: Phase::Checking });
            }
            Verdict::UnderWay => assert!(self.state.pending.as_ref().is_some_and(|p| p.body == body)),
            Verdict::Replay(kept) => assert_eq!(kept.envelope, hash_of(body)),
            Verdict::Refused(envelope, _) => {
                self.state.take_note(&envelope, self.clock);
                self.issue(body, true);
            }
            Verdict::Dismissed(why) => {
                let agent_id = Envelope::read(body).expect("an envelope").agent_id;
                assert!(why == Dismissal::OtherAgent && agent_id != self.state.agent_id);
            }
        }
    }

    fn conclude(&mut self, refused: bool) {
        if let Some(pending) = self.state.pending.take() {
            self.issue(&pending.body, refused);
        }
    }

    fn issue(&mut self, body: &[u8], refusal: bool) {
        self.state.receipt_seq += 1;
        self.state.keep(kept(self.state.receipt_seq, body, refusal));
        assert!(self.state.receipt_for(hash_of(body)).is_some_and(|kept| kept.seq == self.state.receipt_seq));
    }

    /// Envelopes of our control plane that are refused as stale, whatever else they are; so nobody asks.
    fn flood(&mut self, count: u8, distance: u64, ahead: bool) {
        let distance = FRESHNESS_S + 1 + distance;
        for _ in 0..count {
            let ts =
                if ahead { self.clock.saturating_add(distance) } else { self.clock.saturating_sub(distance) };
            if ts.abs_diff(self.clock) <= FRESHNESS_S {
                return;
            }
            self.flooded += 1;
            let body = envelope("web1", OperationId::RestartDb, self.flooded, ts);
            self.state.take_note(&Envelope::read(&body).expect("an envelope"), self.clock);
            self.issue(&body, true);
        }
    }

    /// One flipped bit, in the envelope or its signature.
    fn forge(&self, body: &[u8], bit: u8, at: u8) {
        let (mut body, mut signature) = (body.to_vec(), sign(body));
        let forged = if bit < 128 { &mut body[..] } else { &mut signature[..] };
        let at = usize::from(at) % forged.len();
        forged[at] ^= 1 << (bit % 8);
        assert!(matches!(self.judge(&body, &signature), Verdict::Dismissed(Dismissal::Unsigned)));
    }
}

fn sign(body: &[u8]) -> Signature {
    KEYS.0.sign(&envelope_message(body).expect("a message"))
}

fn envelope(agent_id: &str, action: OperationId, nonce: u64, ts: u64) -> Vec<u8> {
    let agent_id = AgentId::new(agent_id).expect("an id");
    let intent = Intent { hash: Hash([1; 32]), seq: nonce };
    let envelope = Envelope { action, agent_id, intent, nonce: Nonce(nonce.to_be_bytes()), ts };
    envelope.write(&mut [0; ENVELOPE_MAX]).expect("an envelope").to_vec()
}
