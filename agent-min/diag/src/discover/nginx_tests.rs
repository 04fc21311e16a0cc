//! Configurations as Debian, Alpine, RHEL and people write them.

use super::*;
use crate::discover::fake::FakeHost;
use crate::discover::nginx_scope::listen;

fn read_from(host: &FakeHost) -> Configuration {
    read(&mut Files::new(host), "/etc/nginx/nginx.conf").expect("a configuration")
}

const MAIN: &str = "user www-data; error_log /var/log/nginx/error.log;\n\
    events { worker_connections 768; }\n\
    http { log_format main '$remote_addr - $remote_user [$time_local] \"$request\" ' '$status';\n\
    access_log /var/log/nginx/access.log; include conf.d/*.conf; include /etc/nginx/sites-enabled/*; }";

#[test]
fn a_site_has_its_own_and_what_stands_around_it() {
    let host = FakeHost::new(0).file("/etc/nginx/nginx.conf", MAIN).file(
        "/etc/nginx/sites-enabled/shop",
        "server { listen 443 ssl http2; listen [::]:443 ssl; server_name shop.test www.shop.test *.shop.test;\n\
         root /var/www/shop; access_log /var/log/nginx/shop.log main buffer=32k;\n\
         error_log /var/log/nginx/shop.error.log warn; ssl_certificate /etc/ssl/shop.pem;\n\
         location / { try_files $uri /index.php?$args; }\n\
         location ~ \\.php$ { fastcgi_pass php; fastcgi_read_timeout 2m; access_log off; } }\n\
         server { listen 80; server_name shop.test; return 301 https://$host$request_uri; }\n\
         upstream php { server unix:/run/php/php8.2-fpm.sock; server 127.0.0.1:9000; }",
    );
    let configuration = read_from(&host);
    assert_eq!(configuration.connections, 768);
    assert_eq!(configuration.read_timeout, Some(120));
    assert_eq!(configuration.error_logs, ["/var/log/nginx/error.log", "/var/log/nginx/shop.error.log"]);
    assert_eq!(configuration.buffered, ["/var/log/nginx/shop.log"]);
    let sites = crate::discover::sites::merged(configuration.sites);
    let [site] = sites.as_slice() else { panic!("one site: {sites:?}") };
    assert_eq!(site.names, ["shop.test", "www.shop.test"]);
    assert_eq!(
        site.listens.iter().map(|l| (l.port, l.tls)).collect::<Vec<_>>(),
        [(443, true), (443, true), (80, false)]
    );
    assert_eq!(site.root.as_deref(), Some("/var/www/shop"));
    let log = site.access_log.as_ref().expect("a log");
    assert_eq!(log.path, "/var/log/nginx/shop.log");
    assert_eq!(log.format.as_deref(), Some("$remote_addr - $remote_user [$time_local] \"$request\" $status"));
    assert_eq!(site.certificates, ["/etc/ssl/shop.pem"]);
    assert_eq!(site.php, Some(Endpoint::Unix("/run/php/php8.2-fpm.sock".into())));
    assert!(!site.real_ip);
}

#[test]
fn what_is_said_after_a_site_holds_for_it_too() {
    let host = FakeHost::new(0).file(
        "/etc/nginx/nginx.conf",
        "events {} http { server { server_name a.test; } access_log /a.log; set_real_ip_from 172.64.0.0/13; \
         root /srv; }",
    );
    let configuration = read_from(&host);
    let site = &configuration.sites[0];
    assert_eq!(site.access_log, Some(AccessLog { path: "/a.log".into(), format: None }));
    assert_eq!(site.root.as_deref(), Some("/srv"));
    assert_eq!(site.listens, [Listen { address: Ipv4Addr::UNSPECIFIED.into(), port: 80, tls: false }]);
    assert!(site.real_ip);
    assert_eq!(configuration.connections, 512);
}

#[test]
fn a_log_that_is_off_or_elsewhere_is_none() {
    let host = FakeHost::new(0).file(
        "/etc/nginx/nginx.conf",
        "http { access_log /a.log; server { server_name a.test; access_log off; }\n\
         server { server_name b.test; access_log syslog:server=unix:/dev/log; }\n\
         server { server_name c.test; access_log /var/log/$host.log; } }",
    );
    let configuration = read_from(&host);
    assert_eq!(configuration.sites[0].access_log, None);
    assert_eq!(configuration.sites[1].access_log.as_ref().map(|log| log.path.as_str()), Some("/a.log"));
    assert_eq!(configuration.variable_logs, ["/var/log/$host.log"]);
}

#[test]
fn addresses_to_listen_on_are_read() {
    for (text, expected) in [
        ("80", Some(("0.0.0.0", 80, false))),
        ("*:8080", Some(("0.0.0.0", 8080, false))),
        ("127.0.0.1", Some(("127.0.0.1", 80, false))),
        ("[::]:443 ssl http2 ipv6only=on", Some(("::", 443, true))),
        ("[::1]", Some(("::1", 80, false))),
        ("443 quic reuseport", None),
        ("unix:/run/x.sock", None),
        ("99999", None),
        ("name:80", None),
    ] {
        let values: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let expected = expected.map(|(address, port, tls)| Listen {
            address: address.parse().expect("an address"),
            port,
            tls,
        });
        assert_eq!(listen(&values), expected, "{text}");
    }
}

#[test]
fn relative_paths_of_logs_are_where_they_really_are() {
    let host = FakeHost::new(0)
        .file("/etc/nginx/nginx.conf", "error_log logs/error.log; http { server { server_name a.test; } }")
        .file("/var/lib/nginx/logs/error.log", "");
    assert_eq!(read_from(&host).error_logs, ["/var/lib/nginx/logs/error.log"]);
}

#[test]
fn files_that_include_each_other_end() {
    let host = FakeHost::new(0)
        .file("/etc/nginx/nginx.conf", "http { include a.conf; server { server_name end.test; } }")
        .file("/etc/nginx/a.conf", "include b.conf; include b.conf;")
        .file("/etc/nginx/b.conf", "include a.conf; include a.conf;");
    assert_eq!(read_from(&host).sites[0].names, ["end.test"]);
}

#[test]
fn blocks_deeper_than_any_real_ones_do_no_harm() {
    let deep =
        format!("http {{ server {{ {} {} server_name a.test; }} }}", "if (x) {".repeat(500), "}".repeat(500));
    let host = FakeHost::new(0).file("/etc/nginx/nginx.conf", &deep);
    assert_eq!(read_from(&host).sites[0].names, ["a.test"]);
}

#[test]
fn what_is_included_too_deep_or_too_often_is_said() {
    let skipped = |host: &FakeHost| {
        let mut files = Files::new(host);
        let configuration = read(&mut files, "/etc/nginx/nginx.conf").expect("a configuration");
        let mut notes = crate::Notes::default();
        files.tell(secmon_wire::diag::Check::WebConfig, &mut notes);
        let details = notes.what_was_not_checked().iter().map(|skipped| skipped.detail.to_string());
        (details.collect::<Vec<_>>(), configuration.connections)
    };
    let deep = |depth: u32| {
        let mut host = FakeHost::new(0).file("/etc/nginx/nginx.conf", "include 1.conf;");
        for n in 1..depth {
            host = host.file(&format!("/etc/nginx/{n}.conf"), &format!("include {}.conf;", n + 1));
        }
        host.file(&format!("/etc/nginx/{depth}.conf"), "events { worker_connections 99; }")
    };
    assert_eq!(skipped(&deep(9)), (Vec::new(), 99));
    assert_eq!(skipped(&deep(10)), (vec!["/etc/nginx/10.conf".to_owned()], 512));
    let many = |count: u32| {
        let host = FakeHost::new(0).file("/etc/nginx/nginx.conf", "include conf.d/*;");
        (0..count).fold(host, |host, n| host.file(&format!("/etc/nginx/conf.d/{n:04}"), "#"))
    };
    assert_eq!(skipped(&many(511)).0, Vec::<String>::new());
    assert_eq!(skipped(&many(600)).0, ["/etc/nginx/conf.d/0511"]);
}

#[test]
fn a_file_that_may_not_be_read_is_said() {
    let host = FakeHost::new(0)
        .file("/etc/nginx/nginx.conf", MAIN)
        .file("/etc/nginx/conf.d/secret.conf", "")
        .refuse("/etc/nginx/conf.d/secret.conf");
    let mut files = Files::new(&host);
    let _configuration = read(&mut files, "/etc/nginx/nginx.conf").expect("a configuration");
    let mut notes = crate::Notes::default();
    files.tell(secmon_wire::diag::Check::WebConfig, &mut notes);
    assert_eq!(notes.what_was_not_checked()[0].detail, "/etc/nginx/conf.d/secret.conf");
}
