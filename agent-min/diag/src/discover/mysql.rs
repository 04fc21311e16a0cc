//! MariaDB and MySQL: where they listen, keep their data and log.

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
pub(super) const BUFFER_POOL: u64 = 128 << 20;

/// The server, if it is installed.
pub(crate) fn read(files: &mut Files<'_>) -> Option<Database> {
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
}

impl Settings {
    fn read(&mut self, files: &mut Files<'_>, main: &str, kind: DatabaseKind) {
        let mut sources = Sources::default();
        sources.push(vec![main.to_owned()], files);
        let mut group = String::new();
        while let Some(source) = sources.current(files) {
            let directory = source.directory().to_owned();
            let text = source.line();
            match line(&text) {
                Some(Line::Section(name)) => name.clone_into(&mut group),
                Some(Line::Directive("include", path)) => sources.push(vec![below(&directory, path)], files),
                Some(Line::Directive("includedir", path)) => {
                    let directory = below(&directory, path);
                    let paths = files.expand(&format!("{}/*.cnf", directory.trim_end_matches('/')));
                    sources.push(paths, files);
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
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::fake::FakeHost;

    fn databases(host: &FakeHost) -> Vec<Database> {
        read(&mut Files::new(host)).into_iter().collect()
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
                 innodb-buffer-pool-size = 1G\n[mysqldump]\nport = 1\n",
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
        assert_eq!(db.buffer_pool, 128 << 20);
    }
}
