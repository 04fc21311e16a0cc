use proptest::prelude::*;

use super::strict_reader::{Read, read};
use super::*;

fn literal(text: &str) -> Literal {
    Literal::new(text).expect(text)
}

fn network(text: &str) -> Network {
    Network::parse(text).expect(text)
}

#[test]
fn every_part_is_written_as_the_language_wants_it() {
    for (test, text) in [
        (Test::Path(vec![literal("/x")]), r#"http.request.uri.path eq "/x""#),
        (Test::Path(vec![literal("//x"), literal("/x")]), r#"http.request.uri.path in {"//x" "/x"}"#),
        (Test::PathBegins(literal("/a/")), r#"starts_with(http.request.uri.path, "/a/")"#),
        (
            Test::Argument(literal("s")),
            r#"(starts_with(http.request.uri.query, "s=") or http.request.uri.query contains "&s=")"#,
        ),
        (Test::QueryOfDigits, r#"http.request.uri.query matches "^[0-9]{7,12}(=|$)""#),
        (Test::Post, r#"http.request.method eq "POST""#),
        (
            Test::From(vec![network("192.0.2.1"), network("2001:db8:1:2::/64")]),
            "ip.src in {192.0.2.1 2001:db8:1:2::/64}",
        ),
        (Test::UserAgent(literal(r#"a "b" \c"#)), r#"http.user_agent eq "a \"b\" \\c""#),
        (Test::VerifiedBot, "cf.client.bot"),
    ] {
        assert_eq!(test.clone().holds().to_string(), text);
        assert_eq!(test.clone().fails().to_string(), format!("not {text}"));
        assert!(read(text).is_ok(), "{text}: {:?}", read(text));
        assert!(text.contains(test.field().as_str()), "{text}");
    }
}

#[test]
fn what_has_no_literal_is_refused_and_its_neighbour_is_not() {
    assert!(Literal::new("").is_some());
    assert!(Literal::new(" ~").is_some());
    assert!(Literal::new(&"x".repeat(LITERAL_MAX)).is_some());
    for wrong in ["\u{1f}", "\u{7f}", "\n", "\0", "é", "a\u{2028}", &"x".repeat(LITERAL_MAX + 1)] {
        assert_eq!(Literal::new(wrong), None, "{wrong:?}");
    }
}

#[test]
fn an_expression_may_have_4096_characters_and_not_one_more() {
    let path = |length: usize| Test::Path(vec![literal(&"x".repeat(length))]).holds();
    let frame = path(0).to_string().len();
    let mut parts = vec![path(256); 14];
    let left = EXPRESSION_MAX - all(&parts).expect("room").len() - " and ".len() - frame;
    parts.push(path(left));
    assert_eq!(all(&parts).map(|text| text.len()), Ok(EXPRESSION_MAX));
    parts.pop();
    parts.push(path(left + 1));
    assert_eq!(all(&parts), Err(TooLong));
}

proptest! {
    #[test]
    fn a_value_is_read_back_exactly_and_ends_where_it_ends(value in "[ -~]{0,256}", other in "[\"\\\\ a]{0,20}") {
        let parts = [
            Test::UserAgent(literal(&value)).holds(),
            Test::Argument(literal(&other)).fails(),
        ];
        let expected = Read::All(vec![
            Read::Equal("http.user_agent".into(), value),
            Read::Not(Box::new(Read::Any(vec![
                Read::StartsWith("http.request.uri.query".into(), format!("{other}=")),
                Read::Contains("http.request.uri.query".into(), format!("&{other}=")),
            ]))),
        ]);
        prop_assert_eq!(read(&all(&parts).expect("short")), Ok(expected));
    }

    #[test]
    fn whatever_has_a_literal_is_read_back(value in any::<String>()) {
        if let Some(literal) = Literal::new(&value) {
            let text = Test::UserAgent(literal).holds().to_string();
            prop_assert_eq!(read(&text), Ok(Read::Equal("http.user_agent".into(), value)));
        } else {
            prop_assert!(value.len() > LITERAL_MAX || value.bytes().any(|byte| !(b' '..=b'~').contains(&byte)));
        }
    }

    #[test]
    fn no_network_is_lost_and_no_more_would_have_fitted(
        addresses in proptest::collection::vec(any::<std::net::IpAddr>(), 1..400),
        filler in 0_usize..250,
    ) {
        let networks: Vec<Network> = addresses.into_iter().map(Network::host).collect();
        let parts = vec![Test::UserAgent(literal(&"x".repeat(filler))).fails(); 3];
        let (text, rest) = from_any(&networks, &parts).expect("room");
        prop_assert!(text.len() <= EXPRESSION_MAX);
        let taken = networks.strip_suffix(rest.as_slice()).expect("the last ones are left");
        let Ok(Read::All(read)) = read(&text) else { panic!("{text}") };
        let expected = taken.iter().map(|network| (network.address(), network.bits())).collect();
        prop_assert_eq!(&read[0], &Read::InNetworks("ip.src".into(), expected));
        if let Some(next) = rest.first() {
            let more = [&text, " ", &next.to_string()].concat();
            prop_assert!(more.len() > EXPRESSION_MAX);
        }
    }
}
