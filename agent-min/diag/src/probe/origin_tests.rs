use super::super::testing::{Fake, NOW, noted, sentences, site, sites, skips};
use super::*;
use crate::stack::{Process, WebKind, WebServer};

const NAME: &str = "acme.de";

fn page(status: u16, headers: &[(&str, &str)], body: &str) -> Page {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let first_byte = Duration::from_millis(50);
    Page { status, headers, body: body.as_bytes().to_vec(), first_byte }
}

fn answers(fetch: impl Fn(&Fetch<'_>, Duration) -> Result<Page, Denied> + Sync + 'static) -> Fake {
    Fake { fetch: Box::new(fetch), ..Fake::default() }
}

fn found(host: &Fake, stack: &Stack) -> Vec<String> {
    sentences(&noted(|notes| check(host, stack, notes)))
}

/// What a site that always answers this is found to have.
fn found_for(page: &Page) -> Vec<String> {
    let page = page.clone();
    found(&answers(move |_, _| Ok(page.clone())), &sites(&[NAME]))
}

#[test]
fn trouble_that_is_seen_twice_is_reported_as_what_it_is() {
    let die =
        |message: &str| format!("<body id=\"error-page\"><div class=\"wp-die-message\">{message}</div>");
    for (page, line) in [
        (page(200, &[], "<html><body><p>Welcome, visitors, to the home page of Acme</p></body>"), None),
        (page(404, &[], ""), None),
        (page(401, &[], ""), None),
        (
            page(500, &[], &die("<h1>Error establishing a database connection</h1>")),
            Some("http-db-error-page critical: WordPress on acme.de cannot reach its database (500)"),
        ),
        (
            page(500, &[], &die("<p>There has been a critical error on this website.</p>")),
            Some("http-critical-error critical: acme.de shows WordPress' page for a fatal error (500)"),
        ),
        (
            page(200, &[], ""),
            Some("http-blank-200 critical: The home page of acme.de is empty (0 B): a white screen"),
        ),
        (
            page(200, &[], "<title>Welcome to nginx!</title>"),
            Some(
                "http-vhost-wrong warning: acme.de shows the web server's default page: its site is not configured",
            ),
        ),
        (
            page(502, &[], "<h1>502 Bad Gateway</h1>"),
            Some("http-502 critical: acme.de answers 502: no PHP behind the web server (2 in 5 min)"),
        ),
        (
            page(503, &[("server", "Apache")], "<h1>Service Unavailable</h1>"),
            Some("http-502 critical: acme.de answers 503: no PHP behind the web server (2 in 5 min)"),
        ),
        (
            page(504, &[], "<h1>504 Gateway Time-out</h1>"),
            Some("http-504 critical: acme.de: PHP takes longer than 0 s; slowest / (2 in 5 min)"),
        ),
        (
            page(500, &[], ""),
            Some("http-5xx-rate critical: 2 server errors in 5 min (100 %), mostly acme.de/"),
        ),
    ] {
        assert_eq!(found_for(&page), line.into_iter().collect::<Vec<_>>(), "{page:?}");
    }
}

#[test]
fn what_is_gone_a_second_later_is_no_finding() {
    let blip = |_: &Fetch<'_>, now: Duration| {
        Ok(if now < AGAIN_AFTER { page(502, &[], "") } else { page(200, &[], "<p>Hello</p>") })
    };
    assert_eq!(found(&answers(blip), &sites(&[NAME])), [""; 0]);
    // Another trouble is not the same one seen twice.
    let changing =
        |_: &Fetch<'_>, now: Duration| Ok(page(if now < AGAIN_AFTER { 502 } else { 500 }, &[], ""));
    assert_eq!(found(&answers(changing), &sites(&[NAME])), [""; 0]);
}

#[test]
fn a_fatal_error_on_the_home_page_alone_is_less() {
    let fatal = "<div class=\"wp-die-message\"><p>x</p>";
    let home_only = move |fetch: &Fetch<'_>, _: Duration| {
        Ok(if fetch.path == HOME { page(500, &[], fatal) } else { page(200, &[], "<p>A post</p>") })
    };
    let lines = found(&answers(home_only), &sites(&[NAME]));
    assert_eq!(lines, ["http-critical-error warning: acme.de shows WordPress' page for a fatal error (500)"]);
}

#[test]
fn maintenance_counts_when_it_should_have_ended() {
    let maintenance = "Briefly unavailable for scheduled maintenance. Check back in a minute.";
    let host = |age| {
        let mut host = answers(move |_, _| Ok(page(503, &[("retry-after", "600")], maintenance)));
        host.files.insert("/srv/.maintenance", (Ok(vec![]), NOW - age));
        host
    };
    // The second look is a second later.
    assert_eq!(found(&host(598), &sites(&[NAME])), [""; 0]);
    let line = "http-maintenance critical: acme.de has been in WordPress' maintenance mode for 10 min";
    assert_eq!(found(&host(599), &sites(&[NAME])), [line]);
    let hidden = answers(move |_, _| Ok(page(503, &[], maintenance)));
    let notes = noted(|notes| check(&hidden, &sites(&[NAME]), notes));
    assert_eq!(skips(&notes), ["origin absent acme.de/.maintenance"]);
    assert_eq!(sentences(&notes), [""; 0]);
}

#[test]
fn redirects_on_this_host_are_followed_to_their_page() {
    let hops = |fetch: &Fetch<'_>, _: Duration| {
        Ok(match (fetch.tls, fetch.host, fetch.path) {
            (true, "acme.de", HOME) => page(301, &[("location", "https://www.acme.de/")], ""),
            (true, "www.acme.de", "/") => page(302, &[("location", "/de/")], ""),
            (true, "www.acme.de", "/de/") => page(500, &[], ""),
            other => panic!("{other:?}"),
        })
    };
    let mut stack = sites(&[NAME]);
    stack.sites[0].names.push("www.acme.de".to_owned());
    assert_eq!(found(&answers(hops), &stack).len(), 1);
    // Elsewhere is somebody else's page, and so is a scheme that isn't served here.
    for elsewhere in ["https://other.de/", "/a b", "https://acme.de:8443/"] {
        assert_eq!(found_for(&page(301, &[("location", elsewhere)], "")), [""; 0], "{elsewhere}");
    }
    let mut plain = site(NAME);
    plain.listens.retain(|listen| !listen.tls);
    let stack = Stack { sites: vec![plain], ..Stack::default() };
    let to_tls = answers(|_, _| Ok(page(301, &[("location", "https://acme.de/?secmon=1")], "")));
    assert_eq!(found(&to_tls, &stack), [""; 0]);
}

#[test]
fn redirects_without_an_end_are_a_loop_unless_they_set_cookies() {
    let line = "http-redirect-loop critical: acme.de redirects in a loop: its rule and Cloudflare's SSL mode \
        contradict each other";
    let same = [("location", "https://acme.de/?secmon=1")];
    assert_eq!(found_for(&page(301, &same, "")), [line]);
    assert_eq!(found_for(&page(301, &[same[0], ("set-cookie", "seen=1")], "")), [""; 0]);
    // From one scheme to the other and back.
    let ping_pong = answers(|fetch, _| {
        let scheme = if fetch.tls { "http" } else { "https" };
        Ok(page(302, &[("location", &format!("{scheme}://acme.de/"))], ""))
    });
    assert_eq!(found(&ping_pong, &sites(&[NAME])), [line]);
    let ever_new = answers(|fetch, _| Ok(page(302, &[("location", &format!("{}x", fetch.path))], "")));
    assert_eq!(found(&ever_new, &sites(&[NAME])), [line]);
    let five = answers(|fetch, _| {
        let end = fetch.path.len() >= HOME.len() + HOPS_MAX;
        let next = format!("{}x", fetch.path);
        Ok(if end { page(200, &[], "<p>Hello</p>") } else { page(302, &[("location", &next)], "") })
    });
    assert_eq!(found(&five, &sites(&[NAME])), [""; 0]);
}

#[test]
fn a_home_page_that_takes_two_seconds_is_slow() {
    let silent = || answers(|_, _| Err(Denied::Timeout));
    let line = "http-slow-ttfb warning: The home page of acme.de takes 2.0 s on the server itself";
    assert_eq!(found(&silent(), &sites(&[NAME])), [line]);
    // A second one had no time to be slow, and is said not to be checked.
    let notes = noted(|notes| check(&silent(), &sites(&[NAME, "b.de"]), notes));
    assert_eq!(sentences(&notes), [line]);
    assert_eq!(skips(&notes), ["origin timeout b.de"]);
    let hurried = Fake { whole: Duration::from_millis(2_000), ..silent() };
    assert_eq!(found(&hurried, &sites(&[NAME])), [""; 0]);
}

#[test]
fn a_server_that_was_just_started_may_be_cold() {
    let cold = |age| {
        let master = Some(Process { pid: 1, started: NOW - age, uid: 0 });
        let nginx = WebServer {
            kind: WebKind::Nginx,
            name: "nginx".to_owned(),
            master,
            listens: vec![],
            error_logs: vec![],
            limit: None,
        };
        let stack = Stack { web: vec![nginx], ..sites(&[NAME]) };
        found(&answers(|_, _| Err(Denied::Timeout)), &stack).len()
    };
    assert_eq!(cold(30), 0);
    assert_eq!(cold(60), 1);
}

#[test]
fn who_refuses_is_not_checked_and_not_accused_here() {
    let notes = noted(|notes| check(&Fake::default(), &sites(&[NAME]), notes));
    assert_eq!(skips(&notes), ["origin failed acme.de"]);
    assert_eq!(sentences(&notes), [""; 0]);
    assert_eq!(notes.what_was_checked(), []);
}

#[test]
fn a_host_without_sites_has_none_to_ask() {
    let notes = noted(|notes| check(&Fake::default(), &Stack::default(), notes));
    assert_eq!((skips(&notes), sentences(&notes)), (vec!["origin absent ".to_owned()], Vec::new()));
}

#[test]
fn only_so_many_sites_are_asked() {
    let names: Vec<String> = (0..=SITES_MAX).map(|at| format!("{at}.de")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let notes = noted(|notes| check(&answers(|_, _| Ok(page(502, &[], ""))), &sites(&names), notes));
    assert_eq!(sentences(&notes).len(), SITES_MAX);
    assert_eq!(skips(&notes), ["origin timeout more sites"]);
}

#[test]
fn a_site_without_a_name_is_asked_as_well_and_may_show_what_others_may_not() {
    let nameless = |page: &Page, php: bool| {
        let page = page.clone();
        let host = answers(move |fetch, _| {
            assert_eq!(fetch.host, "localhost");
            Ok(page.clone())
        });
        let mut stack = sites(&[""]);
        stack.sites[0].php = php.then(|| crate::host::Endpoint::Unix("/run/php.sock".to_owned()));
        let found = found(&host, &stack);
        assert!(found.iter().all(|line| line.contains("the site")), "{found:?}");
        found.len()
    };
    let (default, blank) = (page(200, &[], "<title>Welcome to nginx!</title>"), page(200, &[], ""));
    assert_eq!((nameless(&default, false), nameless(&default, true)), (0, 0));
    assert_eq!((nameless(&blank, false), nameless(&blank, true)), (0, 1));
    assert_eq!(nameless(&page(502, &[], ""), true), 1);
    // By the name that its logs give it, so that both are one finding.
    let notes = noted(|notes| check(&answers(|_, _| Ok(page(502, &[], ""))), &sites(&[""]), notes));
    assert!(sentences(&notes)[0].contains(": the site answers 502"), "{:?}", sentences(&notes));
}

#[test]
fn a_site_without_a_name_may_hang_up() {
    let skipped = |name: &str| {
        skips(&noted(|notes| check(&answers(|_, _| Err(Denied::Failed)), &sites(&[name]), notes)))
    };
    assert_eq!(skipped(""), [""; 0]);
    assert_eq!(skipped(NAME), ["origin failed acme.de"]);
}

#[test]
fn the_manifest_says_when_a_page_is_slow_and_two_looks_prove_it() {
    let of = |limit: Option<u32>, first: u64, then: u64| {
        let elapsed = std::sync::Arc::<std::sync::Mutex<Duration>>::default();
        let clock = std::sync::Arc::clone(&elapsed);
        let looks = std::sync::atomic::AtomicU64::new(0);
        let answer = move |_: &Fetch<'_>, _: Duration| {
            let is_first = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            *clock.lock().expect("unpoisoned") += Duration::from_millis(if is_first { first } else { then });
            Ok(page(200, &[], "<p>Hello</p>"))
        };
        let host = Fake { elapsed, ..answers(answer) };
        let mut stack = sites(&[NAME]);
        if let Some(limit) = limit {
            stack.thresholds = stack.thresholds.with(Threshold::SlowPage, limit);
        }
        found(&host, &stack)
    };
    let slow = "http-slow-ttfb warning: ";
    assert!(of(Some(500), 500, 600)[0].starts_with(slow));
    assert_eq!(of(Some(500), 499, 600), [""; 0]);
    assert_eq!(of(Some(500), 600, 499), [""; 0], "it only had to warm up");
    assert_eq!(of(None, 600, 600), [""; 0]);
}

#[test]
fn only_the_sites_that_the_manifest_names_are_asked() {
    let asked = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
    let heard = std::sync::Arc::clone(&asked);
    let host = answers(move |fetch, _| {
        heard.lock().expect("unpoisoned").push(fetch.host.to_owned());
        Ok(page(200, &[], "<p>Hello</p>"))
    });
    let mut stack = sites(&["a.de", "b.de", "c.de"]);
    let listed = secmon_wire::Tuning::new(&["b.de", "d.de"], &[], &[], &[]).expect("a tuning");
    crate::tuning::apply(&mut stack, &listed);
    assert_eq!(found(&host, &stack), [""; 0]);
    assert_eq!(*asked.lock().expect("unpoisoned"), ["b.de", "d.de"]);
}

#[test]
fn a_site_that_speaks_an_older_tls_is_not_asked_and_not_broken() {
    let notes = noted(|notes| check(&answers(|_, _| Err(Denied::Unsupported)), &sites(&[NAME]), notes));
    assert_eq!(sentences(&notes), [""; 0]);
    assert_eq!(skips(&notes), ["origin unsupported acme.de: TLS 1.2 only"]);
}
