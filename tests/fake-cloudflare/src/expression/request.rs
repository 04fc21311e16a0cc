//! What a visitor asked for, as expressions see it.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// One request of a visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Visit {
    /// The visitor's address.
    pub ip: IpAddr,
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Without a port.
    pub host: String,
    /// Up to the question mark.
    pub path: String,
    /// Behind it.
    pub query: String,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Empty when there is none, like all headers here.
    pub user_agent: String,
    /// `Referer`.
    pub referer: String,
    /// `Cookie`.
    pub cookie: String,
    /// `X-Forwarded-For`.
    pub forwarded_for: String,
    /// Two letters.
    pub country: String,
    /// The number of the visitor's network.
    pub asn: i64,
    /// A known good crawler.
    pub verified_bot: bool,
}

impl Default for Visit {
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            method: "GET".to_owned(),
            host: "example.com".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            tls: true,
            user_agent: "Mozilla/5.0".to_owned(),
            referer: String::new(),
            cookie: String::new(),
            forwarded_for: String::new(),
            country: "XX".to_owned(),
            asn: 64496,
            verified_bot: false,
        }
    }
}

impl Visit {
    /// A `GET` of a target, with a query or without.
    #[must_use]
    pub fn of(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { path: path.to_owned(), query: query.to_owned(), ..Self::default() }
    }

    /// The same from an address.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn from(self, address: &str) -> Self {
        let ip = address.parse().unwrap_or_else(|_| panic!("{address:?} is no address"));
        Self { ip, ..self }
    }

    /// The same with a user agent.
    #[must_use]
    pub fn with_user_agent(self, user_agent: &str) -> Self {
        Self { user_agent: user_agent.to_owned(), ..self }
    }

    pub(crate) fn uri(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }
}
