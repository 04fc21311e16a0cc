use proptest::prelude::*;

use super::*;

/// One request in many formats: the format's text, and the line.
const SAME: &[(&str, &str)] = &[
    (
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for""#,
        r#"192.0.2.7 - - [22/Nov/2026:01:03:44 +0000] "POST /a/?b=c HTTP/1.1" 502 12 "http://example.org/" "Agent/1.0" "-""#,
    ),
    (
        r#"$http_cf_connecting_ip $remote_addr [$time_iso8601] $host "$request_method $request_uri" $status $request_time ${body_bytes_sent}B "$http_user_agent" "$http_referer""#,
        r#"192.0.2.7 172.70.1.1 [2026-11-22T01:03:44+00:00] example.org "POST /a/?b=c" 502 0.250 12B "Agent/1.0" "http://example.org/""#,
    ),
    (
        r#"escape=json '{"t":"$msec","ip":"$remote_addr",' '"r":"$request","s":$status,"b":$body_bytes_sent,"ua":"$http_user_agent","ref":"$http_referer"}'"#,
        r#"{"t":"1795309424.100","ip":"192.0.2.7","r":"POST /a/?b=c HTTP/1.1","s":502,"b":12,"ua":"Agent/1.0","ref":"http://example.org/"}"#,
    ),
    (
        r#"$time_local|$remote_addr|$request_method|$uri|$args|$status|$bytes_sent|$http_referer|$http_user_agent"#,
        r#"22/Nov/2026:01:03:44 +0000|192.0.2.7|POST|/a/|b=c|502|12|http://example.org/|Agent/1.0"#,
    ),
    (
        r#"%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#,
        r#"192.0.2.7 - - [22/Nov/2026:01:03:44 +0000] "POST /a/?b=c HTTP/1.1" 502 12 "http://example.org/" "Agent/1.0""#,
    ),
    (
        r#"%{CF-Connecting-IP}i %h %D %{%s}t "%m %U%q %H" %>s %b %% "%{User-Agent}i" "%{Referer}i" %v"#,
        r#"192.0.2.7 172.70.1.1 250000 1795309424 "POST /a/?b=c HTTP/1.1" 502 12 % "Agent/1.0" "http://example.org/" example.org"#,
    ),
    (
        r#""%h" "%l" "%u" %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#,
        r#""192.0.2.7" "-" "-" [22/Nov/2026:01:03:44 +0000] "POST /a/?b=c HTTP/1.1" 502 12 "http://example.org/" "Agent/1.0""#,
    ),
];

#[test]
fn one_request_reads_the_same_in_every_format() {
    for (format, text) in SAME {
        let mut room = Rewritten::new();
        let format = Format::new(Some(format));
        let line = format.read(text.as_bytes(), &mut Clock::default(), &mut room);
        let line = line.unwrap_or_else(|| panic!("{text}"));
        assert_eq!(line.time, 1_795_309_424, "{text}");
        assert_eq!(line.client, "192.0.2.7".parse().ok(), "{text}");
        assert_eq!(line.method, b"POST", "{text}");
        assert_eq!((line.path, line.query), (b"/a/".as_slice(), b"b=c".as_slice()), "{text}");
        assert_eq!((line.status, line.size), (502, 12), "{text}");
        assert_eq!(line.agent, b"Agent/1.0", "{text}");
        assert_eq!(line.referer, b"http://example.org/", "{text}");
    }
}

#[test]
fn the_servers_own_formats_are_read_by_the_fast_parser() {
    for format in ["combined", "main", "", COMMON[0], COMMON[1], SAME[4].0] {
        assert_eq!(Format::new(Some(format)), Format::Guess, "{format}");
    }
    assert_eq!(Format::new(None), Format::Guess);
}

#[test]
fn a_line_of_an_older_format_is_still_read() {
    let mut room = Rewritten::new();
    let format = Format::new(Some(SAME[2].0));
    let line = format.read(SAME[0].1.as_bytes(), &mut Clock::default(), &mut room).expect("a line");
    assert_eq!(line.status, 502);
}

#[test]
fn quotes_within_a_quoted_field_end_nothing() {
    let format = Format::new(Some(r#"%t \"%{User-Agent}i\" %>s"#));
    let mut room = Rewritten::new();
    let line =
        format.read(br#"[22/Nov/2026:01:03:44 +0000] "a\" 404 \"b" 200"#, &mut Clock::default(), &mut room);
    assert_eq!(line.map(|line| (line.status, line.agent)), Some((200, br#"a\" 404 \"b"#.as_slice())));
}

#[test]
fn a_header_about_the_visitor_counts_only_from_a_proxy() {
    let of = |text: &str| text.parse::<IpAddr>().ok();
    let (visitor, edge, stranger) = (of("192.0.2.7"), of("172.70.1.1"), of("198.51.100.9"));
    assert_eq!(real_client(edge, visitor, None), visitor);
    assert_eq!(real_client(of("127.0.0.1"), None, visitor), visitor);
    assert_eq!(real_client(stranger, visitor, visitor), stranger);
    assert_eq!(real_client(edge, None, None), edge);
    assert_eq!(last_hop(b"6.6.6.6, 192.0.2.7"), visitor);
}

proptest! {
    #[test]
    fn any_format_reads_or_refuses_any_line(
        format in "[$%{}a-z_>\"\\\\ |'\\[\\]]{0,60}(\\$time_local|%t) \"\\$status", line in "[ -~]{0,120}"
    ) {
        let mut room = Rewritten::new();
        let _whatever = Format::new(Some(&format)).read(line.as_bytes(), &mut Clock::default(), &mut room);
    }

    #[test]
    fn a_known_format_reads_or_refuses_a_line_that_is_changed(at in 0..100_usize, byte in any::<u8>(), which in 0..SAME.len()) {
        let (format, text) = SAME[which];
        let mut text = text.as_bytes().to_vec();
        let at = at % text.len();
        text[at] = byte;
        let _whatever = Format::new(Some(format)).read(&text, &mut Clock::default(), &mut Rewritten::new());
    }
}
