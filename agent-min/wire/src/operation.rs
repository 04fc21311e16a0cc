//! All that an agent can ever run, at one glance: the table [`OPERATIONS`].
//!
//! A manifest picks one unit for an operation from this table; nothing on the network can name a unit, a
//! path or an argument. A preflight is a check of the configuration that the service ships itself.

use crate::{OperationId, Unit};

/// One operation: what it may touch, and its bounds.
#[derive(Debug)]
pub struct Operation {
    /// Its name.
    pub id: OperationId,
    /// The units that it may ever touch, with what checks and finds them.
    pub units: &'static [UnitPattern],
    /// Seconds after which a restart is given up and its process group killed.
    pub timeout_s: u32,
    /// Seconds between two runs that a manifest must ask for, at least. Three keep us below systemd's
    /// default start limit of five starts in ten seconds (systemd-system.conf(5)).
    pub min_interval_s: u32,
    /// Seconds between two runs where nobody asked for anything else.
    pub default_interval_s: u32,
}

/// A unit name, or a family of them, with its preflight.
#[derive(Debug)]
pub struct UnitPattern {
    /// The name; `*` stands for a version such as `8.2` or `15`, `?` for a cluster such as `15-main`.
    pub name: &'static str,
    /// How its configuration is checked before a restart; the first program that exists is run.
    pub preflight: &'static [Preflight],
    /// The files under the run directory that may hold its main process id (SysV, OpenRC and procd).
    pub pid_files: &'static [&'static str],
}

/// A program with its whole argument list. `*` in either is the version in the unit's name.
#[derive(Debug)]
pub struct Preflight {
    /// The absolute path.
    pub program: &'static str,
    /// Every argument.
    pub args: &'static [&'static str],
}

const fn unit(
    name: &'static str,
    preflight: &'static [Preflight],
    pid_files: &'static [&'static str],
) -> UnitPattern {
    UnitPattern { name, preflight, pid_files }
}

const fn check(program: &'static str, args: &'static [&'static str]) -> Preflight {
    Preflight { program, args }
}

/// Every operation there is.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        id: OperationId::RestartDb,
        units: &[
            unit("mariadb", MARIADB, &["mysqld/mysqld.pid", "mariadb/mariadb.pid"]),
            unit("mysql", MYSQL, &["mysqld/mysqld.pid"]),
            unit("mysqld", MYSQL, &["mysqld/mysqld.pid"]),
            unit("postgresql", &[], &["postgresql/postgresql.pid", "postgresql/*-main.pid"]),
            unit("postgresql-*", &[], &["postgresql/postgresql.pid"]),
            unit("postgresql@?", &[], &["postgresql/?.pid"]),
        ],
        timeout_s: 120,
        min_interval_s: 3,
        default_interval_s: 60,
    },
    Operation {
        id: OperationId::RestartPhp,
        units: &[
            unit("php-fpm", PHP_FPM, &["php-fpm.pid", "php-fpm/php-fpm.pid", "php/php-fpm.pid"]),
            unit("php*-fpm", PHP_FPM_VERSION, &["php/php*-fpm.pid"]),
            unit("lsphp", &[], &["lsphp.pid"]),
        ],
        timeout_s: 60,
        min_interval_s: 3,
        default_interval_s: 30,
    },
    Operation {
        id: OperationId::RestartWeb,
        units: &[
            unit("nginx", NGINX, &["nginx.pid"]),
            unit("apache2", APACHE2, &["apache2/apache2.pid", "apache2.pid"]),
            unit("httpd", HTTPD, &["httpd/httpd.pid", "httpd.pid"]),
            unit("caddy", CADDY, &["caddy/caddy.pid", "caddy.pid"]),
            unit("lighttpd", LIGHTTPD, &["lighttpd.pid"]),
            unit("angie", ANGIE, &["angie.pid", "angie/angie.pid"]),
            unit("openlitespeed", &[], &["openlitespeed.pid"]),
            unit("lsws", &[], &["lshttpd.pid"]),
        ],
        timeout_s: 60,
        min_interval_s: 3,
        default_interval_s: 30,
    },
];

const NGINX: &[Preflight] =
    &[check("/usr/sbin/nginx", &["-t", "-q"]), check("/usr/bin/nginx", &["-t", "-q"])];
const ANGIE: &[Preflight] = &[check("/usr/sbin/angie", &["-t", "-q"])];
const APACHE2: &[Preflight] = &[check("/usr/sbin/apache2ctl", &["configtest"])];
const HTTPD: &[Preflight] =
    &[check("/usr/sbin/apachectl", &["configtest"]), check("/usr/sbin/httpd", &["-t"])];
const CADDY: &[Preflight] = &[check("/usr/bin/caddy", &["validate", "--config", "/etc/caddy/Caddyfile"])];
const LIGHTTPD: &[Preflight] = &[check("/usr/sbin/lighttpd", &["-tt", "-f", "/etc/lighttpd/lighttpd.conf"])];
const PHP_FPM: &[Preflight] = &[check("/usr/sbin/php-fpm", &["-t"]), check("/usr/bin/php-fpm", &["-t"])];
const PHP_FPM_VERSION: &[Preflight] = &[check("/usr/sbin/php-fpm*", &["-t"])];
const MARIADB: &[Preflight] = &[
    check("/usr/sbin/mariadbd", &["--help", "--verbose", "--user=mysql"]),
    check("/usr/libexec/mariadbd", &["--help", "--verbose", "--user=mysql"]),
];
const MYSQL: &[Preflight] = &[check("/usr/sbin/mysqld", &["--validate-config", "--user=mysql"])];

/// The operation with this id.
pub fn operation(id: OperationId) -> &'static Operation {
    match id {
        OperationId::RestartDb => &OPERATIONS[0],
        OperationId::RestartPhp => &OPERATIONS[1],
        OperationId::RestartWeb => &OPERATIONS[2],
    }
}

impl Operation {
    /// The row for `unit`, if this operation may touch it.
    pub fn pattern(&self, unit: &Unit) -> Option<&'static UnitPattern> {
        self.units.iter().find(|pattern| pattern.version(unit).is_some())
    }
}

impl UnitPattern {
    /// What stands for the wildcard in `unit` (empty without one), if the unit is of this pattern.
    pub fn version<'u>(&self, unit: &'u Unit) -> Option<&'u str> {
        let unit = unit.as_str();
        let (wildcard, accepts): (char, fn(&str) -> bool) = match () {
            () if self.name.contains('*') => ('*', is_version),
            () if self.name.contains('?') => ('?', is_cluster),
            () => return (self.name == unit).then_some(""),
        };
        let (before, after) = self.name.split_once(wildcard)?;
        let inner = unit.strip_prefix(before)?.strip_suffix(after)?;
        accepts(inner).then_some(inner)
    }
}

/// `8`, `8.2`, `15`: digits, and at most one dot between digits.
fn is_version(text: &str) -> bool {
    let digits = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
    match text.split_once('.') {
        Some((major, minor)) => digits(major) && digits(minor),
        None => digits(text),
    }
}

/// `15-main`: a version and a cluster's name, as Debian's postgresql-common writes them.
fn is_cluster(text: &str) -> bool {
    let Some((version, cluster)) = text.split_once('-') else { return false };
    let named = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-' || c == b'.';
    is_version(version) && !cluster.is_empty() && cluster.bytes().all(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_touches_its_own_units_and_no_others() {
        let all = [
            (OperationId::RestartWeb, "nginx apache2 httpd caddy lighttpd angie openlitespeed lsws"),
            (OperationId::RestartPhp, "php-fpm php8.2-fpm php7.4-fpm php83-fpm lsphp"),
            (OperationId::RestartDb, "mariadb mysql mysqld postgresql postgresql-15 postgresql@15-main"),
        ];
        for (owner, units) in all {
            for name in units.split(' ') {
                let unit = Unit::new(name).expect("a unit name");
                for id in OperationId::ALL {
                    let allowed = operation(*id).pattern(&unit).is_some();
                    assert_eq!(allowed, *id == owner, "{id} {name}");
                }
            }
        }
    }

    #[test]
    fn units_outside_the_table_belong_to_no_operation() {
        for name in [
            "ssh",
            "sshd",
            "cron",
            "nginx2",
            "nginx.service",
            "php8.2-fpm-x",
            "php-8.2-fpm",
            "phpx-fpm",
            "php8.2.1-fpm",
            "php.2-fpm",
            "php8.-fpm",
            "php-fpm8.2",
            "postgresql@15",
            "postgresql@-main",
            "postgresql-x",
            "systemd-logind",
            "mariadb@x",
        ] {
            let unit = Unit::new(name).expect("a unit name");
            assert!(OPERATIONS.iter().all(|o| o.pattern(&unit).is_none()), "{name}");
        }
    }

    #[test]
    fn the_table_is_indexed_by_its_own_ids() {
        for id in OperationId::ALL {
            assert_eq!(operation(*id).id, *id);
        }
    }

    #[test]
    fn the_version_fills_the_wildcard() {
        let unit = Unit::new("php8.2-fpm").expect("a unit name");
        let pattern = operation(OperationId::RestartPhp).pattern(&unit).expect("a php unit");
        assert_eq!(pattern.version(&unit), Some("8.2"));
    }
}
