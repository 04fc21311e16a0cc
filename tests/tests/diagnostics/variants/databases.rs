//! Faults of PostgreSQL and of MySQL.

use secmon_tests::testbed::Guest;

use crate::{Fault, fault, host_of, lasting, on_the_host, try_faults_on};

const RESTART: &str = "systemctl restart postgresql@15-main";

pub(crate) const POSTGRESQL: &[Fault] = &[
    fault("db-down", "systemctl stop postgresql@15-main", "systemctl start postgresql@15-main"),
    fault(
        "db-down",
        "systemctl kill --signal KILL postgresql@15-main; while pgrep -x postgres; do :; done",
        RESTART,
    ),
    fault(
        "db-hung",
        "systemctl kill --signal STOP postgresql@15-main",
        "systemctl kill --signal CONT postgresql@15-main",
    ),
    fault(
        "db-too-many-conn",
        "sed -i 's/^max_connections = .*/max_connections = 10/' /etc/postgresql/15/main/postgresql.conf; \
         systemctl restart postgresql@15-main; cd /; systemd-run -q --unit sites --uid postgres sh -c \
         \"for n in $(seq -s ' ' 10); do psql -qc 'SELECT pg_sleep(600)' & done; wait\"; \
         until [ $(pgrep -cf '^postgres: .* SELECT') = 10 ]; do :; done",
        "systemctl stop sites; \
         sed -i 's/^max_connections = .*/max_connections = 100/' /etc/postgresql/15/main/postgresql.conf; \
         systemctl restart postgresql@15-main",
    ),
    fault(
        "db-auth-fail",
        "for n in 1 2 3; do PGPASSWORD=wrong psql -h 127.0.0.1 -U shop postgres 2>&1 || continue; done",
        RESTART,
    ),
    fault(
        "db-crash-restart",
        "cd /; systemd-run -q --collect --unit site --uid postgres psql -qc 'SELECT pg_sleep(600)'; \
         until pkill -SEGV -f '^postgres: .* SELECT'; do :; done; while systemctl -q is-active site; do :; done; \
         until runuser -u postgres -- psql -qc 'SELECT 1' 2>&1; do :; done",
        "systemctl restart postgresql@15-main; systemctl reset-failed",
    ),
    // It waits for what a primary server would send, and takes nobody until then.
    fault(
        "db-recovering",
        "systemctl stop postgresql@15-main; touch /var/lib/postgresql/15/main/standby.signal; \
         printf 'hot_standby = off\\nrestore_command = false\\n' >/etc/postgresql/15/main/conf.d/standby.conf; \
         systemctl start postgresql@15-main",
        "rm /var/lib/postgresql/15/main/standby.signal /etc/postgresql/15/main/conf.d/standby.conf; \
         systemctl restart postgresql@15-main",
    ),
    lasting("db-corrupt", DAMAGE),
];

/// What is damaged stays so: there is no end of it to wait for.
const DAMAGE: &str = "cd /; table=$(runuser -u postgres -- psql -Atc \"CREATE TABLE goods AS SELECT 'lamp' AS name; \
    CHECKPOINT; SELECT pg_relation_filepath('goods')\" | tail -n 1); systemctl stop postgresql@15-main; \
    printf rubbish | dd of=/var/lib/postgresql/15/main/$table bs=1 seek=12 conv=notrunc status=none; \
    systemctl start postgresql@15-main; ! runuser -u postgres -- psql -c 'SELECT * FROM goods' 2>&1";

const SETTINGS: &str = "mysql -e \"CREATE USER 'secmon-diag'@localhost IDENTIFIED WITH auth_socket; \
    CREATE DATABASE shop; CREATE TABLE shop.goods (name VARCHAR(32) PRIMARY KEY); \
    INSERT INTO shop.goods VALUES ('lamp'); CREATE USER shop@localhost IDENTIFIED BY 'shop'\"";

/// Opens so many connections of a site.
macro_rules! connections {
    ($count:literal) => {
        concat!(
            "mysql -e 'SET GLOBAL max_connections = 10'; for n in $(seq ",
            $count,
            "); do systemd-run -q --collect --unit site$n sh -c 'tail -f /dev/null | mysql -ushop -pshop'; done; ",
            "until [ $(ss -xH state established src /var/run/mysqld/mysqld.sock | wc -l) -ge ",
            $count,
            " ]; do :; done"
        )
    };
}

const CLOSE: &str =
    "systemctl stop 'site*'; until mysql -e 'SET GLOBAL max_connections = 151' 2>&1; do :; done";

pub(crate) const MYSQL: &[Fault] = &[
    fault("db-down", "systemctl stop mysql", "systemctl start mysql"),
    fault("db-hung", "systemctl kill --signal STOP mysql", "systemctl kill --signal CONT mysql"),
    // One more than that is kept for an administrator.
    fault("db-too-many-conn", connections!("10"), CLOSE),
    fault("db-conn-near-limit", connections!("8"), CLOSE),
    fault(
        "db-lock-wait",
        "systemd-run -q --collect --unit site1 \
         mysql -e 'BEGIN; UPDATE shop.goods SET name = LOWER(name); SELECT SLEEP(600)'; \
         until mysql -e 'SHOW PROCESSLIST' | grep -q SLEEP; do :; done; for n in 2 3 4 5 6; do \
         systemd-run -q --collect --unit site$n mysql -e 'UPDATE shop.goods SET name = LOWER(name)'; done",
        "mysql -e \"$(mysql -N -e 'SHOW PROCESSLIST' | awk '/SLEEP/ { print \"KILL \" $1 }')\"; \
         while systemctl -q is-active 'site*'; do :; done; systemctl reset-failed",
    ),
    fault(
        "db-auth-fail",
        "mysql -e 'SET GLOBAL log_error_verbosity = 3'; \
         for n in 1 2 3; do mysql -ushop -pwrong 2>&1 || continue; done",
        "systemctl restart mysql",
    ),
    fault(
        "db-crash-restart",
        "mkdir -p /run/systemd/system/mysql.service.d; \
         printf '[Service]\\nRestartSec=0\\n' >/run/systemd/system/mysql.service.d/restart.conf; \
         systemctl daemon-reload; pid=$(pgrep -x mysqld); kill -SEGV $pid; while [ -e /proc/$pid ]; do :; done; \
         until mysql -e '' 2>&1; do :; done",
        "systemctl restart mysql",
    ),
    // It starts as slowly as if there were much to repair.
    fault(
        "db-recovering",
        "began() { grep -c 'InnoDB initialization has started' /var/log/mysql/error.log; }; before=$(began); \
         pkill -KILL -x mysqld; while [ $(began) = $before ]; do :; done; pkill -STOP -x mysqld",
        "pkill -CONT -x mysqld; until mysql -e '' 2>&1; do :; done",
    ),
];

pub(crate) fn postgresql(faults: &[Fault]) {
    let Some(bed) = host_of(Guest::Apache, "postgresql") else { return };
    try_faults_on(&bed, faults);
}

pub(crate) fn mysql(faults: &[Fault]) {
    let Some(bed) = host_of(Guest::MySql, "mysql") else { return };
    let said = on_the_host(&bed).said;
    assert!(said.contains("not checked: db-status of mysql: permission\n"), "{said}");
    bed.shell(SETTINGS);
    try_faults_on(&bed, faults);
}
