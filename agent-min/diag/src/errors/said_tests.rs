//! Lines of real servers, and lines that visitors wrote.

use proptest::prelude::*;

use super::*;

const CONTEXT: &str = ", client: 127.0.0.1, server: , request: \"GET /fatal.php?a=1 HTTP/1.1\", \
                       upstream: \"fastcgi://unix:/run/php/php8.2-fpm.sock:\", host: \"shop.test\"";
const ASKED: Request<'static> = Request { path: "/fatal.php", host: "shop.test", referred: false };

fn nginx_line(message: &str) -> String {
    format!("2026/11/22 10:05:48 [error] 43#43: *11 {message}{CONTEXT}")
}

#[test]
fn lines_of_nginx_say_what_they_say() {
    let socket = "/run/php/php8.2-fpm.sock";
    let unreachable = |errno: &str| {
        nginx_line(&format!("connect() to unix:{socket} failed ({errno}) while connecting to upstream"))
    };
    for (line, said) in [
        (unreachable("2: No such file or directory"), Said::Unreachable(Failure::Absent, socket, ASKED)),
        (unreachable("111: Connection refused"), Said::Unreachable(Failure::Refused, socket, ASKED)),
        (unreachable("13: Permission denied"), Said::Unreachable(Failure::Permission, socket, ASKED)),
        (
            unreachable("11: Resource temporarily unavailable"),
            Said::Unreachable(Failure::Full, socket, ASKED),
        ),
        (
            nginx_line("connect() failed (111: Connection refused) while connecting to upstream")
                .replace("unix:/run/php/php8.2-fpm.sock:", "127.0.0.1:9000"),
            Said::Unreachable(Failure::Refused, "127.0.0.1:9000", ASKED),
        ),
        (
            nginx_line(
                "recv() failed (104: Connection reset by peer) while reading response header from upstream",
            ),
            Said::HungUp(ASKED),
        ),
        (
            nginx_line(
                "upstream timed out (110: Connection timed out) while reading response header from upstream",
            ),
            Said::NoAnswer(ASKED),
        ),
        (
            nginx_line("upstream sent too big header while reading response header from upstream"),
            Said::BigHeader(ASKED),
        ),
    ] {
        assert_eq!(nginx(&line), Some(said), "{line}");
    }
}

#[test]
fn lines_of_nginx_about_itself_are_read() {
    for (line, said) in [
        (
            "[emerg] 226#226: bind() to 0.0.0.0:80 failed (98: Address already in use)",
            Some(Said::PortTaken(80)),
        ),
        (
            "[emerg] 226#226: bind() to [::]:443 failed (98: Address already in use)",
            Some(Said::PortTaken(443)),
        ),
        ("[emerg] 226#226: still could not bind()", None),
        (
            "[emerg] 336#336: unknown directive \"bogus\" in /etc/nginx/conf.d/bad.conf:1",
            Some(Said::Broken(Some("/etc/nginx/conf.d/bad.conf"))),
        ),
        (
            "[emerg] 1#1: SSL_CTX_use_PrivateKey(\"/etc/ssl/b.key\") failed (SSL: error:05800074:x509 certificate \
             routines::key values mismatch)",
            Some(Said::KeyMismatch(Some("/etc/ssl/b.key"))),
        ),
        (
            "[emerg] 1#1: cannot load certificate \"/etc/ssl/x.pem\": BIO_new_file() failed (SSL: \
             error:80000002:system library::No such file or directory:calling fopen(/etc/ssl/x.pem, r))",
            Some(Said::Broken(None)),
        ),
        ("[alert] 361#361: *9 10 worker_connections are not enough", Some(Said::NoConnections(10))),
        ("[alert] 361#361: 768 worker_connections are not enough", Some(Said::NoConnections(768))),
        (
            "[warn] 361#361: 10 worker_connections are not enough, reusing connections",
            Some(Said::FewConnections(10)),
        ),
        ("[crit] 9#9: accept4() failed (24: Too many open files)", Some(Said::NoHandles)),
        ("[alert] 360#360: worker process 361 exited on signal 11", Some(Said::WorkerDied)),
        ("[alert] 360#360: worker process 361 exited on signal 11 (core dumped)", Some(Said::WorkerDied)),
        ("[alert] 360#360: worker process 361 exited on signal 9", None),
        ("[notice] 360#360: signal 15 (SIGTERM) received from 1, exiting", None),
    ] {
        let line = format!("2026/11/22 10:07:04 {line}");
        assert_eq!(nginx(&line), said, "{line}");
    }
    assert_eq!(
        nginx("nginx: [emerg] unknown directive \"bogus\" in /etc/nginx/conf.d/bad.conf:1"),
        Some(Said::Broken(Some("/etc/nginx/conf.d/bad.conf")))
    );
}

#[test]
fn a_body_that_is_too_large_is_told_with_what_led_there() {
    let line = "2026/11/22 10:05:52 [error] 43#43: *33 client intended to send too large body: 2000195 bytes, client: \
                127.0.0.1, server: , request: \"POST /wp-admin/async-upload.php HTTP/1.1\", host: \"127.0.0.1\", \
                referrer: \"http://shop/wp-admin/\"";
    let request = Request { path: "/wp-admin/async-upload.php", host: "127.0.0.1", referred: true };
    assert_eq!(nginx(line), Some(Said::TooLarge(request)));
}

#[test]
fn visitors_cannot_write_a_message() {
    for path in [
        "/connect()_to_unix:/x_failed_(111:",
        "/a, connect() to unix:/x failed (111: Connection refused) while connecting to upstream",
        "/worker_connections are not enough",
        "/[emerg] 1#1: bind() to 0.0.0.0:80 failed (98: x)",
        "/ failed (24: Too many open files)",
        "/FastCGI sent in stderr: \"PHP message: PHP Fatal error:  x",
    ] {
        let line = format!(
            "2026/11/22 10:05:48 [error] 43#43: *11 open() \"/var/www/x\" failed (2: No such file or directory), client: \
             192.0.2.1, server: , request: \"GET {path} HTTP/1.1\", host: \"a\", referrer: \"{path}\""
        );
        assert_eq!(nginx(&line), None, "{line}");
        let line = format!(
            "[Sun Nov 22 01:34:50.1 2026] [core:error] [pid 1] [client 192.0.2.1:5] AH00126: Invalid URI in \
                            request GET {path} HTTP/1.1"
        );
        assert_eq!(apache(&line), None, "{line}");
    }
}

#[test]
fn lines_of_apache_say_what_they_say() {
    let socket = "/run/php/php8.2-fpm.sock";
    let none = Request::default();
    for (line, said) in [
        (
            "[proxy:error] [pid 12:tid 34] (2)No such file or directory: AH02454: FCGI: attempt to connect to Unix domain \
             socket /run/php/php8.2-fpm.sock (localhost:8000) failed",
            Some(Said::Unreachable(Failure::Absent, socket, none)),
        ),
        (
            "[proxy:error] [pid 12:tid 34] (111)Connection refused: AH02454: FCGI: attempt to connect to Unix domain \
             socket /run/php/php8.2-fpm.sock (*) failed",
            Some(Said::Unreachable(Failure::Refused, socket, none)),
        ),
        (
            "[proxy:error] [pid 1] (111)Connection refused: AH00957: FCGI: attempt to connect to 127.0.0.1:9000 (*) failed",
            Some(Said::Unreachable(Failure::Refused, "127.0.0.1:9000", none)),
        ),
        (
            "[proxy_fcgi:error] [pid 1] [client 192.0.2.1:5] AH01079: failed to make connection to backend: httpd-UDS",
            None,
        ),
        (
            "[proxy_fcgi:error] [pid 1:tid 2] (70007)The timeout specified has expired: [client 192.0.2.1:5] AH01075: Error \
             dispatching request to : (polling)",
            Some(Said::NoAnswer(none)),
        ),
        (
            "[proxy_fcgi:error] [pid 1] (104)Connection reset by peer: [client 192.0.2.1:5] AH01075: Error dispatching \
             request to :",
            Some(Said::HungUp(none)),
        ),
        (
            "[proxy_fcgi:error] [pid 1] (70014)End of file found: [client 192.0.2.1:5] AH01075: Error dispatching request to :",
            Some(Said::HungUp(none)),
        ),
        (
            "[proxy_fcgi:error] [pid 1] [client 192.0.2.1:5] AH01071: Got error 'PHP message: PHP Fatal error:  x'",
            Some(Said::Php("PHP message: PHP Fatal error:  x'")),
        ),
        (
            "[php:error] [pid 1] [client 192.0.2.1:5] PHP Fatal error:  x",
            Some(Said::Php("PHP Fatal error:  x")),
        ),
        (
            "[mpm_event:error] [pid 1:tid 2] AH00484: server reached MaxRequestWorkers setting, consider raising the \
             MaxRequestWorkers setting",
            Some(Said::WorkersBusy),
        ),
        (
            "[mpm_event:error] [pid 1:tid 2] AH10159: server is within MinSpareThreads of MaxRequestWorkers, consider \
             raising the MaxRequestWorkers setting",
            None,
        ),
        (
            "[core:notice] [pid 1] AH00052: child pid 99 exit signal Segmentation fault (11)",
            Some(Said::WorkerDied),
        ),
        ("[core:notice] [pid 1] AH00052: child pid 99 exit signal Killed (9)", None),
        (
            "[ssl:emerg] [pid 1] AH02565: Certificate and private key a.test:443:0 from /etc/ssl/a.pem and /etc/ssl/b.key do \
             not match",
            Some(Said::KeyMismatch(Some("/etc/ssl/b.key"))),
        ),
        ("[ssl:emerg] [pid 1] AH02312: Fatal error initialising mod_ssl, exiting.", Some(Said::Broken(None))),
    ] {
        let line = format!("[Sun Nov 22 01:34:50.123456 2026] {line}");
        assert_eq!(apache(&line), said, "{line}");
    }
    for (line, said) in [
        (
            "(98)Address already in use: AH00072: make_sock: could not bind to address [::]:80",
            Some(Said::PortTaken(80)),
        ),
        ("no listening sockets available, shutting down", None),
        ("AH00015: Unable to open logs", None),
        (
            "apache2: AH00526: Syntax error on line 5 of /etc/apache2/sites-enabled/a.conf:",
            Some(Said::Broken(Some("/etc/apache2/sites-enabled/a.conf"))),
        ),
    ] {
        assert_eq!(apache(line), said, "{line}");
    }
}

proptest! {
    #[test]
    fn any_line_is_read_or_not(text in "\\PC{0,200}") {
        let _either = (nginx(&text), apache(&text));
        let line = format!("2026/11/22 10:07:04 [emerg] 1#1: {text}");
        let _either = nginx(&line);
        let line = nginx_line(&text);
        let _either = nginx(&line);
        let line = format!("[Sun Nov 22 01:34:50 2026] [a:emerg] (2){text}: AH02454: {text}");
        let _either = apache(&line);
    }
}
