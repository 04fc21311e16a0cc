use proptest::prelude::*;

use super::*;

fn page(status: u16, headers: &[(&str, &str)], body: &str) -> Page {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Page { status, headers, body: body.as_bytes().to_vec(), ..Page::default() }
}

fn wp_die(message: &str) -> String {
    format!(
        "<!DOCTYPE html><html><head><title>x</title></head><body id=\"error-page\">\n\t\
         <div class=\"wp-die-message\">{message}</div></body>\n</html>"
    )
}

#[test]
fn wordpress_own_pages_are_known_in_every_language() {
    let retry = [("retry-after", "600")];
    for (status, headers, message, verdict) in [
        (500, &[][..], "<h1>Error establishing a database connection</h1>", Verdict::Database),
        (503, &[], "<h1>Error establishing a database connection</h1>", Verdict::Database),
        (500, &[], "<h1>Fehler beim Aufbau einer Datenbankverbindung</h1>", Verdict::Database),
        (500, &[], "<p>There has been a critical error on this website.</p>", Verdict::Fatal),
        (500, &[], "<p>Es gab einen kritischen Fehler auf deiner Website.</p>", Verdict::Fatal),
        (503, &retry, "Briefly unavailable for scheduled maintenance.", Verdict::Maintenance),
        (503, &retry, "Wegen Wartungsarbeiten ist diese Website kurzzeitig nicht da.", Verdict::Maintenance),
        // A plugin's own maintenance page is what its owner wants.
        (503, &[("retry-after", "3600")], "Back soon", Verdict::Fine),
        // The same frame tells a visitor that a link has expired.
        (403, &[], "The link you followed has expired.", Verdict::Fine),
    ] {
        assert_eq!(judge(&page(status, headers, &wp_die(message))), verdict, "{status} {message}");
    }
}

#[test]
fn a_gateway_error_is_the_web_servers() {
    let apache = [("server", "Apache/2.4.62 (Debian)")];
    let nginx = [("server", "nginx/1.22.1")];
    for (status, headers, verdict) in [
        (502, nginx, Verdict::Gateway),
        (504, nginx, Verdict::Gateway),
        (503, apache, Verdict::Gateway),
        // limit_req and limit_conn.
        (503, nginx, Verdict::Fine),
        (500, nginx, Verdict::Broken),
        (404, nginx, Verdict::Fine),
    ] {
        assert_eq!(judge(&page(status, &headers, "<h1>x</h1>")), verdict, "{status} {headers:?}");
    }
    // A plugin's own maintenance page behind Apache.
    assert_eq!(judge(&page(503, &apache, &wp_die("Back soon"))), Verdict::Fine);
}

#[test]
fn a_page_without_anything_to_see_is_blank() {
    let html = [("content-type", "text/html; charset=UTF-8")];
    for (headers, body, verdict) in [
        (&html[..], "", Verdict::Blank),
        (&[], "\u{feff}\n \n", Verdict::Blank),
        (&[], "\u{43f}\u{440}\u{438}", Verdict::Fine),
        (&[], "\n \n", Verdict::Blank),
        (&html, "<!DOCTYPE html><html><body></body></html>", Verdict::Blank),
        (&html, "ok", Verdict::Fine),
        (&[("content-type", "application/json")], "", Verdict::Fine),
        (&html, &"<br>".repeat(16), Verdict::Fine),
        (&html, &"<br>".repeat(15), Verdict::Blank),
    ] {
        assert_eq!(judge(&page(200, headers, body)), verdict, "{body:?}");
    }
    assert_eq!(judge(&page(204, &html, "")), Verdict::Fine);
}

#[test]
fn a_default_page_is_known_by_its_title_and_not_by_its_text() {
    for (body, verdict) in [
        ("<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>", Verdict::Default),
        ("<head><title>Apache2 Debian Default Page: It works</title>", Verdict::Default),
        ("<html><body><h1>It works!</h1></body></html>\n", Verdict::Default),
        ("<title>Blog</title><p>How to get rid of Welcome to nginx! in five steps</p>", Verdict::Fine),
    ] {
        assert_eq!(judge(&page(200, &[], body)), verdict, "{body}");
    }
    let late = format!("<title>Blog</title>{}<title>Welcome to nginx!</title>", "x".repeat(HEAD));
    assert_eq!(judge(&page(200, &[], &late)), Verdict::Fine);
}

#[test]
fn a_redirect_says_where_to() {
    assert_eq!(judge(&page(301, &[("location", "/a")], "")), Verdict::Redirect("/a"));
    assert_eq!(judge(&page(302, &[], "")), Verdict::Fine);
    assert_eq!(judge(&page(304, &[("location", "/a")], "")), Verdict::Fine);
}

proptest! {
    #[test]
    fn no_page_is_too_strange(status in 0_u16..1_000, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _any = judge(&Page { status, body, ..Page::default() });
    }
}
