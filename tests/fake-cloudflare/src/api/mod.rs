//! The operations: one table, and what happens before any of them is carried out.

mod access;
mod rulesets;
mod zones;

use std::collections::BTreeMap;

use secmon_fake_http::Request;
use serde_json::{Map, Value};

use crate::rate::{self, Allowance};
use crate::reply::{Refusal, Reply};
use crate::spec::PREFIX;
use crate::state::State;
use crate::token::Permission::{
    self, FirewallRead, FirewallWrite, SettingsRead, SettingsWrite, WafRead, WafWrite,
};
use crate::token::{Token, TokenStatus, bearer};

type Outcome = Result<Reply, Refusal>;
type Operation = fn(&mut State, &Call<'_>) -> Outcome;

/// Who may: anybody, any token, a token that reaches the zone with a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Anybody,
    Bearer,
    With(Permission),
}

const READ: Who = Who::With(Permission::ZoneRead);
const WAF_R: Who = Who::With(WafRead);
const WAF_W: Who = Who::With(WafWrite);
const FW_R: Who = Who::With(FirewallRead);
const FW_W: Who = Who::With(FirewallWrite);
const ENTRY: &str = "/zones/{zone}/rulesets/phases/{phase}/entrypoint";

/// Every operation: method, template in two parts, who may, what happens.
const OPERATIONS: [(&str, &str, &str, Who, Operation); 24] = [
    ("GET", "/ips", "", Who::Anybody, zones::ips),
    ("GET", "/user/tokens/verify", "", Who::Bearer, zones::verify),
    ("GET", "/zones", "", Who::Bearer, zones::list),
    ("GET", "/zones/{zone}", "", READ, zones::get),
    ("GET", "/zones/{zone}/settings/security_level", "", Who::With(SettingsRead), zones::level),
    ("PATCH", "/zones/{zone}/settings/security_level", "", Who::With(SettingsWrite), zones::set_level),
    ("GET", "/zones/{zone}/rulesets", "", WAF_R, rulesets::list),
    ("POST", "/zones/{zone}/rulesets", "", WAF_W, rulesets::create),
    ("GET", ENTRY, "", WAF_R, rulesets::get),
    ("PUT", ENTRY, "", WAF_W, rulesets::replace),
    ("GET", ENTRY, "/versions", WAF_R, rulesets::versions),
    ("GET", ENTRY, "/versions/{version}", WAF_R, rulesets::version),
    ("GET", "/zones/{zone}/rulesets/{ruleset}", "", WAF_R, rulesets::get),
    ("PUT", "/zones/{zone}/rulesets/{ruleset}", "", WAF_W, rulesets::replace),
    ("DELETE", "/zones/{zone}/rulesets/{ruleset}", "", WAF_W, rulesets::delete),
    ("GET", "/zones/{zone}/rulesets/{ruleset}", "/versions", WAF_R, rulesets::versions),
    ("GET", "/zones/{zone}/rulesets/{ruleset}", "/versions/{version}", WAF_R, rulesets::version),
    ("POST", "/zones/{zone}/rulesets/{ruleset}", "/rules", WAF_W, rulesets::add_rule),
    ("PATCH", "/zones/{zone}/rulesets/{ruleset}", "/rules/{rule}", WAF_W, rulesets::change_rule),
    ("DELETE", "/zones/{zone}/rulesets/{ruleset}", "/rules/{rule}", WAF_W, rulesets::delete_rule),
    ("GET", "/zones/{zone}/firewall/access_rules", "/rules", FW_R, access::list),
    ("POST", "/zones/{zone}/firewall/access_rules", "/rules", FW_W, access::add),
    ("PATCH", "/zones/{zone}/firewall/access_rules", "/rules/{rule}", FW_W, access::change),
    ("DELETE", "/zones/{zone}/firewall/access_rules", "/rules/{rule}", FW_W, access::delete),
];

/// A request as its operation sees it.
struct Call<'a> {
    /// Empty where no token is asked for.
    token: Option<Token>,
    holes: BTreeMap<&'static str, String>,
    query: BTreeMap<String, String>,
    request: &'a Request,
}

impl Call<'_> {
    fn hole(&self, name: &str) -> &str {
        self.holes.get(name).map_or("", String::as_str)
    }

    fn body(&self) -> Result<Map<String, Value>, Refusal> {
        let body = serde_json::from_slice(&self.request.body);
        body.map_err(|_| Refusal::new(400, 6007, "Malformed JSON in request body"))
    }
}

/// Carries a request out.
pub(crate) fn answer(state: &mut State, request: &Request) -> Reply {
    let key = request.header("authorization").unwrap_or_default().to_owned();
    let now = state.now_ms();
    match state.windows.count(&key, now) {
        Allowance::Unlimited => carry_out(state, request).into(),
        Allowance::None(limit, seconds) => rate::too_many(limit, seconds),
        Allowance::Left(limit, left, reset) => {
            rate::with_headers(carry_out(state, request).into(), limit, left, reset)
        }
    }
}

fn carry_out(state: &mut State, request: &Request) -> Outcome {
    let path = request.path.strip_prefix(PREFIX).unwrap_or_default();
    let Some((who, operation, holes)) = find(&request.verb, path) else {
        let what = format!("Could not route to {path}, perhaps your object identifier is invalid?");
        return Err(Refusal::new(404, 7003, what));
    };
    let token = match who {
        Who::Anybody => None,
        Who::Bearer | Who::With(_) => Some(authenticate(state, request)?),
    };
    if let (Who::With(permission), Some(token)) = (who, &token) {
        authorize(state, token, permission, holes.get("zone").map_or("", String::as_str))?;
    }
    let query = request.query_pairs().into_iter().collect();
    operation(state, &Call { token, holes, query, request })
}

type Found = (Who, Operation, BTreeMap<&'static str, String>);

fn find(verb: &str, path: &str) -> Option<Found> {
    let mut fitting = OPERATIONS.iter().filter(|(known, ..)| *known == verb);
    fitting.find_map(|(_, start, end, who, operation)| Some((*who, *operation, filled(start, end, path)?)))
}

/// What stands in the holes of a template, if the path fits it. Ids are 32 hexadecimal digits.
fn filled(start: &'static str, end: &'static str, path: &str) -> Option<BTreeMap<&'static str, String>> {
    let mut parts = path.split('/');
    let mut holes = BTreeMap::new();
    for wanted in start.split('/').chain(end.split('/').skip(1)) {
        let part = parts.next()?;
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name @ ("phase" | "version")) if !part.is_empty() => holes.insert(name, part.to_owned()),
            Some(name) if part.len() == 32 && part.bytes().all(|c| c.is_ascii_hexdigit()) => {
                holes.insert(name, part.to_owned())
            }
            None if wanted == part => None,
            _ => return None,
        };
    }
    parts.next().is_none().then_some(holes)
}

/// The token that a request carries, active or not.
fn authenticate(state: &State, request: &Request) -> Result<Token, Refusal> {
    let secret = bearer(request.header("authorization"))?;
    let known = state.tokens.iter().find(|token| token.secret == secret).cloned();
    let verifying = request.path.ends_with("/user/tokens/verify");
    let unknown = || {
        if verifying { Refusal::new(401, 1000, "Invalid API Token") } else { Refusal::authentication(401) }
    };
    let token = known.ok_or_else(unknown)?;
    if token.status != TokenStatus::Active && !verifying {
        return Err(Refusal::authentication(401));
    }
    Ok(token)
}

fn authorize(state: &State, token: &Token, permission: Permission, zone: &str) -> Result<(), Refusal> {
    if state.zone(zone).is_none() || !token.reaches(zone) {
        return Err(Refusal::new(403, 9109, "Unauthorized to access requested resource"));
    }
    match permission {
        _ if token.may(permission) => Ok(()),
        Permission::ZoneRead | SettingsRead | SettingsWrite => {
            Err(Refusal::new(403, 9109, "Unauthorized to access requested resource"))
        }
        WafRead | WafWrite | FirewallRead | FirewallWrite => Err(Refusal::authentication(403)),
    }
}
