//! Faults of PHP, of the database, and of WordPress.

use std::path::Path;

use secmon_tests::testbed::Testbed;

use crate::{Fault, fault, host, lasting, try_faults_on};

/// Returns when PHP runs for some seconds: what is logged in the second of its start may be from before.
macro_rules! settled {
    () => {
        "until [ $(ps -o etimes= -C php-fpm8.2 | sort -n | tail -n 1) -gt 2 ]; do :; done; "
    };
}

/// Asks the plugin that breaks three times to break like this.
macro_rules! broken {
    ($how:literal) => {
        concat!(settled!(), "for n in 1 2 3; do curl -s -o /dev/null ", url!(), "?how=", $how, "; done")
    };
}

macro_rules! url {
    () => {
        "http://127.0.0.1/wp-content/plugins/broken/broken.php"
    };
}

/// As many requests that PHP doesn't answer, until `/run/slow` is gone; returns when so many wait.
macro_rules! slow {
    ($requests:literal, $waiting:literal) => {
        concat!(
            "touch /run/slow; systemd-run -q --unit slow sh -c \"for n in $(seq -s ' ' ",
            $requests,
            "); do curl -s -o /dev/null ",
            url!(),
            "?how=slow & done; wait\"; ",
            "until ss -xlH | awk '/php8.2-fpm.sock/ && $3 >= ",
            $waiting,
            " { found = 1 } END { exit !found }'; do :; done"
        )
    };
}

/// Ends them.
macro_rules! fast {
    () => {
        "rm /run/slow; while systemctl -q is-active slow; do :; done"
    };
}

/// Another version of the plugin, from a later second than its last error.
pub(crate) const UPDATE: &str = "from=$(date +%s); until [ $(date +%s) -gt $from ]; do :; done; \
                      touch /var/www/shop/wp-content/plugins/broken/broken.php";
const RESTART_PHP: &str = "systemctl restart php8.2-fpm";

pub(crate) const PHP: &[Fault] = &[
    fault("php-down-nosock", "systemctl stop php8.2-fpm", "systemctl start php8.2-fpm"),
    fault(
        "php-down-stale",
        "systemctl kill --signal KILL php8.2-fpm; while pgrep -x php-fpm8.2; do :; done",
        "systemctl start php8.2-fpm",
    ),
    fault("php-sock-perm", "chown root:root /run/php/php8.2-fpm.sock", RESTART_PHP),
    fault(
        "php-sock-mismatch",
        "sed -i s/php8.2-fpm/php7.4-fpm/ /etc/nginx/conf.d/shop.conf; systemctl reload nginx",
        "sed -i s/php7.4-fpm/php8.2-fpm/ /etc/nginx/conf.d/shop.conf; systemctl reload nginx",
    ),
    fault("php-queue", slow!(7, 2), fast!()),
    // What was refused while the queue was full outlasts the queue.
    fault(
        "php-backlog-full",
        concat!(
            "sed -i '/^pm.max_children/a listen.backlog = 1' /etc/php/8.2/fpm/pool.d/www.conf; ",
            "systemctl restart php8.2-fpm; ",
            settled!(),
            slow!(10, 2),
            "; until grep -q 'failed (11: ' /var/log/nginx/error.log; do :; done; ",
            fast!()
        ),
        "sed -i '/^listen.backlog/d' /etc/php/8.2/fpm/pool.d/www.conf; systemctl restart php8.2-fpm",
    ),
    fault(
        "php-max-children",
        concat!(
            "log=/var/log/php8.2-fpm.log; chgrp adm $log; chmod 640 $log; ",
            // It says so again only after it had fewer workers.
            "reached() { grep -c 'reached pm.max_children' $log; }; before=$(reached); for time in 1 2; do ",
            settled!(),
            "while [ $(pgrep -cx php-fpm8.2) -gt 5 ]; do :; done; ",
            slow!(7, 2),
            "; until [ $(reached) = $((before + time)) ]; do :; done; ",
            fast!(),
            "; done"
        ),
        "systemctl restart php8.2-fpm; chmod 600 /var/log/php8.2-fpm.log",
    ),
    fault("php-worker-crash", broken!("crash"), RESTART_PHP),
    fault("php-memory-limit", broken!("memory"), UPDATE),
    fault("php-memory-limit", broken!("memory"), RESTART_PHP),
    fault("php-timeout", broken!("time"), UPDATE),
    fault("php-fatal-plugin", broken!("fatal"), UPDATE),
    fault(
        "php-debuglog-huge",
        "truncate -s 101M /var/www/shop/wp-content/debug.log",
        "rm /var/www/shop/wp-content/debug.log",
    ),
    // Where we may open its socket, its status page waits for a worker as well.
    fault(
        "php-queue",
        concat!(
            "printf 'listen.mode = 0666\\npm.status_path = /status\\n' >>/etc/php/8.2/fpm/pool.d/www.conf; ",
            "systemctl restart php8.2-fpm; ",
            slow!(7, 2)
        ),
        fast!(),
    )
    .hence("php-status"),
];

/// Opens so many connections of a site.
macro_rules! connections {
    ($count:literal) => {
        concat!(
            "mariadb -e 'SET GLOBAL max_connections = 10'; systemd-run -q --unit site php /root/connections.php ",
            $count,
            "; until [ -e /run/held ]; do :; done; rm /run/held"
        )
    };
}

const CLOSE: &str = "systemctl stop site; mariadb -e 'SET GLOBAL max_connections = 151'";

pub(crate) const DATABASE: &[Fault] = &[
    fault("db-down", "systemctl stop mariadb", "systemctl start mariadb"),
    fault("db-hung", "systemctl kill --signal STOP mariadb", "systemctl kill --signal CONT mariadb"),
    fault("db-too-many-conn", connections!("10"), CLOSE),
    fault("db-conn-near-limit", connections!("8"), CLOSE),
    fault(
        "db-running-pile",
        "limit=$((4 * $(nproc))); systemd-run -q --unit pile sh -c \"for n in $(seq -s ' ' $limit); do \
         mariadb -ushop -pshop -e 'SELECT SLEEP(600)' & done; wait\"; \
         until [ $(mariadb -e 'SHOW PROCESSLIST' | grep -c SLEEP) = $limit ]; do :; done",
        "mariadb -e 'KILL USER shop'; while systemctl -q is-active pile; do :; done; systemctl reset-failed",
    ),
    fault(
        "db-lock-wait",
        "systemd-run -q --unit holder \
         mariadb -e 'BEGIN; UPDATE shop.goods SET name = LOWER(name); SELECT SLEEP(600)'; \
         until mariadb -e 'SHOW PROCESSLIST' | grep -q SLEEP; do :; done; \
         systemd-run -q --unit waiters sh -c \"for n in 1 2 3 4 5; do \
         mariadb -e 'UPDATE shop.goods SET name = LOWER(name)' & done; wait\"",
        "mariadb -e \"$(mariadb -N -e 'SHOW PROCESSLIST' | awk '/SLEEP/ { print \"KILL \" $1 }')\"; \
         while systemctl -q is-active holder waiters; do :; done; systemctl reset-failed",
    ),
    fault(
        "db-auth-fail",
        "for n in 1 2 3; do mariadb -ushop -pwrong || continue; done",
        "systemctl restart mariadb",
    ),
    fault(
        "db-crash-restart",
        "mkdir -p /run/systemd/system/mariadb.service.d; \
         printf '[Service]\\nRestartSec=0\\n' >/run/systemd/system/mariadb.service.d/restart.conf; \
         systemctl daemon-reload; pid=$(pgrep -x mariadbd); kill -SEGV $pid; while [ -e /proc/$pid ]; do :; done; \
         until mariadb -e ''; do :; done",
        "systemctl restart mariadb",
    ),
    // It is ready only after it has read what it is told to begin with, and here that is a pipe.
    fault(
        "db-recovering",
        "mkfifo /etc/mysql/slow.sql; \
         printf '[mariadbd]\\ninit_file = /etc/mysql/slow.sql\\n' >/etc/mysql/mariadb.conf.d/91-slow.cnf; \
         mariadb -e 'UPDATE shop.goods SET name = REVERSE(name)'; \
         pid=$(pgrep -x mariadbd); kill -KILL $pid; while [ -e /proc/$pid ]; do :; done; \
         until ss -xlH | grep -q /run/mysqld/mysqld.sock; do :; done",
        "rm /etc/mysql/mariadb.conf.d/91-slow.cnf; echo 'SELECT 1;' >/etc/mysql/slow.sql; \
         until mariadb -e ''; do :; done",
    ),
    // What is damaged stays so until a backup is there again, and is told for an hour.
    lasting(
        "db-corrupt",
        "systemctl stop mariadb; \
         printf rubbish | dd of=/var/lib/mysql/shop/goods.ibd bs=1 seek=50000 conv=notrunc status=none; \
         systemctl start mariadb; ! mariadb -e 'SELECT * FROM shop.goods'",
    ),
];

fn push(bed: &Testbed, file: &str, to: &str) {
    bed.push(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics").join(file), to, "644");
}

pub(crate) fn on_a_host_with_a_plugin(faults: &[Fault]) {
    let Some(bed) = host("phpdb-php") else { return };
    bed.shell("mkdir -p /var/www/shop/wp-content/plugins/broken");
    push(&bed, "broken.php", "/var/www/shop/wp-content/plugins/broken/broken.php");
    try_faults_on(&bed, faults);
}

pub(crate) fn on_a_host_with_a_database(faults: &[Fault]) {
    let Some(bed) = host("phpdb-db") else { return };
    push(&bed, "connections.php", "/root/connections.php");
    try_faults_on(&bed, faults);
}
