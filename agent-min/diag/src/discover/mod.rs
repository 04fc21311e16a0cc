//! What is installed and how it is configured, found without being told: a fresh host needs no configuration.
//!
//! Limits are named where they hold: files, bytes and depth of includes in `files`, sites in `sites`, processes in
//! `processes`. What was cut off or may not be read is noted as not checked. What isn't installed is nothing.

pub(crate) mod apache;
mod apache_scope;
mod apache_syntax;
#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod files;
mod glob;
mod ini;
mod mysql;
pub(crate) mod nginx;
mod nginx_scope;
mod nginx_syntax;
mod php;
mod postgres;
pub(crate) mod processes;
mod sites;
mod units;

use secmon_wire::diag::{Check, WhyNotChecked};

use crate::Notes;
use crate::host::{Denied, Host};
use crate::stack::{DatabaseKind, Listen, Site, Stack, WebKind, WebServer};
use files::Files;
use processes::{Server, master, told_file};

pub use apache_syntax::{Line as ApacheLine, line as apache_line};
pub(crate) use sites::OF_ONE_MAX;

pub use glob::matches as glob_matches;
pub use ini::{Line as IniLine, bytes as ini_bytes, line as ini_line};
pub use nginx_syntax::{Piece as NginxPiece, piece as nginx_piece};
pub use processes::{Stat, boot_time, stat as process_stat};

/// Looks at the whole host.
pub fn discover(host: &dyn Host, notes: &mut Notes) -> Stack {
    let servers = processes::read(host, notes);
    let mut stack = Stack { units: units::read(host), ..Stack::default() };
    let mut sites = Vec::new();
    for read in [nginx_server, apache_server] {
        let mut files = Files::new(host);
        if let Some((web, of_it)) = read(&mut files, &servers, notes) {
            stack.web.push(web);
            sites.extend(of_it);
        }
        files.tell(Check::WebConfig, notes);
    }
    stack.web.extend(other_server(&servers));
    if sites.len() >= sites::SITES_MAX {
        notes.skipped(Check::WebConfig, WhyNotChecked::Unsupported, "more sites");
    }
    stack.sites = sites::merged(sites);
    if !stack.web.is_empty() {
        notes.checked(Check::WebConfig);
    }
    let mut files = Files::new(host);
    stack.pools = php::read(&mut files);
    files.tell(Check::PhpSocket, notes);
    if stack.pools.len() >= php::POOLS_MAX {
        notes.skipped(Check::PhpSocket, WhyNotChecked::Unsupported, "more pools");
    }
    let mut files = Files::new(host);
    stack.databases = mysql::read(&mut files).into_iter().collect();
    stack.databases.extend(postgres::read(&mut files));
    files.tell(Check::DbSocket, notes);
    stack
}

/// What of a web server's configuration is only of interest beside its log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    /// When the newest of its files was changed.
    pub(crate) changed: u64,
    /// How long it waits for PHP, in seconds.
    pub(crate) wait: Option<u64>,
    /// Logs whose lines come late, because they are collected first.
    pub(crate) buffered: Vec<String>,
}

/// Reads that. It takes as long as the discovery itself did.
pub(crate) fn details(host: &dyn Host, kind: WebKind) -> Details {
    let mut files = Files::new(host);
    let found = match kind {
        WebKind::Nginx => nginx_configuration(&mut files, &running(host))
            .map(|it| (it.changed, it.read_timeout, it.buffered)),
        WebKind::Apache => apache_configuration(&mut files).map(|it| (it.changed, it.timeout, Vec::new())),
        WebKind::Other => None,
    };
    let (changed, wait, buffered) = found.unwrap_or_default();
    Details { changed, wait, buffered }
}

/// The servers that run now.
pub(crate) fn running(host: &dyn Host) -> Vec<Server> {
    processes::read(host, &mut Notes::default())
}

/// When the newest master of PHP-FPM started; 0 if none runs.
pub(crate) fn php_started(servers: &[Server]) -> u64 {
    let is_worker = |server: &Server| servers.iter().any(|other| other.process.pid == server.parent);
    let masters = servers.iter().filter(|server| server.name.starts_with("php-fpm") && !is_worker(server));
    masters.map(|server| server.process.started).max().unwrap_or_default()
}

/// When a database server's process started, if it runs.
pub(crate) fn database_started(servers: &[Server], kind: DatabaseKind) -> Option<u64> {
    let is_one = |name: &str| match kind {
        DatabaseKind::Postgres => name == "postgres",
        DatabaseKind::MariaDb | DatabaseKind::MySql => matches!(name, "mariadbd" | "mysqld"),
    };
    master(servers, is_one).map(|server| server.process.started)
}

/// Why a check wasn't made, for what the host said.
pub(crate) const fn why(denied: Denied) -> WhyNotChecked {
    match denied {
        Denied::Absent => WhyNotChecked::Absent,
        Denied::Permission => WhyNotChecked::Permission,
        Denied::Timeout => WhyNotChecked::Timeout,
        Denied::Unsupported => WhyNotChecked::Unsupported,
        Denied::Refused | Denied::Full | Denied::Failed => WhyNotChecked::Failed,
    }
}

fn is_nginx(name: &str) -> bool {
    matches!(name, "nginx" | "angie" | "openresty")
}

fn is_apache(name: &str) -> bool {
    matches!(name, "apache2" | "httpd")
}

/// nginx's configuration, where it is: as the running one was told, or at a usual place.
pub(crate) fn nginx_configuration(files: &mut Files<'_>, servers: &[Server]) -> Option<nginx::Configuration> {
    let master = master(servers, is_nginx);
    let told = master.and_then(|master| told_file(files.host(), master.process.pid, "-c"));
    told.and_then(|path| nginx::read(files, &path))
        .or_else(|| nginx::PATHS.iter().find_map(|path| nginx::read(files, path)))
}

fn nginx_server(
    files: &mut Files<'_>,
    servers: &[Server],
    notes: &mut Notes,
) -> Option<(WebServer, Vec<Site>)> {
    let master = master(servers, is_nginx);
    let found = nginx_configuration(files, servers);
    // Settings that a removed package left behind are no server; one in a container has its settings there.
    let installed =
        ["/usr/sbin/nginx", "/usr/sbin/angie", "/usr/local/nginx/sbin/nginx", "/usr/bin/openresty"];
    if master.is_none() && !installed.iter().any(|path| files.host().metadata(path).is_ok()) {
        return None;
    }
    let configuration = found.unwrap_or_default();
    for log in &configuration.variable_logs {
        notes.skipped(Check::AccessLog, WhyNotChecked::Unsupported, log);
    }
    let name = master.map_or("nginx", |master| master.name.as_str()).to_owned();
    let web = WebServer {
        kind: WebKind::Nginx,
        name,
        master: master.map(|master| master.process),
        listens: listens(&configuration.sites),
        error_logs: configuration.error_logs,
        limit: Some(configuration.connections).filter(|limit| *limit > 0),
    };
    Some((web, configuration.sites))
}

/// Apache's configuration, where it is.
pub(crate) fn apache_configuration(files: &mut Files<'_>) -> Option<apache::Configuration> {
    apache::LAYOUTS.iter().find_map(|(path, root)| apache::read(files, path, root))
}

fn apache_server(files: &mut Files<'_>, servers: &[Server], _: &mut Notes) -> Option<(WebServer, Vec<Site>)> {
    let master = master(servers, is_apache);
    let installed = ["/usr/sbin/apache2", "/usr/sbin/httpd", "/usr/local/apache2/bin/httpd"];
    let program = installed.iter().find(|path| files.host().metadata(path).is_ok());
    if master.is_none() && program.is_none() {
        return None;
    }
    let configuration = apache_configuration(files)?;
    let name = match (master, program) {
        (Some(master), _) => master.name.clone(),
        (None, Some(path)) if path.ends_with("apache2") => "apache2".to_owned(),
        _ => "httpd".to_owned(),
    };
    let web = WebServer {
        kind: WebKind::Apache,
        name,
        master: master.map(|master| master.process),
        listens: listens(&configuration.sites),
        error_logs: configuration.error_logs,
        limit: configuration.workers,
    };
    Some((web, configuration.sites))
}

/// One whose configuration nobody here reads.
fn other_server(servers: &[Server]) -> Option<WebServer> {
    let is_other = |name: &str| {
        ["caddy", "lighttpd", "litespeed", "openlitespeed", "lshttpd"]
            .iter()
            .any(|known| name.starts_with(known))
    };
    let master = master(servers, is_other)?;
    Some(WebServer {
        kind: WebKind::Other,
        name: master.name.clone(),
        master: Some(master.process),
        listens: Vec::new(),
        error_logs: Vec::new(),
        limit: None,
    })
}

fn listens(sites: &[Site]) -> Vec<Listen> {
    let mut all: Vec<Listen> = Vec::new();
    for listen in sites.iter().flat_map(|site| &site.listens) {
        if all.len() < sites::OF_ONE_MAX && !all.contains(listen) {
            all.push(*listen);
        }
    }
    all
}

#[cfg(test)]
#[path = "discover_tests.rs"]
mod tests;
