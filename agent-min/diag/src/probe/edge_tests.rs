use super::super::testing::{Authority, Fake, NOW, noted, params, self_signed, sentences, sites, skips};
use super::*;

const NAME: &str = "acme.de";
const EDGE: [u8; 4] = [104, 16, 0, 1];

fn page(status: u16, headers: &[(&str, &str)]) -> Page {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Page { status, headers, body: b"<p>Hello</p>".to_vec(), ..Page::default() }
}

/// A host whose name leads to `address`, that answers itself with `origin`, and at the edge by `edge`.
fn host(
    address: [u8; 4],
    origin: u16,
    edge: impl Fn(&Fetch<'_>, Duration) -> Result<Page, Denied> + Sync + 'static,
) -> Fake {
    let mut host = Fake::default();
    host.files.insert("/etc/resolv.conf", (Ok(b"nameserver 192.0.2.1\n".to_vec()), 0));
    host.ask = Box::new(move |(_, asked), _| {
        let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4];
        let header = [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        Ok([&asked[..2], &header, &asked[12..], &record, &address].concat())
    });
    host.fetch = Box::new(move |fetch, now| match fetch.to.ip().is_loopback() {
        true => Ok(page(origin, &[])),
        false => edge(fetch, now),
    });
    host
}

fn always(status: u16) -> impl Fn(&Fetch<'_>, Duration) -> Result<Page, Denied> + Sync {
    move |fetch, _| {
        assert_eq!((fetch.to.to_string().as_str(), fetch.host), ("104.16.0.1:443", NAME));
        Ok(page(status, &[]))
    }
}

fn found(host: &Fake) -> Vec<String> {
    sentences(&noted(|notes| check(host, &sites(&[NAME]), notes)))
}

#[test]
fn an_error_of_the_edge_counts_if_this_host_is_well() {
    let line = |code| {
        format!("http-edge-52x critical: The server is well, but through Cloudflare acme.de answers {code}")
    };
    for code in [520, 521, 522, 524, 525, 527] {
        assert_eq!(found(&host(EDGE, 200, always(code))), [line(code)]);
    }
    for fine in [200, 403, 404, 502, 519, 528, 530] {
        assert_eq!(found(&host(EDGE, 200, always(fine))), [""; 0], "{fine}");
    }
    // What is wrong here is the finding of whoever asked here.
    let notes = noted(|notes| check(&host(EDGE, 502, always(522)), &sites(&[NAME]), notes));
    assert_eq!(sentences(&notes), [""; 0]);
    assert_eq!(skips(&notes), ["edge failed acme.de"]);
    let blip = host(EDGE, 200, |_, now| Ok(page(if now < AGAIN_AFTER { 522 } else { 200 }, &[])));
    assert_eq!(found(&blip), [""; 0]);
}

#[test]
fn the_strict_mode_refuses_who_vouches_for_himself() {
    let with = |der: Vec<u8>, code| Fake {
        certificates: Box::new(move |_, _| Ok(vec![der.clone()])),
        ..host(EDGE, 200, always(code))
    };
    let own = self_signed(&params(&[NAME], NOW, NOW + 1));
    let signed = Authority::new("R3", NOW, None).sign(&params(&[NAME], NOW, NOW + 1));
    let refused = "tls-selfsigned-strict critical: Cloudflare refuses the self-signed certificate of acme.de";
    assert_eq!(found(&with(own.clone(), 526)).first().map(String::as_str), Some(refused));
    assert_eq!(found(&with(own, 525)).len(), 1);
    assert_eq!(found(&with(signed, 526)).len(), 1);
}

#[test]
fn a_loop_at_the_edge_is_seen_there() {
    let flexible = host(EDGE, 200, |_, _| Ok(page(301, &[("location", "https://acme.de/?secmon=1")])));
    assert!(found(&flexible)[0].starts_with("http-redirect-loop critical: acme.de"));
    let to_www = host(EDGE, 200, |_, _| Ok(page(301, &[("location", "https://www.acme.de/")])));
    assert_eq!(found(&to_www), [""; 0]);
    let ends = host(EDGE, 200, |fetch, _| {
        Ok(if fetch.path == "/de/" { page(200, &[]) } else { page(302, &[("location", "/de/")]) })
    });
    assert_eq!(found(&ends), [""; 0]);
}

#[test]
fn a_site_that_is_not_behind_cloudflare_has_no_edge() {
    let notes = noted(|notes| check(&host([203, 0, 113, 9], 200, always(522)), &sites(&[NAME]), notes));
    assert_eq!((sentences(&notes), skips(&notes)), (vec![], vec![]));
    assert_eq!(notes.what_was_checked(), []);
}

#[test]
fn an_edge_out_of_reach_is_not_checked() {
    for (denied, why) in [(Denied::Timeout, "timeout"), (Denied::Failed, "failed")] {
        let notes = noted(|notes| check(&host(EDGE, 200, move |_, _| Err(denied)), &sites(&[NAME]), notes));
        assert_eq!(skips(&notes), [format!("edge {why} acme.de")]);
        assert_eq!(sentences(&notes), [""; 0]);
    }
    let no_names = noted(|notes| check(&Fake::default(), &sites(&[NAME]), notes));
    assert_eq!(skips(&no_names), ["edge absent acme.de"]);
}

#[test]
fn two_answers_of_the_edge_tell_the_time() {
    // The host believes that it is 10:07:01.
    let dated = |first: &'static str, second: &'static str| {
        let asked = std::sync::atomic::AtomicBool::new(false);
        host(EDGE, 200, move |_, _| {
            let again = asked.swap(true, std::sync::atomic::Ordering::Relaxed);
            let date = if again { second } else { first };
            Ok(page(200, &[("date", date), ("server", "cloudflare")]))
        })
    };
    let (now, later) = ("Sun, 22 Nov 2026 10:07:00 GMT", "Sun, 22 Nov 2026 11:07:01 GMT");
    assert_eq!(found(&dated(later, later)), ["clock-skew critical: The clock is wrong by 60 min"]);
    assert_eq!(
        found(&dated("Sun, 22 Nov 2026 10:07:08 GMT", later)),
        ["clock-skew warning: The clock is wrong by 7 s"]
    );
    assert_eq!(found(&dated(later, now)), [""; 0]);
    let right = noted(|notes| check(&dated(now, later), &sites(&[NAME]), notes));
    assert_eq!(sentences(&right), [""; 0]);
    assert_eq!(right.what_was_checked(), [Check::Clock, Check::Edge].into_iter().rev().collect::<Vec<_>>());
    // Somebody else's clock is nobody's measure.
    let other = host(EDGE, 200, move |_, _| Ok(page(200, &[("date", later), ("server", "nginx")])));
    assert_eq!(found(&other), [""; 0]);
}

#[test]
fn an_edge_that_greets_and_then_waits_for_this_host_can_not_reach_it() {
    let greeting = |origin: u16| Fake {
        certificates: Box::new(|_, _| Ok(vec![])),
        ..host(EDGE, origin, |_, _| Err(Denied::Timeout))
    };
    let line =
        "http-edge-52x warning: The server is well, but through Cloudflare acme.de answers nothing in time";
    assert_eq!(found(&greeting(200)), [line]);
    // A host that is unwell, or slow itself, may be why.
    assert_eq!(found(&greeting(502)), [""; 0]);
    let mut slow = greeting(200);
    let elapsed = std::sync::Arc::clone(&slow.elapsed);
    let quick = slow.fetch;
    slow.fetch = Box::new(move |fetch, now| {
        if fetch.to.ip().is_loopback() {
            *elapsed.lock().expect("unpoisoned") += AT_ONCE + Duration::from_millis(1);
        }
        quick(fetch, now)
    });
    let notes = noted(|notes| check(&slow, &sites(&[NAME]), notes));
    assert_eq!((sentences(&notes), skips(&notes)), (vec![], vec!["edge timeout acme.de".to_owned()]));
}
