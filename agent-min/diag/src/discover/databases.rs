//! MariaDB, MySQL and PostgreSQL: where they listen, keep their data and log.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};

use super::files::{Files, Sources, below};
use super::ini::{Line, bytes, line};
use crate::host::{Endpoint, Host};
use crate::stack::{Database, DatabaseKind};

/// What MariaDB and MySQL read; the first that is there includes the rest.
const MAIN_FILES: [&str; 3] = ["/etc/mysql/my.cnf", "/etc/my.cnf", "/usr/local/etc/my.cnf"];
/// Programs of either, where the packages put them: what shows that the server is there, not only its settings.
const PROGRAMS: [(&str, DatabaseKind); 6] = [
    ("/usr/sbin/mariadbd", DatabaseKind::MariaDb),
    ("/usr/bin/mariadbd", DatabaseKind::MariaDb),
    ("/usr/libexec/mariadbd", DatabaseKind::MariaDb),
    ("/usr/sbin/mysqld", DatabaseKind::MySql),
    ("/usr/bin/mysqld", DatabaseKind::MySql),
    ("/usr/libexec/mysqld", DatabaseKind::MySql),
];
/// Where the socket is, if nothing says it: Debian and Alpine, RHEL, sources.
const SOCKETS: [&str; 3] = ["/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"];
/// What both servers use where nothing is said.
const BUFFER_POOL: u64 = 128 << 20;
/// Clusters of PostgreSQL on one host.
const CLUSTERS_MAX: usize = 8;

/// All servers that are installed.
pub(crate) fn read(files: &mut Files<'_>) -> Vec<Database> {
    let mut out: Vec<Database> = mysql(files).into_iter().collect();
    out.extend(postgres(files));
    out
}

fn mysql(files: &mut Files<'_>) -> Option<Database> {
    let host = files.host();
    let kind = PROGRAMS.iter().find(|(path, _)| host.metadata(path).is_ok()).map(|(_, kind)| *kind)?;
    let mut settings = Settings::default();
    if let Some(main) = MAIN_FILES.iter().find(|path| host.metadata(path).is_ok()) {
        settings.read(files, main, kind);
    }
    let data = settings.data.unwrap_or_else(|| "/var/lib/mysql".to_owned());
    let said = settings.socket.or(settings.client_socket).map(|path| below(&data, &path));
    let found = || SOCKETS.iter().find(|path| host.metadata(path).is_ok()).map(|path| (*path).to_owned());
    let socket = said.or_else(found).unwrap_or_else(|| SOCKETS[0].to_owned());
    let by_network = settings.port.filter(|_| host.metadata(&socket).is_err() && settings.bind.is_some());
    let listen = match (by_network, settings.bind) {
        (Some(port), Some(address)) => Endpoint::Tcp(SocketAddr::new(address.into(), port)),
        _ => Endpoint::Unix(socket),
    };
    Some(Database {
        kind,
        unit: mysql_unit(host, kind),
        listen,
        error_log: settings.error_log.map(|path| below(&data, &path)),
        data: Some(data),
        buffer_pool: settings.buffer_pool.unwrap_or(BUFFER_POOL),
        max_connections: settings.max_connections,
    })
}

/// What its service is called: `mysqld` with RHEL's MySQL, `mysql` with Debian's, and with MariaDB's init scripts.
fn mysql_unit(host: &dyn Host, kind: DatabaseKind) -> String {
    let there = |name: &str| {
        [
            format!("/lib/systemd/system/{name}.service"),
            format!("/usr/lib/systemd/system/{name}.service"),
            format!("/etc/init.d/{name}"),
        ]
        .iter()
        .any(|path| host.metadata(path).is_ok())
    };
    let names = match kind {
        DatabaseKind::MySql => ["mysql", "mysqld"],
        _ => ["mariadb", "mysql"],
    };
    names.iter().find(|name| there(name)).unwrap_or(&names[0]).to_string()
}

#[derive(Default)]
struct Settings {
    socket: Option<String>,
    client_socket: Option<String>,
    port: Option<u16>,
    bind: Option<Ipv4Addr>,
    data: Option<String>,
    error_log: Option<String>,
    buffer_pool: Option<u64>,
    max_connections: Option<u64>,
}

impl Settings {
    fn read(&mut self, files: &mut Files<'_>, main: &str, kind: DatabaseKind) {
        let mut sources = Sources::default();
        sources.push(vec![main.to_owned()]);
        let mut group = String::new();
        while let Some(source) = sources.current(files) {
            let directory = source.directory().to_owned();
            let text = source.line();
            match line(&text) {
                Some(Line::Section(name)) => name.clone_into(&mut group),
                Some(Line::Directive("include", path)) => sources.push(vec![below(&directory, path)]),
                Some(Line::Directive("includedir", path)) => {
                    let directory = below(&directory, path);
                    let paths = files.expand(&format!("{}/*.cnf", directory.trim_end_matches('/')));
                    sources.push(paths);
                }
                Some(Line::Setting(name, value)) => self.set(&group, name, value, kind),
                _ => {}
            }
        }
    }

    /// Later ones win, as in the servers. Names may have `-` or `_`, and `loose-` before them.
    fn set(&mut self, group: &str, name: &str, value: &str, kind: DatabaseKind) {
        let plain = group.split('-').next().unwrap_or_default();
        let client = plain == "client" && group != "client-server";
        let ours = match (plain, kind) {
            ("server" | "mysqld" | "client", _) => true,
            ("mariadb" | "mariadbd", DatabaseKind::MariaDb) => group != "mariadb-client",
            _ => false,
        };
        if !ours {
            return;
        }
        let name = name.replace('-', "_");
        let text = || Some(value.to_owned()).filter(|value| !value.is_empty());
        match name.strip_prefix("loose_").unwrap_or(&name) {
            "socket" if client => self.client_socket = text(),
            _ if client => {}
            "socket" => self.socket = text(),
            "port" => self.port = value.parse().ok(),
            "bind_address" => {
                self.bind = value.parse().ok().filter(|address: &Ipv4Addr| !address.is_unspecified())
            }
            "datadir" => self.data = text(),
            // Without a value it is a file in the data directory, named after the host.
            "log_error" => self.error_log = text().filter(|path| path != "stderr"),
            "innodb_buffer_pool_size" => self.buffer_pool = bytes(value),
            "max_connections" => self.max_connections = value.parse().ok(),
            _ => {}
        }
    }
}

fn postgres(files: &mut Files<'_>) -> Vec<Database> {
    // Debian has a directory for each version and cluster; the others keep the configuration with the data.
    let mut out = Vec::new();
    for path in files.expand("/etc/postgresql/*/*/postgresql.conf") {
        let mut parts = path.rsplit('/').skip(1);
        let (cluster, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let data = format!("/var/lib/postgresql/{version}/{cluster}");
        let log = format!("/var/log/postgresql/postgresql-{version}-{cluster}.log");
        out.push(one_postgres(files, &path, format!("postgresql@{version}-{cluster}"), data, Some(log)));
    }
    for pattern in ["/var/lib/pgsql/data/postgresql.conf", "/var/lib/pgsql/*/data/postgresql.conf"] {
        for path in files.expand(pattern) {
            // The data directory is the server's own: often nobody else may look into it.
            let Some(data) = path.strip_suffix("/postgresql.conf") else { continue };
            if files.host().metadata(data).is_err() || out.len() >= CLUSTERS_MAX {
                continue;
            }
            let version = data.trim_start_matches("/var/lib/pgsql/").trim_end_matches("/data");
            let unit = match version {
                "data" | "" => "postgresql".to_owned(),
                version => format!("postgresql-{version}"),
            };
            let data = data.to_owned();
            out.push(one_postgres(files, &path, unit, data, None));
        }
    }
    out.truncate(CLUSTERS_MAX);
    out
}

fn one_postgres(
    files: &mut Files<'_>,
    path: &str,
    unit: String,
    data: String,
    log: Option<String>,
) -> Database {
    let text = files.read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let (mut port, mut directory, mut buffers, mut connections) = (5432_u16, None, None, None);
    let mut data = data;
    for text in text.lines() {
        match line(text) {
            Some(Line::Setting("port", value)) => port = value.parse().unwrap_or(port),
            Some(Line::Setting("unix_socket_directories", value)) => {
                directory =
                    value.split(',').map(str::trim).find(|path| path.starts_with('/')).map(str::to_owned);
            }
            Some(Line::Setting("shared_buffers", value)) => buffers = bytes(value),
            Some(Line::Setting("max_connections", value)) => connections = value.parse().ok(),
            Some(Line::Setting("data_directory", value)) if value.starts_with('/') => {
                value.clone_into(&mut data)
            }
            _ => {}
        }
    }
    let directory = directory.unwrap_or_else(|| "/var/run/postgresql".to_owned());
    Database {
        kind: DatabaseKind::Postgres,
        unit,
        listen: Endpoint::Unix(format!("{directory}/.s.PGSQL.{port}")),
        data: Some(data),
        error_log: log,
        buffer_pool: buffers.unwrap_or(BUFFER_POOL),
        max_connections: connections,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::fake::FakeHost;

    fn databases(host: &FakeHost) -> Vec<Database> {
        read(&mut Files::new(host))
    }

    #[test]
    fn mariadb_on_debian_is_read_through_its_includes_and_later_lines_win() {
        let host = FakeHost::new(0)
            .file("/usr/sbin/mariadbd", "")
            .file("/lib/systemd/system/mariadb.service", "")
            .file(
                "/etc/mysql/my.cnf",
                "[client-server]\nsocket = /run/mysqld/mysqld.sock\n!includedir /etc/mysql/mariadb.conf.d/\n",
            )
            .file("/etc/mysql/mariadb.conf.d/50-client.cnf", "[client]\nport = 1\ndatadir = /no\n")
            .file(
                "/etc/mysql/mariadb.conf.d/50-server.cnf",
                "[mysqld]\ndatadir = /srv/db\nlog_error = error.log\nmax-connections = 40\n\
                 innodb-buffer-pool-size = 1G\n[mysqldump]\nmax_connections = 1\n",
            )
            .file(
                "/etc/mysql/mariadb.conf.d/90-own.cnf",
                "[mariadb-10.11]\ninnodb_buffer_pool_size=256M # own\n",
            );
        let [db] = databases(&host).try_into().expect("one");
        assert_eq!(
            db,
            Database {
                kind: DatabaseKind::MariaDb,
                unit: "mariadb".into(),
                listen: Endpoint::Unix("/run/mysqld/mysqld.sock".into()),
                data: Some("/srv/db".into()),
                error_log: Some("/srv/db/error.log".into()),
                buffer_pool: 256 << 20,
                max_connections: Some(40),
            }
        );
    }

    #[test]
    fn settings_without_a_server_are_nothing() {
        assert!(databases(&FakeHost::new(0).file("/etc/my.cnf", "[client]\nport = 1\n")).is_empty());
    }

    #[test]
    fn mysql_on_red_hat_is_known_by_its_program_and_ignores_what_is_mariadbs() {
        let host = FakeHost::new(0)
            .file("/usr/libexec/mysqld", "")
            .file("/usr/lib/systemd/system/mysqld.service", "")
            .file(
                "/etc/my.cnf",
                "[mysqld]\nlog-error=/var/log/mysql/mysqld.log\nsocket=/var/lib/mysql/mysql.sock\n\
                   [mariadb]\nmax_connections=1\n",
            );
        let [db] = databases(&host).try_into().expect("one");
        assert_eq!((db.kind, db.unit.as_str()), (DatabaseKind::MySql, "mysqld"));
        assert_eq!(db.listen, Endpoint::Unix("/var/lib/mysql/mysql.sock".into()));
        assert_eq!(db.error_log.as_deref(), Some("/var/log/mysql/mysqld.log"));
        assert_eq!((db.buffer_pool, db.max_connections), (128 << 20, None));
    }

    #[test]
    fn each_cluster_of_postgresql_is_one() {
        let host = FakeHost::new(0)
            .file(
                "/etc/postgresql/15/main/postgresql.conf",
                "data_directory = '/srv/pg'\nport = 5433 # second\nmax_connections = 100\t# (change)\n\
                 unix_socket_directories = '/run/postgresql, /tmp'\nshared_buffers = 128MB\n",
            )
            .file("/var/lib/pgsql/16/data/postgresql.conf", "");
        let databases = databases(&host);
        assert_eq!(
            databases[0],
            Database {
                kind: DatabaseKind::Postgres,
                unit: "postgresql@15-main".into(),
                listen: Endpoint::Unix("/run/postgresql/.s.PGSQL.5433".into()),
                data: Some("/srv/pg".into()),
                error_log: Some("/var/log/postgresql/postgresql-15-main.log".into()),
                buffer_pool: 128 << 20,
                max_connections: Some(100),
            }
        );
        assert_eq!(databases[1].unit, "postgresql-16");
        assert_eq!(databases[1].listen, Endpoint::Unix("/var/run/postgresql/.s.PGSQL.5432".into()));
    }
}
