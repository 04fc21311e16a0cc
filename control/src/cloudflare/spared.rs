//! What the operators of a zone say that no mitigation may hit, and what is looked at after one.

use std::fmt;

use super::Network;

/// Longer paths and addresses don't fit into an expression beside others.
const TEXT_MAX: usize = 200;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spared {
    /// Addresses that are never blocked, challenged or limited: an office, a monitor, a payment provider.
    Range(Network),
    /// Requests for paths that begin with this one are let through: a webhook.
    Path(SitePath),
    /// Addresses of the zone's own servers.
    Origin(Network),
    /// A page that has to go on answering; it is asked for after each change.
    Probe(Probe),
}

/// A path on a site: an absolute one, without a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SitePath(String);

/// A page to look at: a path on the zone's own name, or an `https://` address with a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    host: Option<String>,
    path: SitePath,
}

impl Probe {
    /// The page, if the text names one.
    pub fn new(text: &str) -> Option<Self> {
        let Some(rest) = text.strip_prefix("https://") else {
            return SitePath::new(text).map(|path| Self { host: None, path });
        };
        let (host, path) = rest.split_at(rest.find('/')?);
        let known = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
        let host = (!host.is_empty() && host.len() <= TEXT_MAX && host.bytes().all(known))
            .then(|| host.to_owned())?;
        Some(Self { host: Some(host), path: SitePath::new(path)? })
    }

    /// Its address in the zone with this name.
    pub fn url(&self, zone: &str) -> String {
        format!("https://{}{}", self.host(zone), self.path)
    }

    /// The host that is asked, in the zone with this name.
    pub fn host<'a>(&'a self, zone: &'a str) -> &'a str {
        self.host.as_deref().unwrap_or(zone)
    }

    /// The path on it.
    pub const fn path(&self) -> &SitePath {
        &self.path
    }

    /// Whether it is a front page, which people visit.
    pub fn is_front(&self) -> bool {
        self.path.as_str() == "/"
    }

    /// Whether it is in the zone with this name: others don't show what a change there did.
    pub fn is_in(&self, zone: &str) -> bool {
        let below =
            |host: &str| host.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        self.host.as_deref().is_none_or(below)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "https://{host}{}", self.path),
            None => self.path.fmt(f),
        }
    }
}

impl SitePath {
    /// The path, if the text is one.
    pub fn new(text: &str) -> Option<Self> {
        // RFC 3986 §3.3, without what would need escapes in an expression.
        let known = |c: u8| c.is_ascii_alphanumeric() || b"/-._~!$&()*+,;=:@%".contains(&c);
        let plain = text.starts_with('/') && !text.contains("//") && text.bytes().all(known);
        (plain && text.len() <= TEXT_MAX).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SitePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Spared {
    /// What it is, as the database and the command line call it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Range(_) => "range",
            Self::Path(_) => "path",
            Self::Origin(_) => "origin",
            Self::Probe(_) => "probe",
        }
    }

    /// What it is about.
    pub fn value(&self) -> String {
        match self {
            Self::Range(network) | Self::Origin(network) => network.to_string(),
            Self::Path(path) => path.to_string(),
            Self::Probe(probe) => probe.to_string(),
        }
    }

    /// The one with these texts.
    pub fn new(kind: &str, value: &str) -> Option<Self> {
        match kind {
            "range" => Network::parse(value).map(Self::Range),
            // Every path begins with a slash.
            "path" => SitePath::new(value).filter(|path| path.as_str() != "/").map(Self::Path),
            "origin" => Network::parse(value).map(Self::Origin),
            "probe" => Probe::new(value).map(Self::Probe),
            _ => None,
        }
    }
}

impl fmt::Display for Spared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_back_and_nothing_breaks_out_of_its_text() {
        for (kind, value) in [
            ("range", "192.0.2.0/24"),
            ("path", "/wc-api/stripe/"),
            ("origin", "2001:db8::1"),
            ("probe", "/wp-json/"),
        ] {
            let spared = Spared::new(kind, value).expect(value);
            assert_eq!((spared.kind(), spared.value().as_str()), (kind, value));
            assert_eq!(spared.to_string(), format!("{kind} {value}"));
        }
        let long = format!("/{}", "x".repeat(TEXT_MAX));
        assert_eq!(Spared::new("path", "/"), None, "it would let everything through");
        assert!(Spared::new("probe", "/").is_some());
        for path in [
            "", "x", "//", "/a//b", "/a b", "/\"x", "/a\\", "/a?b", "/a#b", "/é", "/a\n", "/a{b}", "/'a",
            &long,
        ] {
            assert_eq!(Spared::new("path", path), None, "{path}");
            assert_eq!(Spared::new("probe", path), None, "{path}");
        }
        assert_eq!(Spared::new("range", "office"), None);
        assert_eq!(Spared::new("host", "/"), None);
    }

    #[test]
    fn a_page_is_looked_at_in_its_own_zone() {
        let probe = |text| Probe::new(text).expect(text);
        assert_eq!(probe("/wp-json/").url("example.com"), "https://example.com/wp-json/");
        assert!(probe("/").is_in("example.com"));
        let www = probe("https://www.example.com/shop");
        assert_eq!(
            (www.url("example.com"), www.to_string()),
            ("https://www.example.com/shop".into(), www.url("x"))
        );
        assert!(www.is_in("example.com") && www.is_in("www.example.com"));
        for elsewhere in ["https://example.org/", "https://badexample.com/", "https://com/"] {
            assert!(!probe(elsewhere).is_in("example.com"), "{elsewhere}");
        }
        for wrong in [
            "https://",
            "https://example.com",
            "http://example.com/",
            "https://a@b/",
            "https://a:1/",
            "example.com",
        ] {
            assert_eq!(Probe::new(wrong), None, "{wrong}");
        }
    }
}
