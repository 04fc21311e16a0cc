//! PostgreSQL: where each cluster listens, keeps its data and logs.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::files::Files;
use super::ini::{Line, bytes, line};
use super::mysql::BUFFER_POOL;
use crate::host::Endpoint;
use crate::stack::{Database, DatabaseKind};

/// Clusters on one host.
const CLUSTERS_MAX: usize = 8;

/// All clusters.
pub(crate) fn read(files: &mut Files<'_>) -> Vec<Database> {
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
    let (mut port, mut directory, mut buffers) = (5432_u16, None, None);
    let mut data = data;
    for text in text.lines() {
        match line(text) {
            Some(Line::Setting("port", value)) => port = value.parse().unwrap_or(port),
            Some(Line::Setting("unix_socket_directories", value)) => {
                directory =
                    value.split(',').map(str::trim).find(|path| path.starts_with('/')).map(str::to_owned);
            }
            Some(Line::Setting("shared_buffers", value)) => buffers = bytes(value),
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::fake::FakeHost;

    #[test]
    fn each_cluster_of_postgresql_is_one() {
        let host = FakeHost::new(0)
            .file(
                "/etc/postgresql/15/main/postgresql.conf",
                "data_directory = '/srv/pg'\nport = 5433 # second\nmax_connections = 100\t# (change)\n\
                 unix_socket_directories = '/run/postgresql, /tmp'\nshared_buffers = 128MB\n",
            )
            .file("/var/lib/pgsql/16/data/postgresql.conf", "");
        let databases = read(&mut Files::new(&host));
        assert_eq!(
            databases[0],
            Database {
                kind: DatabaseKind::Postgres,
                unit: "postgresql@15-main".into(),
                listen: Endpoint::Unix("/run/postgresql/.s.PGSQL.5433".into()),
                data: Some("/srv/pg".into()),
                error_log: Some("/var/log/postgresql/postgresql-15-main.log".into()),
                buffer_pool: 128 << 20,
            }
        );
        assert_eq!(databases[1].unit, "postgresql-16");
        assert_eq!(databases[1].listen, Endpoint::Unix("/var/run/postgresql/.s.PGSQL.5432".into()));
    }
}
