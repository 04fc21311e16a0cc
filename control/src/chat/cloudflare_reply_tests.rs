use proptest::prelude::*;
use secmon_wire::Nonce;
use secmon_wire::diag::{FindingId, Severity};

use super::*;
use crate::approval::{ChatId, Operator, Reason, Rejected, Transport};
use crate::cloudflare::{
    Broken, Held, Origin, Phase, Previous, Probe, Rule, RuleAction, Sight, State, ZoneId,
};

/// Characters in a line of a message on a phone that is 360 pixels wide.
const COLUMNS: usize = 40;
/// Lines of a message that such a phone shows at once.
const LINES: usize = 22;

fn client() -> ClientId {
    ClientId::new("acme").expect("a client")
}

fn under_attack() -> Lease {
    Lease {
        id: LeaseId([1; 8]),
        client: client(),
        zone: ZoneId::new("023e105f4ecef8ad9ca31a8372d0c353").expect("a zone"),
        zone_name: "example.com".to_owned(),
        action: ActionId::CfUnderAttack,
        origin: Origin::Approved {
            operator: Operator(1),
            nonce: Nonce([1; 8]),
            transport: Transport::Telegram,
            chat: ChatId(1),
        },
        said: "check every visitor of example.com (under-attack mode)".to_owned(),
        reason: "flood-distributed".to_owned(),
        created: now(),
        expires: now() + 3600,
        state: State::Active,
        held: vec![Held {
            change: Change::UnderAttack,
            previous: Previous::Level("high".to_owned()),
            ended: None,
        }],
        ending: None,
    }
}

fn pattern_block() -> Lease {
    let rule = Rule {
        expression: "(http.request.uri.path eq \"/xmlrpc.php\") and not cf.client.bot".to_owned(),
        action: RuleAction::Block,
        rate: None,
    };
    let change = Change::Rule { phase: Phase::Custom, rule };
    Lease {
        action: ActionId::CfPatternBlock,
        said: "block POST requests for /xmlrpc.php on example.com; verified crawlers pass".to_owned(),
        held: vec![Held { change, previous: Previous::NoRuleset, ended: None }],
        expires: now() + 24 * 3600,
        ..under_attack()
    }
}

fn ended(how: &str) -> Lease {
    Lease { state: State::Ended, ending: Some(how.to_owned()), ..pattern_block() }
}

fn collateral() -> Collateral {
    let page = |path| Probe::new(path).expect(path);
    Collateral {
        lease: LeaseId([1; 8]),
        looked: 3,
        broken: vec![
            Broken { page: page("/wp-json/"), before: Some(Sight::Served(200)), now: Sight::Challenged },
            Broken { page: page("/shop/hook"), before: None, now: Sight::Refused(403) },
        ],
    }
}

/// Every reply, and how it reads without marks.
fn replies() -> Vec<(Reply, &'static str)> {
    let (client, cut) = (client(), "Cloudflare can't be reached: no answer in time".to_owned());
    let did = |lease, outcome, renewed| Reply::mitigated(&[(lease, outcome, renewed)]);
    vec![
        (
            did(under_attack(), Outcome::Done, false),
            "✓ in force acme cf-under-attack: check every visitor of example.com (under-attack mode), for 60 min.\n\
             Apps, webhooks and monitors can't pass it, on protected paths either.\n\
             [Put it back] /prepare cf-restore acme",
        ),
        (
            did(pattern_block(), Outcome::Done, false),
            "✓ in force acme cf-pattern-block: block POST requests for /xmlrpc.php on example.com; verified crawlers \
             pass, for 24 h.\n(http.request.uri.path eq \"/xmlrpc.php\") and not cf.client.bot\n\
             [Put it back] /prepare cf-restore acme",
        ),
        (
            did(under_attack(), Outcome::Done, true),
            "✓ renewed acme cf-under-attack: check every visitor of example.com (under-attack mode), for 60 min",
        ),
        (
            did(under_attack(), Outcome::Failed(cut.clone()), false),
            "✗ failed acme cf-under-attack on example.com: Cloudflare can't be reached: no answer in time",
        ),
        (
            did(under_attack(), Outcome::Unknown(cut.clone()), false),
            "? unknown acme cf-under-attack on example.com: Cloudflare can't be reached: no answer in time. It may be \
             in force. I keep looking and will tell you.",
        ),
        (
            Reply::restored(&client, &[(pattern_block(), Ok(ended("rule removed")))]),
            "✓ restored acme\nexample.com cf-pattern-block: rule removed",
        ),
        (
            Reply::restored(&client, &[(under_attack(), Err(cut.clone()))]),
            "✗ not all restored acme\nexample.com cf-under-attack: not yet (Cloudflare can't be reached: no answer in \
             time); I keep trying",
        ),
        (
            Reply::lease_ended(&ended("rule removed"), Why::Expired),
            "↩ ended acme cf-pattern-block on example.com: its time is over; rule removed.",
        ),
        (
            Reply::lease_stuck(&under_attack(), &cut),
            "! can't put back acme cf-under-attack on example.com: Cloudflare can't be reached: no answer in time. I \
             keep trying; look at the zone's dashboard if it hurts.",
        ),
        (
            Reply::collateral(&under_attack(), &collateral()),
            "⚠ turned away acme cf-under-attack on example.com:\n/wp-json/: challenged now, 200 before\n\
             /shop/hook: refused (403) now, not looked at before\n\
             People pass a challenge; apps, webhooks and monitors don't.\n\
             [Put it back] /prepare cf-restore acme",
        ),
        (
            Reply::armed(&client, ActionId::EnableCfAuto, &Ok(()), 24),
            "✓ armed acme: floods are answered at Cloudflare without asking, for 24 h. /cf acme shows what is done.",
        ),
        (
            Reply::armed(&client, ActionId::DisableCfAuto, &Ok(()), 24),
            "✓ disarmed acme: nothing is done at Cloudflare without asking. What is in force stays until it runs out, \
             or cf-restore.",
        ),
        (
            Reply::suppressed(&client, ActionId::CfPatternBlock, &Suppressed::File),
            "⚡ not done acme cf-pattern-block: automatic changes are switched off (`secmon auto off`). By hand it \
             works:\n[Approve cf-pattern-block] /prepare cf-pattern-block acme",
        ),
        (
            Reply::automatically(
                did(pattern_block(), Outcome::Failed(cut), false),
                &Finding::new(FindingId::FloodXmlrpc, Severity::Critical),
            ),
            "⚡ automatic (flood-xmlrpc)\n✗ failed acme cf-pattern-block on example.com: Cloudflare can't be reached: no \
             answer in time",
        ),
        (
            Reply::held(&client),
            "⚡ stays on acme: it is quiet, but the flood came back each time that it was put back; I leave it on. \
             cf-restore puts it back.\n[Put it back] /prepare cf-restore acme",
        ),
        (
            Reply::blind(&client),
            "⚡ blind acme is armed, but none of its servers can be looked at; nothing is answered until one can.",
        ),
        (
            Reply::arming_ended(&client),
            "⚡ disarmed acme: the time of enable-cf-auto is over.\n[Arm it again] /prepare enable-cf-auto acme",
        ),
    ]
}

#[test]
fn every_reply_reads_so() {
    for (reply, expected) in replies() {
        assert_eq!(reply.plain(), expected);
    }
}

#[test]
fn every_reply_fits_on_the_screen_of_a_phone() {
    for (reply, text) in replies() {
        let wrapped = |line: &str| line.chars().count().div_ceil(COLUMNS).max(1);
        let lines: usize = reply.plain().lines().map(wrapped).sum();
        assert!(lines <= LINES, "{lines} lines: {text}");
        for button in reply.buttons() {
            assert!(button.label.chars().count() <= COLUMNS && button.command.len() <= 64, "{button:?}");
        }
    }
}

/// Telegram's HTML without the marks that replies use; anything else that looks like a mark stays.
fn unmarked(html: &str) -> String {
    let html = html.replace("<blockquote expandable>", "").replace("</blockquote>", "");
    ["b", "code", "pre"]
        .iter()
        .fold(html, |text, mark| text.replace(&format!("<{mark}>"), "").replace(&format!("</{mark}>"), ""))
}

fn stranger() -> impl Strategy<Value = String> {
    let evil = ["</code><a href=\"http://evil.example\">x</a>", "&lt;b&gt;", "/disarm_all", "@everyone"];
    prop_oneof![".*", proptest::sample::select(evil.to_vec()).prop_map(str::to_owned), "[<>&]{0,6000}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_strangers_wrote_is_escaped_cut_to_a_message_and_set_apart(
        said in stranger(), why in stranger(), expression in stranger(),
    ) {
        let mut lease = pattern_block();
        lease.said.clone_from(&said);
        if let Some(Held { change: Change::Rule { rule, .. }, .. }) = lease.held.first_mut() {
            rule.expression = expression;
        }
        let done = |outcome| Reply::mitigated(&[(lease.clone(), outcome, false)]);
        let rejected = Rejected {
            operator: Operator(1),
            transport: Transport::Telegram,
            via: None,
            action: Some(lease.action),
            client: Some(client()),
            nonce: None,
            reason: Reason::Unfit(why.clone()),
        };
        for reply in [
            done(Outcome::Done),
            Reply::mitigated(&[(lease.clone(), Outcome::Done, true)]),
            done(Outcome::Failed(why.clone())),
            done(Outcome::Unknown(why.clone())),
            Reply::restored(&client(), &[(lease.clone(), Err(why.clone()))]),
            Reply::lease_stuck(&lease, &why),
            Reply::auto_refused(&client(), &why),
            Reply::rejected(&rejected, true),
        ] {
            let html = reply.html();
            let text = unmarked(&html);
            prop_assert!(!text.contains(['<', '>']), "{}", html);
            let shown = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            prop_assert!(shown.encode_utf16().count() <= 4096);
            prop_assert!(html.matches("<code>").count() == html.matches("</code>").count());
        }
    }
}

#[test]
fn a_path_of_a_flood_is_no_command_in_a_chat() {
    for reply in [
        Reply::mitigated(&[(pattern_block(), Outcome::Done, false)]),
        Reply::mitigated(&[(pattern_block(), Outcome::Done, true)]),
        Reply::auto_refused(&client(), "/xmlrpc.php is protected"),
    ] {
        let html = reply.html();
        let apart: String =
            html.split("<code>").map(|part| part.split("</code>").last().unwrap_or("")).collect();
        assert!(html.contains("/xmlrpc.php") && !apart.contains("/xmlrpc.php"), "{html}");
    }
}
