//! What the configurations of all web servers have in common: names, endpoints, and sites that are one.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::host::Endpoint;
use crate::stack::Site;

/// More sites than this are not looked at.
pub(crate) const SITES_MAX: usize = 256;
/// Listening addresses, names and certificates of one site that are kept.
pub(crate) const OF_ONE_MAX: usize = 64;
/// A name in DNS has no more bytes.
const NAME_MAX: usize = 253;

/// The name to ask for; none for a pattern, a wildcard or a catch-all. `.example.com` means `example.com`, too.
pub(crate) fn host_name(text: &str) -> Option<String> {
    let name = text.strip_prefix('.').unwrap_or(text).trim_end_matches('.').to_ascii_lowercase();
    let fine = name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-'));
    let begins = name.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric());
    (fine && begins && name.len() <= NAME_MAX && !name.contains("..")).then_some(name)
}

/// Whether it is a file's path: no pipe, no syslog, no other scheme, no word for "nowhere".
pub(crate) fn plain_path(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['|', '-'])
        && !text.contains(':')
        && !matches!(text, "off" | "none" | "stderr" | "syslog" | "/dev/null" | "/dev/stderr" | "/dev/stdout")
        && !text.starts_with("/proc/")
}

/// `unix:/path`, `address:port` or `localhost:port`.
pub(crate) fn endpoint(text: &str) -> Option<Endpoint> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.trim_end_matches(':');
        return path.starts_with('/').then(|| Endpoint::Unix(path.to_owned()));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Endpoint::Tcp(address));
    }
    let (host, port) = text.rsplit_once(':')?;
    let address: IpAddr = (host == "localhost").then_some(Ipv4Addr::LOCALHOST.into())?;
    Some(Endpoint::Tcp(SocketAddr::new(address, port.parse().ok()?)))
}

/// A time in seconds, as `90`, `90s` or `2m` say it.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let factor = match unit {
        "" | "s" | "sec" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Keeps the first of each.
pub(crate) fn once<T: PartialEq>(list: &mut Vec<T>) {
    let mut kept: Vec<T> = Vec::with_capacity(list.len());
    for item in list.drain(..) {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    *list = kept;
}

/// Makes one site of those that have their first name in common: the one for port 80 and the one for TLS.
pub(crate) fn merged(sites: Vec<Site>) -> Vec<Site> {
    let mut out: Vec<Site> = Vec::new();
    for site in sites.into_iter().take(SITES_MAX) {
        let same = |known: &&mut Site| known.names.first().is_some_and(|name| site.names.contains(name));
        match out.iter_mut().find(same) {
            Some(known) => join(known, site),
            None => out.push(site),
        }
    }
    out
}

fn join(known: &mut Site, site: Site) {
    // A block that only redirects knows neither PHP nor certificates: the other one knows the files and the log.
    let fuller = site.php.is_some() && known.php.is_none();
    if fuller || known.root.is_none() {
        known.root = site.root.or(known.root.take());
    }
    if fuller || known.access_log.is_none() {
        known.access_log = site.access_log.or(known.access_log.take());
    }
    known.php = known.php.take().or(site.php);
    known.real_ip |= site.real_ip;
    add(&mut known.listens, site.listens);
    add(&mut known.names, site.names);
    add(&mut known.certificates, site.certificates);
}

fn add<T: PartialEq>(known: &mut Vec<T>, more: Vec<T>) {
    known.extend(more);
    once(known);
    known.truncate(OF_ONE_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_wildcards_are_no_names() {
        for (text, name) in [
            ("Example.com", Some("example.com")),
            (".example.com", Some("example.com")),
            ("*.example.com", None),
            ("~^www\\d+", None),
            ("_", None),
            ("", None),
            ("$host", None),
            ("a..b", None),
            ("example.com.", Some("example.com")),
        ] {
            assert_eq!(host_name(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn endpoints_are_sockets_or_addresses() {
        let unix = |path: &str| Some(Endpoint::Unix(path.to_owned()));
        assert_eq!(endpoint("unix:/run/php.sock:"), unix("/run/php.sock"));
        assert_eq!(endpoint("unix:run.sock"), None);
        for (text, address) in [
            ("127.0.0.1:9000", Some("127.0.0.1:9000")),
            ("[::1]:9000", Some("[::1]:9000")),
            ("localhost:9000", Some("127.0.0.1:9000")),
            ("php:9000", None),
            ("9000", None),
        ] {
            let address = address.map(|address| Endpoint::Tcp(address.parse().expect("an address")));
            assert_eq!(endpoint(text), address, "{text}");
        }
    }

    #[test]
    fn words_for_nowhere_are_no_paths() {
        for (text, path) in
            [("/var/log/a.log", true), ("syslog:server=x", false), ("|/bin/rotate", false), ("off", false)]
        {
            assert_eq!(plain_path(text), path, "{text}");
        }
    }
}
