//! Faults of what hosts on one kernel share: its tables, its memory. One machine with a kernel of its own
//! bears them all, because it boots in a quarter of a minute.

use secmon_tests::testbed::Guest;

use crate::{DATABASE_USER, Eyes, Fault, fault, host_and_plane, try_faults_seen};

/// In which everything here shows. Not much more is looked at in time where the processor is emulated.
const AREAS: &str = "disk,net,system";

/// What was killed is told for an hour.
const AN_HOUR_LATER: &str = "date -s '61 minutes'";

pub(crate) const KERNEL: &[Fault] = &[
    fault(
        "sys-fd-max",
        "sysctl -qw fs.file-max=$(($(cut -f 1 /proc/sys/fs/file-nr) * 4 / 3))",
        "sysctl -qw fs.file-max=1000000",
    ),
    fault(
        "sys-pids",
        "systemctl set-property --runtime php8.2-fpm \
            TasksMax=$(cat /sys/fs/cgroup/system.slice/php8.2-fpm.service/pids.current)",
        "systemctl set-property --runtime php8.2-fpm TasksMax=100",
    ),
    fault(
        "mem-low",
        "mkdir /srv/memory && mount -t tmpfs -o size=100% memory /srv/memory
        head -c $(awk '/MemAvailable/ { print $2 - 60000 }' /proc/meminfo)K /dev/zero >/srv/memory/fill",
        "umount /srv/memory",
    ),
    fault(
        "disk-ext4-errors",
        "truncate -s 8M /root/disk && mkfs.ext4 -q /root/disk && mkdir /srv/disk
        mount -o loop,errors=continue /root/disk /srv/disk && echo test >/sys/fs/ext4/loop0/trigger_fs_error",
        "umount /srv/disk",
    ),
    // Connections are tracked for a moment, and remembered for longer.
    fault(
        "net-conntrack-full",
        "tc qdisc add dev lo clsact && tc filter add dev lo egress protocol ip matchall action ct commit
        curl -s -o /dev/null 'http://127.0.0.1/?[1-8]' && tc qdisc delete dev lo clsact
        cd /proc/sys/net/netfilter && cat nf_conntrack_count >nf_conntrack_max",
        "sysctl -qw net.netfilter.nf_conntrack_max=65536",
    ),
    // One who sends and one who doesn't read.
    fault(
        "net-tcp-mem",
        "systemd-run --quiet --unit unread php -r '
            $server = stream_socket_server(\"tcp://127.0.0.1:6379\");
            $client = stream_socket_client(\"tcp://127.0.0.1:6379\");
            stream_set_blocking($client, false);
            while (fwrite($client, str_repeat(\"x\", 1 << 20)));
            touch(\"/run/unread\");
            sleep(1000);'
        until [ -e /run/unread ]; do :; done
        used=$(awk '/^TCP:/ { print $11 }' /proc/net/sockstat)
        cat /proc/sys/net/ipv4/tcp_mem >/run/unread
        sysctl -qw net.ipv4.tcp_mem=\"$used $((used * 11 / 10)) $((used * 12 / 10))\"",
        "sysctl -qw net.ipv4.tcp_mem=\"$(cat /run/unread)\" && systemctl stop unread",
    ),
    fault(
        "mem-oom",
        "systemctl set-property --runtime php8.2-fpm MemoryMax=100M
        curl -s -o /dev/null http://127.0.0.1/greedy.php
        systemctl set-property --runtime php8.2-fpm MemoryMax=infinity",
        AN_HOUR_LATER,
    ),
    fault(
        "mem-oom",
        "pid=$(pgrep -x mariadbd) && systemctl set-property --runtime mariadb MemoryMax=20M
        while [ -e /proc/$pid ]; do :; done
        systemctl set-property --runtime mariadb MemoryMax=infinity
        until mariadb -e ''; do :; done",
        AN_HOUR_LATER,
    ),
];

pub(crate) fn on_a_machine(faults: &[Fault]) {
    let Some((bed, plane)) = host_and_plane(Guest::Amd64, "machine-kernel") else { return };
    bed.shell(DATABASE_USER);
    bed.shell(PREPARED);
    try_faults_seen(&bed, &Eyes::Plane(&plane, AREAS), faults);
}

/// Who is killed leaves the rest of its service running or starts again at once, and one page wants all memory.
const PREPARED: &str = "
    mkdir -p /run/systemd/system/php8.2-fpm.service.d /run/systemd/system/mariadb.service.d
    printf '[Service]\\nOOMPolicy=continue\\n' >/run/systemd/system/php8.2-fpm.service.d/oom.conf
    printf '[Service]\\nRestartSec=0\\n' >/run/systemd/system/mariadb.service.d/oom.conf
    systemctl daemon-reload
    echo '<?php ini_set(\"memory_limit\", -1); for ($all = \"x\";; $all .= $all);' >/var/www/shop/greedy.php";
