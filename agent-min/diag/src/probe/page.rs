//! What a home page says of its site: the error pages of WordPress and of web servers, told by what they are made of.
//!
//! WordPress translates its texts, so its pages are known by their frame (`wp_die`) and the English text is only a
//! second way.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::bytes::holds;
use crate::host::Page;

/// A page with less than this and no visible text is blank.
pub const BLANK_BELOW: usize = 64;
/// The beginning in which a title stands.
const HEAD: usize = 2_048;
/// Titles of the pages that web servers bring along.
const DEFAULT_PAGES: [&[u8]; 6] = [
    b"<title>Welcome to nginx!</title>",
    b"<title>Apache2 Debian Default Page",
    b"<title>Apache2 Ubuntu Default Page",
    b"<title>HTTP Server Test Page",
    b"<title>Test Page for the ",
    b"<html><body><h1>It works!</h1></body></html>",
];

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict<'p> {
    /// Nothing to say about.
    Fine,
    /// 200, and nothing to see.
    Blank,
    /// The web server's own page.
    Default,
    /// WordPress: no database.
    Database,
    /// WordPress: fatal error.
    Fatal,
    /// WordPress: an update is running, or was interrupted.
    Maintenance,
    /// The web server has no PHP behind it (502; 503 from Apache), or waited too long for it (504).
    Gateway,
    /// Any other server error (500).
    Broken,
    /// It leads there.
    Redirect(&'p str),
}

impl Verdict<'_> {
    /// Whether the second look saw the same trouble as the first.
    pub fn same_kind(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// Judges a page.
pub fn judge(page: &Page) -> Verdict<'_> {
    match page.status {
        200 => judge_good(page),
        301 | 302 | 303 | 307 | 308 => page.header("location").map_or(Verdict::Fine, Verdict::Redirect),
        500.. => judge_bad(page),
        _ => Verdict::Fine,
    }
}

fn judge_good(page: &Page) -> Verdict<'_> {
    let head = page.body.get(..HEAD).unwrap_or(&page.body);
    if DEFAULT_PAGES.iter().any(|title| holds(head, title)) {
        return Verdict::Default;
    }
    let html = page.header("content-type").is_none_or(|kind| kind.starts_with("text/html"));
    if html && page.body.len() < BLANK_BELOW && !has_text(&page.body) {
        Verdict::Blank
    } else {
        Verdict::Fine
    }
}

/// Whether anything stands outside of tags. An answer such as `ok` is some program's, not a white screen.
fn has_text(body: &[u8]) -> bool {
    /// What some editors put before a file, and PHP before everything else.
    const MARK: &[u8] = "\u{feff}".as_bytes();
    let mut inside = false;
    body.strip_prefix(MARK).unwrap_or(body).iter().any(|byte| {
        match byte {
            b'<' => inside = true,
            b'>' => inside = false,
            _ => return !inside && *byte > b' ',
        }
        false
    })
}

fn judge_bad(page: &Page) -> Verdict<'_> {
    let body = &page.body;
    let framed = holds(body, b"wp-die-message") || holds(body, b"id=\"error-page\"");
    if page.status == 503 && page.header("retry-after") == Some("600") && framed
        || page.status == 503 && holds(body, b"Briefly unavailable for scheduled maintenance")
    {
        return Verdict::Maintenance;
    }
    // Of wp_die's pages only the one without a database begins its message with a heading.
    if holds(body, b"<h1>Error establishing a database connection</h1>")
        || framed && holds(body, b"wp-die-message\"><h1>")
    {
        return Verdict::Database;
    }
    if page.status == 500 && (framed || holds(body, b"There has been a critical error on this website")) {
        return Verdict::Fatal;
    }
    // nginx answers 503 when a limit is reached, and plugins when an owner wants that; Apache when PHP is gone.
    let apache = page.header("server").is_some_and(|server| server.starts_with("Apache"));
    match page.status {
        502 | 504 => Verdict::Gateway,
        503 if apache && !framed => Verdict::Gateway,
        500 => Verdict::Broken,
        _ => Verdict::Fine,
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
