//! Expressions of Cloudflare's rules: whatever stands in a value, a second reader finds exactly the value and nothing
//! behind it, and no expression is too long.
#![no_main]

// Files of the control plane, and not all of it: nothing else of its crates is needed here.
#[path = "../../../control/src/cloudflare/expression/mod.rs"]
#[expect(dead_code, reason = "a target builds some of the parts")]
mod expression;
#[path = "../../../control/src/cloudflare/rule.rs"]
#[expect(dead_code, reason = "expressions hold networks, and no rules")]
mod rule;
#[path = "../../../control/src/cloudflare/expression/strict_reader.rs"]
mod strict_reader;

use std::net::IpAddr;

use expression::{EXPRESSION_MAX, LITERAL_MAX, Literal, Test, all, from_any};
use rule::Network;
use strict_reader::{Read, read};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (mut parts, mut expected, mut networks) = (Vec::new(), Vec::new(), Vec::new());
    for piece in bytes.split(|byte| *byte == 0xff) {
        let Some((kind, value)) = piece.split_first() else { continue };
        if let Ok(address) = <[u8; 16]>::try_from(value) {
            networks.push(Network::host(IpAddr::from(address)));
            continue;
        }
        let Ok(text) = std::str::from_utf8(value) else { continue };
        let Some(literal) = Literal::new(text) else {
            assert!(text.len() > LITERAL_MAX || text.bytes().any(|byte| !(b' '..=b'~').contains(&byte)));
            continue;
        };
        let (path, query) = ("http.request.uri.path".to_owned(), "http.request.uri.query".to_owned());
        let (test, read) = match kind & 3 {
            0 => (Test::UserAgent(literal), Read::Equal("http.user_agent".into(), text.into())),
            1 => (Test::Path(vec![literal]), Read::Equal(path, text.into())),
            2 => (Test::PathBegins(literal), Read::StartsWith(path, text.into())),
            _ => {
                let first = Read::StartsWith(query.clone(), format!("{text}="));
                let later = Read::Contains(query, format!("&{text}="));
                (Test::Argument(literal), Read::Any(vec![first, later]))
            }
        };
        let holds = kind & 4 == 0;
        parts.push(if holds { test.holds() } else { test.fails() });
        expected.push(if holds { read } else { Read::Not(Box::new(read)) });
    }
    let Ok(text) = all(&parts) else { return };
    assert!(text.len() <= EXPRESSION_MAX);
    let whole = |mut parts: Vec<Read>| if parts.len() == 1 { parts.remove(0) } else { Read::All(parts) };
    if !parts.is_empty() {
        assert_eq!(read(&text), Ok(whole(expected.clone())), "{text}");
    }
    let Ok((text, rest)) = from_any(&networks, &parts) else { return };
    assert!(text.len() <= EXPRESSION_MAX);
    let taken = networks.strip_suffix(rest.as_slice()).expect("the last ones are left");
    let from = taken.iter().map(|network| (network.address(), network.bits())).collect();
    expected.insert(0, Read::InNetworks("ip.src".into(), from));
    assert_eq!(read(&text), Ok(whole(expected)), "{text}");
});
