use super::*;

fn canonical(line: &str) -> String {
    String::from_utf8(parse(line).unwrap_or_else(|reason| panic!("{line}: {reason}")).canonical)
        .expect("UTF-8")
}

fn fault(line: &str) -> String {
    parse(line).expect_err(line).to_string()
}

/// The expectations are what Python 3 printed for the same lines.
#[test]
fn any_layout_has_the_canonical_form_that_python_gives_it() {
    for (line, expected) in [
        ("{}", "{}"),
        (
            r#" { "b" : [ 1 , { } , [ ] ] , "a" : { "d" : null , "c" : true } } "#,
            r#"{"a":{"c":true,"d":null},"b":[1,{},[]]}"#,
        ),
        (
            r#"{"\u0062":"\u00e9\/\u001F\ud83d\ude00\u007f","a":false}"#,
            "{\"a\":false,\"b\":\"é/\\u001f😀\u{7f}\"}",
        ),
        (r#"{"😀":1,"ﾀ":2}"#, r#"{"ﾀ":2,"😀":1}"#),
        (
            r#"{"n":[123456789012345678901234567890,-0,1.50,1e+16,-2E-7]}"#,
            r#"{"n":[123456789012345678901234567890,-0,1.50,1e+16,-2E-7]}"#,
        ),
        (
            r#"{"z":1,"record_hash":"x","a":2,"prev_hash":"","n":{"prev_hash":3}}"#,
            r#"{"a":2,"n":{"prev_hash":3},"z":1}"#,
        ),
        (r#"{"prev_hash":"a","record_hash":"b"}"#, "{}"),
    ] {
        assert_eq!(canonical(line), expected);
    }
}

#[test]
fn hashes_and_seq_are_found_at_the_top_only() {
    let parsed = parse(r#"{"x":{"seq":9},"seq":7,"prev_hash":"","record_hash":5}"#).expect("JSON");
    assert_eq!(parsed.seq, Some(7));
    assert_eq!(
        (parsed.prev_hash, parsed.record_hash),
        (HashMember::Text(String::new()), HashMember::NotText)
    );
    let parsed = parse(r#"{"x":{"prev_hash":""},"seq":-7}"#).expect("JSON");
    assert_eq!((parsed.prev_hash, parsed.seq), (HashMember::Missing, None));
}

#[test]
fn layouts_are_told_apart() {
    let layout = |line: &str| parse(line).expect(line).layout;
    assert_eq!(layout(r#"{"a":"\n\u001f\\","b":[1,2]}"#), Layout::Canonical);
    assert_eq!(layout(r#"{"a":"é"}"#), Layout::CanonicalWide);
    assert_eq!(layout("{\"a\":\"\u{7f}\"}"), Layout::CanonicalWide);
    assert_eq!(layout(r#"{"a":"\u00e9\ud83d\ude00\u007f"}"#), Layout::AsciiOnly);
    for line in [
        r#"{"a": 1}"#,
        r#"{"a":1} "#,
        r#"{"b":1,"a":2}"#,
        r#"{"x":{"b":1,"a":2}}"#,
        r#"{"a":"\u001F"}"#,
        r#"{"a":"\/"}"#,
        r#"{"a":"\u0041"}"#,
        r#"{"a":"\u000a"}"#,
        r#"{"a":"\u00E9"}"#,
        r#"{"a":"\u00e9é"}"#,
    ] {
        assert_eq!(layout(line), Layout::Other, "{line}");
    }
}

#[test]
fn what_has_no_single_reading_is_refused() {
    assert_eq!(fault(r#"{"a":1,"b":2,"a":1}"#), r#"duplicate key "a""#);
    assert_eq!(fault(r#"{"x":[{"a":1,"\u0061":1}]}"#), r#"duplicate key "a""#);
    assert_eq!(fault("{\"\\u001b[31m\":1,\"\\u001b[31m\":1}"), r#"duplicate key "\u{1b}[31m""#);
    for line in [r#"{"a":"\ud800"}"#, r#"{"a":"\udc00"}"#, r#"{"a":"\ud800\u0041"}"#, r#"{"a":"\ud800x"}"#] {
        assert!(fault(line).starts_with("not JSON: a lone surrogate"), "{line}: {}", fault(line));
    }
    assert!(
        fault(&format!("{}{}", r#"{"a":"#, "[".repeat(200_000))).starts_with("not JSON: nested too deeply")
    );
}

#[test]
fn faults_say_where_they_are() {
    for (line, expected) in [
        ("[]", "not JSON: an object was expected at byte 0"),
        ("{\"a\":1}x", "not JSON: text after the record at byte 7"),
        ("{\"a\":01}", "not JSON: a comma or a closing brace was expected at byte 6"),
        ("{\"a\":+1}", "not JSON: a value was expected at byte 5"),
        ("{\"a\":1.}", "not JSON: a digit was expected at byte 7"),
        ("{\"a\":NaN}", "not JSON: a value was expected at byte 5"),
        ("{\"a\":nul}", "not JSON: no such word in JSON at byte 8"),
        ("{\"a\" 1}", "not JSON: a colon was expected at byte 5"),
        ("{a:1}", "not JSON: a key was expected at byte 1"),
        ("{\"a\":1,}", "not JSON: a key was expected at byte 7"),
        ("{\"a\":[1,]}", "not JSON: a value was expected at byte 8"),
        ("{\"a\":\"\t\"}", "not JSON: a raw control character in a string at byte 6"),
        ("{\"a\":\"\\x\"}", "not JSON: no such escape in JSON at byte 7"),
        ("{\"a\":\"\\u12g4\"}", "not JSON: four hex digits were expected at byte 10"),
    ] {
        assert_eq!(fault(line), expected, "{line}");
    }
    let whole = r#"{"a":[1,"\u00e9",{"b":true}],"c":-1.5e3}"#;
    for end in 0..whole.len() {
        assert_eq!(parse(&whole[..end]).expect_err("cut"), Reason::CutShort, "{}", &whole[..end]);
    }
}
