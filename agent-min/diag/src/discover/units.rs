//! Which services of the stack start with the host, as the service manager's directories say.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use crate::host::Host;

/// Names of one directory that are looked at.
const NAMES_MAX: usize = 512;
/// Directories of wanted units.
const DIRECTORIES_MAX: usize = 64;
/// Units that are kept.
const UNITS_MAX: usize = 32;
/// Services of the stack by name, without what says their version.
const SERVICES: [&str; 10] =
    ["nginx", "angie", "openresty", "apache2", "httpd", "mariadb", "mysql", "mysqld", "caddy", "lighttpd"];

/// The enabled ones: units of systemd with their ending, scripts of the others by name.
pub(crate) fn read(host: &dyn Host) -> Vec<String> {
    let mut out = Vec::new();
    if host.metadata("/run/systemd/system").is_ok() {
        systemd(host, &mut out);
    } else if host.metadata("/etc/runlevels").is_ok() {
        for level in ["default", "boot"] {
            let names = host.list(&format!("/etc/runlevels/{level}"), NAMES_MAX).unwrap_or_default();
            out.extend(names.into_iter().filter(|name| is_service(name)));
        }
    } else {
        // Debian starts with level 2, Red Hat with 3; procd has one directory.
        for directory in ["/etc/rc2.d", "/etc/rc3.d", "/etc/rc.d"] {
            let names = host.list(directory, NAMES_MAX).unwrap_or_default();
            out.extend(names.iter().filter_map(|name| started(name)));
        }
    }
    out.sort_unstable();
    out.dedup();
    out.truncate(UNITS_MAX);
    out
}

fn systemd(host: &dyn Host, out: &mut Vec<String>) {
    for parent in ["/etc/systemd/system", "/run/systemd/generator"] {
        let names = host.list(parent, NAMES_MAX).unwrap_or_default();
        for wants in names.iter().filter(|name| name.ends_with(".wants")).take(DIRECTORIES_MAX) {
            let units = host.list(&format!("{parent}/{wants}"), NAMES_MAX).unwrap_or_default();
            let ours = |unit: &String| unit.strip_suffix(".service").is_some_and(is_service);
            out.extend(units.into_iter().filter(ours));
        }
    }
    // Debian's unit for all clusters runs nothing itself.
    if out.iter().any(|unit| unit.starts_with("postgresql@")) {
        out.retain(|unit| unit != "postgresql.service");
    }
}

/// `S03nginx`, `S50nginx`.
fn started(name: &str) -> Option<String> {
    let rest = name.strip_prefix('S')?;
    let name = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    (name.len() < rest.len() && is_service(name)).then(|| name.to_owned())
}

/// Whether it is a service of the stack: `nginx`, `php8.2-fpm`, `php-fpm83`, `postgresql@15-main`.
pub(crate) fn is_service(name: &str) -> bool {
    SERVICES.contains(&name)
        || name.starts_with("postgresql")
        || (name.starts_with("php") && name.contains("-fpm"))
        || name.starts_with("mariadb@")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::fake::FakeHost;

    #[test]
    fn each_service_manager_says_what_it_starts() {
        let systemd = FakeHost::new(0)
            .file("/run/systemd/system/x", "")
            .file("/etc/systemd/system/multi-user.target.wants/nginx.service", "")
            .file("/etc/systemd/system/multi-user.target.wants/cron.service", "")
            .file("/etc/systemd/system/multi-user.target.wants/php8.2-fpm.service", "")
            .file("/etc/systemd/system/multi-user.target.wants/postgresql.service", "")
            .file("/run/systemd/generator/postgresql.service.wants/postgresql@15-main.service", "");
        assert_eq!(read(&systemd), ["nginx.service", "php8.2-fpm.service", "postgresql@15-main.service"]);
        let openrc = FakeHost::new(0)
            .file("/etc/runlevels/default/nginx", "")
            .file("/etc/runlevels/default/php-fpm83", "")
            .file("/etc/runlevels/boot/hostname", "");
        assert_eq!(read(&openrc), ["nginx", "php-fpm83"]);
        let scripts = FakeHost::new(0)
            .file("/etc/rc2.d/S03mariadb", "")
            .file("/etc/rc2.d/K01nginx", "")
            .file("/etc/rc2.d/README", "");
        assert_eq!(read(&scripts), ["mariadb"]);
        assert!(read(&FakeHost::new(0)).is_empty());
    }
}
