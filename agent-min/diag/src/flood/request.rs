//! What kind of request it is: the narrowest kind that says what it costs and what it may be part of.

use super::agent::Agent;
use super::bytes::{find, find_text};
use super::line::Line;

/// Each request is of exactly one kind, so what one kind explains no other is blamed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    /// A page, or whatever else makes the server think.
    Page,
    /// A form that is sent, but no login.
    Post,
    /// `admin-ajax.php` without a referer of the dashboard.
    Ajax,
    /// What somebody who is logged in does in the dashboard.
    Staff,
    /// What machines call and cannot solve a challenge for.
    Api,
    /// A search on the site.
    Search,
    /// A query that nothing on the site asks for: no cache has its answer.
    Bust,
    /// Three or more filters of a shop at once.
    Facet,
    /// A call of `xmlrpc.php`.
    Xmlrpc,
    /// A login that failed.
    Login,
    /// A login that succeeded.
    LoginOk,
    /// `wp-cron.php`.
    Cron,
    /// A page that isn't there, and PHP said so.
    MissingPage,
    /// What isn't there or isn't allowed, and costs nothing.
    Missing,
    /// What a search engine's crawler asks for.
    Crawled,
    /// What any other known crawler asks for.
    Harvested,
    /// A file, or what hasn't changed.
    Asset,
    /// No HTTP.
    Junk,
}

/// Kinds there are.
pub(super) const KINDS: usize = Kind::Junk as usize + 1;

impl Kind {
    /// Kinds that PHP works for.
    pub(super) const LOAD: [Self; 15] = [
        Self::Page,
        Self::Post,
        Self::Ajax,
        Self::Staff,
        Self::Api,
        Self::Search,
        Self::Bust,
        Self::Facet,
        Self::Xmlrpc,
        Self::Login,
        Self::LoginOk,
        Self::Cron,
        Self::MissingPage,
        Self::Crawled,
        Self::Harvested,
    ];

    /// Whether PHP works for it.
    pub(super) const fn is_load(self) -> bool {
        (self as u8) < Self::Missing as u8 || matches!(self, Self::Crawled | Self::Harvested)
    }
}

/// What an access log shows of one request beyond its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) kind: Kind,
    /// The part of the query that is different each time in a flood of this kind: the term, the whole query.
    pub(super) variable: &'a [u8],
    /// The name that stands for the flood's shape: the first key that isn't known, the first filter.
    pub(super) key: &'a [u8],
    /// Whether it may be part of a search for weak spots.
    pub(super) probe: bool,
    /// Whether it puts something in a cart.
    pub(super) cart: bool,
    /// Whether it must be spared, whoever sends it.
    pub(super) spared: bool,
}

/// The body of a refusal that is no larger is the web server's own, even where PHP's is compressed.
const OWN_BODY_MAX: u64 = 4096;
/// Filters of a shop in one URL that nobody clicks together by chance.
const FACETS_MIN: usize = 3;

/// Query keys that pages, shops and campaigns use.
const USUAL_KEYS: [&[u8]; 40] = [
    b"_ga",
    b"_gl",
    b"action",
    b"add-to-cart",
    b"attachment_id",
    b"author",
    b"cat",
    b"cpage",
    b"dclid",
    b"doing_wp_cron",
    b"elementor-preview",
    b"et_blog",
    b"fbclid",
    b"feed",
    b"gad_source",
    b"gbraid",
    b"gclid",
    b"id",
    b"lang",
    b"m",
    b"mc_cid",
    b"mc_eid",
    b"msclkid",
    b"order",
    b"orderby",
    b"p",
    b"page",
    b"page_id",
    b"paged",
    b"post_type",
    b"preview",
    b"product-page",
    b"q",
    b"replytocom",
    b"rest_route",
    b"s",
    b"tag",
    b"v",
    b"ver",
    b"wbraid",
];
const USUAL_PREFIXES: [&[u8]; 8] =
    [b"utm_", b"filter_", b"query_type_", b"preview_", b"_wp", b"amp", b"hsa_", b"wc-"];
const FACET_KEYS: [&[u8]; 5] = [b"orderby", b"min_price", b"max_price", b"rating_filter", b"stock_status"];
const FACET_PREFIXES: [&[u8]; 2] = [b"filter_", b"query_type_"];
/// Endings of files, each as the number that [`ending`] makes of it.
const STATIC: [u64; 32] = [
    ending(b"7z"),
    ending(b"avif"),
    ending(b"bmp"),
    ending(b"css"),
    ending(b"eot"),
    ending(b"flv"),
    ending(b"gif"),
    ending(b"gz"),
    ending(b"ico"),
    ending(b"jpeg"),
    ending(b"jpg"),
    ending(b"js"),
    ending(b"m4a"),
    ending(b"map"),
    ending(b"mjs"),
    ending(b"mov"),
    ending(b"mp3"),
    ending(b"mp4"),
    ending(b"ogg"),
    ending(b"otf"),
    ending(b"pdf"),
    ending(b"png"),
    ending(b"svg"),
    ending(b"ttf"),
    ending(b"txt"),
    ending(b"wasm"),
    ending(b"wav"),
    ending(b"webm"),
    ending(b"webp"),
    ending(b"woff"),
    ending(b"woff2"),
    ending(b"zip"),
];

/// Says of what kind a request is.
#[inline]
pub(super) fn request<'a>(line: &Line<'a>, agent: Agent) -> Request<'a> {
    let mut request =
        Request { kind: Kind::Junk, variable: b"", key: b"", probe: false, cart: false, spared: false };
    if line.method.is_empty() {
        return request;
    }
    let path = plain_path(line.path);
    let is_file = is_static(path);
    // Browsers that look for a file that a page names send the page's address along; those who search don't.
    let is_named = is_file && !line.referer.is_empty();
    request.probe = !is_named && matches!(line.status, 400 | 403 | 404 | 405 | 410);
    if line.status == 304 || (is_file && !request.probe && line.status != 404) {
        request.kind = Kind::Asset;
        return request;
    }
    request.kind = match (agent, line.status) {
        (Agent::Search(_), _) => Kind::Crawled,
        (_, 404 | 410) if is_file || line.size <= OWN_BODY_MAX => Kind::Missing,
        (_, 400 | 405) => Kind::Missing,
        _ => dynamic(line, path, &mut request),
    };
    if let Agent::Harvester(_) = agent {
        if request.kind.is_load() && request.kind != Kind::Facet {
            request.kind = Kind::Harvested;
        }
        request.probe = false;
    }
    request.probe &= request.kind != Kind::Crawled;
    request.cart = path.ends_with(b"/cart/") || find_text(b"add-to-cart=", line.query).is_some();
    request.spared |= agent == Agent::Service && !matches!(request.kind, Kind::Cron)
        || path.starts_with(b"/.well-known/acme-challenge/")
        || path.starts_with(b"/wc-api/")
        || value(line.query, b"wc-api").is_some();
    request
}

/// The kind of what the server has to think about.
fn dynamic<'a>(line: &Line<'a>, path: &[u8], request: &mut Request<'a>) -> Kind {
    if matches!(line.status, 404 | 410) && value(line.query, b"s").is_none() {
        return Kind::MissingPage;
    }
    let post = line.method == b"POST";
    if post && path.ends_with(b"/xmlrpc.php") {
        request.spared |= key_is(line.query, b"for", b"jetpack");
        return Kind::Xmlrpc;
    }
    if post && path.ends_with(b"/wp-login.php") && value(line.query, b"action").is_none_or(|a| a == b"login")
    {
        return if line.status == 302 { Kind::LoginOk } else { Kind::Login };
    }
    if path.ends_with(b"/wp-cron.php") {
        return Kind::Cron;
    }
    let from_dashboard = find_text(b"/wp-admin/", line.referer).is_some();
    if post && path.ends_with(b"/wp-admin/admin-ajax.php") {
        return if from_dashboard { Kind::Staff } else { Kind::Ajax };
    }
    if from_dashboard || (line.status == 200 && path.starts_with(b"/wp-admin/")) {
        return Kind::Staff;
    }
    if matches!(line.status, 401 | 403 | 429 | 444) && line.size <= OWN_BODY_MAX {
        return Kind::Missing;
    }
    if path.starts_with(b"/wp-json/") || value(line.query, b"wc-ajax").is_some() {
        return Kind::Api;
    }
    if post {
        return Kind::Post;
    }
    let of_query = if line.query.is_empty() { None } else { by_query(line.query, request) };
    of_query.unwrap_or_else(|| match after(path, b"/search/") {
        Some(term) if !term.is_empty() => {
            // The path of the line lives longer than the one without its first strokes.
            request.variable = line.path;
            request.key = b"";
            Kind::Search
        }
        _ => Kind::Page,
    })
}

/// The kind of a page with a query, unless its query is an ordinary one.
fn by_query<'a>(query: &'a [u8], request: &mut Request<'a>) -> Option<Kind> {
    let (mut facets, mut facet, mut unusual) = (0_usize, None, None);
    for pair in query.split(|byte| *byte == b'&').take(32) {
        let key = find(b'=', pair).and_then(|at| pair.get(..at)).unwrap_or(pair);
        if key == b"s" {
            request.variable = pair;
            request.key = key;
            return Some(Kind::Search);
        }
        let may_be_facet = matches!(key.first(), Some(b'f' | b'm' | b'o' | b'q' | b'r' | b's'));
        if may_be_facet && is_facet(key) {
            facets = facets.saturating_add(1);
            facet = facet.or(Some(key));
        } else if unusual.is_none() && !is_usual(key) {
            unusual = Some(key);
        }
    }
    request.variable = query;
    if let Some(facet) = facet.filter(|_| facets >= FACETS_MIN) {
        request.key = facet;
        return Some(Kind::Facet);
    }
    unusual.map(|key| {
        request.key = key;
        Kind::Bust
    })
}

fn is_facet(key: &[u8]) -> bool {
    FACET_KEYS.contains(&key) || FACET_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

fn is_usual(key: &[u8]) -> bool {
    if key.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    USUAL_KEYS.binary_search(&key).is_ok() || USUAL_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// The path without a host before it, with one stroke at its beginning.
#[inline]
pub(super) fn plain_path(path: &[u8]) -> &[u8] {
    let path = match path.strip_prefix(b"http://").or_else(|| path.strip_prefix(b"https://")) {
        Some(rest) => find(b'/', rest).and_then(|at| rest.get(at..)).unwrap_or(b"/"),
        None => path,
    };
    let strokes = path.iter().take_while(|byte| **byte == b'/').count();
    path.get(strokes.saturating_sub(1)..).unwrap_or(path)
}

/// Whether the path names a file that a web server sends by itself.
#[inline]
fn is_static(path: &[u8]) -> bool {
    let tail = path.get(path.len().saturating_sub(6)..).unwrap_or_default();
    let Some(dot) = tail.iter().rposition(|byte| *byte == b'.') else { return false };
    tail.get(dot.wrapping_add(1)..).is_some_and(|text| STATIC.contains(&ending(text)))
}

/// At most five bytes in lower case, as a number.
const fn ending(text: &[u8]) -> u64 {
    let (mut rest, mut number) = (text, 0_u64);
    while let [byte, after @ ..] = rest {
        number = (number << 8) | (*byte | 0x20) as u64;
        rest = after;
    }
    number
}

/// The value of a key in a query.
fn value<'a>(query: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    if query.is_empty() {
        return None;
    }
    let mut pairs = query.split(|byte| *byte == b'&').take(32);
    pairs.find_map(|pair| pair.strip_prefix(key)?.strip_prefix(b"="))
}

fn key_is(query: &[u8], key: &[u8], wanted: &[u8]) -> bool {
    value(query, key) == Some(wanted)
}

fn after<'a>(path: &'a [u8], begin: &[u8]) -> Option<&'a [u8]> {
    find_text(begin, path).and_then(|at| path.get(at.wrapping_add(begin.len())..))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
