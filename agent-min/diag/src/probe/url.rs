//! Where a redirect leads, as far as following it on the same server needs that.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

/// Longer ones are not followed: no home page has them, and each hop is kept for comparison.
const URL_MAX: usize = 1_024;

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `https`.
    pub tls: bool,
    /// In lower case, without the port that its scheme has anyway.
    pub host: String,
    /// Path and query, without a fragment.
    pub path: String,
}

impl Url {
    /// Where `Location: text` leads from here. `None` for what isn't HTTP, is relative to the page, or too long.
    pub fn join(&self, text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > URL_MAX || text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return None;
        }
        let (tls, rest) = match () {
            () if starts_with(text, "https://") => (true, text.get(8..)?),
            () if starts_with(text, "http://") => (false, text.get(7..)?),
            () if text.starts_with("//") => (self.tls, text.get(2..)?),
            () if text.starts_with('/') => return Some(Self { path: path(text), ..self.clone() }),
            () => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let host = authority.strip_suffix(if tls { ":443" } else { ":80" }).unwrap_or(authority);
        if host.is_empty() || host.contains('@') {
            return None;
        }
        Some(Self { tls, host: host.to_ascii_lowercase(), path: path(rest) })
    }
}

fn starts_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

fn path(text: &str) -> String {
    let text = text.split('#').next().unwrap_or_default();
    if text.starts_with('/') { text.to_owned() } else { format!("/{text}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_redirect_leads_where_a_browser_would_go() {
        let here = Url { tls: false, host: "a.de".into(), path: "/x".into() };
        for (location, there) in [
            ("https://A.de/", Some((true, "a.de", "/"))),
            ("HTTP://a.de:80", Some((false, "a.de", "/"))),
            ("https://a.de:443/?q#top", Some((true, "a.de", "/?q"))),
            ("https://a.de:8443/", Some((true, "a.de:8443", "/"))),
            ("http://a.de?q", Some((false, "a.de", "/?q"))),
            ("//b.de/y", Some((false, "b.de", "/y"))),
            ("/y#z", Some((false, "a.de", "/y"))),
            ("y", None),
            ("mailto:a@a.de", None),
            ("https:///", None),
            ("https://user@a.de/", None),
            ("/a b", None),
        ] {
            let there = there.map(|(tls, host, path): (_, &str, &str)| Url {
                tls,
                host: host.into(),
                path: path.into(),
            });
            assert_eq!(here.join(location), there, "{location}");
        }
        assert_eq!(here.join(&"/".repeat(URL_MAX + 1)), None);
    }

    proptest! {
        #[test]
        fn no_location_is_too_strange(text in ".{0,60}") {
            let here = Url { tls: true, host: "a".into(), path: "/".into() };
            let _any = here.join(&text);
        }
    }
}
