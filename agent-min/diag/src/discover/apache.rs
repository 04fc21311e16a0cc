//! Apache's configuration: virtual hosts, logs, PHP behind them. Conditions are judged as far as files say.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::apache_scope::{Scope, address};
use super::apache_syntax::{Line, line};
use super::files::{Files, Sources, below};
use super::sites::{OF_ONE_MAX, SITES_MAX, seconds};
use crate::stack::{AccessLog, Listen, Site};

/// The main file and what paths are below, if it doesn't say: Debian, RHEL, Alpine, sources.
pub(crate) const LAYOUTS: [(&str, &str); 4] = [
    ("/etc/apache2/apache2.conf", "/etc/apache2"),
    ("/etc/httpd/conf/httpd.conf", "/etc/httpd"),
    ("/etc/apache2/httpd.conf", "/var/www"),
    ("/usr/local/apache2/conf/httpd.conf", "/usr/local/apache2"),
];
/// Sections in sections beyond this are not told apart.
const NESTED_MAX: usize = 32;
/// Names that are remembered: definitions, modules, formats.
const NAMED_MAX: usize = 256;
/// What a value with all its definitions may become.
const VALUE_MAX: usize = 4096;
/// Modules that no line loads: they are built in by the common packages.
const BUILT_IN: [&str; 9] =
    ["core", "http", "so", "log_config", "logio", "unixd", "version", "watchdog", "mpm_static"];

/// What it says.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) sites: Vec<Site>,
    pub(crate) error_logs: Vec<String>,
    pub(crate) workers: Option<u64>,
    /// How long it waits for PHP, if it says.
    pub(crate) timeout: Option<u64>,
    /// When the newest of its files was changed.
    pub(crate) changed: u64,
}

/// Reads it, if it is there.
pub(crate) fn read(files: &mut Files<'_>, path: &str, root: &str) -> Option<Configuration> {
    let _it_is_there = files.host().metadata(path).ok()?;
    let mut reader = Reader { root: root.to_owned(), ..Reader::default() };
    reader.environment(files, path);
    let mut sources = Sources::default();
    sources.push(vec![path.to_owned()], files);
    while let Some(source) = sources.current(files) {
        match line(&source.text, &mut source.at) {
            Some(Line::Directive(name, values)) => {
                let values: Vec<String> = values.iter().map(|value| reader.defined(value)).collect();
                match (name.as_str(), values.first()) {
                    ("include" | "includeoptional", Some(pattern)) if reader.holds() => {
                        let pattern = below(&reader.root, pattern);
                        sources.push(expand(files, &pattern), files);
                    }
                    (name, _) if reader.holds() => reader.directive(name, &values),
                    _ => {}
                }
            }
            Some(Line::Open(name, values)) => reader.open(&name, &values),
            Some(Line::Close) => reader.close(),
            None => source.at = source.text.len(),
        }
    }
    let mut configuration = reader.finish();
    configuration.changed = files.newest();
    Some(configuration)
}

/// A directory stands for the files in it.
fn expand(files: &mut Files<'_>, pattern: &str) -> Vec<String> {
    /// `S_IFDIR` and the mask around it, as in `st_mode`.
    const DIRECTORY: (u32, u32) = (0o040_000, 0o170_000);
    let mut out = Vec::new();
    for path in files.expand(pattern) {
        let metadata = files.host().metadata(&path);
        if metadata.is_ok_and(|metadata| metadata.mode & DIRECTORY.1 == DIRECTORY.0) {
            out.extend(files.expand(&format!("{}/*", path.trim_end_matches('/'))));
        } else {
            out.push(path);
        }
    }
    out
}

/// Which section a directive stands in.
#[derive(Debug, PartialEq, Eq)]
enum Section {
    VirtualHost,
    /// Its condition isn't true, so nothing in it counts.
    Void,
    Other,
}

#[derive(Debug, Default)]
struct Reader {
    root: String,
    sections: Vec<Section>,
    deeper: usize,
    defines: Vec<(String, String)>,
    modules: Vec<String>,
    formats: Vec<(String, String)>,
    server: Scope,
    host: Scope,
    hosts: Vec<Scope>,
    listens: Vec<Listen>,
    out: Configuration,
}

impl Reader {
    /// Debian's variables are in a shell file beside the main one: plain `export NAME=value` lines of it.
    fn environment(&mut self, files: &mut Files<'_>, path: &str) {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let text = files.read(&format!("{directory}/envvars")).unwrap_or_default();
        for line in String::from_utf8_lossy(&text).lines() {
            let Some((name, value)) =
                line.trim().strip_prefix("export ").and_then(|line| line.split_once('='))
            else {
                continue;
            };
            let value = value.trim_matches(['"', '\'']).replace("$SUFFIX", "").replace("${SUFFIX}", "");
            self.define(name, &value);
        }
    }

    fn define(&mut self, name: &str, value: &str) {
        if self.defines.len() < NAMED_MAX && value.len() <= VALUE_MAX && !value.contains('$') {
            self.defines.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The value with its `${NAME}`s, of which those that nobody defined stay.
    fn defined(&self, value: &str) -> String {
        let mut out = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                out.push_str("${");
                rest = after;
                break;
            };
            match self.defines.iter().rev().find(|(known, _)| known == name) {
                Some((_, value)) if out.len() < VALUE_MAX => out.push_str(value),
                _ => {
                    out.push_str("${");
                    out.push_str(name);
                    out.push('}');
                }
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn holds(&self) -> bool {
        !self.sections.contains(&Section::Void)
    }

    fn open(&mut self, name: &str, values: &[String]) {
        if self.sections.len() >= NESTED_MAX {
            self.deeper = self.deeper.saturating_add(1);
            return;
        }
        let value = values.first().map(String::as_str).unwrap_or_default();
        let (negated, word) = value.strip_prefix('!').map_or((false, value), |word| (true, word));
        let section = match name {
            "virtualhost" => {
                let addresses = values.iter().filter_map(|value| address(&self.defined(value), 80));
                self.host = Scope { listens: addresses.take(OF_ONE_MAX).collect(), ..Scope::default() };
                Section::VirtualHost
            }
            "ifmodule" if self.loaded(word) == negated => Section::Void,
            "ifdefine" if self.defines.iter().any(|(known, _)| known == word) == negated => Section::Void,
            // What a macro makes of it is only known where it is used.
            "macro" => Section::Void,
            _ => Section::Other,
        };
        self.sections.push(section);
    }

    fn close(&mut self) {
        if self.deeper > 0 {
            self.deeper = self.deeper.saturating_sub(1);
            return;
        }
        let closed = self.sections.pop();
        if closed == Some(Section::VirtualHost) && self.holds() && self.hosts.len() < SITES_MAX {
            self.hosts.push(std::mem::take(&mut self.host));
        }
    }

    /// `mod_ssl.c`, `ssl_module` and, for the module that runs workers, `prefork.c`.
    fn loaded(&self, name: &str) -> bool {
        let plain = bare(name);
        BUILT_IN.contains(&plain)
            || self.modules.iter().any(|known| known == plain || known.strip_prefix("mpm_") == Some(plain))
    }

    fn directive(&mut self, name: &str, values: &[String]) {
        let value = values.first().map(String::as_str).unwrap_or_default();
        let second = values.get(1).map(String::as_str);
        let inside = self.sections.contains(&Section::VirtualHost);
        match name {
            "serverroot" => self.root = value.to_owned(),
            "define" => self.define(value, second.unwrap_or_default()),
            "loadmodule" if self.modules.len() < NAMED_MAX => self.modules.push(bare(value).to_owned()),
            "listen" if self.listens.len() < OF_ONE_MAX => {
                let tls = second == Some("https");
                self.listens.extend(address(value, 80).map(|listen| Listen { tls, ..listen }));
            }
            "maxrequestworkers" | "maxclients" => self.out.workers = value.parse().ok().or(self.out.workers),
            "timeout" | "proxytimeout" => self.out.timeout = seconds(value).or(self.out.timeout),
            "logformat" if self.formats.len() < NAMED_MAX => {
                if let Some(name) = second {
                    self.formats.push((name.to_owned(), value.to_owned()));
                }
            }
            name => {
                let root = self.root.clone();
                let scope = if inside { &mut self.host } else { &mut self.server };
                scope.directive(name, value, values, &root);
            }
        }
    }

    fn finish(mut self) -> Configuration {
        let ports = std::mem::take(&mut self.listens);
        let hosts = std::mem::take(&mut self.hosts);
        let mut logs: Vec<String> = self.server.error_log.iter().cloned().collect();
        if logs.is_empty() {
            logs.push(below(&self.root, "logs/error_log"));
        }
        logs.extend(hosts.iter().filter_map(|host| host.error_log.clone()).take(OF_ONE_MAX));
        super::sites::once(&mut logs);
        self.out.error_logs = logs;
        // Without virtual hosts, the server itself is the site.
        let alone = hosts.is_empty().then(|| self.server.clone());
        let hosts: Vec<Scope> = hosts.into_iter().chain(alone).collect();
        self.out.sites = hosts.into_iter().map(|host| self.site(host, &ports)).collect();
        self.out
    }

    fn site(&self, mut host: Scope, ports: &[Listen]) -> Site {
        if host.listens.is_empty() {
            host.listens = ports.to_vec();
        }
        for listen in &mut host.listens {
            let known = ports.iter().find(|known| known.port == listen.port);
            listen.tls = host.tls || known.is_some_and(|known| known.tls);
        }
        let access = host.access.or_else(|| self.server.access.clone());
        let format = |name: String| {
            let known = self.formats.iter().rev().find(|(known, _)| *known == name);
            known.map(|(_, format)| format.clone()).or_else(|| name.contains('%').then_some(name))
        };
        Site {
            names: host.names,
            listens: host.listens,
            root: host.root.or_else(|| self.server.root.clone()),
            access_log: access.map(|(path, name)| AccessLog { path, format: format(name) }),
            certificates: host.certificates,
            php: host.php.or_else(|| self.server.php.clone()),
            real_ip: host.real_ip || self.server.real_ip,
        }
    }
}

/// The module's name without what its file or its identifier adds.
fn bare(name: &str) -> &str {
    let name = name.strip_suffix("_module").unwrap_or(name);
    let name = name.strip_suffix(".c").unwrap_or(name);
    name.strip_prefix("mod_").unwrap_or(name)
}

#[cfg(test)]
#[path = "apache_tests.rs"]
mod tests;
