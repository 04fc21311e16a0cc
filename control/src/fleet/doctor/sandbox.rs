//! What to do about an agent whose network process isn't as locked in as it could be.

use super::Finding;
use crate::fleet::MissingWalls;

/// What to do, and for which walls. The first words that fit a name decide; a name ending in `*` stands for
/// all that begin so.
const REMEDIES: [(&[&str], &str); 3] = [
    // landlock(7): the first version came with Linux 5.13, the sixth with 6.12; seccomp(2): killing the
    // whole process came with 4.14.
    (
        &["landlock*", "seccomp", "kill-process"],
        "a newer kernel brings it (all of landlock: Linux 6.12 or later, and `landlock` in /sys/kernel/security/lsm)",
    ),
    (
        &["uid", "own-uid", "groups", "chroot", "capabilities", "bounding-set"],
        "run the agent by the unit file of its bundle, as root, and give the process a user of its own: \
         useradd --system --no-create-home --shell /usr/sbin/nologin secmon-net",
    ),
    (&["*"], "`secmon-agent check` on the host says more"),
];

/// A warning for each thing to do.
pub(super) fn sandbox(subject: &str, missing: &MissingWalls) -> Vec<Finding> {
    let finding = |(at, (_, remedy)): (usize, &(&[&str], &str))| {
        let names: Vec<&str> = missing.names().filter(|name| remedy_of(name) == Some(at)).collect();
        let text = format!("its network process runs without {}; {remedy}", names.join(", "));
        (!names.is_empty()).then(|| Finding::warn(format!("{subject} sandbox"), text))
    };
    REMEDIES.iter().enumerate().filter_map(finding).collect()
}

fn remedy_of(name: &str) -> Option<usize> {
    let fits = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *pattern,
    };
    REMEDIES.iter().position(|(patterns, _)| patterns.iter().any(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(missing: &str) -> Vec<String> {
        let missing = MissingWalls::new(missing).expect("names");
        sandbox("web1", &missing).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_whole_sandbox_is_no_finding() {
        assert_eq!(texts(""), Vec::<String>::new());
    }

    #[test]
    fn each_missing_wall_is_named_once_with_what_to_do() {
        let found = texts("uid landlock-tcp parent landlock-scopes own-uid");
        let [kernel, user, other] = &found[..] else { panic!("{found:?}") };
        assert!(kernel.starts_with(
            "warn  web1 sandbox: its network process runs without landlock-tcp, landlock-scopes; "
        ));
        assert!(kernel.contains("a newer kernel"), "{kernel}");
        assert!(user.contains("without uid, own-uid; ") && user.contains("useradd --system"), "{user}");
        assert!(other.contains("without parent; ") && other.contains("secmon-agent check"), "{other}");
    }
}
