//! Configurations as Debian, RHEL and Alpine lay them out.

use super::*;
use crate::discover::apache_scope::fcgi;
use crate::discover::fake::FakeHost;
use crate::host::Endpoint;

fn read_from(host: &FakeHost, layout: usize) -> Configuration {
    let (path, root) = LAYOUTS[layout];
    read(&mut Files::new(host), path, root).expect("a configuration")
}

fn debian() -> FakeHost {
    FakeHost::new(0)
        .file("/etc/apache2/envvars", "unset HOME\nexport APACHE_LOG_DIR=/var/log/apache2$SUFFIX\n")
        .file(
            "/etc/apache2/apache2.conf",
            "Timeout 300\nErrorLog ${APACHE_LOG_DIR}/error.log\nIncludeOptional mods-enabled/*.load\n\
             IncludeOptional mods-enabled/*.conf\nInclude ports.conf\n\
             LogFormat \"%v:%p %h %l %u %t \\\"%r\\\" %>s %O\" vhost_combined\n\
             LogFormat \"%h %l %u %t\" combined\nIncludeOptional sites-enabled/*.conf\n",
        )
        .file("/etc/apache2/mods-enabled/mpm_event.load", "LoadModule mpm_event_module /usr/lib/mod_mpm_event.so")
        .file(
            "/etc/apache2/mods-enabled/mpm_event.conf",
            "<IfModule mpm_event_module>\n MaxRequestWorkers 150\n</IfModule>\n\
             <IfModule mpm_prefork_module>\n MaxRequestWorkers 9\n</IfModule>",
        )
        .file("/etc/apache2/mods-enabled/ssl.load", "LoadModule ssl_module /usr/lib/mod_ssl.so")
        .file("/etc/apache2/ports.conf", "Listen 80\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n")
        .file(
            "/etc/apache2/sites-enabled/shop.conf",
            "Define NAME shop.test\n<VirtualHost *:80>\n ServerName ${NAME}:80\n Redirect / https://shop.test/\n\
             </VirtualHost>\n<IfModule mod_ssl.c>\n<VirtualHost _default_:443>\n ServerAlias www.${NAME} *.shop.test\n\
             ServerName ${NAME}\n DocumentRoot /var/www/shop\n\
             CustomLog ${APACHE_LOG_DIR}/shop.log combined\n ErrorLog ${APACHE_LOG_DIR}/shop.error.log\n\
             SSLEngine on\n SSLCertificateFile /etc/ssl/shop.pem\n RemoteIPHeader CF-Connecting-IP\n\
             <FilesMatch \"\\.php$\">\n  SetHandler \"proxy:unix:/run/php/php8.2-fpm.sock|fcgi://localhost\"\n\
             </FilesMatch>\n</VirtualHost>\n</IfModule>\n",
        )
}

#[test]
fn a_site_of_debian_is_read_with_its_variables_and_modules() {
    let configuration = read_from(&debian(), 0);
    assert_eq!(configuration.workers, Some(150));
    assert_eq!(configuration.timeout, Some(300));
    assert_eq!(configuration.error_logs, ["/var/log/apache2/error.log", "/var/log/apache2/shop.error.log"]);
    let sites = crate::discover::sites::merged(configuration.sites);
    let [site] = sites.as_slice() else { panic!("one site: {sites:?}") };
    assert_eq!(site.names, ["shop.test", "www.shop.test"]);
    assert_eq!(site.listens.iter().map(|l| (l.port, l.tls)).collect::<Vec<_>>(), [(80, false), (443, true)]);
    assert_eq!(site.root.as_deref(), Some("/var/www/shop"));
    assert_eq!(
        site.access_log,
        Some(AccessLog { path: "/var/log/apache2/shop.log".into(), format: Some("%h %l %u %t".into()) })
    );
    assert_eq!(site.certificates, ["/etc/ssl/shop.pem"]);
    assert_eq!(site.php, Some(Endpoint::Unix("/run/php/php8.2-fpm.sock".into())));
    assert!(site.real_ip);
}

#[test]
fn without_the_module_its_sections_say_nothing() {
    let host = debian().without("/etc/apache2/mods-enabled/ssl.load");
    let configuration = read_from(&host, 0);
    let sites = crate::discover::sites::merged(configuration.sites);
    assert_eq!(sites.len(), 1);
    assert_eq!(sites[0].listens.len(), 1);
    assert_eq!(sites[0].php, None);
}

#[test]
fn a_server_without_virtual_hosts_is_a_site_as_red_hat_ships_it() {
    let host = FakeHost::new(0)
        .file(
            "/etc/httpd/conf/httpd.conf",
            "ServerRoot \"/etc/httpd\"\nListen 80\nInclude conf.modules.d/*.conf\nDocumentRoot \"/var/www/html\"\n\
             ErrorLog \"logs/error_log\"\n<IfModule log_config_module>\n LogFormat \"%h %l\" common\n\
             CustomLog \"logs/access_log\" common\n</IfModule>\nIncludeOptional conf.d/*.conf\n",
        )
        .file("/etc/httpd/conf.d/php.conf", "<FilesMatch \\.(php|phar)$>\n\
             SetHandler \"proxy:unix:/run/php-fpm/www.sock|fcgi://localhost\"\n</FilesMatch>")
        .file("/etc/httpd/conf.d/ssl.conf", "Listen 443 https\n<VirtualHost _default_:443>\nServerName a.test\n\
             SSLEngine on\nErrorLog logs/ssl_error_log\n</VirtualHost>");
    let configuration = read_from(&host, 1);
    assert_eq!(configuration.error_logs, ["/etc/httpd/logs/error_log", "/etc/httpd/logs/ssl_error_log"]);
    let site = &configuration.sites[0];
    assert_eq!(site.access_log.as_ref().expect("a log").path, "/etc/httpd/logs/access_log");
    assert_eq!(site.php, Some(Endpoint::Unix("/run/php-fpm/www.sock".into())));
    let alone = read_from(&host.without("/etc/httpd/conf.d/ssl.conf"), 1);
    assert_eq!(alone.sites.len(), 1);
    assert_eq!(alone.sites[0].listens[0].port, 80);
    assert_eq!(alone.sites[0].root.as_deref(), Some("/var/www/html"));
}

#[test]
fn a_directory_stands_for_its_files() {
    let host = FakeHost::new(0)
        .file("/etc/apache2/httpd.conf", "Include /etc/apache2/conf.d")
        .file("/etc/apache2/conf.d/a.conf", "<VirtualHost *:80>\nServerName a.test\n</VirtualHost>");
    assert_eq!(read_from(&host, 2).sites[0].names, ["a.test"]);
}

#[test]
fn php_behind_is_a_socket_or_an_address() {
    let unix = Some(Endpoint::Unix("/run/a.sock".into()));
    let tcp = Some(Endpoint::Tcp("127.0.0.1:9000".parse().expect("an address")));
    for (text, to) in [
        ("proxy:unix:/run/a.sock|fcgi://localhost/", unix.clone()),
        ("unix:/run/a.sock|fcgi://localhost/var/www/", unix),
        ("fcgi://127.0.0.1:9000/var/www/$1", tcp.clone()),
        ("proxy:fcgi://127.0.0.1:9000", tcp),
        ("unix:/run/a.sock|http://localhost/", None),
        ("http://127.0.0.1:9000/", None),
    ] {
        assert_eq!(fcgi(text), to, "{text}");
    }
}

#[test]
fn definitions_that_use_themselves_do_not_grow() {
    let mut text = String::from("Define A xxxxxxxxxxxxxxxx\n");
    for _ in 0..200 {
        text.push_str("Define A ${A}${A}${A}${A}\n");
    }
    text.push_str("<VirtualHost *:80>\nDocumentRoot /srv/${A}\n</VirtualHost>");
    let host = FakeHost::new(0).file("/etc/apache2/httpd.conf", &text);
    let root = read_from(&host, 2).sites[0].root.clone().expect("a root");
    assert!(root.len() < 64 * 1024, "{}", root.len());
}
