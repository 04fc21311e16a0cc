//! What a user agent claims to be. Anybody can claim anything: a claim spares a visitor only as far as it is
//! believed elsewhere, and accuses nobody.

/// What kind of program it says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Agent {
    /// A browser, or anything else.
    #[default]
    Other,
    /// A search engine's crawler, whose owner lets one check its address.
    Search(Crawler),
    /// A crawler that feeds models or sells links; its place in [`CRAWLERS`].
    Harvester(u8),
    /// A monitor of the site's owner, or a payment service, or WordPress itself.
    Service,
    /// A programming library, or nothing at all.
    Tool,
}

/// A search engine that can be verified: by the name of its address, which must lead back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crawler {
    Google,
    Bing,
    Apple,
    Yandex,
    Baidu,
}

impl Crawler {
    /// What it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Google => "Googlebot",
            Self::Bing => "Bingbot",
            Self::Apple => "Applebot",
            Self::Yandex => "YandexBot",
            Self::Baidu => "Baiduspider",
        }
    }

    /// How the names of its addresses end.
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Google => &[".googlebot.com", ".google.com", ".googleusercontent.com"],
            Self::Bing => &[".search.msn.com"],
            Self::Apple => &[".applebot.apple.com"],
            Self::Yandex => &[".yandex.ru", ".yandex.net", ".yandex.com"],
            Self::Baidu => &[".crawl.baidu.com", ".crawl.baidu.jp"],
        }
    }
}

/// Crawlers that bring no visitors.
pub(super) const CRAWLERS: [&str; 13] = [
    "AhrefsBot",
    "Amazonbot",
    "Bytespider",
    "CCBot",
    "ClaudeBot",
    "DotBot",
    "GPTBot",
    "MJ12bot",
    "PerplexityBot",
    "PetalBot",
    "SemrushBot",
    "meta-externalagent",
    "YisouSpider",
];

const KNOWN: &[(&[u8], Agent)] = &[
    (b"AdsBot-Google", Agent::Search(Crawler::Google)),
    (b"Applebot", Agent::Search(Crawler::Apple)),
    (b"Baiduspider", Agent::Search(Crawler::Baidu)),
    (b"BetterStack", Agent::Service),
    (b"Better Uptime", Agent::Service),
    (b"Googlebot", Agent::Search(Crawler::Google)),
    (b"HetrixTools", Agent::Service),
    (b"Jetpack by WordPress.com", Agent::Service),
    (b"Mediapartners-Google", Agent::Search(Crawler::Google)),
    (b"NodePing", Agent::Service),
    (b"PayPal IPN", Agent::Service),
    (b"Pingdom", Agent::Service),
    (b"Site24x7", Agent::Service),
    (b"StatusCake", Agent::Service),
    (b"Stripe/", Agent::Service),
    (b"Uptime-Kuma", Agent::Service),
    (b"UptimeRobot", Agent::Service),
    (b"WordPress/", Agent::Service),
    (b"YandexBot", Agent::Search(Crawler::Yandex)),
    (b"YandexMetrika", Agent::Service),
    (b"adidxbot", Agent::Search(Crawler::Bing)),
    (b"bingbot", Agent::Search(Crawler::Bing)),
    (b"jetmon", Agent::Service),
];

/// What tools begin with.
const TOOLS: [&[u8]; 10] = [
    b"python-",
    b"Python-urllib",
    b"Python/",
    b"Go-http-client",
    b"curl/",
    b"Wget/",
    b"libwww-perl",
    b"Java/",
    b"okhttp/",
    b"node-fetch",
];

/// Reads a user agent. Names are looked for at the beginnings of words.
pub(super) fn agent(text: &[u8]) -> Agent {
    if text.is_empty() || TOOLS.iter().any(|tool| text.starts_with(tool)) {
        return Agent::Tool;
    }
    let mut inside = false;
    for (at, byte) in text.iter().enumerate() {
        let begins = !inside && matches!(byte, b'A'..=b'Z' | b'a' | b'b' | b'j' | b'm');
        inside = byte.is_ascii_alphanumeric();
        if begins && let Some(found) = text.get(at..).and_then(known) {
            return found;
        }
    }
    Agent::Other
}

fn known(text: &[u8]) -> Option<Agent> {
    // Most words of browsers are turned away by their second letter.
    let same_start =
        |name: &[u8]| name.first_chunk::<2>() == text.first_chunk::<2>() && text.starts_with(name);
    let listed = KNOWN.iter().find(|(name, _)| same_start(name)).map(|(_, agent)| *agent);
    listed.or_else(|| {
        let at = CRAWLERS.iter().position(|name| same_start(name.as_bytes()))?;
        Some(Agent::Harvester(at as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_found_within_a_user_agent() {
        for (name, expected) in KNOWN {
            let name = std::str::from_utf8(name).expect("ASCII");
            assert_eq!(
                agent(format!("Mozilla/5.0 (compatible; {name}2.1; +http://x)").as_bytes()),
                *expected
            );
            assert_eq!(agent(name.as_bytes()), *expected);
        }
        for (at, name) in CRAWLERS.iter().enumerate() {
            let text = format!("Mozilla/5.0 (compatible;{name}/2.1)");
            assert_eq!(agent(text.as_bytes()), Agent::Harvester(at as u8), "{name}");
        }
    }

    #[test]
    fn browsers_are_nothing_special_and_an_empty_one_is_a_tool() {
        for text in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
            "Mozilla/5.0 (X11; notGooglebot/1.0)",
            "MyApp/1.0",
        ] {
            assert_eq!(agent(text.as_bytes()), Agent::Other, "{text}");
        }
        for text in ["", "python-requests/2.31", "Go-http-client/1.1", "curl/8.5.0"] {
            assert_eq!(agent(text.as_bytes()), Agent::Tool, "{text}");
        }
    }
}
