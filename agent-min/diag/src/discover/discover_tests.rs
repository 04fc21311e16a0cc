//! Whole hosts: the testbed's real Debian, and trees as other distributions lay them out.

use std::path::PathBuf;

use super::fake::FakeHost;
use super::*;
use crate::host::Endpoint;
use crate::stack::DatabaseKind;

fn process(pid: u32, name: &str, ticks: u64) -> String {
    format!("{pid} ({name}) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {ticks} 9 9 9")
}

/// The tree that the testbed's hosts start from, where it was made.
fn debian() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target =
        target.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")));
    let dir = std::env::var_os("SECMON_TESTBED_DIR").map_or_else(|| target.join("testbed"), PathBuf::from);
    let base = dir.join("base");
    base.join("etc/nginx/nginx.conf").is_file().then_some(base)
}

#[test]
fn a_fresh_debian_needs_no_configuration() {
    let Some(tree) = debian() else {
        println!("skipped: no testbed was made");
        return;
    };
    let host = FakeHost::new(2_000_000_000)
        .tree(&tree)
        .file("/run/systemd/system/x", "")
        .file("/proc/stat", "btime 1000\n")
        .file("/proc/1/stat", &process(1, "systemd", 1))
        .file("/proc/30/stat", &process(30, "nginx", 500))
        .file("/proc/31/stat", &process(31, "mariadbd", 700));
    let mut notes = Notes::default();
    let stack = discover(&host, &mut notes);
    assert_eq!(notes.what_was_not_checked(), []);
    assert_eq!(stack.units, ["mariadb.service", "nginx.service", "php8.2-fpm.service"]);

    let [web] = stack.web.as_slice() else { panic!("one server: {:?}", stack.web) };
    assert_eq!((web.kind, web.name.as_str(), web.limit), (WebKind::Nginx, "nginx", Some(768)));
    assert_eq!(web.master.map(|master| (master.pid, master.started)), Some((30, 1005)));
    assert_eq!(web.error_logs, ["/var/log/nginx/error.log"]);

    let [site] = stack.sites.as_slice() else { panic!("one site: {:?}", stack.sites) };
    assert!(site.names.is_empty());
    assert_eq!(site.listens.iter().map(|listen| listen.port).collect::<Vec<_>>(), [80]);
    assert_eq!(site.access_log.as_ref().map(|log| log.path.as_str()), Some("/var/log/nginx/access.log"));
    assert_eq!(site.php, Some(Endpoint::Unix("/run/php/php8.2-fpm.sock".into())));

    let [pool] = stack.pools.as_slice() else { panic!("one pool: {:?}", stack.pools) };
    assert_eq!((pool.name.as_str(), pool.unit.as_str(), pool.max_children), ("www", "php8.2-fpm", 5));
    assert_eq!(pool.error_logs, ["/var/log/php8.2-fpm.log"]);

    let [database] = stack.databases.as_slice() else { panic!("one database: {:?}", stack.databases) };
    assert_eq!((database.kind, database.unit.as_str()), (DatabaseKind::MariaDb, "mariadb"));
    assert_eq!(database.listen, Endpoint::Unix("/run/mysqld/mysqld.sock".into()));
    assert_eq!(database.data.as_deref(), Some("/var/lib/mysql"));
    assert_eq!(database.error_log, None);
}

#[test]
fn red_hat_with_apache_and_mysql_is_found() {
    let host = FakeHost::new(0)
        .file("/run/systemd/system/x", "")
        .file("/etc/systemd/system/multi-user.target.wants/httpd.service", "")
        .file("/etc/systemd/system/multi-user.target.wants/php-fpm.service", "")
        .file("/proc/1/stat", &process(1, "systemd", 1))
        .file("/proc/8/stat", &process(8, "httpd", 1))
        .file("/usr/sbin/httpd", "")
        .file(
            "/etc/httpd/conf/httpd.conf",
            "ServerRoot /etc/httpd\nListen 80\nServerName shop.test\nErrorLog logs/e\n",
        )
        .file(
            "/etc/php-fpm.conf",
            "include=/etc/php-fpm.d/*.conf\n[global]\nerror_log = /var/log/php-fpm/error.log\n",
        )
        .file("/etc/php-fpm.d/www.conf", "[www]\nlisten = /run/php-fpm/www.sock\npm.max_children = 50\n")
        .file("/usr/libexec/mysqld", "");
    let mut notes = Notes::default();
    let stack = discover(&host, &mut notes);
    assert_eq!(notes.what_was_not_checked(), []);
    assert_eq!(stack.web[0].kind, WebKind::Apache);
    assert_eq!(stack.sites[0].names, ["shop.test"]);
    assert_eq!(stack.pools[0].max_children, 50);
    assert_eq!(stack.pools[0].unit, "php-fpm");
    assert_eq!(stack.pools[0].error_logs, ["/var/log/php-fpm/error.log"]);
    assert_eq!(stack.databases[0].kind, DatabaseKind::MySql);
}

#[test]
fn alpine_with_nginx_and_an_old_pool_is_found() {
    let host = FakeHost::new(0)
        .file("/etc/runlevels/default/nginx", "")
        .file("/proc/1/stat", &process(1, "init", 1))
        .file("/usr/sbin/nginx", "")
        .file(
            "/etc/nginx/nginx.conf",
            "events { worker_connections 1024; } http { include /etc/nginx/http.d/*.conf; }",
        )
        .file(
            "/etc/nginx/http.d/a.conf",
            "server { listen 80; server_name a.test; fastcgi_pass 127.0.0.1:9000; }",
        )
        .file("/etc/php83/php-fpm.conf", "include=/etc/php83/php-fpm.d/*.conf\n")
        .file("/etc/php83/php-fpm.d/www.conf", "[www]\nlisten = 127.0.0.1:9000\n");
    let stack = discover(&host, &mut Notes::default());
    assert_eq!(stack.units, ["nginx"]);
    assert_eq!(stack.web[0].limit, Some(1024));
    assert_eq!(stack.sites[0].php.as_ref(), Some(&stack.pools[0].listen));
    assert_eq!(stack.web[0].master, None);
}

#[test]
fn a_server_behind_another_is_found_beside_it() {
    let host = FakeHost::new(0)
        .file("/proc/1/stat", &process(1, "systemd", 1))
        .file("/proc/2/stat", &process(2, "caddy", 1))
        .file("/usr/sbin/nginx", "")
        .file("/usr/sbin/apache2", "")
        .file("/etc/nginx/nginx.conf", "http { server { listen 80; server_name a.test; } }")
        .file("/etc/apache2/apache2.conf", "Listen 8080\nServerName b.test\n");
    let stack = discover(&host, &mut Notes::default());
    let kinds: Vec<_> = stack.web.iter().map(|web| web.kind).collect();
    assert_eq!(kinds, [WebKind::Nginx, WebKind::Apache, WebKind::Other]);
    assert_eq!(stack.sites.len(), 2);
}

#[test]
fn a_board_with_nothing_on_it_is_nothing() {
    let host = FakeHost::new(0)
        .file("/proc/1/stat", &process(1, "init", 1))
        // What a removed package left behind.
        .file("/etc/nginx/nginx.conf", "http { server { listen 80; } }");
    let mut notes = Notes::default();
    assert_eq!(discover(&host, &mut notes), Stack::default());
    assert_eq!(notes.what_was_not_checked(), []);
    assert_eq!(notes.findings(), []);
}
