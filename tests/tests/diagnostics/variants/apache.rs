//! Apache in front of PHP: by a port of PHP-FPM's, and with PHP as one of its own modules.

use std::path::Path;

use secmon_tests::testbed::{Guest, Testbed};

use crate::php_db::UPDATE;
use crate::{Fault, fault, host_of, try_faults_on};

const RESTART: &str = "systemctl restart apache2";

pub(crate) const WEB_SERVER: &[Fault] = &[
    fault("web-down", "systemctl stop apache2", "systemctl start apache2"),
    fault(
        "web-down",
        "mkdir -p /run/systemd/system/apache2.service.d; \
         printf '[Service]\\nRestart=no\\n' >/run/systemd/system/apache2.service.d/restart.conf; \
         systemctl daemon-reload; systemctl kill --signal KILL apache2; until ! pgrep -x apache2; do :; done",
        RESTART,
    ),
    fault(
        "web-config-broken",
        "echo Nonsense >/etc/apache2/sites-enabled/fault.conf; ! systemctl reload apache2 2>&1",
        "rm /etc/apache2/sites-enabled/fault.conf",
    ),
    fault(
        "web-config-broken",
        "systemctl stop apache2; echo Nonsense >/etc/apache2/sites-enabled/fault.conf; \
         ! systemctl start apache2 2>&1",
        "rm /etc/apache2/sites-enabled/fault.conf; systemctl reset-failed; systemctl start apache2",
    ),
    fault(
        "web-port-conflict",
        "systemctl stop apache2; systemd-run -q --collect --unit fault php -S 0.0.0.0:80 -t /var/www/shop; \
         until ss -Hltn | grep -q :80; do :; done; ! systemctl start apache2 2>&1",
        "systemctl stop fault; while ss -Hltn | grep -q :80; do :; done; systemctl reset-failed; \
         systemctl start apache2",
    ),
    fault("web-worker-crash", "pkill -SEGV -n -P $(cat /run/apache2/apache2.pid) apache2", RESTART),
    fault(
        "web-apache-maxworkers",
        "printf '%s 5\\n' ThreadsPerChild MaxRequestWorkers MaxSpareThreads >/etc/apache2/conf-enabled/fault.conf; \
         systemctl restart apache2; \
         until [ $(ps -o etimes= -C apache2 | sort -n | tail -n 1) -gt 2 ]; do :; done; \
         systemd-run -q --collect --unit fault crowd; \
         until grep -q 'reached MaxRequestWorkers' /var/log/apache2/error.log; do :; done",
        "systemctl stop fault; rm /etc/apache2/conf-enabled/fault.conf; systemctl restart apache2",
    ),
    fault(
        "web-accept-queue",
        "systemctl kill --signal STOP apache2; systemd-run -q --collect --unit fault crowd",
        "systemctl stop fault; systemctl kill --signal CONT apache2",
    ),
    fault("http-vhost-wrong", "site 'DocumentRoot /var/www/html'", "site"),
    fault("http-redirect-loop", "site 'Redirect 301 / http://fault.test/?secmon=1'", "site"),
    fault("http-502", "site 'ProxyPass / http://127.0.0.1:9/'", "site"),
    fault(
        "tls-key-mismatch",
        "cp /etc/nginx/tls/root.key /etc/apache2/site.key; ! systemctl restart apache2 2>&1",
        "cp /etc/nginx/tls/site.key /etc/apache2/site.key; systemctl reset-failed; systemctl restart apache2",
    ),
    fault(
        "tls-expired",
        "certify shop.test '-90 days' '-1 day'; cp /etc/nginx/tls/* /etc/apache2; systemctl reload apache2",
        "certify shop.test '-30 days' '+60 days'; cp /etc/nginx/tls/* /etc/apache2; systemctl reload apache2",
    ),
];

/// As many requests that PHP doesn't answer, until `/run/slow` is gone; returns when so many wait.
macro_rules! slow_by_port {
    ($requests:literal, $waiting:literal) => {
        concat!(
            "touch /run/slow; systemd-run -q --unit slow sh -c \"for n in $(seq -s ' ' ",
            $requests,
            "); do curl -s -o /dev/null ",
            url!(),
            "?how=slow & done; wait\"; until [ $(ss -ltnH sport = :9000 | awk '{ print $2 }') -ge ",
            $waiting,
            " ]; do :; done"
        )
    };
}

pub(crate) const PHP_BY_PORT: &[Fault] = &[
    fault("php-down-nosock", "systemctl stop php8.2-fpm", "systemctl start php8.2-fpm"),
    fault(
        "php-down-nosock",
        "systemctl kill --signal KILL php8.2-fpm; while pgrep -x php-fpm8.2; do :; done",
        "systemctl start php8.2-fpm",
    ),
    // Somebody has changed one side, and not the other.
    fault(
        "php-down-nosock",
        "sed -i s/:9000/:9001/ /etc/apache2/sites-available/shop.conf; systemctl reload apache2",
        "sed -i s/:9001/:9000/ /etc/apache2/sites-available/shop.conf; systemctl reload apache2",
    ),
    fault("php-queue", slow_by_port!(7, 2), fast!()),
    fault(
        "php-max-children",
        concat!(
            "log=/var/log/php8.2-fpm.log; chgrp adm $log; chmod 640 $log; ",
            // It says so again only after it had fewer workers.
            "reached() { grep -c 'reached pm.max_children' $log; }; before=$(reached); for time in 1 2; do ",
            settled!(),
            "while [ $(pgrep -cx php-fpm8.2) -gt 5 ]; do :; done; ",
            slow_by_port!(7, 2),
            "; until [ $(reached) = $((before + time)) ]; do :; done; ",
            fast!(),
            "; done"
        ),
        "systemctl restart php8.2-fpm; chmod 600 /var/log/php8.2-fpm.log",
    ),
    fault("php-worker-crash", broken!("crash"), "systemctl restart php8.2-fpm"),
    fault("php-memory-limit", broken!("memory"), UPDATE),
    fault("php-timeout", broken!("time"), UPDATE),
    fault("php-fatal-plugin", broken!("fatal"), UPDATE),
];

const MODULE: &str = "systemctl disable -q --now php8.2-fpm && a2dismod -q mpm_event proxy_fcgi && \
    a2enmod -q mpm_prefork php8.2 && systemctl restart apache2";

/// Asks the plugin that breaks three times to break like this, within Apache.
macro_rules! broken_within {
    ($how:literal) => {
        concat!("for n in 1 2 3; do curl -s -o /dev/null ", url!(), "?how=", $how, " || continue; done")
    };
}

pub(crate) const PHP_WITHIN: &[Fault] = &[
    fault("php-fatal-plugin", broken_within!("fatal"), UPDATE),
    fault("php-memory-limit", broken_within!("memory"), UPDATE),
    fault("web-worker-crash", broken_within!("crash"), RESTART),
];

/// Makes Apache serve one more site, fault.test, with these directives, or no more.
const SITE: &str = r#"#!/bin/sh
file=/etc/apache2/sites-enabled/fault.conf
case $# in
    0) rm "$file" ;;
    *) printf '<VirtualHost *:80>\nServerName fault.test\n%s\n</VirtualHost>\n' "$1" >"$file" ;;
esac
systemctl reload apache2
"#;

const WITH_TLS: &str = "certify shop.test '-30 days' '+60 days' && cp /etc/nginx/tls/* /etc/apache2 && \
    printf '%s\\n' '<VirtualHost 127.0.0.1:443>' 'ServerName shop.test' 'DocumentRoot /var/www/shop' \
    'SSLEngine on' 'SSLCertificateFile /etc/apache2/chain.pem' 'SSLCertificateKeyFile /etc/apache2/site.key' \
    '<FilesMatch \"\\.php$\">' 'SetHandler \"proxy:fcgi://127.0.0.1:9000\"' '</FilesMatch>' '</VirtualHost>' \
    >/etc/apache2/sites-enabled/tls.conf && a2enmod -q ssl proxy_http && systemctl restart apache2";

fn host(name: &str) -> Option<Testbed> {
    let bed = host_of(Guest::Apache, name)?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    for program in ["crowd", "certify"] {
        bed.push(&here.join("guest").join(program), &format!("/usr/local/bin/{program}"), "755");
    }
    bed.shell("mkdir -p /var/www/shop/wp-content/plugins/broken");
    bed.push(&here.join("broken.php"), "/var/www/shop/wp-content/plugins/broken/broken.php", "644");
    Some(bed)
}

/// Of Apache itself and of what it serves.
pub(crate) fn with_tls(faults: &[Fault]) {
    let Some(bed) = host("apache-web") else { return };
    let script = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(script.path(), SITE).expect("a written file");
    bed.push(script.path(), "/usr/local/bin/site", "755");
    bed.shell(WITH_TLS);
    try_faults_on(&bed, faults);
}

pub(crate) fn by_a_port(faults: &[Fault]) {
    let Some(bed) = host("apache-port") else { return };
    try_faults_on(&bed, faults);
}

pub(crate) fn with_the_module(faults: &[Fault]) {
    let Some(bed) = host("apache-module") else { return };
    bed.shell(MODULE);
    try_faults_on(&bed, faults);
}
