use proptest::prelude::*;

use super::*;

#[track_caller]
fn matches(expression: &str, visit: &Visit) -> bool {
    evaluates(expression, visit).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

fn fails(expression: &str) -> String {
    evaluates(expression, &Visit::default()).expect_err(expression).what
}

#[test]
fn each_operator_tells_the_right_visit_from_the_wrong_one() {
    let right = Visit::of("/wp-login.php?a=1").from("203.0.113.7").with_user_agent("Bad Bot/1.0");
    let wrong = Visit { asn: 64511, tls: false, verified_bot: true, ..Visit::of("/") };
    for expression in [
        r#"http.request.uri.path eq "/wp-login.php""#,
        r#"http.request.uri.path == "/wp-login.php""#,
        r#"http.request.uri.path ne "/""#,
        r#"http.request.uri.path != "/""#,
        r#"http.request.uri.path contains "login""#,
        r#"http.request.uri.path in {"/x" "/wp-login.php"}"#,
        r#"http.request.uri.path wildcard "/WP-*.php""#,
        r#"http.request.uri.path strict wildcard "/wp-*.php""#,
        r#"http.request.uri.path matches r"^/wp-[a-z]+\.php$""#,
        r#"http.request.uri.path ~ "^/wp-""#,
        r#"starts_with(http.request.uri.path, "/wp-")"#,
        r#"ends_with(http.request.uri.path, ".php")"#,
        r#"lower(http.user_agent) contains "bad bot""#,
        r#"upper(http.user_agent) contains "BAD BOT""#,
        r#"http.request.uri eq "/wp-login.php?a=1""#,
        r#"http.request.full_uri eq "https://example.com/wp-login.php?a=1""#,
        r#"http.request.uri.query eq "a=1""#,
        r#"http.request.uri.query matches "^[a-z]{1,2}(=|$)""#,
        "ip.src eq 203.0.113.7",
        "ip.src ne 192.0.2.1",
        "ip.src in {198.51.100.1 203.0.113.0/24 2001:db8::/64}",
        "ip.src in {203.0.113.5..203.0.113.9}",
        "ip.src.asnum eq 64496",
        "ip.src.asnum in {64490..64500}",
        "len(http.request.uri.path) > 1",
        "len(http.request.uri.path) ge 13",
        "not cf.client.bot",
        "!cf.client.bot",
        "ssl",
        "not ip.src in {192.0.2.0/24}",
        "true and not false and cf.threat_score eq 0 and ssl",
    ] {
        assert!(matches(expression, &right), "{expression}");
        assert!(!matches(expression, &wrong), "{expression}");
    }
}

#[test]
fn and_binds_before_xor_before_or_and_not_binds_to_one_comparison() {
    for (expression, truth) in [
        ("true or true and false", true),
        ("(true or true) and false", false),
        ("true xor true and false", true),
        ("true or true xor true", true),
        ("true xor true xor true", true),
        ("not false and false", false),
        ("not (false and false)", true),
        ("true || false && false", true),
        ("true ^^ true", false),
        ("not not true", true),
    ] {
        assert_eq!(matches(expression, &Visit::default()), truth, "{expression}");
    }
}

#[test]
fn strings_end_where_they_end_and_nowhere_else() {
    let visit = |path: &str| Visit { path: path.to_owned(), ..Visit::default() };
    assert!(matches(r#"http.request.uri.path eq "/a\"b\\c""#, &visit(r#"/a"b\c"#)));
    assert!(matches(r#"http.request.uri.path eq "\x2fa\057""#, &visit("/a/")));
    assert!(matches(r##"http.request.uri.path eq r#"/a"\b"#"##, &visit(r#"/a"\b"#)));
    assert!(matches("http.request.uri.path eq \"/é\"", &visit("/é")));
    for broken in [
        r#"http.host eq ""#,
        r#"http.host eq "a\"#,
        r#"http.host eq "a\n""#,
        r#"http.host eq "\xg0""#,
        r#"http.host eq "\x+1""#,
        r##"http.host eq r#"a""##,
        r#"http.host eq 'a'"#,
        r#"http.host eq a"#,
        r#"http.host eq "a" "b""#,
        r#"http.host matches "a\.b""#,
        r#"http.host matches "(""#,
        r#"http.host wildcard "a**""#,
        r#"http.host wildcard r"a\b""#,
    ] {
        fails(broken);
    }
}

#[test]
fn what_the_service_refuses_or_this_parser_does_not_know_is_refused() {
    for (broken, why) in [
        ("", "unknown identifier"),
        ("()", "unknown identifier"),
        ("(true", "expected \")\""),
        ("true)", "unrecognised input"),
        ("true true", "unrecognised input"),
        ("http.hosts eq \"a\"", "unknown identifier"),
        ("eval(http.host)", "unknown identifier"),
        ("http.host", "expected an operator"),
        ("http.host not in {\"a\"}", "expected an operator"),
        ("http.host eqx \"a\"", "expected an operator"),
        ("http.host in {\"a\", \"b\"}", "expected a string"),
        ("http.host in {}", "an empty set"),
        ("http.host in $bad", "no such list"),
        ("http.host in {\"a\"", "expected a string"),
        ("ssl eq true", "unrecognised input"),
        ("lower(ip.src) eq \"a\"", "takes a text"),
        ("ip.src eq \"192.0.2.1\"", "address"),
        ("ip.src eq 192.0.2.0/24", "unrecognised input"),
        ("ip.src in {192.0.2.1/24}", "bits behind the mask"),
        ("ip.src in {192.0.2.0/33}", "bits behind the mask"),
        ("ip.src in {192.0.2.9..192.0.2.1}", "range"),
        ("ip.src in {192.0.2.1..2001:db8::1}", "range"),
        ("ip.src in {192.0.2}", "address"),
        ("ip.src contains \"1\"", "expected an operator"),
        ("ip.src.asnum in {9..1}", "range"),
        ("ip.src.asnum eq x", "expected a number"),
    ] {
        let found = fails(broken);
        assert!(found.contains(why), "{broken}: {found}");
    }
    assert_eq!(fails(&format!("{}true", "not ".repeat(200))), "nested too deeply");
    assert!(fails(&format!("{}http.host", "lower(".repeat(200))).contains("nested too deeply"));
}

#[test]
fn a_plan_has_what_smaller_plans_have_and_not_more() {
    use Place::{Custom, Rate};
    use Plan::{Business, Enterprise, Free, Pro};
    for (expression, custom, rate) in [
        (r#"http.request.uri.path eq "/" and not cf.client.bot"#, Free, Free),
        (r#"http.host eq "a""#, Free, Pro),
        (r#"lower(http.user_agent) contains "a""#, Free, Business),
        ("ip.src in {192.0.2.1}", Free, Business),
        (r#"http.request.uri.path matches "^/a""#, Business, Business),
        (r#"http.referer eq """#, Free, Enterprise),
        ("cf.bot_management.verified_bot", Enterprise, Enterprise),
    ] {
        let parsed = Expression::parse(expression).unwrap();
        for plan in [Free, Pro, Business, Enterprise] {
            assert_eq!(parsed.allowed(plan, Custom).is_ok(), plan >= custom, "{expression} {plan:?}");
            assert_eq!(parsed.allowed(plan, Rate).is_ok(), plan >= rate, "{expression} {plan:?}");
        }
    }
}

#[test]
fn networks_reach_from_their_first_to_their_last_address() {
    for (network, inside, outside) in [
        ("0.0.0.0/0", "255.255.255.255", "2001:db8::1"),
        ("::/0", "ffff::", "0.0.0.0"),
        ("192.0.2.1/32", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::"),
        ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
    ] {
        let expression = format!("ip.src in {{{network}}}");
        assert!(matches(&expression, &Visit::default().from(inside)), "{network}");
        assert!(!matches(&expression, &Visit::default().from(outside)), "{network}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in r#"([ -~é]|http\.host|ip\.src|in|\{|"|\\|r#|not|\(|and){0,40}"#) {
        // A panic is the failure; a place outside the text would be another one.
        if let Err(error) = Expression::parse(&text) {
            prop_assert!((1..=text.len() + 1).contains(&error.at), "{}", error);
        }
    }

    #[test]
    fn a_quoted_text_matches_itself_and_nothing_else(text: String, other: String) {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let expression = format!("http.request.uri.path eq \"{quoted}\"");
        let visit = |path: &str| Visit { path: path.to_owned(), ..Visit::default() };
        prop_assert_eq!(evaluates(&expression, &visit(&text)), Ok(true));
        prop_assert_eq!(evaluates(&expression, &visit(&other)), Ok(text == other));
    }
}
