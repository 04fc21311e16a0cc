use proptest::prelude::*;

use super::*;

const LINE: &str = "APPROVE: restart-web acme otp=123456 nonce=9f2c41d07be83a55 ts=1767225600";

fn word(text: &str) -> usize {
    Words::parse(text).expect_err(text).word
}

#[test]
fn both_forms_are_accepted() {
    let words = Words::parse(LINE).expect("a line");
    assert_eq!(words.action, "restart-web");
    assert_eq!(words.client.as_str(), "acme");
    assert_eq!(words.otp, Otp::new("123456"));
    assert_eq!(words.nonce.hex().as_str(), "9f2c41d07be83a55");
    assert_eq!(words.ts, 1_767_225_600);
    let words = Words::parse(&LINE.replace("otp=123456 ", "")).expect("a line");
    assert_eq!(words.otp, None);
}

#[test]
fn white_space_around_the_line_and_runs_of_spaces_in_it_are_accepted() {
    for text in [format!("  {LINE}\n"), format!("\t\r\n{LINE} \t"), LINE.replace(' ', "    ")] {
        assert_eq!(Words::parse(&text), Words::parse(LINE), "{text:?}");
    }
}

#[test]
fn the_error_names_the_word_that_is_wrong() {
    for (expected, text) in [
        (1, LINE.replace("APPROVE:", "approve:")),
        (1, LINE.replace("APPROVE:", "APPROVE")),
        (1, LINE.replace("APPROVE: ", "APPROVE:")),
        (1, LINE.replace("APPROVE:", "APPROVE :")),
        (1, String::new()),
        (2, LINE.replace("restart-web", "Restart-Web")),
        (2, LINE.replace("restart-web", "restart-web;reboot")),
        (2, LINE.replace("restart-web", "r\u{435}start-web")),
        (2, "APPROVE:".to_owned()),
        (3, LINE.replace("acme", "Acme")),
        (3, LINE.replace("acme", "-acme")),
        (3, LINE.replace("acme", &"a".repeat(33))),
        (3, LINE.replace("acme", "../acme")),
        (4, LINE.replace("123456", "12345")),
        (4, LINE.replace("123456", "1234567")),
        (4, LINE.replace("123456", "12345x")),
        (4, LINE.replace("123456", "１２３４５６")),
        (4, LINE.replace("123456", "")),
        (4, LINE.replace("otp=123456 ", "x=1 ")),
        (5, LINE.replace("9f2c41d07be83a55", "9F2C41D07BE83A55")),
        (5, LINE.replace("9f2c41d07be83a55", "9f2c41d07be83a5")),
        (5, LINE.replace("9f2c41d07be83a55", "9f2c41d07be83a555")),
        (5, LINE.replace("nonce=9f2c41d07be83a55", "otp=123456")),
        (6, LINE.replace("1767225600", "")),
        (6, LINE.replace("1767225600", "-1")),
        (6, LINE.replace("1767225600", "+1767225600")),
        (6, LINE.replace("1767225600", "01767225600")),
        (6, LINE.replace("1767225600", "1767225600.0")),
        (6, LINE.replace("1767225600", "99999999999999999999")),
        (6, LINE.replace(" ts=1767225600", "")),
        (7, format!("{LINE} please")),
        (7, format!("{LINE} ts=1767225600")),
    ] {
        assert_eq!(word(&text), expected, "{text}");
    }
}

#[test]
fn fields_come_in_their_order_and_once() {
    let line = "APPROVE: restart-web acme nonce=9f2c41d07be83a55 ts=1767225600";
    assert!(Words::parse(line).is_ok());
    for text in [
        "APPROVE: restart-web acme ts=1767225600 nonce=9f2c41d07be83a55",
        "APPROVE: restart-web acme nonce=9f2c41d07be83a55 otp=123456 ts=1767225600",
        "APPROVE: restart-web acme nonce=9f2c41d07be83a55 nonce=9f2c41d07be83a55 ts=1767225600",
        "APPROVE: acme restart-web! nonce=9f2c41d07be83a55 ts=1767225600",
    ] {
        assert!(Words::parse(text).is_err(), "{text}");
    }
}

#[test]
fn one_line_is_one_line() {
    for text in [LINE.replace(" acme", "\nacme"), format!("{LINE}\n{LINE}"), LINE.replace(" acme", "\racme")]
    {
        assert_eq!(word(&text), 0, "{text:?}");
    }
    for text in
        [LINE.replace(" acme", "\tacme"), LINE.replace(" acme", "\u{a0}acme"), LINE.replace("acme", "ac\0me")]
    {
        assert!(Words::parse(&text).is_err(), "{text:?}");
    }
}

#[test]
fn an_error_never_repeats_what_came() {
    let error = Words::parse(&LINE.replace("otp=123456", "otp=1234567")).expect_err("too long");
    assert!(!error.to_string().contains("1234567"), "{error}");
    assert!(!format!("{:?}", Words::parse(LINE)).contains("123456"));
}

#[test]
fn attempts_are_recognized_in_any_case() {
    for text in [LINE, "approve", " Approve: x", "APPROVED"] {
        assert!(is_attempt(text), "{text}");
    }
    for text in ["", "hello", "/help", "I APPROVE", "appro"] {
        assert!(!is_attempt(text), "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_is_accepted_reads_the_same_when_it_is_written_again(
        action in "[a-z0-9-]{1,32}", client in "[a-z0-9][a-z0-9-]{0,31}", otp in proptest::option::of("[0-9]{6}"),
        nonce in "[0-9a-f]{16}", ts in 0_u64..=999_999_999_999, gaps in proptest::collection::vec(1_usize..4, 6),
    ) {
        let mut words = vec!["APPROVE:".to_owned(), action.clone(), client.clone()];
        words.extend(otp.as_ref().map(|otp| format!("otp={otp}")));
        words.extend([format!("nonce={nonce}"), format!("ts={ts}")]);
        let line: String = words.iter().zip(&gaps).map(|(word, gap)| format!("{word}{}", " ".repeat(*gap))).collect();
        let parsed = Words::parse(&line).expect("a line of the grammar");
        prop_assert_eq!(parsed.action, action);
        prop_assert_eq!(parsed.client.as_str(), client);
        prop_assert_eq!(parsed.otp, otp.as_deref().and_then(Otp::new));
        prop_assert_eq!(parsed.nonce.hex(), nonce.as_str());
        prop_assert_eq!(parsed.ts, ts);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), tail in any::<String>()) {
        let _verdict = Words::parse(&text);
        let _verdict = Words::parse(&format!("APPROVE: restart-web {text} nonce={tail}"));
        let _attempt = is_attempt(&text);
    }
}
