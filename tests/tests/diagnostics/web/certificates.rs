//! Faults of certificates, and of the edge before a site, which is a server of this host at one of its addresses.

use super::equipped;
use crate::{Fault, fault, try_faults_on};

/// A site with a sound certificate, and an edge that finds it well.
const WELL: &str = "certify shop.example.com '-30 days' '+60 days' && \
    printf '%s\\n' 'server { listen 127.0.0.1:443 ssl; server_name shop.example.com;' \
    'ssl_certificate /etc/nginx/tls/chain.pem; ssl_certificate_key /etc/nginx/tls/site.key;' \
    'location / { return 200 well; } }' >/etc/nginx/conf.d/tls.conf && systemctl reload nginx && \
    edge '200 OK' && echo nameserver 127.0.0.1 >/etc/resolv.conf && \
    systemd-run -q --unit names names && cp -r /etc/nginx/tls /srv/edge-tls && \
    systemd-run -q --unit edge --working-directory /srv/edge openssl s_server -HTTP -accept 104.16.0.1:443 \
    -cert /srv/edge-tls/chain.pem -key /srv/edge-tls/site.key";

const MEND: &str = "certify shop.example.com '-30 days' '+60 days' && systemctl reload nginx";

pub(crate) const CERTIFICATES: &[Fault] = &[
    fault("tls-expiring", "certify shop.example.com '-80 days' '+10 days' && systemctl reload nginx", MEND),
    fault("tls-expired", "certify shop.example.com '-90 days' '-1 day' && systemctl reload nginx", MEND),
    fault("tls-wrong-san", "certify other.test '-30 days' '+60 days' && systemctl reload nginx", MEND),
    fault(
        "tls-chain-incomplete",
        "certify shop.example.com '-30 days' '+60 days' none && systemctl reload nginx",
        MEND,
    ),
    fault(
        "tls-intermediate-expired",
        "certify shop.example.com '-30 days' '+60 days' expired && systemctl reload nginx",
        MEND,
    ),
    fault(
        "tls-not-reloaded",
        "certify shop.example.com '-1 day' '+89 days' && touch -d '2 hours ago' /etc/nginx/tls/chain.pem",
        "systemctl reload nginx",
    ),
    fault(
        "tls-key-mismatch",
        "cd /etc/nginx/tls && cp site.key right.key && cp root.key site.key && ! systemctl reload nginx",
        "cd /etc/nginx/tls && cp right.key site.key && systemctl reload nginx",
    ),
    fault(
        "clock-skew",
        "edge '200 OK' 'Server: cloudflare' \"Date: $(date -u -d '10 minutes' '+%a, %d %b %Y %H:%M:%S GMT')\"",
        "edge '200 OK'",
    ),
    fault("http-edge-52x", "edge '522 Connection timed out'", "edge '200 OK'"),
    fault(
        "http-redirect-loop",
        "edge '301 Moved Permanently' 'Location: https://shop.example.com/?secmon=1'",
        "edge '200 OK'",
    ),
    fault(
        "tls-selfsigned-strict",
        "certify shop.example.com '-30 days' '+300 days' self && systemctl reload nginx && \
         edge '526 Invalid SSL certificate'",
        "certify shop.example.com '-30 days' '+60 days' && systemctl reload nginx && edge '200 OK'",
    ),
];

pub(crate) fn on_a_host(faults: &[Fault]) {
    let Some(bed) = equipped("web-tls") else { return };
    bed.shell(WELL);
    try_faults_on(&bed, faults);
}
