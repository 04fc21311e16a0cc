//! The table of gates: one flaw for each row, and what becomes of a message that has it.

use secmon_fake_telegram::{Form, Incoming};
use secmon_tests::agent_host::{nonce, now};
use secmon_tests::plane::{Line, OPERATIONS, OTHER_CHAT, Plane, STRANGER, Totp};
use secmon_wire::ActionId;

/// One flaw, and what becomes of a message that has it.
pub(crate) struct Gate {
    pub(crate) name: &'static str,
    pub(crate) applies: fn(Totp, ActionId) -> bool,
    pub(crate) flaw: fn(&mut Plane, &mut Case),
    pub(crate) verdict: Verdict,
}

/// What must become of a message.
pub(crate) enum Verdict {
    /// No answer, and one record of this reason without a word of the message.
    Silence(&'static str),
    /// An answer with these words, and one record of this reason that holds what was read by then.
    Rejection(&'static str, &'static str, Read),
}

/// How far a message was read before it was rejected.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Read {
    Nothing,
    AllButAction,
    All,
}

/// A message that would be accepted, and then has a flaw.
pub(crate) struct Case {
    pub(crate) incoming: Incoming,
    pub(crate) line: Line,
    /// What is sent instead of the line.
    pub(crate) text: Option<String>,
}

/// Whether a host runs this action.
pub(crate) fn is_on_a_host(action: ActionId) -> bool {
    OPERATIONS.contains(&action.as_str())
}

const ALWAYS: fn(Totp, ActionId) -> bool = |_, _| true;
const WITH_CODES: fn(Totp, ActionId) -> bool = |totp, _| matches!(totp, Totp::On);
const WITHOUT_CODES: fn(Totp, ActionId) -> bool = |totp, _| matches!(totp, Totp::Off);
const ON_A_HOST: fn(Totp, ActionId) -> bool = |_, action| is_on_a_host(action);
const AT_CLOUDFLARE: fn(Totp, ActionId) -> bool = |_, action| !is_on_a_host(action);

const fn gate(name: &'static str, flaw: fn(&mut Plane, &mut Case), verdict: Verdict) -> Gate {
    Gate { name, applies: ALWAYS, flaw, verdict }
}

/// A message of another form; it is not read at all.
const fn form(name: &'static str, flaw: fn(&mut Plane, &mut Case), words: &'static str) -> Gate {
    gate(name, flaw, Verdict::Rejection("not-plain", words, Read::Nothing))
}

/// A word that is wrong, and how the answer names it.
const fn word(name: &'static str, flaw: fn(&mut Plane, &mut Case), words: &'static str) -> Gate {
    gate(name, flaw, Verdict::Rejection("grammar", words, Read::Nothing))
}

/// A gate behind the grammar.
const fn late(
    name: &'static str,
    applies: fn(Totp, ActionId) -> bool,
    flaw: fn(&mut Plane, &mut Case),
    reason: &'static str,
    words: &'static str,
) -> Gate {
    Gate { name, applies, flaw, verdict: Verdict::Rejection(reason, words, Read::All) }
}

/// Every gate, in the order in which a message meets them.
pub(crate) const GATES: &[Gate] = &[
    gate("unknown sender", |_, c| c.incoming.from = stranger(c), Verdict::Silence("unknown-sender")),
    gate(
        "chat that is not allowed",
        |_, c| c.incoming.chat = Some(OTHER_CHAT),
        Verdict::Silence("chat-not-allowed"),
    ),
    gate(
        "post in a channel",
        |_, c| {
            let channel = -1_000_000_000_000 - stranger(c);
            c.incoming = Incoming::new(c.incoming.from, "").in_chat(channel).form(Form::Channel);
        },
        Verdict::Silence("unknown-sender"),
    ),
    form("edited", |_, c| c.incoming.form = Form::Edited, "this one is edited"),
    form("forwarded", |_, c| c.incoming.form = Form::Forwarded, "this one is forwarded"),
    form("via a bot", |_, c| c.incoming.form = Form::ViaBot, "this one is via-bot"),
    form("caption", |_, c| c.incoming.form = Form::Caption, "this one is caption"),
    word("keyword in lower case", |_, c| c.replace("APPROVE", "approve"), "word 1: "),
    word("keyword without colon", |_, c| c.replace("APPROVE:", "APPROVE"), "word 1: "),
    word(
        "nothing but the keyword",
        |_, c| c.text = Some("APPROVE:".to_owned()),
        "word 2: expected an action",
    ),
    word("action in upper case", |_, c| c.line.action = c.line.action.to_uppercase(), "word 2: "),
    word("client in upper case", |_, c| c.line.client = "Acme".to_owned(), "word 3: expected a client id"),
    word("nonce of 15 digits", |_, c| c.line.nonce = c.line.nonce[1..].to_owned(), "expected nonce="),
    word("nonce in upper case", |_, c| c.line.nonce = "ABCDEF0123456789".to_owned(), "expected nonce="),
    word("nonce without its name", |_, c| c.replace("nonce=", ""), "expected nonce="),
    word("no time stamp", |_, c| c.replace(&format!(" ts={}", c.line.ts), ""), "expected ts="),
    word("time stamp with a sign", |_, c| c.replace("ts=", "ts=+"), "expected ts="),
    word("time stamp with a zero in front", |_, c| c.replace("ts=", "ts=0"), "expected ts="),
    word("time stamp in other digits", |_, c| c.replace("ts=1", "ts=\u{ff11}"), "expected ts="),
    word("one word more", |_, c| c.text = Some(format!("{} now", c.line)), "expected nothing more"),
    word("a field twice", |_, c| c.replace(" ts=", " ts=1 ts="), "expected nothing more"),
    word("fields in another order", fields_swapped, "expected nonce="),
    word("two lines", |_, c| c.text = Some(format!("{0}\n{0}", c.line)), "expected one line"),
    word("a tab between words", |_, c| c.replace("APPROVE: ", "APPROVE:\t"), "word 1: "),
    word("a space that is not ASCII", |_, c| c.replace("APPROVE: ", "APPROVE:\u{a0}"), "word 1: "),
    Gate {
        applies: WITH_CODES,
        ..word("code of five digits", |_, c| c.line.otp = Some("12345".to_owned()), "word 4: expected otp=")
    },
    gate(
        "unknown action",
        |_, c| c.line.action.push('x'),
        Verdict::Rejection("unknown-action", "unknown action; /help lists them", Read::AllButAction),
    ),
    late(
        "unknown client",
        ALWAYS,
        |_, c| c.line.client = "nobody".to_owned(),
        "unknown-client",
        "unknown client; /clients lists them",
    ),
    late("301 seconds old", ALWAYS, |_, c| c.line.ts = now() - 301, "stale", " s old; at most 300 s"),
    // Some seconds more: the control plane's clock goes on until it reads this.
    late("too far ahead", ALWAYS, |_, c| c.line.ts = now() + 310, "stale", " s ahead; at most 300 s"),
    late("no code", WITH_CODES, |_, c| c.line.otp = None, "otp-missing", "otp=<6 digits> is missing"),
    late(
        "a code where none is configured",
        WITHOUT_CODES,
        |_, c| c.line.otp = Some("123456".to_owned()),
        "otp-unexpected",
        "no TOTP is configured",
    ),
    late(
        "wrong code",
        WITH_CODES,
        |plane, c| c.line.otp = Some(plane.codes().wrong(now())),
        "otp-wrong",
        "wrong otp",
    ),
    late("code used before", WITH_CODES, use_the_code, "otp-replay", "replay: this otp was used before"),
    late("nonce used before", ALWAYS, use_the_nonce, "nonce-replay", "replay: this nonce was used before"),
    late(
        "client without hosts",
        ON_A_HOST,
        |_, c| c.line.client = "idle".to_owned(),
        "not-offered",
        "no server of this client offers this action",
    ),
    late(
        "client without a zone",
        AT_CLOUDFLARE,
        |_, c| c.line.client = "idle".to_owned(),
        "no-zone",
        "this client has no zone at Cloudflare",
    ),
    late(
        "manifest without the action",
        ON_A_HOST,
        |_, c| c.line.client = "bare".to_owned(),
        "not-listed",
        "the agent's manifest does not list this action",
    ),
];

impl Case {
    fn replace(&mut self, from: &str, to: &str) {
        let line = self.line.to_string();
        let changed = line.replacen(from, to, 1);
        assert_ne!(changed, line);
        self.text = Some(changed);
    }
}

/// A sender for each case: a second message within a minute is only counted.
fn stranger(case: &Case) -> i64 {
    STRANGER + case.incoming.from
}

fn fields_swapped(_plane: &mut Plane, case: &mut Case) {
    let Line { nonce, ts, .. } = &case.line;
    let (from, to) = (format!("nonce={nonce} ts={ts}"), format!("ts={ts} nonce={nonce}"));
    case.replace(&from, &to);
}

/// The operator spends the code on something else.
fn use_the_code(plane: &mut Plane, case: &mut Case) {
    let other = Line { nonce: nonce(), client: "idle".to_owned(), ..case.line.clone() };
    plane.ask(case.incoming.from, other);
}

/// The operator spends the nonce on something else, with a code of its own.
fn use_the_nonce(plane: &mut Plane, case: &mut Case) {
    let other = Line { client: "idle".to_owned(), ..case.line.clone() };
    plane.ask(case.incoming.from, other);
    case.line.otp = case.line.otp.take().map(|_| plane.codes().at(now() + 30));
}
