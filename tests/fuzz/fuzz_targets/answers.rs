//! What services answer: certificates, dates, redirects, pages, packets. Two readers of a date agree, what is read
//! from a message stands in it, and what was asked is what counts as an answer.
#![no_main]

use secmon_diag::errors::time::stamp;
use secmon_diag::host::Page;
use secmon_diag::probe::certificate::Certificate;
use secmon_diag::probe::dns::{Kind, Said, answer, question};
use secmon_diag::probe::fastcgi::{HEADER, Piece, body, get, piece};
use secmon_diag::probe::mysql::{self, Reply};
use secmon_diag::probe::page::{Verdict, judge};
use secmon_diag::probe::url::Url;
use secmon_diag::probe::{date, fpm, names, pem, postgres_packets};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    certificates(bytes);
    dates(bytes);
    lookups(bytes);
    packets(bytes);
    pages(bytes);
    redirects(&String::from_utf8_lossy(bytes));
});

fn certificates(bytes: &[u8]) {
    if let Some(der) = pem::first(bytes) {
        assert!(der.len() <= bytes.len());
        certificates(&der);
    }
    let Some(certificate) = Certificate::read(bytes) else { return };
    let within = |part: &[u8]| assert!(part.is_empty() || bytes.as_ptr_range().contains(&part.as_ptr()));
    within(certificate.serial);
    certificate.subject_key.iter().chain(&certificate.authority_key).for_each(|key| within(key));
    certificate.common_name().iter().for_each(|name| within(name.as_bytes()));
    for name in certificate.names() {
        within(name.as_bytes());
        assert!(name.starts_with("*.") || certificate.covers(name));
        if let Some(parent) = name.strip_prefix("*.") {
            assert!(certificate.covers(&format!("a.{parent}")) && !certificate.covers(&format!(".{parent}")));
        }
    }
    let same_keys =
        certificate.authority_key.zip(certificate.subject_key).is_none_or(|(one, other)| one == other);
    assert_eq!(certificate.is_issued_by(&certificate), certificate.is_self_signed() && same_keys);
    let _known_or_not = certificate.is_cloudflare_origin();
    assert_eq!(
        Certificate::read(&[bytes, b"more"].concat()).map(|read| read.not_after),
        Some(certificate.not_after)
    );
}

/// The same moment in the words of certificates, of HTTP and of logs.
fn dates(bytes: &[u8]) {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let _any = (date::asn1(bytes), date::http(&String::from_utf8_lossy(bytes)));
    let Some([years, month, day, hour, minute, second]) = bytes.first_chunk() else { return };
    let (year, month) = (1_970 + u32::from(years % 230), 1 + month % 12);
    let (day, hour, minute, second) = (1 + day % 31, hour % 24, minute % 60, second % 60);
    let asn1 = format!("{year}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    let http = format!(
        "Sun, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT",
        MONTHS[usize::from(month) - 1]
    );
    let log = format!("{year}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}");
    let moment = date::asn1(asn1.as_bytes());
    assert!(moment.is_some());
    assert_eq!((date::http(&http), stamp(log.as_bytes()).map(|(at, _)| at)), (moment, moment), "{log}");
}

fn lookups(bytes: &[u8]) {
    assert!(names::servers(bytes).len() <= 3);
    let text = String::from_utf8_lossy(bytes);
    let asked = question(7, text.get(..text.len().min(255)).unwrap_or("a"), Kind::A);
    assert!(asked.as_ref().is_none_or(|asked| asked.len() <= 12 + 255 + 4));
    let asked = asked.or_else(|| question(7, "acme.example", Kind::A)).expect("a name");
    // What comes from elsewhere is no answer; what has our question in it may be one.
    if bytes.first_chunk() != Some(&[0, 7]) {
        assert_eq!(answer(&asked, bytes), None);
    }
    let [flags, more, count, rest @ ..] = bytes else { return };
    let message = [&[0, 7, 0x80 | flags, *more, 0, 1, 0, *count, 0, 0, 0, 0], &asked[12..], rest].concat();
    if let Some(Said::Addresses(addresses)) = answer(&asked, &message) {
        assert!(addresses.len() <= 16.min(usize::from(*count)) && addresses.len() <= rest.len() / 15);
    }
    let mut other = message.clone();
    other[13] ^= 1;
    assert_eq!(answer(&asked, &other), None, "an answer to another question");
}

fn packets(bytes: &[u8]) {
    if let Some(header) = bytes.first_chunk::<HEADER>() {
        match piece(*header) {
            Some(Piece::Output(length, padding)) => assert!(length <= 0xffff && padding <= 0xff),
            Some(Piece::Other(length)) => assert!(length <= 0xffff + 0xff),
            Some(Piece::End) | None => {}
        }
    }
    if let Some(request) = std::str::from_utf8(bytes).ok().and_then(|path| get(path, "json")) {
        let mut rest = request.as_slice();
        while let Some((header, after)) = rest.split_first_chunk::<HEADER>() {
            let Some(Piece::Other(length)) = piece(*header) else { panic!("a request has no output") };
            rest = &after[length..];
        }
        assert!(rest.is_empty());
    }
    let _status = body(bytes).and_then(fpm::status);
    let _first = mysql::first(bytes);
    let plain = !matches!(bytes.first(), Some(0x00 | 0xfe | 0xff));
    assert_eq!(matches!(mysql::reply(bytes), Reply::Data(data) if data == bytes), plain);
    if let Some((name, number)) = mysql::row(bytes) {
        let digits = number.to_string();
        let row = [&[name.len() as u8], name, &[digits.len() as u8], digits.as_bytes()].concat();
        assert_eq!(mysql::row(&row), Some((name, number)));
    }
    if let Some(uptime) = mysql::statistic(bytes, b"Uptime") {
        let line = format!("Uptime: {uptime}  Threads: 1");
        assert_eq!(mysql::statistic(line.as_bytes(), b"Uptime"), Some(uptime));
    }
    let _anything = postgres_packets::said(bytes);
}

fn pages(bytes: &[u8]) {
    let [status, fields, rest @ ..] = bytes else { return };
    let known =
        [("location", "/a"), ("content-type", "text/html"), ("retry-after", "600"), ("server", "Apache")];
    let headers = known.iter().enumerate().filter(|(n, _)| fields >> n & 1 == 1);
    let page = Page {
        status: [200, 301, 404, 500, 502, 503, 504][usize::from(status % 7)],
        headers: headers.map(|(_, (name, value))| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: rest.to_vec(),
        ..Page::default()
    };
    let verdict = judge(&page);
    assert!(verdict.same_kind(judge(&page)));
    match page.status {
        200 => assert!(matches!(verdict, Verdict::Fine | Verdict::Blank | Verdict::Default)),
        301 => assert!(matches!(verdict, Verdict::Fine | Verdict::Redirect("/a"))),
        404 => assert_eq!(verdict, Verdict::Fine),
        500 => assert_ne!(verdict, Verdict::Fine),
        _ => assert!(!matches!(verdict, Verdict::Blank | Verdict::Default | Verdict::Redirect(_))),
    }
}

/// Where a redirect leads is a place of one spelling, from which the same text leads there again.
fn redirects(text: &str) {
    let here = Url { tls: true, host: "acme.example".to_owned(), path: "/".to_owned() };
    let Some(there) = here.join(text) else { return };
    assert!(!there.host.is_empty() && there.path.starts_with('/') && !there.path.contains('#'));
    assert!(
        !there.host.contains(['/', '?', '#', '@']) && !there.host.chars().any(|c| c.is_ascii_uppercase())
    );
    let whole = format!("{}://{}{}", if there.tls { "https" } else { "http" }, there.host, there.path);
    if whole.len() <= 1_024 && !there.host.ends_with(":443") && !there.host.ends_with(":80") {
        assert_eq!(here.join(&whole), Some(there));
    }
}
