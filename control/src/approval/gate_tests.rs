use std::cell::RefCell;
use std::collections::BTreeSet;
use std::convert::Infallible;

use secmon_wire::{ActionId, ClientId, Nonce};

use super::*;
use crate::policy::Policy;

const NOW: u64 = 1_767_225_600;
const OPERATOR: Operator = Operator(1001);

/// Claims in memory, with the rules of the trait.
#[derive(Default)]
struct Memory {
    nonces: RefCell<BTreeSet<Nonce>>,
    steps: RefCell<BTreeSet<(Operator, u64)>>,
}

impl Claims for Memory {
    type Error = Infallible;

    fn claim(&self, claim: &Claim<'_>) -> Result<ClaimVerdict, Infallible> {
        match claim.code {
            Some(CodeVerdict::Wrong) => return Ok(ClaimVerdict::WrongCode),
            Some(CodeVerdict::Right { step }) if !self.steps.borrow_mut().insert((claim.operator, step)) => {
                return Ok(ClaimVerdict::StepUsed);
            }
            _ => {}
        }
        let fresh = self.nonces.borrow_mut().insert(claim.nonce);
        Ok(if fresh { ClaimVerdict::Claimed } else { ClaimVerdict::NonceUsed })
    }
}

fn inbound(text: &str) -> Inbound {
    Inbound {
        sender: OPERATOR,
        chat: ChatId(OPERATOR.0),
        private: true,
        transport: Transport::Telegram,
        form: Form::Plain,
        via: Via::Line,
        answers: None,
        text: text.to_owned(),
    }
}

fn line(action: &str, client: &str, nonce: u64, ts: u64) -> String {
    format!("APPROVE: {action} {client} nonce={nonce:016x} ts={ts}")
}

fn senders() -> Senders {
    Senders::new([OPERATOR], [ChatId(-100)])
}

/// The reason of the rejection, or "claimed"; strangers as their own reason.
fn verdict(inbound: Inbound, claims: &Memory, totp: Option<&TotpSecret>) -> String {
    let known = match senders().admit(inbound) {
        Ok(known) => known,
        Err(stranger) => return stranger.reason.as_str().to_owned(),
    };
    let passed = known
        .plain()
        .map(PlainText::compose)
        .and_then(|text| Approval::parse(text, |id| Ok::<_, Infallible>(id.as_str() == "acme")))
        .and_then(|approval| approval.fresh(NOW))
        .and_then(|fresh| fresh.authorize(Policy::EveryOperator))
        .and_then(|authorized| authorized.claim(totp, claims, NOW));
    match passed {
        Ok(claimed) => {
            assert_eq!(claimed.operator(), OPERATOR);
            "claimed".to_owned()
        }
        Err(rejected) => rejected.reason.code().to_owned(),
    }
}

#[test]
fn every_action_passes_once_and_is_denied_at_each_gate() {
    for (number, action) in ActionId::ALL.iter().enumerate() {
        let (claims, nonce) = (Memory::default(), number as u64);
        let good = line(action.as_str(), "acme", nonce, NOW);
        let unknown = Inbound { sender: Operator(666), ..inbound(&good) };
        assert_eq!(verdict(unknown, &claims, None), "unknown-sender", "{action}");
        let elsewhere = Inbound { private: false, chat: ChatId(-666), ..inbound(&good) };
        assert_eq!(verdict(elsewhere, &claims, None), "chat-not-allowed", "{action}");
        for form in [
            Form::Edited,
            Form::Forwarded,
            Form::Channel,
            Form::ViaBot,
            Form::Caption,
            Form::Business,
            Form::Button,
        ] {
            assert_eq!(
                verdict(Inbound { form, ..inbound(&good) }, &claims, None),
                "not-plain",
                "{action} {form:?}"
            );
        }
        let tail = format!("{good} now");
        assert_eq!(verdict(inbound(&tail), &claims, None), "grammar", "{action}");
        let other = line(action.as_str(), "other", nonce, NOW);
        assert_eq!(verdict(inbound(&other), &claims, None), "unknown-client", "{action}");
        let stale = line(action.as_str(), "acme", nonce, NOW - 301);
        assert_eq!(verdict(inbound(&stale), &claims, None), "stale", "{action}");
        let coded = good.replace(" nonce", " otp=123456 nonce");
        assert_eq!(verdict(inbound(&coded), &claims, None), "otp-unexpected", "{action}");
        assert_eq!(verdict(inbound(&good), &claims, None), "claimed", "{action}");
        assert_eq!(verdict(inbound(&good), &claims, None), "nonce-replay", "{action}");
    }
    let unknown = line("restart-everything", "acme", 1, NOW);
    assert_eq!(verdict(inbound(&unknown), &Memory::default(), None), "unknown-action");
}

#[test]
fn what_the_policy_denies_is_rejected_and_what_it_permits_is_not() {
    let fresh = || {
        let known = senders().admit(inbound(&line("restart-web", "acme", 1, NOW))).expect("known");
        let approval =
            Approval::parse(known.plain().expect("plain"), |_| Ok::<_, Infallible>(true)).expect("words");
        approval.fresh(NOW).expect("fresh")
    };
    let denied = fresh().authorize(Policy::Nobody).expect_err("denied");
    assert_eq!(denied.reason.code(), "policy");
    assert!(fresh().authorize(Policy::EveryOperator).is_ok());
}

#[test]
fn an_allowed_group_is_heard() {
    let group =
        Inbound { private: false, chat: ChatId(-100), ..inbound(&line("restart-web", "acme", 1, NOW)) };
    assert_eq!(verdict(group, &Memory::default(), None), "claimed");
}

#[test]
fn three_hundred_seconds_either_way_are_fresh_and_one_more_is_not() {
    for (ts, expected) in [
        (NOW - 300, "claimed"),
        (NOW - 301, "stale"),
        (NOW + 300, "claimed"),
        (NOW + 301, "stale"),
        (0, "stale"),
        (999_999_999_999, "stale"),
    ] {
        assert_eq!(
            verdict(inbound(&line("restart-web", "acme", 1, ts)), &Memory::default(), None),
            expected,
            "{ts}"
        );
    }
}

#[test]
fn codes_are_asked_for_judged_and_used_once_per_operator() {
    let secret = TotpSecret::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").expect("a secret");
    let right = (0..1_000_000)
        .map(|code| format!("{code:06}"))
        .find(|code| {
            let otp = Otp::new(code).expect("digits");
            secret.judge(&otp, NOW) == CodeVerdict::Right { step: NOW / 30 }
        })
        .expect("one of a million codes is right");
    let claims = Memory::default();
    let with = |code: &str, nonce: u64| {
        inbound(&line("restart-web", "acme", nonce, NOW).replace(" nonce", &format!(" otp={code} nonce")))
    };
    assert_eq!(verdict(inbound(&line("restart-web", "acme", 1, NOW)), &claims, Some(&secret)), "otp-missing");
    let wrong = if right == "000000" { "000001" } else { "000000" };
    assert_eq!(verdict(with(wrong, 1), &claims, Some(&secret)), "otp-wrong");
    assert_eq!(verdict(with(&right, 1), &claims, Some(&secret)), "claimed");
    assert_eq!(verdict(with(&right, 2), &claims, Some(&secret)), "otp-replay");
}

#[test]
fn a_six_digit_answer_to_a_prepared_line_goes_through_the_same_gates() {
    let prepared = Prepared {
        action: ActionId::RestartWeb,
        client: ClientId::new("acme").expect("an id"),
        nonce: Nonce([7; 8]),
        ts: NOW,
    };
    let secret = TotpSecret::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").expect("a secret");
    let answer = |form, line: String| Inbound { form, answers: Some(line), ..inbound("000000") };
    let claims = Memory::default();
    let line = prepared.line(true);
    let expected = if secret.judge(&Otp::new("000000").expect("digits"), NOW) == CodeVerdict::Wrong {
        "otp-wrong"
    } else {
        "claimed"
    };
    assert_eq!(verdict(answer(Form::Plain, line.clone()), &claims, Some(&secret)), expected);
    assert_eq!(verdict(answer(Form::Edited, line.clone()), &claims, Some(&secret)), "not-plain");
    let old = Prepared { ts: NOW - 301, ..prepared };
    assert_eq!(verdict(answer(Form::Plain, old.line(true)), &claims, Some(&secret)), "stale");
    assert_eq!(
        verdict(answer(Form::Plain, "nothing prepared".to_owned()), &claims, Some(&secret)),
        "grammar"
    );
}

#[test]
fn a_button_types_a_command_and_approves_nothing() {
    let press = |text: &str| Inbound { form: Form::Button, ..inbound(text) };
    let pressed = |text: &str| senders().admit(press(text)).expect("known").pressed().is_some();
    assert!(pressed("/prepare restart-web acme"));
    for text in [line("restart-web", "acme", 1, NOW), "  approve: restart-web acme".to_owned()] {
        assert!(!pressed(&text), "{text}");
        assert_eq!(verdict(press(&text), &Memory::default(), None), "not-plain", "{text}");
    }
    let typed = senders().admit(inbound("/prepare restart-web acme")).expect("known");
    assert!(typed.pressed().is_none(), "a message goes the way of messages");
}
