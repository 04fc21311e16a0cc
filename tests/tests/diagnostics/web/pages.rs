//! Faults of what the web server serves.

use super::equipped;
use crate::{Fault, fault, try_faults_on};

/// The frame of a page of WordPress that says why there is none.
macro_rules! error_page {
    ($status:literal, $text:literal) => {
        concat!(
            "serve-php 'http_response_code(",
            $status,
            "); header(\"Retry-After: 600\"); echo \"<body id=\\\"error-page\\\"><div class=\\\"wp-die-message\\\">",
            $text,
            "</div></body>\";'"
        )
    };
}

pub(crate) const PAGES: &[Fault] = &[
    // The times of files and lines are known to a second.
    fault(
        "web-413",
        "serve 'client_max_body_size 1k; location / { proxy_pass http://127.0.0.1/; }'; \
         while [ $(date +%s) = $(stat -c %Y /etc/nginx/conf.d/fault.conf) ]; do :; done; head -c 4096 /dev/zero >/root/body; \
         for upload in 1 2 3 4 5; do curl -s -o /dev/null --resolve fault.test:80:127.0.0.1 -e http://fault.test/form \
         --data-binary @/root/body http://fault.test/upload; done",
        "serve",
    ),
    fault("http-vhost-wrong", "serve 'root /usr/share/nginx/html; index index.html;'", "serve"),
    fault("http-redirect-loop", "serve 'return 301 http://fault.test/?secmon=1;'", "serve"),
    fault("http-redirect-loop", "serve 'if ($arg_a) { return 302 /?b=1; } return 302 /?a=1;'", "serve"),
    fault("http-502", "serve 'location / { proxy_pass http://127.0.0.1:9; }'", "serve"),
    fault("http-504", "serve-php 'usleep(1500000);' 'fastcgi_read_timeout 1s;'", "serve"),
    fault("http-5xx-rate", "serve-php 'http_response_code(500); echo \"out of order\";'", "serve"),
    fault("http-blank-200", "serve-php ''", "serve"),
    fault("http-slow-ttfb", "serve-php 'usleep(2500000); echo \"well\";'", "serve"),
    fault(
        "http-critical-error",
        error_page!("500", "<p>There has been a critical error on this website.</p>"),
        "serve",
    ),
    fault(
        "http-db-error-page",
        error_page!("500", "<h1>Error establishing a database connection</h1>"),
        "serve",
    ),
    fault(
        "http-maintenance",
        concat!(
            error_page!("503", "Briefly unavailable for scheduled maintenance."),
            "; touch -d '20 minutes ago' /srv/fault/.maintenance"
        ),
        "serve",
    ),
    fault(
        "web-upstream-header",
        "serve-php 'header(\"X-Big: \" . str_repeat(\"x\", 60000)); echo \"well\";'",
        "serve",
    ),
];

pub(crate) fn on_a_host(faults: &[Fault]) {
    let Some(bed) = equipped("web-pages") else { return };
    try_faults_on(&bed, faults);
}
