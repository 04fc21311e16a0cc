use proptest::prelude::*;
use serde_json::json;

use super::*;

fn no(code: u64, message: &str) -> String {
    json!({ "success": false, "errors": [{ "code": code, "message": message }], "messages": [], "result": null })
        .to_string()
}

#[test]
fn success_is_a_good_status_with_a_good_envelope_and_nothing_less() {
    let ok = r#"{"success":true,"errors":[],"messages":[{"code":10000,"message":"valid"}],"result":{"x":1}}"#;
    assert_eq!(read(200, ok.as_bytes()), Outcome::Done(json!({ "x": 1 }), Pages::default()));
    assert_eq!(read(204, b""), Outcome::Done(Value::Null, Pages::default()));
    let list = r#"{"success":true,"result":[],"result_info":{"page":1,"total_pages":3}}"#;
    assert_eq!(read(200, list.as_bytes()), Outcome::Done(json!([]), Pages { total_pages: Some(3) }));
    // An answer that says both is no success.
    for status in [400, 403, 429, 500, 503, 301] {
        assert!(!matches!(read(status, ok.as_bytes()), Outcome::Done(..)), "{status}");
    }
    for body in ["", "{}", "<html>", "[]", r#"{"success":"true"}"#, r#"{"success":tru"#] {
        assert!(matches!(read(200, body.as_bytes()), Outcome::Lost(_)), "{body}");
    }
    assert!(matches!(read(200, no(1, "x").as_bytes()), Outcome::No(ApiError::Refused { code: Some(1), .. })));
}

#[test]
fn the_status_decides_before_the_code() {
    for body in [no(10000, "Authentication error"), no(1000, "Invalid API Token"), "x".to_owned()] {
        let at = |status| read(status, body.as_bytes());
        assert_eq!(at(429), Outcome::Slower);
        for status in [300, 302, 500, 502, 503, 504, 520, 530] {
            assert_eq!(at(status), Outcome::Lost(format!("it answered {status}")));
        }
    }
}

#[test]
fn only_one_code_says_that_a_phase_has_no_ruleset() {
    let none = no(10003, "could not find entrypoint ruleset in the http_request_firewall_custom phase");
    assert_eq!(read(404, none.as_bytes()), Outcome::NoEntrypoint);
    let route = no(7003, "Could not route to /zones/x, perhaps your object identifier is invalid?");
    assert_eq!(read(404, route.as_bytes()), Outcome::No(ApiError::NotFound));
    for body in ["", "<html>not found</html>", "{}"] {
        assert!(matches!(read(404, body.as_bytes()), Outcome::Lost(_)), "{body}");
    }
    assert!(matches!(read(400, none.as_bytes()), Outcome::No(ApiError::Refused { .. })));
}

#[test]
fn a_bad_token_and_a_missing_permission_are_told_apart_where_the_code_tells() {
    let denied = |status, code, text: &str| read(status, no(code, text).as_bytes());
    let certain = |certain, status| Outcome::Denied { status, certain };
    assert_eq!(denied(403, 10000, "Authentication error"), certain(false, 403));
    assert_eq!(denied(403, 9109, "Unauthorized to access requested resource"), certain(false, 403));
    assert_eq!(denied(401, 1000, "Invalid API Token"), certain(true, 401));
    assert_eq!(denied(400, 6003, "Invalid request headers"), certain(true, 400));
    let chain = json!({ "success": false, "errors": [{ "code": 9999, "message": "Invalid request headers",
        "error_chain": [{ "code": 6111, "message": "Invalid format for Authorization header" }] }] });
    assert_eq!(read(400, chain.to_string().as_bytes()), certain(true, 400));
    assert_eq!(read(401, b"<html>"), certain(false, 401));
}

#[test]
fn every_error_is_said_with_the_first_code() {
    let two = json!({ "success": false, "errors": [
        { "code": 20127, "message": "bad expression", "error_chain": [{ "message": "at 1" }] }, { "message": "and this" },
    ]});
    let Outcome::No(ApiError::Refused { status, code, message }) = read(400, two.to_string().as_bytes())
    else {
        panic!("refused")
    };
    assert_eq!((status, code, message.as_str()), (400, Some(20127), "bad expression: at 1; and this"));
    let none = r#"{"success":false,"errors":[],"messages":["look here"]}"#;
    let Outcome::No(ApiError::Refused { message, .. }) = read(400, none.as_bytes()) else {
        panic!("refused")
    };
    assert_eq!(message, "look here");
}

#[test]
fn a_full_plan_is_known_by_its_text_and_an_existing_ruleset_is_none() {
    let full = "exceeded maximum number of rules in the phase http_ratelimit: 2 out of 1";
    for status in [400, 403] {
        assert_eq!(read(status, no(20000, full).as_bytes()), Outcome::No(ApiError::Quota(full.to_owned())));
    }
    let exists =
        "'zone' is not a valid value for kind because exceeded maximum number of zone rulesets for phase x";
    let outcome = read(400, no(20217, exists).as_bytes());
    assert!(matches!(outcome, Outcome::No(ApiError::Refused { code: Some(20217), .. })), "{outcome:?}");
}

proptest! {
    #[test]
    fn no_body_is_too_strange(status in 100..1000_u16, body: Vec<u8>) {
        let _outcome = read(status, &body);
    }
}
