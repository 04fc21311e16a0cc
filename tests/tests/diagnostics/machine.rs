//! Faults of the machine: disks, network, names, clock, memory, processors, and the system's own services.
//!
//! What hosts on one kernel share (its file systems' errors, its processors, the table of open files) is left alone
//! here: one host's fault would be every other's.

use crate::{Fault, fault, try_faults};

/// PHP keeps its sessions here, so a site is lost without room in it.
const MACHINE: &[Fault] = &[
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
    fault("dns-broken", "echo nameserver 127.0.0.1 >/etc/resolv.conf", "rm /etc/resolv.conf"),
];

#[test]
fn faults_of_the_machine() {
    try_faults("machine", MACHINE);
}
