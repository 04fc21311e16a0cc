//! PHP-FPM's pools, of every version and layout of packages.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::files::{Files, Sources, below};
use super::ini::{Line, line};
use super::sites::{endpoint, once};
use crate::host::Endpoint;
use crate::stack::Pool;

/// The main files: Debian; RHEL and sources; Alpine; Remi's collections; sources in /usr/local.
const MAIN_FILES: [&str; 5] = [
    "/etc/php/*/fpm/php-fpm.conf",
    "/etc/php-fpm.conf",
    "/etc/php*/php-fpm.conf",
    "/etc/opt/remi/php*/php-fpm.conf",
    "/usr/local/etc/php-fpm.conf",
];
/// More pools than this are not looked at; each is a check of its own.
pub(super) const POOLS_MAX: usize = 64;
/// Logs of one pool.
const LOGS_MAX: usize = 4;
/// What FPM itself assumes where a pool doesn't say: it refuses to start without, so any small number is fine.
const CHILDREN: u64 = 5;

/// All pools.
pub(crate) fn read(files: &mut Files<'_>) -> Vec<Pool> {
    let mut mains: Vec<String> = MAIN_FILES.iter().flat_map(|pattern| files.expand(pattern)).collect();
    once(&mut mains);
    let mut pools = Vec::new();
    for main in mains {
        if files.host().metadata(&main).is_ok() {
            pools.extend(one_master(files, &main));
        }
    }
    pools.truncate(POOLS_MAX);
    pools
}

#[derive(Default)]
struct Raw {
    name: String,
    listen: String,
    status_listen: String,
    status_path: String,
    max_children: Option<u64>,
    error_logs: Vec<String>,
}

/// The pools of one main file. A setting counts where it is last.
fn one_master(files: &mut Files<'_>, main: &str) -> Vec<Pool> {
    let version = version(main);
    let prefix = main.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut sources = Sources::default();
    sources.push(vec![main.to_owned()], files);
    let mut master_log = None;
    let mut pools: Vec<Raw> = Vec::new();
    let mut in_pool = false;
    while let Some(source) = sources.current(files) {
        let text = source.line();
        match line(&text) {
            Some(Line::Section("global")) => in_pool = false,
            Some(Line::Section(name)) => {
                in_pool = true;
                // A pool may be spread over several files; the one that is written to is the last.
                if let Some(known) = pools.iter().position(|pool| pool.name == name) {
                    let known = pools.remove(known);
                    pools.push(known);
                } else if pools.len() < POOLS_MAX {
                    pools.push(Raw { name: name.to_owned(), ..Raw::default() });
                }
            }
            Some(Line::Setting("include", pattern)) => {
                let paths = files.expand(&below(prefix, pattern));
                sources.push(paths, files);
            }
            Some(Line::Setting("error_log", path)) if !in_pool => {
                master_log = (path != "syslog").then(|| below(log_prefix(main), path));
            }
            Some(Line::Setting(name, value)) if in_pool => {
                if let Some(pool) = pools.last_mut() {
                    setting(pool, name, value);
                }
            }
            _ => {}
        }
    }
    pools.into_iter().filter_map(|raw| finish(raw, &version, main, master_log.as_deref())).collect()
}

fn setting(pool: &mut Raw, name: &str, value: &str) {
    let value = value.replace("$pool", &pool.name);
    match name {
        "listen" => pool.listen = value,
        "pm.max_children" => pool.max_children = value.parse().ok(),
        "pm.status_path" => pool.status_path = value,
        "pm.status_listen" => pool.status_listen = value,
        // The log of slow requests says nothing of dying workers.
        "php_admin_value[error_log]" | "php_value[error_log]"
            if value.starts_with('/') && pool.error_logs.len() < LOGS_MAX =>
        {
            pool.error_logs.push(value);
        }
        _ => {}
    }
}

fn finish(raw: Raw, version: &str, main: &str, master_log: Option<&str>) -> Option<Pool> {
    let mut error_logs = raw.error_logs;
    error_logs.extend(master_log.map(str::to_owned));
    once(&mut error_logs);
    Some(Pool {
        name: raw.name,
        version: version.to_owned(),
        unit: unit(main, version),
        listen: listen(&raw.listen)?,
        status_listen: listen(&raw.status_listen),
        status_path: Some(raw.status_path).filter(|path| path.starts_with('/')),
        max_children: raw.max_children.unwrap_or(CHILDREN),
        error_logs,
    })
}

/// A path, a port, or an address with a port.
fn listen(text: &str) -> Option<Endpoint> {
    match text {
        "" => None,
        path if path.starts_with('/') => Some(Endpoint::Unix(path.to_owned())),
        port if port.bytes().all(|c| c.is_ascii_digit()) => endpoint(&format!("127.0.0.1:{port}")),
        address => {
            // All addresses are reached at the first.
            let here = address
                .replace("0.0.0.0:", "127.0.0.1:")
                .replace("[::]:", "[::1]:")
                .replace("*:", "127.0.0.1:");
            endpoint(&here)
        }
    }
}

/// The version that a path says: `/etc/php/8.2/…`, `/etc/php83/…`.
fn version(main: &str) -> String {
    for part in main.split('/') {
        let digits = part.strip_prefix("php").unwrap_or(part);
        let dotted = digits.contains('.') && digits.bytes().all(|c| c.is_ascii_digit() || c == b'.');
        if dotted {
            return digits.to_owned();
        }
        if let Some((major, minor)) = digits.split_at_checked(1).filter(|_| part != digits)
            && !minor.is_empty()
            && digits.bytes().all(|c| c.is_ascii_digit())
        {
            return format!("{major}.{minor}");
        }
    }
    String::new()
}

/// What the packages call its service.
fn unit(main: &str, version: &str) -> String {
    let directory = main.split('/').find(|part| part.starts_with("php") && *part != "php-fpm.conf");
    match directory {
        Some("php") => format!("php{version}-fpm"),
        Some(numbered) if main.starts_with("/etc/opt/") => format!("{numbered}-php-fpm"),
        Some(numbered) => format!("php-fpm{}", numbered.trim_start_matches("php")),
        None => "php-fpm".to_owned(),
    }
}

/// Relative logs are below what is built into the program.
fn log_prefix(main: &str) -> &'static str {
    if main.starts_with("/usr/local/") { "/usr/local/var" } else { "/var" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::fake::FakeHost;

    fn pools(host: &FakeHost) -> Vec<Pool> {
        read(&mut Files::new(host))
    }

    #[test]
    fn several_versions_with_several_pools_are_found_on_debian() {
        let host = FakeHost::new(0)
            .file(
                "/etc/php/8.2/fpm/php-fpm.conf",
                "[global]\nerror_log = /var/log/php8.2-fpm.log\ninclude=/etc/php/8.2/fpm/pool.d/*.conf\n",
            )
            .file(
                "/etc/php/8.2/fpm/pool.d/www.conf",
                "[www]\nuser = $pool\nlisten = /run/php/$pool.sock\npm.max_children = 12\n\
                 pm.status_path = /status\npm.status_listen = 127.0.0.1:9001\n\
                 php_admin_value[error_log] = /var/log/fpm-php.$pool.log\nslowlog = /var/log/slow.log\n",
            )
            .file("/etc/php/8.2/fpm/pool.d/zz.conf", "[api]\nlisten = 9000\n[www]\npm.max_children = 7\n")
            .file("/etc/php/7.4/fpm/php-fpm.conf", "[old]\nlisten = [::]:9074\n");
        let pools = pools(&host);
        let names: Vec<_> = pools.iter().map(|pool| (pool.name.as_str(), pool.unit.as_str())).collect();
        assert_eq!(names, [("old", "php7.4-fpm"), ("api", "php8.2-fpm"), ("www", "php8.2-fpm")]);
        assert_eq!(pools[0].listen, Endpoint::Tcp("[::1]:9074".parse().expect("an address")));
        assert_eq!(pools[1].listen, Endpoint::Tcp("127.0.0.1:9000".parse().expect("an address")));
        let www = &pools[2];
        assert_eq!(www.version, "8.2");
        assert_eq!(www.listen, Endpoint::Unix("/run/php/www.sock".into()));
        assert_eq!(www.max_children, 7);
        assert_eq!(www.status_path.as_deref(), Some("/status"));
        assert_eq!(www.status_listen, Some(Endpoint::Tcp("127.0.0.1:9001".parse().expect("an address"))));
        assert_eq!(www.error_logs, ["/var/log/fpm-php.www.log", "/var/log/php8.2-fpm.log"]);
    }

    #[test]
    fn the_layouts_of_other_distributions_are_known() {
        for (main, unit, version) in [
            ("/etc/php-fpm.conf", "php-fpm", ""),
            ("/etc/php83/php-fpm.conf", "php-fpm83", "8.3"),
            ("/etc/opt/remi/php82/php-fpm.conf", "php82-php-fpm", "8.2"),
            ("/usr/local/etc/php-fpm.conf", "php-fpm", ""),
        ] {
            let host = FakeHost::new(0).file(main, "[www]\nlisten = /run/php.sock\nerror_log = log/x.log\n");
            let pools = pools(&host);
            assert_eq!(pools.len(), 1, "{main}");
            assert_eq!((pools[0].unit.as_str(), pools[0].version.as_str()), (unit, version), "{main}");
        }
    }

    #[test]
    fn a_log_below_the_built_in_place_is_found() {
        let host = FakeHost::new(0)
            .file("/etc/php83/php-fpm.conf", "[global]\nerror_log = log/php83/error.log\n[www]\nlisten=/a\n");
        assert_eq!(pools(&host)[0].error_logs, ["/var/log/php83/error.log"]);
    }

    #[test]
    fn a_pool_that_listens_nowhere_and_a_host_without_php_are_nothing() {
        assert!(pools(&FakeHost::new(0).file("/etc/php-fpm.conf", "[www]\nuser = a\n")).is_empty());
        assert!(pools(&FakeHost::new(0)).is_empty());
    }
}
