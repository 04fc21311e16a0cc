//! nginx's configuration (and angie's and openresty's, which write it alike): servers, logs, PHP behind them.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::net::Ipv4Addr;

use super::files::{Files, Sources, below};
use super::nginx_scope::Scope;
use super::nginx_syntax::{Piece, piece};
use super::sites::{OF_ONE_MAX, SITES_MAX, plain_path};
use crate::host::{Endpoint, Host};
use crate::stack::{AccessLog, Listen, Site};

/// Where the packages and the sources put it; the first that is there.
pub(crate) const PATHS: [&str; 5] = [
    "/etc/nginx/nginx.conf",
    "/etc/angie/angie.conf",
    "/usr/local/nginx/conf/nginx.conf",
    "/usr/local/openresty/nginx/conf/nginx.conf",
    "/opt/nginx/conf/nginx.conf",
];
/// What paths of logs that aren't absolute are below; it is built into the program.
const PREFIXES: [&str; 4] = ["/etc/nginx", "/usr/share/nginx", "/var/lib/nginx", "/usr/local/nginx"];
/// Blocks in blocks beyond this are read as if they were the outer one.
const NESTED_MAX: usize = 32;
/// Formats of logs, and groups of servers, that are remembered.
const NAMED_MAX: usize = 64;

/// What it says.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) sites: Vec<Site>,
    pub(crate) error_logs: Vec<String>,
    pub(crate) connections: u64,
    /// When the newest of its files was changed.
    pub(crate) changed: u64,
    /// How long it waits for PHP: the longest of all that are said.
    pub(crate) read_timeout: Option<u64>,
    /// Logs whose lines come late, because they are collected first.
    pub(crate) buffered: Vec<String>,
    /// Logs whose path has a variable.
    pub(crate) variable_logs: Vec<String>,
}

/// Reads it, if it is there.
pub(crate) fn read(files: &mut Files<'_>, path: &str) -> Option<Configuration> {
    let _it_is_there = files.host().metadata(path).ok()?;
    let mut reader = Reader::new(files.host(), path);
    let mut sources = Sources::default();
    sources.push(vec![path.to_owned()], files);
    while let Some(source) = sources.current(files) {
        let Some(piece) = piece(&source.text, &mut source.at) else {
            source.at = source.text.len();
            continue;
        };
        match piece {
            Piece::Directive(words) => match words.as_slice() {
                [name, pattern, ..] if name == "include" => {
                    sources.push(files.expand(&below(&reader.home, pattern)), files);
                }
                words => reader.directive(words),
            },
            Piece::Open(words) => reader.open(&words),
            Piece::Close => reader.close(),
        }
    }
    let mut configuration = reader.finish();
    configuration.changed = files.newest();
    Some(configuration)
}

/// Which block a directive stands in.
#[derive(Debug, PartialEq, Eq)]
enum Block {
    Http,
    Server,
    Location { root: bool },
    Upstream(String),
    Other,
}

struct Reader<'h> {
    host: &'h dyn Host,
    /// The directory of the main file: includes are below it.
    home: String,
    blocks: Vec<Block>,
    /// Blocks beyond those that are kept.
    deeper: usize,
    http: Scope,
    server: Scope,
    servers: Vec<Scope>,
    formats: Vec<(String, String)>,
    upstreams: Vec<(String, String)>,
    out: Configuration,
}

impl<'h> Reader<'h> {
    fn new(host: &'h dyn Host, path: &str) -> Self {
        let home = path.rsplit_once('/').map_or("/", |(directory, _)| directory).to_owned();
        Self {
            host,
            home,
            blocks: Vec::new(),
            deeper: 0,
            http: Scope::default(),
            server: Scope::default(),
            servers: Vec::new(),
            formats: Vec::new(),
            upstreams: Vec::new(),
            out: Configuration { connections: 512, ..Configuration::default() },
        }
    }

    fn open(&mut self, words: &[String]) {
        if self.blocks.len() >= NESTED_MAX {
            self.deeper = self.deeper.saturating_add(1);
            return;
        }
        let name = words.first().map(String::as_str).unwrap_or_default();
        let block = match (name, words.get(1)) {
            ("http", _) => Block::Http,
            ("server", None) if self.blocks.contains(&Block::Http) => {
                self.server = Scope::default();
                Block::Server
            }
            ("location", last) => {
                let path = words.last().or(last).map(String::as_str);
                Block::Location { root: path == Some("/") }
            }
            ("upstream", Some(name)) => Block::Upstream(name.clone()),
            _ => Block::Other,
        };
        self.blocks.push(block);
    }

    fn close(&mut self) {
        if self.deeper > 0 {
            self.deeper = self.deeper.saturating_sub(1);
        } else if self.blocks.pop() == Some(Block::Server) && self.servers.len() < SITES_MAX {
            self.servers.push(std::mem::take(&mut self.server));
        }
    }

    fn directive(&mut self, words: &[String]) {
        let Some((name, values)) = words.split_first() else { return };
        let value = values.first().map(String::as_str).unwrap_or_default();
        let in_server = self.blocks.contains(&Block::Server);
        match (name.as_str(), self.blocks.last()) {
            ("worker_connections", Some(Block::Other)) => {
                self.out.connections = value.parse().unwrap_or(self.out.connections);
            }
            ("fastcgi_read_timeout", _) => {
                let seconds = super::sites::seconds(value);
                self.out.read_timeout = self.out.read_timeout.max(seconds);
            }
            ("log_format", _) => self.log_format(values),
            ("server", Some(Block::Upstream(group))) => {
                if self.upstreams.len() < NAMED_MAX && self.upstreams.iter().all(|(known, _)| known != group)
                {
                    self.upstreams.push((group.clone(), value.to_owned()));
                }
            }
            // A log of one part of a site says nothing of the whole.
            ("access_log", Some(Block::Location { .. })) => {}
            ("access_log", _) => self.access_log(in_server, values),
            ("error_log", _) => self.error_log(in_server, value),
            ("root", Some(Block::Location { root: false })) => {}
            ("root", Some(Block::Location { .. })) if self.server.root.is_some() => {}
            (name, _) => {
                let scope = if in_server { &mut self.server } else { &mut self.http };
                scope.directive(name, value, values);
            }
        }
    }

    fn log_format(&mut self, values: &[String]) {
        let Some((name, parts)) = values.split_first() else { return };
        let parts = parts.iter().filter(|part| !part.starts_with("escape="));
        if self.formats.len() < NAMED_MAX {
            self.formats.push((name.clone(), parts.cloned().collect()));
        }
    }

    fn access_log(&mut self, in_server: bool, values: &[String]) {
        let Some((path, options)) = values.split_first() else { return };
        if path.contains('$') {
            if self.out.variable_logs.len() < OF_ONE_MAX {
                self.out.variable_logs.push(path.clone());
            }
            return;
        }
        let access = match path.as_str() {
            "off" => None,
            path if !plain_path(path) => return,
            path => {
                let path = self.log_path(path);
                if options.iter().any(|option| option.starts_with("buffer=") || option.starts_with("gzip"))
                    && self.out.buffered.len() < OF_ONE_MAX
                {
                    self.out.buffered.push(path.clone());
                }
                let format = options.first().filter(|option| !option.contains('='));
                Some((path, format.cloned().unwrap_or_default()))
            }
        };
        let scope = if in_server { &mut self.server } else { &mut self.http };
        // Of several, the first.
        if !matches!(scope.access, Some(Some(_))) {
            scope.access = Some(access);
        }
    }

    fn error_log(&mut self, in_server: bool, path: &str) {
        if !plain_path(path) || path.contains('$') {
            return;
        }
        let path = self.log_path(path);
        let logs = if in_server { &mut self.server.error_logs } else { &mut self.http.error_logs };
        if logs.len() < OF_ONE_MAX {
            logs.push(path);
        }
    }

    /// Where a log is: below what is built into the program, if its path isn't absolute.
    fn log_path(&self, path: &str) -> String {
        if path.starts_with('/') {
            return path.to_owned();
        }
        let there = |prefix: &&&str| self.host.metadata(&below(prefix, path)).is_ok();
        let prefix = PREFIXES.iter().find(there).copied().unwrap_or(PREFIXES[0]);
        below(prefix, path)
    }

    fn finish(mut self) -> Configuration {
        let servers = std::mem::take(&mut self.servers);
        self.out.sites = servers.into_iter().map(|server| self.site(server)).collect();
        let mut logs = std::mem::take(&mut self.http.error_logs);
        if logs.is_empty() {
            logs.push("/var/log/nginx/error.log".to_owned());
        }
        logs.append(&mut self.out.error_logs);
        super::sites::once(&mut logs);
        logs.truncate(OF_ONE_MAX);
        self.out.error_logs = logs;
        self.out
    }

    fn site(&mut self, mut server: Scope) -> Site {
        if self.out.error_logs.len() < OF_ONE_MAX {
            self.out.error_logs.append(&mut server.error_logs);
        }
        if server.listens.is_empty() {
            server.listens.push(Listen { address: Ipv4Addr::UNSPECIFIED.into(), port: 80, tls: false });
        }
        if server.tls {
            server.listens.iter_mut().for_each(|listen| listen.tls = true);
        }
        let unsaid = || Some(("/var/log/nginx/access.log".to_owned(), String::new()));
        let access = server.access.or_else(|| self.http.access.clone()).unwrap_or_else(unsaid);
        let format =
            |name: &str| self.formats.iter().find(|(known, _)| known == name).map(|(_, f)| f.clone());
        let mut certificates = server.certificates;
        if certificates.is_empty() && server.listens.iter().any(|listen| listen.tls) {
            certificates.clone_from(&self.http.certificates);
        }
        Site {
            names: server.names,
            listens: server.listens,
            root: server.root.or_else(|| self.http.root.clone()).filter(|root| !root.contains('$')),
            access_log: access.map(|(path, name)| AccessLog { format: format(&name), path }),
            certificates,
            php: server.php.and_then(|to| self.endpoint(&to)),
            real_ip: server.real_ip || self.http.real_ip,
        }
    }

    /// What `fastcgi_pass` means, a group of servers being its first.
    fn endpoint(&self, to: &str) -> Option<Endpoint> {
        let group = self.upstreams.iter().find(|(name, _)| name == to);
        let to = group.map_or(to, |(_, first)| first.as_str());
        super::sites::endpoint(to)
    }
}

#[cfg(test)]
#[path = "nginx_tests.rs"]
mod tests;
