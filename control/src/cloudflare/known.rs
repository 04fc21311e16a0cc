//! Networks that are never blocked, whoever asks: those that nobody reaches a site from, Cloudflare's own, and those
//! of services that a shop needs. As their owners publish them: cloudflare.com/ips,
//! jetpack.com/support/how-to-add-jetpack-ips-allowlist, stripe.com/files/ips/ips_webhooks.txt, PayPal's addresses for
//! merchants, and the registries of IANA for special purposes.
//!
//! Networks for examples and benchmarks aren't here: there is nobody in them who could be harmed.

/// This machine, private and shared networks, links, groups, and what isn't in use.
pub(super) const RESERVED: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/8",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// Cloudflare's edge. What the API says is added to it.
pub(super) const CLOUDFLARE: &[&str] = &[
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "108.162.192.0/18",
    "131.0.72.0/22",
    "141.101.64.0/18",
    "162.158.0.0/15",
    "172.64.0.0/13",
    "173.245.48.0/20",
    "188.114.96.0/20",
    "190.93.240.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "2400:cb00::/32",
    "2405:8100::/32",
    "2405:b500::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
];

/// Jetpack, which uses xmlrpc.php for what a site's owner asked for.
pub(super) const JETPACK: &[&str] = &[
    "54.217.201.243",
    "54.232.116.4",
    "122.248.245.244",
    "192.0.80.0/20",
    "192.0.96.0/20",
    "192.0.112.0/20",
    "195.234.108.0/22",
];

/// PayPal's messages about payments.
pub(super) const PAYPAL: &[&str] = &[
    "64.4.240.0/21",
    "64.4.248.0/22",
    "66.211.168.0/22",
    "91.243.72.0/23",
    "173.0.80.0/20",
    "185.177.52.0/22",
    "192.160.215.0/24",
    "198.54.216.0/23",
];

/// Stripe's messages about payments.
pub(super) const STRIPE: &[&str] = &[
    "3.18.12.63",
    "3.69.109.8",
    "3.120.168.93",
    "3.130.192.231",
    "13.235.14.237",
    "13.235.122.149",
    "18.211.135.69",
    "35.154.171.200",
    "35.157.207.129",
    "52.15.183.38",
    "54.88.130.119",
    "54.88.130.237",
    "54.187.174.169",
    "54.187.205.235",
    "54.187.216.72",
];
