//! Faults of the machine: disks, network, names, clock, memory, processors, and the system's own services.
//!
//! What hosts on one kernel share (its file systems' errors, its processors, the table of open files) is left alone
//! here: one host's fault would be every other's.

use std::process::Command;

use secmon_tests::testbed::Testbed;

use crate::{Fault, fault, host, try_faults_on};

/// PHP keeps its sessions here, so a site is lost without room in it.
pub(crate) const MACHINE: &[Fault] = &[
    fault(
        "disk-full",
        "cd /var/lib/php/sessions && mount -t tmpfs -o size=1M small . && ! head -c 2M /dev/zero 2>&1 >$PWD/fill",
        "umount /var/lib/php/sessions",
    ),
    fault(
        "disk-inodes",
        "mount -t tmpfs -o nr_inodes=40 small /var/lib/php/sessions && cd /var/lib/php/sessions && touch $(seq 38)",
        "umount /var/lib/php/sessions",
    ),
    fault(
        "disk-tmp-full",
        "mount -o remount,size=1M /tmp && ! head -c 2M /dev/zero 2>&1 >/tmp/fill",
        "rm /tmp/fill",
    ),
    fault(
        "disk-log-growth",
        "truncate -s $(df --output=avail -B 1 / | tail -n 1) /var/log/nginx/access.log",
        "truncate -s 0 /var/log/nginx/access.log",
    ),
    // Loop devices are the machine's; each is free again once nothing is mounted from it.
    fault(
        "disk-readonly",
        "for n in $(seq 0 31); do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done
        truncate -s 8M /root/disk && mkfs.ext4 -q /root/disk
        echo '/root/disk /var/lib/php/sessions ext4 loop 0 0' >>/etc/fstab
        mount /var/lib/php/sessions && mount -o remount,ro /var/lib/php/sessions",
        "mount -o remount,rw /var/lib/php/sessions",
    ),
    // As a snapshot that died before it thawed what it had frozen.
    fault(
        "sys-dstate",
        "fsfreeze --freeze /var/lib/php/sessions
        for n in 1 2 3; do systemd-run --quiet --unit hang$n touch /var/lib/php/sessions/$n; done",
        "fsfreeze --unfreeze /var/lib/php/sessions && systemctl stop 'hang*' && umount /var/lib/php/sessions",
    ),
    fault(
        "sys-dpkg-broken",
        "mkdir -p /root/cut/DEBIAN && cd /root/cut && exec 2>&1
        printf '%s\\n' 'Package: cut' 'Version: 1' 'Architecture: all' 'Maintainer: A <a@b>' 'Description: -' \
            >DEBIAN/control
        printf '%s\\n' '#!/bin/sh' '[ -e /run/power ] || kill -KILL $PPID' >DEBIAN/postinst
        chmod 755 DEBIAN/postinst && dpkg-deb --build . ../cut.deb && ! dpkg --install ../cut.deb",
        "touch /run/power && dpkg --configure --pending",
    ),
    fault(
        "mem-overcommit",
        "sed -i 's/^pm.max_children = 5$/pm.max_children = 20000/' /etc/php/8.2/fpm/pool.d/www.conf
        systemctl restart php8.2-fpm",
        "sed -i 's/^pm.max_children = 20000$/pm.max_children = 5/' /etc/php/8.2/fpm/pool.d/www.conf
        systemctl restart php8.2-fpm",
    ),
    fault("sys-unit-down", "systemctl --quiet enable mariadb@shop", "systemctl --quiet disable mariadb@shop"),
    // Nobody listens there.
    fault("dns-broken", "echo nameserver 127.0.0.1 >/etc/resolv.conf", "systemctl start names"),
    fault("dns-broken", "echo 2 >/run/names", "echo 0 >/run/names"),
    fault("dns-broken", "systemctl kill --signal STOP names", "systemctl kill --signal CONT names"),
    fault("dns-site-wrong", "echo 3 >/run/names", "echo 0 >/run/names"),
];

/// With a thousand local ports, and a way for answers to where nobody is.
pub(crate) const NETWORK: &[Fault] = &[
    fault(
        "net-ephemeral",
        "systemd-run --quiet --unit cache php -r '
            $cache = stream_socket_server(\"tcp://127.0.0.1:6379\", $number, $error,
                STREAM_SERVER_BIND | STREAM_SERVER_LISTEN,
                stream_context_create([\"socket\" => [\"backlog\" => 1000]]));
            for (; count($clients ??= []) < 900; $clients[] = stream_socket_client(\"tcp://127.0.0.1:6379\"));
            sleep(1000);'",
        "systemctl stop cache",
    ),
    fault("net-syn-flood", "php /root/flood.php", "until [ -z \"$(ss -Htan state syn-recv)\" ]; do :; done"),
    fault(
        "php-outbound-stuck",
        "systemd-run --quiet --unit outside sh -c '
            for n in 1 2 3; do curl -s -o /dev/null http://127.0.0.1/outside.php & done; wait'",
        "systemctl stop outside && systemctl restart php8.2-fpm",
    ),
];

/// A service that ends whenever it was started.
pub(crate) const LOOPS: &[Fault] = &[fault(
    "sys-crash-loop",
    "mkdir -p /run/systemd/system/php8.2-fpm.service.d
    printf '%s\\n' '[Unit]' StartLimitIntervalSec=0 '[Service]' ExecStartPre=false Restart=always RestartSec=0 \
        >/run/systemd/system/php8.2-fpm.service.d/loop.conf
    systemctl daemon-reload && ! systemctl restart php8.2-fpm 2>&1",
    "rm -r /run/systemd/system/php8.2-fpm.service.d && systemctl daemon-reload && systemctl restart php8.2-fpm",
)];

pub(crate) fn on_a_host(faults: &[Fault]) {
    let Some(bed) = host("machine") else { return };
    // A site with a public name, and who knows it, or not, as `/run/names` says.
    bed.shell(
        "sed -i 's/default_server;/& server_name www.shop-of-acme.de;/' /etc/nginx/conf.d/shop.conf
        systemctl reload nginx
        echo 0 >/run/names",
    );
    put(&bed, "/root/names.php", NAMES);
    put(&bed, "/etc/systemd/system/names.service", "[Service]\nExecStart=php /root/names.php\n");
    try_faults_on(&bed, faults);
}

pub(crate) fn on_a_host_with_few_ports(faults: &[Fault]) {
    let Some(bed) = host("machine-net") else { return };
    // The host itself may not change its network.
    let namespace = bed.shell("hostname");
    let is_set = Command::new("ip").args(["netns", "exec", &namespace, "sh", "-c", FAR_AWAY]).status();
    assert!(is_set.expect("ip runs").success());
    put(&bed, "/root/flood.php", FLOOD);
    put(&bed, "/var/www/shop/outside.php", OUTSIDE);
    try_faults_on(&bed, faults);
}

pub(crate) fn on_a_host_that_loops(faults: &[Fault]) {
    let Some(bed) = host("machine-loop") else { return };
    try_faults_on(&bed, faults);
}

fn put(bed: &Testbed, path: &str, content: &str) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), content).expect("a written file");
    bed.push(file.path(), path, "644");
}

/// A name server that says of every name what `/run/names` holds: 0 for no address, 2 for no answer, 3 for no name.
const NAMES: &str = r#"<?php
$socket = stream_socket_server('udp://127.0.0.1:53', $number, $error, STREAM_SERVER_BIND);
while ($question = stream_socket_recvfrom($socket, 512, 0, $from)) {
    $flags = pack('n', 0x8180 | (int) file_get_contents('/run/names'));
    stream_socket_sendto($socket, substr_replace($question, $flags, 2, 2), 0, $from);
}
"#;

/// Gives this network few ports, and a neighbour that never answers. Half-open connections are soon forgotten.
const FAR_AWAY: &str =
    "sysctl -qw net.ipv4.ip_local_port_range='40000 40999' net.ipv4.tcp_synack_retries=1 &&
    ip link add far type veth peer name away && ip link set away up && ip link set far arp off up &&
    ip address add 198.51.100.1/24 dev far";

/// Begins 300 connections to the web server that seem to come from that neighbour.
const FLOOD: &str = r#"<?php
$to = gethostbyname(gethostname());
$socket = socket_create(AF_INET, SOCK_RAW, 255);
socket_set_option($socket, 0, 3, 1);
for ($n = 0; $n < 300; $n++) {
    $ends = pack('NN', ip2long('198.51.100.2'), ip2long($to));
    $ip = pack('CCnnnCCn', 0x45, 0, 40, $n, 0, 64, 6, 0) . $ends;
    $tcp = pack('nnNNCCnnn', 10000 + $n, 80, $n, 0, 0x50, 2, 1024, 0, 0);
    for ($sum = array_sum(unpack('n*', $ends . pack('CCn', 0, 6, 20) . $tcp)); $sum >> 16;) {
        $sum = ($sum & 0xffff) + ($sum >> 16);
    }
    socket_sendto($socket, $ip . substr_replace($tcp, pack('n', ~$sum), 16, 2), 40, 0, $to, 80);
}
"#;

/// A page that asks that neighbour something.
const OUTSIDE: &str = "<?php stream_socket_client('tcp://198.51.100.2:443', $number, $error, 1000);";
