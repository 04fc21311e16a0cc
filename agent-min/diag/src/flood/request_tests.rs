use proptest::prelude::*;

use super::super::agent::agent;
use super::super::line::target_parts;
use super::*;

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

fn line<'a>(method: &'a str, target: &'a str, status: u16) -> Line<'a> {
    let (path, query) = target_parts(target.as_bytes());
    let method = method.as_bytes();
    Line { method, path, query, status, size: 40_000, agent: BROWSER.as_bytes(), ..Line::default() }
}

fn kind(method: &str, target: &str, status: u16) -> Kind {
    request(&line(method, target, status), Agent::Other).kind
}

#[test]
fn lists_are_sorted_for_the_search() {
    assert!(USUAL_KEYS.is_sorted());
    let facets = FACET_KEYS.iter().chain(&FACET_PREFIXES);
    assert!(facets.map(|key| key[0]).all(|first| b"fmoqrs".contains(&first)));
}

#[test]
fn each_request_is_of_its_narrowest_kind() {
    for (method, target, status, expected) in [
        ("GET", "/", 200, Kind::Page),
        ("HEAD", "/", 200, Kind::Page),
        ("GET", "/hello/?p=1&utm_source=x&fbclid=y", 200, Kind::Page),
        ("GET", "/?page_id=7&paged=2", 200, Kind::Page),
        ("GET", "/wp-content/a.css?ver=6.1", 200, Kind::Asset),
        ("GET", "/photo.JPG", 200, Kind::Asset),
        ("GET", "/", 304, Kind::Asset),
        ("GET", "/sitemap.xml", 200, Kind::Page),
        ("GET", "/a.photo/", 200, Kind::Page),
        ("POST", "/contact/", 200, Kind::Post),
        ("POST", "/xmlrpc.php", 200, Kind::Xmlrpc),
        ("POST", "//xmlrpc.php", 403, Kind::Xmlrpc),
        ("POST", "/blog/xmlrpc.php", 502, Kind::Xmlrpc),
        ("GET", "/xmlrpc.php", 405, Kind::Missing),
        ("POST", "/wp-login.php", 200, Kind::Login),
        ("POST", "/wp-login.php", 302, Kind::LoginOk),
        ("POST", "/wp-login.php", 502, Kind::Login),
        ("POST", "/wp-login.php?action=postpass", 302, Kind::Post),
        ("GET", "/wp-login.php", 200, Kind::Page),
        ("POST", "/wp-cron.php?doing_wp_cron=1", 200, Kind::Cron),
        ("POST", "/wp-admin/admin-ajax.php", 200, Kind::Ajax),
        ("GET", "/wp-admin/post.php?post=1&action=edit", 200, Kind::Staff),
        ("GET", "/wp-admin/", 302, Kind::Page),
        ("GET", "/wp-json/wp/v2/posts", 200, Kind::Api),
        ("POST", "/?wc-ajax=get_refreshed_fragments", 200, Kind::Api),
        ("GET", "/?s=casino", 200, Kind::Search),
        ("GET", "/shop/?post_type=product&s=casino", 502, Kind::Search),
        ("GET", "/search/casino/", 200, Kind::Search),
        ("GET", "/?8890121518", 200, Kind::Bust),
        ("GET", "/?ref=a&session=b", 200, Kind::Bust),
        ("GET", "/shop/?filter_color=red&min_price=1&orderby=date", 200, Kind::Facet),
        ("GET", "/shop/?filter_color=red&orderby=date", 200, Kind::Page),
        ("GET", "/nothing/", 404, Kind::MissingPage),
        ("GET", "/nothing.zip", 404, Kind::Missing),
        ("POST", "/wp-login.php", 404, Kind::MissingPage),
        ("GET", "http://example.org/xmlrpc.php", 405, Kind::Missing),
    ] {
        assert_eq!(kind(method, target, status), expected, "{method} {target} {status}");
    }
}

#[test]
fn a_small_404_is_the_servers_own() {
    let small = Line { size: 153, ..line("GET", "/nothing/", 404) };
    assert_eq!(request(&small, Agent::Other).kind, Kind::Missing);
    assert!(request(&small, Agent::Other).probe);
}

#[test]
fn a_file_that_a_page_names_is_no_probe() {
    let asset = line("GET", "/gone.png", 404);
    assert!(request(&asset, Agent::Other).probe);
    assert!(!request(&Line { referer: b"https://example.org/", ..asset }, Agent::Other).probe);
}

#[test]
fn what_must_never_be_blocked_is_spared() {
    let spared =
        |target: &str, text: &str| request(&line("POST", target, 200), agent(text.as_bytes())).spared;
    assert!(spared("/xmlrpc.php?for=jetpack&token=x", BROWSER));
    assert!(!spared("/xmlrpc.php?for=jetpacks", BROWSER));
    assert!(spared("/wc-api/wc_stripe/", BROWSER));
    assert!(spared("/.well-known/acme-challenge/x", BROWSER));
    assert!(spared("/", "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"));
    assert!(!spared("/", BROWSER));
}

#[test]
fn crawlers_are_counted_apart_but_for_what_floods_a_shop() {
    let kind = |target: &str, text: &str| request(&line("GET", target, 200), agent(text.as_bytes())).kind;
    assert_eq!(kind("/?s=x", "Googlebot/2.1"), Kind::Crawled);
    assert_eq!(kind("/a/", "GPTBot/1.0"), Kind::Harvested);
    assert_eq!(kind("/?filter_a=1&filter_b=2&filter_c=3", "Amazonbot/0.1"), Kind::Facet);
}

#[test]
fn who_is_logged_in_is_no_attacker() {
    let heartbeat = Line {
        referer: b"http://example.org/wp-admin/post.php?post=12&action=edit",
        ..line("POST", "/wp-admin/admin-ajax.php", 200)
    };
    assert_eq!(request(&heartbeat, Agent::Other).kind, Kind::Staff);
}

#[test]
fn load_is_what_php_works_for() {
    for kind in Kind::LOAD {
        assert!(kind.is_load(), "{kind:?}");
    }
    for kind in [Kind::Missing, Kind::Asset, Kind::Junk] {
        assert!(!kind.is_load(), "{kind:?}");
    }
}

proptest! {
    #[test]
    fn any_request_has_a_kind(path in prop::collection::vec(any::<u8>(), 0..40), query in "[a-z=&_]{0,40}", status in any::<u16>()) {
        let line = Line { method: b"GET", path: &path, query: query.as_bytes(), status, ..Line::default() };
        let _whatever = request(&line, Agent::Other);
    }
}
