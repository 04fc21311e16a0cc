//! Faults of the web server itself; of what it serves in `pages`, of its certificates and of the edge before it in
//! `certificates`.

pub(crate) mod certificates;
pub(crate) mod pages;

use std::path::Path;
use std::process::Command;

use secmon_tests::testbed::Testbed;

use crate::{Fault, fault, host, try_faults_on};

/// Cloudflare's edge, and strangers, as the guest sees them.
const ADDRESSES: [&str; 8] = [
    "104.16.0.1",
    "104.16.0.2",
    "104.16.0.3",
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.3",
    "192.0.2.4",
    "192.0.2.5",
];

pub(crate) const WEB_SERVER: &[Fault] = &[
    fault("web-down", "systemctl stop nginx", "systemctl start nginx"),
    fault(
        "web-down",
        "systemctl kill --signal KILL nginx; until ! pgrep -x nginx; do :; done",
        "systemctl restart nginx",
    ),
    fault(
        "web-config-broken",
        "echo nonsense >/etc/nginx/conf.d/fault.conf; ! systemctl reload nginx",
        "rm /etc/nginx/conf.d/fault.conf",
    ),
    fault(
        "web-config-broken",
        "systemctl stop nginx; echo nonsense >/etc/nginx/conf.d/fault.conf; ! systemctl start nginx",
        "rm /etc/nginx/conf.d/fault.conf; systemctl start nginx",
    ),
    fault(
        "web-port-conflict",
        "systemctl stop nginx; systemd-run -q --collect --unit fault php -S 0.0.0.0:80 -t /var/www/shop; \
         until ss -Hltn | grep -q :80; do :; done; ! systemctl start nginx",
        "systemctl stop fault; systemctl start nginx",
    ),
    fault("web-worker-crash", "pkill -SEGV -o -P $(cat /run/nginx.pid)", "systemctl restart nginx"),
    fault(
        "web-workers-exhausted",
        "sed -i 's/worker_connections .*/worker_connections 8;/' /etc/nginx/nginx.conf; \
         systemctl restart nginx; systemd-run -q --collect --unit fault crowd",
        "systemctl stop fault; sed -i 's/worker_connections .*/worker_connections 768;/' /etc/nginx/nginx.conf; \
         systemctl restart nginx",
    ),
    fault(
        "web-fd-limit",
        "sed -i '1i worker_rlimit_nofile 12;' /etc/nginx/nginx.conf; systemctl restart nginx; \
         systemd-run -q --collect --unit fault crowd",
        "systemctl stop fault; sed -i 1d /etc/nginx/nginx.conf; systemctl restart nginx",
    ),
    fault(
        "web-accept-queue",
        "pkill -STOP -P $(cat /run/nginx.pid); systemd-run -q --collect --unit fault crowd",
        "systemctl stop fault; pkill -CONT -P $(cat /run/nginx.pid)",
    ),
    fault(
        "web-log-stale",
        "cd /var/log/nginx && mv access.log access.log.1 && install -o www-data -g adm -m 640 /dev/null access.log && \
         touch -d '1 hour ago' access.log",
        "nginx -s reopen; until curl -s -o /dev/null http://127.0.0.1/; test -s /var/log/nginx/access.log; do :; done",
    ),
    fault(
        "web-origin-exposed",
        "systemd-run -q --collect --unit fault crowd 104.16.0.1 104.16.0.2 104.16.0.3 \
         192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5",
        "systemctl stop fault",
    ),
    // What was logged already stays as it is; half of the addresses are the visitors' then.
    fault(
        "web-realip-missing",
        "truncate -s 0 /var/log/nginx/access.log; \
         curl -s -o /dev/null --interface 104.16.0.1 'http://127.0.0.1/nothing.png?[1-250]'",
        "printf 'set_real_ip_from 104.16.0.0/13;\\nreal_ip_header CF-Connecting-IP;\\n' >/etc/nginx/conf.d/real.conf; \
         systemctl reload nginx; visit() { curl -s -o /dev/null --interface 104.16.0.1 \
         -H 'CF-Connecting-IP: 198.51.100.7' \"http://127.0.0.1/nothing.png?$1\"; }; \
         until visit; tail -n 1 /var/log/nginx/access.log | grep -q '^198'; do :; done; visit '[1-250]'",
    ),
];

/// A host with the programs in `guest`, which make faults, and with the addresses of others.
fn equipped(name: &str) -> Option<Testbed> {
    let bed = host(name)?;
    for (program, to) in [
        ("serve", "serve"),
        ("serve", "serve-php"),
        ("crowd", "crowd"),
        ("certify", "certify"),
        ("names", "names"),
        ("edge", "edge"),
    ] {
        equip(&bed, program, to);
    }
    // Root in the guest may not, since the network is not its own.
    let line = format!(
        "for space in $(ip netns list | cut -d ' ' -f 1); do \
         ip -n $space -4 -o address | grep -qF ' {}/' || continue; \
         for address in {}; do ip -n $space address add $address/32 dev lo || exit 1; done; exit 0; done; exit 1",
        bed.address(),
        ADDRESSES.join(" ")
    );
    let added = Command::new("sh").args(["-c", &line]).output().expect("a shell");
    assert!(added.status.success(), "{added:?}");
    Some(bed)
}

/// Gives a host one of the programs in `guest`.
fn equip(bed: &Testbed, program: &str, to: &str) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics/guest");
    bed.push(&here.join(program), &format!("/usr/local/bin/{to}"), "755");
}

pub(crate) fn on_a_host(faults: &[Fault]) {
    let Some(bed) = equipped("web-server") else { return };
    try_faults_on(&bed, faults);
}
