//! What one virtual host of Apache says, or the server around all of them.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr};

use super::files::below;
use super::sites::{OF_ONE_MAX, endpoint, host_name, plain_path};
use crate::host::Endpoint;
use crate::stack::Listen;

/// Either.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) names: Vec<String>,
    pub(super) listens: Vec<Listen>,
    pub(super) root: Option<String>,
    pub(super) access: Option<(String, String)>,
    pub(super) error_log: Option<String>,
    pub(super) certificates: Vec<String>,
    pub(super) php: Option<Endpoint>,
    pub(super) real_ip: bool,
    pub(super) tls: bool,
}

impl Scope {
    /// Takes in a directive that doesn't depend on anything else.
    pub(super) fn directive(&mut self, name: &str, value: &str, values: &[String], root: &str) {
        let path = |path: &str| (plain_path(path) && !path.contains('$')).then(|| below(root, path));
        match name {
            "servername" | "serveralias" => {
                // The port that may follow the name, and a scheme, are of no use here.
                let names = values.iter().filter_map(|name| {
                    let name = name.rsplit_once("//").map_or(name.as_str(), |(_, name)| name);
                    host_name(name.split_once(':').map_or(name, |(name, _)| name))
                });
                let room = OF_ONE_MAX.saturating_sub(self.names.len());
                // What it calls itself comes first.
                match name {
                    "servername" => self.names.splice(0..0, names.take(room)).for_each(drop),
                    _ => self.names.extend(names.take(room)),
                }
            }
            "documentroot" => self.root = path(value),
            "customlog" if self.access.is_none() => {
                // A condition (`env=`) is no format.
                let format = values.get(1).filter(|format| !format.starts_with("env="));
                self.access = path(value).map(|path| (path, format.cloned().unwrap_or_default()));
            }
            "transferlog" if self.access.is_none() => {
                self.access = path(value).map(|path| (path, String::new()));
            }
            "errorlog" => self.error_log = path(value),
            "sslengine" => self.tls = value.eq_ignore_ascii_case("on"),
            "sslcertificatefile" if self.certificates.len() < OF_ONE_MAX => {
                self.certificates.extend(path(value));
            }
            "sethandler" | "proxypass" | "proxypassmatch" if self.php.is_none() => {
                self.php = values.iter().find_map(|value| fcgi(value));
            }
            "remoteipheader" => self.real_ip = true,
            _ => {}
        }
    }
}

/// `proxy:unix:/run/php.sock|fcgi://localhost`, `fcgi://127.0.0.1:9000/var/www/$1`.
pub(super) fn fcgi(value: &str) -> Option<Endpoint> {
    let value = value.strip_prefix("proxy:").unwrap_or(value);
    if let Some((socket, rest)) = value.split_once('|') {
        return rest.starts_with("fcgi:").then(|| endpoint(socket)).flatten();
    }
    let address = value.strip_prefix("fcgi://")?;
    endpoint(address.split_once('/').map_or(address, |(address, _)| address))
}

/// `80`, `*:443`, `192.0.2.1:80`, `[::]:80`, `_default_:443`.
pub(super) fn address(text: &str, or: u16) -> Option<Listen> {
    let any: IpAddr = Ipv4Addr::UNSPECIFIED.into();
    let listen = |address, port| Some(Listen { address, port, tls: false });
    if let Ok(port) = text.parse() {
        return listen(any, port);
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, "*")) => (host, or),
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, or),
    };
    let host = host.trim_matches(['[', ']']);
    match host {
        "*" | "_default_" => listen(any, port),
        host => listen(host.parse().ok()?, port),
    }
}
