//! Where an API is: `https`, or plain `http` to this machine alone.

use std::net::IpAddr;

/// The base address of an API, without a trailing slash. A token is part of every request to it, so it must not
/// travel in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUrl(String);

impl ApiUrl {
    /// The address, if it is `https://…`, or `http://…` with a loopback host.
    pub fn new(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host(authority)?;
        let encrypted = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let known = |c: u8| c.is_ascii_alphanumeric() || b"-._~/".contains(&c);
        let allowed = (encrypted || is_loopback(host)) && path.bytes().all(known);
        allowed.then(|| Self(text.trim_end_matches('/').to_owned()))
    }

    /// Telegram's Bot API.
    pub fn telegram() -> Self {
        Self("https://api.telegram.org".to_owned())
    }

    /// Cloudflare's API.
    pub fn cloudflare() -> Self {
        Self("https://api.cloudflare.com/client/v4".to_owned())
    }

    /// Whether what is sent there is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The host in `host`, `host:port`, `[v6]` or `[v6]:port`; user names are refused.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) = rest.split_once(']')?;
            let v6 = inner.parse::<IpAddr>().ok()?;
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
            (v6.is_ipv6().then_some(inner)?, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (name(host)?, Some(port)),
            None => (name(authority)?, None),
        },
    };
    match port {
        Some(port) if port.parse::<u16>().is_err() || port.starts_with('+') => None,
        _ => Some(host),
    }
}

fn name(host: &str) -> Option<&str> {
    let known = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'.';
    (!host.is_empty() && host.bytes().all(known)).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for accepted in [
            "https://api.telegram.org",
            "https://bots.example:8443/api/",
            "http://127.0.0.1:8081",
            "http://localhost:1/x",
            "http://[::1]:80",
            "https://[2001:db8::1]",
        ] {
            assert!(ApiUrl::new(accepted).is_some(), "{accepted}");
        }
        for refused in [
            "http://api.telegram.org",
            "http://10.0.0.1",
            "http://localhost.example",
            "ftp://127.0.0.1",
            "api.telegram.org",
            "https://",
            "https://user@host",
            "https://host:99999",
            "https://host/?q",
            "https://host/#x",
            "https://ho st",
            "http://127.0.0.1@evil.example",
            "http://127.0.0.1.evil.example",
            "https://[::1",
            "https://[host]",
            "https://[::1]80",
        ] {
            assert!(ApiUrl::new(refused).is_none(), "{refused}");
        }
    }

    #[test]
    fn a_trailing_slash_is_dropped() {
        assert_eq!(
            ApiUrl::new("https://bots.example/api/").expect("a URL").as_str(),
            "https://bots.example/api"
        );
    }
}
