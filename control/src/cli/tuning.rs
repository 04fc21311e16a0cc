//! The options of `agent add` that narrow an agent's diagnostics, or move their thresholds.

use clap::Args;
use secmon_wire::limits::{LOG_PATH_MAX, TUNED_HOSTS_MAX, TUNED_LOGS_MAX};
use secmon_wire::{THRESHOLDS, Threshold, Tuning, is_host, is_log_path};

use super::error::CliError;
use crate::fleet::FleetError;

/// As they were given.
#[derive(Debug, Args)]
pub(super) struct TuningArgs {
    /// A site to ask for its page and its certificate, instead of every site that is found; once for each, 8 at most
    #[arg(long, value_name = "HOST", value_parser = host)]
    probe_host: Vec<String>,
    /// An access log to read, instead of those that are found; once for each, 4 at most
    ///
    /// One that a site is configured to write is read in the format that the configuration says, another one in the
    /// web servers' usual formats. The diagnostics may then read everything in its directory that the user secmon-diag
    /// may, and nothing else that they couldn't.
    #[arg(long, value_name = "FILE", value_parser = log)]
    access_log: Vec<String>,
    /// An error log of the web server or PHP to read, instead of those that are found; once for each, 4 at most
    ///
    /// Its directory becomes readable as that of an access log does.
    #[arg(long, value_name = "FILE", value_parser = log)]
    error_log: Vec<String>,
    #[arg(long, value_name = "NAME=VALUE", value_parser = threshold, help = THRESHOLD_HELP, long_help = thresholds_help())]
    threshold: Vec<(Threshold, u32)>,
}

const THRESHOLD_HELP: &str = "What the diagnostics judge by, as in disk-low=20; once for each";

impl TuningArgs {
    /// What the manifest will say.
    pub(super) fn tuning(self) -> Result<Tuning, CliError> {
        let Self { mut probe_host, mut access_log, mut error_log, mut threshold } = self;
        for (option, list, most) in [
            ("--probe-host", &mut probe_host, TUNED_HOSTS_MAX),
            ("--access-log", &mut access_log, TUNED_LOGS_MAX),
            ("--error-log", &mut error_log, TUNED_LOGS_MAX),
        ] {
            list.sort();
            list.dedup();
            if list.len() > most {
                return Err(CliError::Usage(format!(
                    "{option} is given {} times; {most} at most",
                    list.len()
                )));
            }
        }
        threshold.sort();
        for pair in threshold.windows(2) {
            if let [(first, _), (second, _)] = pair
                && first == second
            {
                return Err(CliError::Usage(format!("--threshold names {first} twice; give it once")));
            }
        }
        let tuning = Tuning::new(&probe_host, &access_log, &error_log, &threshold);
        Ok(tuning.map_err(FleetError::Manifest)?)
    }
}

fn host(text: &str) -> Result<String, String> {
    let expected =
        "expected a name in the DNS in lower case, as in shop.example.com, without port, path or *";
    if is_host(text) { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}

fn log(text: &str) -> Result<String, String> {
    if is_log_path(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "expected an absolute path on the server, {LOG_PATH_MAX} printable ASCII characters at most without quotes and \
         backslashes, of a file in a directory of its own: nothing in /, /dev, /proc or /sys, and no . or .. in it"
    ))
}

fn threshold(text: &str) -> Result<(Threshold, u32), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, as in disk-low=20")?;
    let threshold = Threshold::new(name).ok_or_else(|| {
        let all: Vec<_> = THRESHOLDS.iter().map(|row| row.name).collect();
        format!("there is no threshold {name}; there are {}", all.join(", "))
    })?;
    let row = threshold.row();
    let value = value.parse().ok().filter(|value| threshold.allows(*value));
    value
        .map(|value| (threshold, value))
        .ok_or_else(|| format!("{name} takes {} to {} {}", row.least, row.most, row.unit))
}

/// The whole table, for `--help` and the man page.
fn thresholds_help() -> String {
    let row = |row: &secmon_wire::ThresholdRow| {
        format!("\n{}: {} to {} {}, usually {}", row.name, row.least, row.most, row.unit, row.usual)
    };
    let rows: String = THRESHOLDS.iter().map(row).collect();
    format!(
        "{THRESHOLD_HELP}\n\nWhere nothing is given, disks, inodes, memory and certificates are judged by their size or \
         lifetime, too. A value that is given counts alone.\n{rows}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_no_manifest_could_hold_are_refused_with_what_can_be() {
        assert_eq!(threshold("disk-low=20"), Ok((Threshold::DiskLow, 20)));
        for (text, expected) in [
            ("disk-low=0", "disk-low takes 1 to 99 % free"),
            ("slow-page=2001", "slow-page takes 100 to 2000 ms"),
            ("tls-expiry=x", "tls-expiry takes 1 to 90 days"),
            ("disk=5", "there are disk-full, disk-low, flood-rate"),
            ("disk-low", "as in disk-low=20"),
        ] {
            let error = threshold(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
        assert!(host("shop.example.com").is_ok() && log("/srv/logs/access.log").is_ok());
        host("shop.example.com:8080").expect_err("a port");
        log("/srv/../etc/shadow").expect_err("a way up");
    }

    #[test]
    fn the_help_has_every_threshold_with_its_range() {
        let help = thresholds_help();
        for row in &THRESHOLDS {
            let line = format!("{}: {} to {} ", row.name, row.least, row.most);
            assert!(help.contains(&line), "{line} in {help}");
        }
    }
}
