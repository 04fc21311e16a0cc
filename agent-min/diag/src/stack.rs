//! The software that was found on the host, and what its configuration says: what the checks are about.

use std::net::{IpAddr, SocketAddr};

use crate::host::Endpoint;
use crate::tuning::Thresholds;

/// All of it. What isn't installed isn't here, and is no finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Web servers.
    pub web: Vec<WebServer>,
    /// What they serve, each name once.
    pub sites: Vec<Site>,
    /// PHP-FPM's pools.
    pub pools: Vec<Pool>,
    /// Database servers.
    pub databases: Vec<Database>,
    /// The services of all these that are enabled, as systemd calls them (`nginx.service`), or init scripts by name.
    pub units: Vec<String>,
    /// The only names that sites may be asked by, where the manifest says so; each is the first name of a site.
    pub hosts: Vec<String>,
    /// Error logs that the manifest names and nobody here is known to write.
    pub error_logs: Vec<String>,
    /// What the manifest moves.
    pub thresholds: Thresholds,
}

/// Which web server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WebKind {
    /// nginx, or its relatives angie and openresty.
    Nginx,
    /// Apache's httpd.
    Apache,
    /// Any other whose process or port was seen, without its configuration.
    Other,
}

/// A web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebServer {
    /// Which.
    pub kind: WebKind,
    /// What it is called: `nginx`, `apache2`.
    pub name: String,
    /// Its master process, if it runs.
    pub master: Option<Process>,
    /// Where it should listen.
    pub listens: Vec<Listen>,
    /// Its error logs.
    pub error_logs: Vec<String>,
    /// Connections that each worker can have, and workers (nginx); or workers in all (Apache).
    pub limit: Option<u64>,
}

/// A process that was found in `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in seconds since the epoch.
    pub started: u64,
    /// Whose it is.
    pub uid: u32,
}

/// An address that a server listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listen {
    /// The address, unspecified for all of them.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// One site (server block, virtual host).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Its name, without wildcards or patterns; the first is the one to probe. Empty for a catch-all.
    pub names: Vec<String>,
    /// Where it is served.
    pub listens: Vec<Listen>,
    /// The directory of its files.
    pub root: Option<String>,
    /// Its access log; `None` if it has none.
    pub access_log: Option<AccessLog>,
    /// The files of the certificates that it shows.
    pub certificates: Vec<String>,
    /// Where its PHP runs.
    pub php: Option<Endpoint>,
    /// Whether the log shows the visitor's address behind a proxy (real_ip, mod_remoteip).
    pub real_ip: bool,
}

/// An access log and how its lines are made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccessLog {
    /// Its path.
    pub path: String,
    /// The format as the configuration spells it (`$remote_addr - …`, `%h %l …`); `None` for the server's default
    /// (combined).
    pub format: Option<String>,
}

/// A pool of PHP-FPM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name, `www`.
    pub name: String,
    /// The version of its PHP, `8.2`; empty if the path doesn't say.
    pub version: String,
    /// The unit that runs it, `php8.2-fpm`.
    pub unit: String,
    /// Where it listens.
    pub listen: Endpoint,
    /// Where its status is served, if elsewhere.
    pub status_listen: Option<Endpoint>,
    /// The path of its status page, if it has one.
    pub status_path: Option<String>,
    /// The most workers.
    pub max_children: u64,
    /// The log of the master, and the pool's own, that say why workers died.
    pub error_logs: Vec<String>,
}

/// Which database server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatabaseKind {
    /// MariaDB.
    MariaDb,
    /// MySQL.
    MySql,
    /// PostgreSQL.
    Postgres,
}

/// A database server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Which.
    pub kind: DatabaseKind,
    /// The unit that runs it, `mariadb`.
    pub unit: String,
    /// Where it listens for this host.
    pub listen: Endpoint,
    /// Its data directory.
    pub data: Option<String>,
    /// Its error log; `None` if the journal has it.
    pub error_log: Option<String>,
    /// Bytes of its buffer pool.
    pub buffer_pool: u64,
}

impl Stack {
    /// The sites that may be asked for something.
    pub fn asked(&self) -> impl Iterator<Item = &Site> {
        self.sites.iter().filter(|site| self.may_ask(site))
    }

    /// Whether this one may: what the manifest names a log of, and nothing else, can't be.
    pub fn may_ask(&self, site: &Site) -> bool {
        let is_log = site.listens.is_empty() && site.names.is_empty();
        let listed = || site.names.first().is_some_and(|name| self.hosts.contains(name));
        !is_log && (self.hosts.is_empty() || listed())
    }
}

impl Listen {
    /// An address at which this host reaches it.
    pub fn reachable(&self) -> SocketAddr {
        let address = match self.address {
            IpAddr::V4(address) if address.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(address) if address.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        SocketAddr::new(address, self.port)
    }
}
