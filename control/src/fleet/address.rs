//! Where an agent listens, as the control plane dials it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// `host:port`. The host is a DNS name, an IPv4 address, or an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// The address, if `text` has this form and the port isn't 0.
    pub fn new(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|_| !port.starts_with('+'))?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.to_string(),
            None => name(host)?.to_owned(),
        };
        (port != 0).then_some(Self { host, port })
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where an agent at this address listens unless told otherwise: on this very address where it is
    /// loopback, and else on every address of the host, which may not know the one that we dial.
    pub fn listen(&self) -> String {
        match self.host.parse::<IpAddr>() {
            Ok(ip) if ip.is_loopback() => self.to_string(),
            Ok(IpAddr::V6(_)) => format!("[::]:{}", self.port),
            _ => format!("0.0.0.0:{}", self.port),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Labels of letters, digits and hyphens, 253 characters in all (RFC 1123 §2.1).
fn name(host: &str) -> Option<&str> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (host.len() <= 253 && host.split('.').all(label)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (accepted, listen) in [
            ("web1.example:7443", "0.0.0.0:7443"),
            ("203.0.113.5:1", "0.0.0.0:1"),
            ("[2001:db8::1]:7443", "[::]:7443"),
            ("127.0.0.1:7443", "127.0.0.1:7443"),
            ("[::1]:7443", "[::1]:7443"),
            ("localhost:65535", "0.0.0.0:65535"),
        ] {
            let address = Address::new(accepted).expect(accepted);
            assert_eq!(address.to_string(), accepted);
            assert_eq!(address.listen(), listen);
        }
        for refused in [
            "web1",
            "web1:",
            ":7443",
            "web1:0",
            "web1:65536",
            "web1:+1",
            "2001:db8::1:7443",
            "[web1]:1",
            "-a:1",
            "a..b:1",
            "a b:1",
            "a/b:1",
            "user@web1:1",
            "https://web1:1",
        ] {
            assert!(Address::new(refused).is_none(), "{refused}");
        }
    }
}
