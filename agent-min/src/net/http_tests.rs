//! Request heads: what is read, what is refused, and that nothing panics.

use proptest::prelude::*;

use super::*;

fn head(text: &str) -> Head {
    match parse(text.as_bytes()) {
        Parsed::Complete(head) => head,
        other => panic!("{other:?}: {}", text.escape_debug()),
    }
}

fn failure(text: &str) -> Failure {
    match parse(text.as_bytes()) {
        Parsed::Failed(failure) => failure,
        other => panic!("{other:?}: {}", text.escape_debug()),
    }
}

#[test]
fn every_route_takes_its_methods_and_tells_others_about_them() {
    for (path, route, allow) in ROUTES {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
            let head = head(&format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
            let allowed = allow.split(", ").any(|a| a == method);
            let expected = if allowed { Ok(*route) } else { Err(Failure::MethodNotAllowed { allow }) };
            assert_eq!(head.route, expected, "{method} {path}");
            assert_eq!(head.head_only, method == "HEAD");
        }
    }
}

#[test]
fn only_the_diagnostics_take_a_query_and_only_areas() {
    let route = |target: &str| head(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).route;
    assert_eq!(route("/v1/diag"), Ok(Route::Diagnose(Areas::ALL)));
    assert_eq!(route("/v1/diag?area=db"), Ok(Route::Diagnose(Areas::NONE.with(secmon_wire::Area::Db))));
    for wrong in ["", "area", "area=", "area=db&x=y", "Area=db", "area=db?area=web", "area=%64b"] {
        let failure = Failure::Malformed(WireError::BadValue("area"));
        assert_eq!(route(&format!("/v1/diag?{wrong}")), Err(failure), "{wrong}");
    }
    for other in ["/v1/health?area=db", "/v1/health?", "/v1/diag/?area=db", "/v1/diag#x"] {
        assert_eq!(route(other), Err(Failure::NotFound), "{other}");
    }
}

#[test]
fn the_signature_is_taken_only_in_its_exact_form_and_once() {
    let request =
        |fields: &str| format!("POST /v1/execute HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{fields}\r\n");
    let hex = "ab".repeat(64);
    assert_eq!(head(&request(&format!("secmon-signature: {hex} \r\n"))).signature, Some([0xab; 64]));
    for bad in [&hex[1..], &hex.to_uppercase(), "", &format!("{hex}00")] {
        assert_eq!(head(&request(&format!("Secmon-Signature: {bad}\r\n"))).signature, None);
    }
    assert_eq!(head(&request("")).signature, None);
    let twice = request(&format!("Secmon-Signature: {hex}\r\nSecmon-Signature: {hex}\r\n"));
    assert_eq!(failure(&twice), Failure::BadRequest);
}

#[test]
fn a_body_is_as_long_as_one_length_says_and_within_the_limit() {
    let request =
        |length: &str| format!("POST /v1/execute HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    assert_eq!(head(&request("0")).body, 0);
    assert_eq!(head(&request("0512")).body, 512);
    for over in ["513", "99999999999999999999999999", &"9".repeat(300)] {
        assert_eq!(failure(&request(over)), Failure::ContentTooLarge);
    }
    for bad in ["", "-1", "+1", "1 1", "1,1", "0x1", "1.0"] {
        assert_eq!(failure(&request(bad)), Failure::BadRequest, "{bad}");
    }
}

#[test]
fn a_connection_is_kept_as_its_version_and_field_say() {
    let kept = |version: &str, field: &str| {
        head(&format!("GET /v1/health HTTP/{version}\r\nHost: a\r\n{field}\r\n")).keep_alive
    };
    assert!(kept("1.1", ""));
    assert!(!kept("1.1", "Connection: Close\r\n"));
    assert!(!kept("1.1", "Connection: keep-alive, close\r\n"));
    assert!(!kept("1.0", ""));
    assert!(kept("1.0", "Connection: Keep-Alive\r\n"));
}

#[test]
fn a_head_in_pieces_is_partial_until_its_last_byte() {
    let whole = b"POST /v1/execute HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n";
    for length in 0..whole.len() {
        assert_eq!(parse(&whole[..length]), Parsed::Partial, "{length}");
    }
    let with_more = [whole.as_slice(), b"{\"a\":1}GET"].concat();
    let Parsed::Complete(head) = parse(&with_more) else { panic!("complete") };
    assert_eq!((head.length, head.body), (whole.len(), 7));
}

#[test]
fn a_head_that_does_not_end_is_refused_at_its_limit() {
    let endless = format!("GET /v1/health HTTP/1.1\r\nX: {}", "x".repeat(HEAD_MAX));
    assert_eq!(parse(&endless.as_bytes()[..HEAD_MAX - 1]), Parsed::Partial);
    assert_eq!(failure(&endless[..HEAD_MAX]), Failure::HeadTooLarge);
}

#[test]
fn every_failure_has_a_canonical_body_and_a_whole_head() {
    for failure in Failure::ALL {
        let body = failure_body(*failure);
        let object = secmon_wire::canonical::Object::parse(body.as_bytes(), 64).expect("canonical");
        assert!(object.exact(["error", "v"]).is_ok());
        let head = response_head(Err(*failure), body.len(), false);
        assert!(
            head.ends_with("Connection: close\r\n\r\n")
                || head.contains("Allow: ")
                || head.contains("Retry-After: ")
        );
        assert!(head.ends_with("\r\n\r\n"));
    }
    let signed = response_head(Ok(Some(&[7; 64])), 1536, true);
    assert!(signed.contains(&format!("Secmon-Signature: {}\r\n", "07".repeat(64))));
    assert!(signed.ends_with("\r\n\r\n"));
}

proptest! {
    #[test]
    fn no_bytes_panic_the_parser_and_every_body_is_within_its_limit(
        start in "(GET|POST) /v1/(execute|health) HTTP/1\\.[01]\r\n", rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        for bytes in [rest.clone(), [start.as_bytes(), &rest, b"\r\n\r\n"].concat()] {
            if let Parsed::Complete(head) = parse(&bytes) {
                prop_assert!(head.body <= BODY_MAX && head.length <= bytes.len());
            }
        }
    }

    #[test]
    fn field_values_never_panic_the_parser(
        name in "(Content-Length|Transfer-Encoding|Expect|Connection|Host|Secmon-Signature)", value in "[ -~]{0,40}",
    ) {
        let _ = parse(format!("POST /v1/execute HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n\r\n").as_bytes());
    }
}
