//! Faults of the web server, of what it serves, and of its certificates.

use crate::{Fault, fault, try_faults};

const WEB_SERVER: &[Fault] = &[
    fault("web-down", "systemctl stop nginx", "systemctl start nginx"),
    fault(
        "web-down",
        "systemctl kill --signal KILL nginx; until ! pgrep -x nginx; do :; done",
        "systemctl restart nginx",
    ),
];

#[test]
fn faults_of_the_web_server() {
    try_faults("web", WEB_SERVER);
}
