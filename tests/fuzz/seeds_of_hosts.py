"""What hosts say, as the seeds of the targets that read it: a line of a log, a file of the kernel, an answer."""

import base64
import struct

NAME = "acme.example"
LOG_LINE = '198.18.0.7 - - [22/Nov/2026:01:3{}:50 +0000] "POST /xmlrpc.php HTTP/1.1" 200 370 "-" "curl/8.5"\n'
NGINX = """user www-data;
http {
    log_format long '$remote_addr "$request" $status';
    access_log /var/log/nginx/access.log;
    error_log /var/log/nginx/error.log;
    include /etc/nginx/sites-enabled/*;
}
"""
SITE = """server {
    listen 443 ssl; # and the other one
    server_name acme.example *.acme.example;
    root "/srv/acme\\" x";
    ssl_certificate /etc/ssl/acme.pem;
    location ~ \\.php$ { fastcgi_pass unix:/run/php/php8.2-fpm.sock; }
}
"""
APACHE = """Listen 8443
<VirtualHost *:8443>
  ServerName "acme.example"
  ServerAlias www.acme.example \\
    shop.acme.example
  <Directory "/srv/a b">
    AllowOverride None
  </Directory>
</VirtualHost>
"""
POOL = "; a pool\n[www]\nlisten = '/run/php/php8.2-fpm.sock'\npm.max_children = 5\npm.status_path = /status\n"
FPM = "[22-Nov-2026 01:34:50] WARNING: [pool www] "
FAILED = ("2026/11/22 01:34:50 [error] 766#766: *2328 connect() to unix:/run/php/php8.2-fpm.sock failed (111: "
          "Connection refused) while connecting to upstream, client: 192.0.2.1, server: acme.example, request: "
          "\"GET /a.php?b HTTP/1.1\", upstream: \"fastcgi://unix:/run/php/php8.2-fpm.sock:\", host: \"acme.example\"")


def lines():
    """Each with a byte before it that chooses what it is quoted in."""
    yield from (b"\3" + line.encode() for line in [
        FAILED,
        "2026/11/22 01:34:50 [emerg] 7#7: bind() to 0.0.0.0:80 failed (98: Address already in use)",
        "nginx: [emerg] unknown directive \"x\" in /etc/nginx/conf.d/bad.conf:1",
        "[Sun Nov 22 01:34:50.123456 2026] [proxy:error] [pid 1:tid 2] (2)No such file or directory: AH02454: FCGI: "
        "attempt to connect to Unix domain socket /run/php/php8.2-fpm.sock (*:80) failed",
        FPM + "child 99, script '/srv/a.php' (request: \"GET /a.php\") execution timed out (31.2 sec), terminating",
        FPM + "server reached pm.max_children setting (5), consider raising it",
        "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted in "
        "/srv/wp-content/plugins/shop/a.php on line 12",
        "2026-11-22  1:34:50 3 [Warning] Access denied for user 'root'@'localhost' (using password: NO)",
        "2026-11-22 01:34:50.123 UTC [9] FATAL:  password authentication failed for user \"root\"",
        "Out of memory: Killed process 99 (mariadbd) total-vm:900kB, anon-rss:800kB, file-rss:0kB",
        "WordPress database error Got error 28 from storage engine for query SELECT token=secret&password=hidden",
        "2026-11-22 01:34:50,123:ERROR:certbot.renewal: 1 renew failure(s), 0 parse failure(s) mail@acme.example",
    ])


def visits():
    """As `made_of` in access_log.rs has them."""
    log = "".join(LOG_LINE.format(minute) for minute in range(8)).encode()
    yield b"\0\x80" + log
    yield b"\4\x40$remote_addr $status\n" + b"192.0.2.1 200\n" * 9
    yield b"\5\x80" + bytes([9, 31, 1, 66]) * 150 + bytes([60, 1, 0, 0]) * 60
    yield b"\6\x30" + bytes([30, 0, 0, 0]) * 40 + bytes([2, 31, 64, 66, 1, 31, 3, 3]) * 90


def configurations():
    yield from (text.encode() for text in (NGINX, SITE, APACHE, POOL))
    yield from (b"[a-c!]*?x\nbax", b"128M\n1g")


def siphash(key, data):
    """SipHash-2-4, as journals use it."""
    turn = lambda x, by: (x << by | x >> 64 - by) & (1 << 64) - 1
    one, two = struct.unpack("<QQ", key)
    v = [one ^ 0x736F6D6570736575, two ^ 0x646F72616E646F6D, one ^ 0x6C7967656E657261, two ^ 0x7465646279746573]

    def rounds(count):
        for _ in range(count):
            for a, b, by, then in ((0, 1, 13, 32), (2, 3, 16, 0), (0, 3, 21, 0), (2, 1, 17, 32)):
                v[a] = (v[a] + v[b]) & (1 << 64) - 1
                v[b] = turn(v[b], by) ^ v[a]
                if then:
                    v[a] = turn(v[a], then)

    whole = len(data) // 8 * 8
    last = data[whole:].ljust(7, b"\0") + bytes([len(data) & 255])
    for word in struct.unpack(f"<{whole // 8 + 1}Q", data[:whole] + last):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def journal(messages):
    """Messages of one unit: a table of one place, its data, and the list of its entries."""
    out = bytearray(272)
    key = b"0123456789abcdef"

    def thing(kind, body):
        out.extend(bytes(-len(out) % 8))
        at = len(out)
        out.extend(struct.pack("<B7xQ", kind, 16 + len(body)) + body)
        return at

    def data(content):
        return thing(1, struct.pack("<Q40x", siphash(key, content)) + content)

    table = thing(4, bytes(16)) + 16
    unit = data(b"_SYSTEMD_UNIT=nginx.service")
    entries = []
    for number, message in enumerate(messages):
        at = data(b"MESSAGE=" + message)
        times = struct.pack("<8xQ32x", (1795311290 + number) * 10**6)
        entries.append(thing(3, times + struct.pack("<QQQQ", unit, 0, at, 0)))
    rest = thing(6, struct.pack(f"<Q{len(entries) - 1}Q", 0, *entries[1:]))
    struct.pack_into("<QQQ", out, unit + 40, entries[0], rest, len(entries))
    struct.pack_into("<QQ", out, table, unit, unit)
    struct.pack_into("<8sII8x16s", out, 0, b"LPKSHHRH", 0, 4, key)
    struct.pack_into("<QQ", out, 104, table, 16)
    return bytes(out)


def journals():
    yield journal([b"Started nginx.", b"nginx.service: Failed with result 'exit-code'.", b"Stopped nginx."])


def der(tag, *parts):
    body = b"".join(parts)
    length = bytes([len(body)]) if len(body) < 128 else b"\x82" + struct.pack(">H", len(body))
    return bytes([tag]) + length + body


def certificate():
    name = der(0x30, der(0x31, der(0x30, der(6, b"\x55\x04\x03"), der(0x0C, b"Acme"))))
    names = der(0x30, der(0x82, NAME.encode()), der(0x82, b"*.acme.example"))
    extension = lambda number, value: der(0x30, der(6, bytes([0x55, 0x1D, number])), der(4, value))
    extensions = der(0xA3, der(0x30, extension(0x11, names), extension(0x0E, der(4, b"key")),
                               extension(0x23, der(0x30, der(0x80, b"key")))))
    dates = der(0x30, der(0x17, b"260101000000Z"), der(0x18, b"20270101000000Z"))
    return der(0x30, der(0x30, der(0xA0, der(2, b"\2")), der(2, b"\7"), der(0x30), name, dates, name, der(0x30),
                         extensions))


def pem():
    text = base64.b64encode(certificate()).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()


def answers():
    yield from (certificate(), pem(), b"nameserver 192.0.2.1\nnameserver ::1\n", b"HTTPS://Acme.Example/a?b#c")
    yield b"\0\0\2\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
    yield b"Status: 200 OK\r\n\r\n" + b'{"active processes":1,"max children reached":2,"x":3}'
    yield from (b"\x0a11.4.5\0", b"\6Uptime\3105", b"Uptime: 105  Threads: 1  Slow queries: 0",
                b"E\0\0\0\x20SFATAL\0C53300\0\0", b"\1\6\0\1\0\x40\0\0")
    yield b"\4\4<body id=\"error-page\"><div class=\"wp-die-message\"><h1>Error establishing a database connection</h1>"


def kernel_files():
    yield b"9 (a (b) c) S 1 9 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 555 1 2" + b" 3" * 30
    yield b"Name:\tphp\nUid:\t1\t33\t1\t1\nGid:\t1\t33\t1\t1\nGroups:\t33 34\nRssAnon:\t 900 kB\n"
    yield b"cpu  9 0 9 900 9 0 1 5 0 0\ncpu0 9 0 9 900 9 0 1 5 0 0\nbtime 1795000000\nprocs_running 2\n"
    yield b"some avg10=0.00 avg60=12.34 avg300=5.00 total=9\nfull avg10=0.00 avg60=1.00 avg300=0.50 total=3\n"
    yield b"MemTotal: 2048 kB\nMemAvailable: 900 kB\nSwapTotal: 100 kB\nSwapFree: 50 kB\n"
    yield (b"36 35 98:0 / / rw,noatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"
           b"40 36 0:5 /a /srv/a\\040b ro - tmpfs none rw\n")
    yield b"x\ny\n  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n    lo:1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
    yield (b" 0: 0100007F:0050 00000000:0000 0A 00000000:00000003 00:0 0 33 0 1\n"
           b" 1: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 01 0:0 00:0 0 0 0 1\n")
    yield b"TCP: inuse 1 orphan 0 tw 0 alloc 2 mem 3\nTcpExt: A ListenDrops\nTcpExt: 1 2\n0-3,8\n0::/a/init.scope\n"
    yield b"root:x:0:0::/:\nwww-data:x:33:33::/:\nse.exec_start : 99.5\n<?php $upgrading = 1700000000; ?>"
    body = struct.pack("<BBBBHH16s16sII", 2, 10, 0, 0, 0x5000, 0, b"\x7f\0\0\1", b"", 0, 0) + bytes(24)
    attribute = struct.pack("<HHQ", 12, 21, 77)
    tcp = struct.pack("<IHHII", 16 + len(body) + len(attribute), 20, 2, 0, 0) + body + attribute
    local = struct.pack("<BBBBIII", 1, 1, 10, 0, 9, 0, 0)
    local += struct.pack("<HH16s", 20, 0, b"/run/x.sock\0") + struct.pack("<HHII", 12, 4, 1, 128)
    local = struct.pack("<IHHII", 16 + len(local), 20, 2, 0, 0) + local
    yield tcp + local + struct.pack("<IHHII", 16, 3, 2, 0, 0)


def whole_hosts():
    """As whole_host.rs has them."""
    host = lambda sections: b"\x1e".join(name.encode() + b"\x1f" + content for name, content in sections.items())
    errors = (FAILED + "\n").encode() * 3
    web = {
        "/proc/1/stat": b"1 (init) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0",
        "/proc/9/stat": b"9 (nginx) S 1 9 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 555 0 0",
        "/proc/stat": b"btime 1795000000\n",
        "/etc/nginx/nginx.conf": NGINX.encode(),
        "/etc/nginx/sites-enabled/acme": SITE.encode(),
        "/var/log/nginx/error.log": errors.replace(b"2026/11/22 01:34:50", b"2026/11/22 02:54:45"),
        "/var/log/nginx/access.log": b"".join(LOG_LINE.format(n).replace(":01:", ":02:").encode() for n in range(5)),
        "/etc/ssl/acme.pem": pem(),
        "tls": certificate(),
        "page": b"\5Server: nginx\n\n<h1>502</h1>",
        "/etc/resolv.conf": b"nameserver 192.0.2.1\n",
        "dns": b"\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x68\x10\0\1",
    }
    status = b'\r\n\r\n{"active processes":1,"max children reached":2}'
    master = "[global]\nerror_log = /var/log/php8.2-fpm.log\ninclude=/etc/php/8.2/fpm/pool.d/*.conf\n"
    limit = FPM + "server reached pm.max_children setting (5), consider raising it\n"
    rest = {
        "/etc/php/8.2/fpm/php-fpm.conf": master.encode(),
        "/etc/php/8.2/fpm/pool.d/www.conf": POOL.encode(),
        "/var/log/php8.2-fpm.log": limit.encode(),
        "/run/php/php8.2-fpm.sock": struct.pack(">BBHHxx", 1, 6, 1, len(status)) + status + b"\1\3\0\1\0\0\0\0",
        "/etc/mysql/my.cnf": b"[mysqld]\nsocket = /run/mysqld/mysqld.sock\nlog_error = /var/log/mysql/error.log\n",
        "/usr/sbin/mariadbd": b"x",
        "/run/mysqld/mysqld.sock": message_of_mysql(),
        "/var/log/mysql/error.log": b"2026-11-22  1:34:50 0 [Note] /usr/sbin/mariadbd: ready for connections.\n",
        "/proc/self/mountinfo": b"36 35 98:0 / / rw shared:1 - ext4 /dev/vda1 rw\n",
        "filesystem": b"\0\0\0\1" * 8 + b"\0",
        "/proc/meminfo": b"MemTotal: 2048 kB\nMemAvailable: 9 kB\n",
        "/proc/pressure/io": b"some avg60=60.00 avg300=60.00\n",
        "netlink": list(kernel_files())[-1],
    }
    yield from (host(web), host(rest))


def message_of_mysql():
    """A greeting, a welcome, and one row."""
    row = b"\x0fThreads_running\x0299"
    packets = [(0, b"\x0a11.4.5\0"), (2, b"\0\0\0\2\0\0\0"), (1, b"\2"), (2, b"\xfe"), (3, row), (4, b"\xfe")]
    return b"".join(struct.pack("<I", len(body))[:3] + bytes([number]) + body for number, body in packets)
