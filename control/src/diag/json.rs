//! The form for programs: each host's report as it came, and what was concluded from it.

use std::sync::Arc;

use secmon_wire::diag::Advice;
use serde_json::{Value, json};

use super::{Client, Judged, Look, Visit};

/// `{"client","hosts":[…],"left_out"}`, each host `{"agent","error"}` or
/// `{"agent","areas","compared_s","findings","healthy","report"}`. The findings are those of the report and of the
/// comparison, causes first; each has its sentence, what explains it and the advice.
pub fn json(client: &Client<'_>, visits: &[Arc<Visit>]) -> Value {
    let hosts: Vec<Value> = visits
        .iter()
        .map(|visit| match &visit.result {
            Err(why) => json!({"agent": visit.agent.as_str(), "error": why.to_string()}),
            Ok(look) => host(visit, look),
        })
        .collect();
    json!({"client": client.id.as_str(), "hosts": hosts, "left_out": client.left_out})
}

fn host(visit: &Visit, look: &Look) -> Value {
    // It is canonical, or it would not have been read.
    let report: Value = serde_json::from_slice(&look.seen.bytes).unwrap_or_default();
    let areas: Vec<&str> = look.asked.iter().map(|area| area.as_str()).collect();
    let findings: Vec<Value> = look.verdict.judged.iter().map(finding).collect();
    json!({
        "agent": visit.agent.as_str(),
        "areas": areas,
        "compared_s": look.compared,
        "findings": findings,
        "healthy": look.verdict.is_healthy(),
        "report": report,
    })
}

fn finding(judged: &Judged) -> Value {
    let (advice, action, why) = match judged.advice {
        Advice::Do(action) => ("do", Some(action), None),
        Advice::NotYet { action, why, .. } => ("not-yet", Some(action), Some(why)),
        Advice::DoNotRestart(why) => ("do-not-restart", None, Some(why)),
        Advice::Nothing => ("nothing", None, None),
    };
    json!({
        "action": action.map(|action| action.as_str()),
        "advice": advice,
        "explained_by": judged.explained_by.map(|id| id.as_str()),
        "id": judged.finding.id.as_str(),
        "sentence": judged.finding.to_string(),
        "severity": judged.severity.as_str(),
        "since": judged.finding.since,
        "why_not": why.map(|why| why.as_str()),
        "within_s": judged.within,
    })
}
