//! The edge of the zones: answers visits as their rules say. Pure but for the clock in the state.
//!
//! In order: access rules, custom rules, rate limiting rules, the security level, and then the origin. A zone that is
//! paused or not active passes everything to the origin.

use std::collections::VecDeque;

use secmon_fake_http::Request;
use serde_json::Value;

use crate::expression::{Expression, Visit};
use crate::record::VisitRecord;
use crate::reply::Reply;
use crate::state::State;
use crate::zone::{Zone, ZoneStatus};

/// Headers by which a test says who visits.
const IP: &str = "x-test-ip";
const VERIFIED_BOT: &str = "x-test-verified-bot";

/// What a rate limiting rule counted for one sort of visitor.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    seen_ms: VecDeque<i64>,
    until_ms: i64,
}

/// What the rules make of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    status: u16,
    challenge: bool,
    by: String,
}

/// A visit as the edge reads it from a request.
pub(crate) fn visit(request: &Request) -> Visit {
    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
    let host = header("host");
    let default = Visit::default();
    Visit {
        ip: header(IP).parse().unwrap_or(default.ip),
        method: request.verb.clone(),
        host: host.split(':').next().unwrap_or_default().to_owned(),
        path: request.path.clone(),
        query: request.query.clone(),
        tls: true,
        user_agent: header("user-agent"),
        referer: header("referer"),
        cookie: header("cookie"),
        forwarded_for: header("x-forwarded-for"),
        verified_bot: request.header(VERIFIED_BOT).is_some(),
        ..default
    }
}

/// Answers a visit and writes it down.
pub(crate) fn answer(state: &mut State, visit: Visit) -> Reply {
    let verdict = zone_of(state, &visit.host).and_then(|zone| verdict(state, &zone, &visit));
    let status = match &verdict {
        Some(verdict) => verdict.status,
        None => state.edge.origin.get(&visit.path).copied().unwrap_or(200),
    };
    let who = if verdict.is_some() { "the edge" } else { "the origin" };
    let body = if visit.method == "HEAD" { String::new() } else { format!("{status} from {who}\n") };
    let mut reply =
        Reply { content_type: "text/html", ..Reply::json(status, &Value::Null) }.with_body(body.into_bytes());
    if verdict.as_ref().is_some_and(|verdict| verdict.challenge) {
        reply = reply.with_header("cf-mitigated", "challenge");
    }
    state.edge.visits.push(VisitRecord { visit, status, by: verdict.map(|verdict| verdict.by) });
    reply
}

/// The zone of a host; with one zone alone, that one, whatever the host is called.
fn zone_of(state: &State, host: &str) -> Option<Zone> {
    let within = |zone: &&Zone| {
        host.strip_suffix(zone.basics.name.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let found = state.zones.iter().find(within);
    found.or(state.zones.first().filter(|_| state.zones.len() == 1)).cloned()
}

fn verdict(state: &mut State, zone: &Zone, visit: &Visit) -> Option<Verdict> {
    if zone.basics.paused || zone.basics.status != ZoneStatus::Active {
        return None;
    }
    let inside = |range: Option<(std::net::IpAddr, std::net::IpAddr)>| {
        range.is_some_and(|(first, last)| (first..=last).contains(&visit.ip))
    };
    // A rule for one address goes before one for a range of them.
    let rules = zone.access_rules.iter().filter(|rule| inside(rule.addresses));
    match rules.min_by_key(|rule| rule.target == "ip_range") {
        // A visitor who is let in by name passes everything else too.
        Some(rule) if rule.mode == "whitelist" => return None,
        Some(rule) => return acted(&rule.mode, &rule.id),
        None => {}
    }
    let mut skipped = Vec::new();
    for phase in ["http_request_firewall_custom", "http_ratelimit"] {
        if !skipped.contains(&phase.to_owned())
            && let Some(verdict) = phase_verdict(state, zone, phase, visit, &mut skipped)
        {
            return Some(verdict);
        }
    }
    let under_attack = zone.basics.security_level == "under_attack";
    let status = state.edge.under_attack_status;
    under_attack.then(|| Verdict { status, challenge: true, by: "under_attack".to_owned() })
}

fn phase_verdict(
    state: &mut State,
    zone: &Zone,
    phase: &str,
    visit: &Visit,
    skipped: &mut Vec<String>,
) -> Option<Verdict> {
    for rule in &zone.entry_point(phase)?.rules {
        let text = |name: &str| rule[name].as_str().unwrap_or_default();
        // A rule of somebody else may hold what this evaluator doesn't know; it is taken as one that doesn't match.
        let matches = |text: &str| Expression::parse(text).is_ok_and(|expression| expression.matches(visit));
        if rule["enabled"] == false || !matches(text("expression")) {
            continue;
        }
        if text("action") == "skip" {
            let parameters = &rule["action_parameters"];
            skipped.extend(
                parameters["phases"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|name| Some(name.as_str()?.to_owned())),
            );
            if parameters["ruleset"] == "current" {
                return None;
            }
            continue;
        }
        if let Some(limit) = rule.get("ratelimit")
            && !is_over(state, text("id"), limit, visit)
        {
            continue;
        }
        if let Some(mut verdict) = acted(text("action"), text("id")) {
            if rule.get("ratelimit").is_some() && !verdict.challenge {
                verdict.status = 429;
            }
            return Some(verdict);
        }
    }
    None
}

/// What an action does to a visit; nothing when it only logs.
fn acted(action: &str, by: &str) -> Option<Verdict> {
    let challenge = match action {
        "block" => false,
        "challenge" | "js_challenge" | "managed_challenge" => true,
        _ => return None,
    };
    Some(Verdict { status: 403, challenge, by: by.to_owned() })
}

/// Counts a visit; whether its visitor has come too often, or still has to wait.
fn is_over(state: &mut State, rule: &str, limit: &Value, visit: &Visit) -> bool {
    let number = |name: &str| limit[name].as_i64().unwrap_or_default();
    let by = limit["characteristics"].as_array().into_iter().flatten().filter_map(Value::as_str);
    // A visitor is known again by address, which is as good as can be had without cookies.
    let part = |name: &str| match name {
        "cf.colo.id" => String::new(),
        "ip.src.country" => visit.country.clone(),
        "http.host" => visit.host.clone(),
        _ => visit.ip.to_string(),
    };
    let key = std::iter::once(rule.to_owned()).chain(by.map(part)).collect::<Vec<_>>().join(" ");
    let now = state.now_ms();
    let counter = state.edge.counters.entry(key).or_default();
    if now < counter.until_ms {
        return true;
    }
    let begin = now - number("period") * 1000;
    counter.seen_ms.retain(|seen| *seen > begin);
    counter.seen_ms.push_back(now);
    let most = usize::try_from(number("requests_per_period")).unwrap_or(usize::MAX);
    let over = counter.seen_ms.len() > most;
    if over {
        counter.until_ms = now + number("mitigation_timeout") * 1000;
    }
    over
}
