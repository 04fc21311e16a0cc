//! What `systemctl show` says, read (systemctl(1), org.freedesktop.systemd1(5)). Pure.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::reason::detail;
use super::service::{Instance, Presence, Status};

/// Where journalctl may be.
pub(crate) const JOURNALS: &[&str] = &["/usr/bin/journalctl", "/bin/journalctl"];
/// Where systemctl may be.
pub(crate) const PROGRAMS: &[&str] = &["/usr/bin/systemctl", "/bin/systemctl"];

/// The arguments that ask for a unit's status.
pub(crate) fn status_args(unit: &str) -> Vec<String> {
    let fixed = ["--no-pager", "--no-ask-password", "show", "-p", "LoadState,ActiveState,InvocationID,Job"];
    fixed.map(str::to_owned).into_iter().chain([format!("{unit}.service")]).collect()
}

/// The arguments that restart a unit; the program ends when the job has.
pub(crate) fn restart_args(unit: &str) -> [String; 4] {
    ["--no-pager".into(), "--no-ask-password".into(), "restart".into(), format!("{unit}.service")]
}

/// The arguments that list the units of this host among `patterns`.
pub(crate) fn list_args<'a>(patterns: impl Iterator<Item = &'a str>) -> Vec<String> {
    let fixed = ["--no-pager", "--no-ask-password", "--no-legend", "list-unit-files"];
    // Our one-name wildcard, in systemd's language.
    let patterns = patterns.map(|name| format!("{}.service", name.replace('?', "*")));
    fixed.map(str::to_owned).into_iter().chain(patterns).collect()
}

/// The arguments that show what a unit's own processes have just written. Not older than any restart takes, so
/// that a start which says nothing isn't given words of long ago.
pub(crate) fn journal_args(unit: &str) -> Vec<String> {
    let fixed = ["--no-pager", "--quiet", "--output=cat", "--lines=5", "--since=-3min"];
    fixed.map(str::to_owned).into_iter().chain([format!("_SYSTEMD_UNIT={unit}.service")]).collect()
}

/// The units that the answer to [`list_args`] names, but for templates.
pub(crate) fn listed(output: &str) -> impl Iterator<Item = &str> {
    let names =
        output.lines().filter_map(|line| line.split_ascii_whitespace().next()?.strip_suffix(".service"));
    names.filter(|name| !name.ends_with('@'))
}

/// Reads the answer to [`status_args`]; `None` if it isn't one.
pub(crate) fn parse_status(unit: &str, output: &str) -> Option<Status> {
    let field = |name: &str| output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let active = field("ActiveState")?;
    let presence = match field("LoadState")? {
        "loaded" => Presence::Present,
        "not-found" => Presence::NotFound,
        other => Presence::Absent(detail(format_args!("the unit {unit}.service is {other}"))),
    };
    let job = field("Job").unwrap_or_default();
    let changing = matches!(active, "activating" | "deactivating" | "reloading" | "refreshing");
    let id = field("InvocationID").unwrap_or_default();
    let plain = id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit());
    Some(Status {
        presence,
        active: active == "active",
        changing: changing || !matches!(job, "" | "0"),
        instance: if plain { Instance::try_from(id).unwrap_or_default() } else { Instance::new() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn an_active_unit_has_its_invocation_id_as_instance() {
        let output = format!("LoadState=loaded\nActiveState=active\nInvocationID={ID}\n");
        let status = parse_status("nginx", &output).expect("a status");
        assert_eq!((status.presence, status.active, status.changing), (Presence::Present, true, false));
        assert_eq!(status.instance.as_str(), ID);
    }

    #[test]
    fn a_unit_that_is_missing_masked_or_broken_is_absent() {
        for (load, reason) in [
            ("masked", "the unit nginx.service is masked"),
            ("bad-setting", "the unit nginx.service is bad-setting"),
        ] {
            let output = format!("LoadState={load}\nActiveState=inactive\nInvocationID=\n");
            let status = parse_status("nginx", &output).expect("a status");
            assert_eq!(status.presence, Presence::Absent(detail(reason)));
            assert!(!status.active);
        }
    }

    #[test]
    fn a_unit_that_is_not_installed_is_not_found_and_the_list_says_what_is() {
        let status = parse_status("nginx", "LoadState=not-found\nActiveState=inactive\nInvocationID=\n");
        assert_eq!(status.expect("a status").presence, Presence::NotFound);
        let list = "php8.2-fpm.service enabled enabled\nphp8.3-fpm.service  disabled enabled\n\
                    postgresql@.service indirect enabled\nodd\n\n";
        assert_eq!(listed(list).collect::<Vec<_>>(), ["php8.2-fpm", "php8.3-fpm"]);
    }

    #[test]
    fn a_unit_with_a_job_or_on_its_way_is_changing() {
        for output in [
            "LoadState=loaded\nActiveState=activating\nInvocationID=\n",
            "LoadState=loaded\nActiveState=deactivating\nInvocationID=\n",
            "LoadState=loaded\nActiveState=active\nInvocationID=\nJob=1234\n",
        ] {
            assert!(parse_status("nginx", output).expect("a status").changing, "{output}");
        }
        let settled = parse_status("nginx", "LoadState=loaded\nActiveState=failed\nInvocationID=\nJob=0\n");
        assert!(!settled.expect("a status").changing);
    }

    #[test]
    fn an_answer_that_is_none_is_not_read_as_one() {
        assert!(parse_status("nginx", "").is_none());
        assert!(parse_status("nginx", "System has not been booted with systemd as init system").is_none());
        let odd = parse_status("nginx", "LoadState=loaded\nActiveState=active\nInvocationID=zz\n");
        assert!(odd.expect("a status").instance.is_empty());
    }

    #[test]
    fn the_argument_lists_are_fixed_but_for_the_unit() {
        assert_eq!(
            status_args("nginx").join(" "),
            "--no-pager --no-ask-password show -p LoadState,ActiveState,InvocationID,Job nginx.service"
        );
        assert_eq!(
            journal_args("nginx").join(" "),
            "--no-pager --quiet --output=cat --lines=5 --since=-3min _SYSTEMD_UNIT=nginx.service"
        );
        assert_eq!(
            list_args(["php-fpm", "php*-fpm"].into_iter()).join(" "),
            "--no-pager --no-ask-password --no-legend list-unit-files php-fpm.service php*-fpm.service"
        );
        assert_eq!(restart_args("nginx").join(" "), "--no-pager --no-ask-password restart nginx.service");
    }
}
