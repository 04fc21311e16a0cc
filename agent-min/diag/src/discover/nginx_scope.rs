//! What one server block of nginx says, or what stands around all of them.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::files::below;
use super::sites::{OF_ONE_MAX, host_name, plain_path};
use crate::stack::Listen;

/// What a server block, or all of them together, says.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) names: Vec<String>,
    pub(super) listens: Vec<Listen>,
    pub(super) root: Option<String>,
    /// `Some(None)` is "off".
    pub(super) access: Option<Option<(String, String)>>,
    pub(super) error_logs: Vec<String>,
    pub(super) certificates: Vec<String>,
    pub(super) php: Option<String>,
    pub(super) real_ip: bool,
    pub(super) tls: bool,
}

impl Scope {
    /// Takes in a directive that doesn't depend on anything else.
    pub(super) fn directive(&mut self, name: &str, value: &str, values: &[String]) {
        match name {
            "server_name" => {
                let names = values.iter().filter_map(|name| host_name(name));
                self.names.extend(names.take(OF_ONE_MAX.saturating_sub(self.names.len())));
            }
            "listen" if self.listens.len() < OF_ONE_MAX => self.listens.extend(listen(values)),
            "root" => self.root = Some(value.to_owned()),
            "ssl" => self.tls = value == "on",
            "ssl_certificate"
                if plain_path(value) && !value.contains('$') && self.certificates.len() < OF_ONE_MAX =>
            {
                self.certificates.push(below("/etc/nginx", value));
            }
            "fastcgi_pass" if self.php.is_none() && !value.contains('$') => self.php = Some(value.to_owned()),
            "set_real_ip_from" => self.real_ip = true,
            _ => {}
        }
    }
}

/// What `listen` says; nothing for a local socket or a name.
pub(super) fn listen(values: &[String]) -> Option<Listen> {
    let (to, options) = values.split_first()?;
    if to.starts_with("unix:") {
        return None;
    }
    let tls = options.iter().any(|option| option == "ssl" || option == "quic");
    if options.iter().any(|option| option == "quic") {
        return None;
    }
    let (address, port): (IpAddr, u16) = if let Ok(port) = to.parse() {
        (Ipv4Addr::UNSPECIFIED.into(), port)
    } else if let Some((address, rest)) = to.strip_prefix('[').and_then(|to| to.split_once(']')) {
        let address: Ipv6Addr = address.parse().ok()?;
        (address.into(), rest.strip_prefix(':').map_or(Some(80), |port| port.parse().ok())?)
    } else {
        let (address, port) = to.rsplit_once(':').unwrap_or((to, "80"));
        let address: IpAddr = match address {
            "*" => Ipv4Addr::UNSPECIFIED.into(),
            "localhost" => Ipv4Addr::LOCALHOST.into(),
            address => address.parse().ok()?,
        };
        (address, port.parse().ok()?)
    };
    Some(Listen { address, port, tls })
}
