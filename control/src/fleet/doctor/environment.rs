//! The variables: each part of the configuration on its own.

use secmon_wire::ActionId;

use super::Finding;
use crate::config::{AutoCloudflare, Config, ConfigError, variable};

/// Checks every variable. `names` are those of the environment and the environment file together: one that
/// secmon doesn't know is likely misspelt, and a misspelt secret is a check that nobody makes.
pub fn check_environment<'a>(config: &Config, names: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    let mut findings = vec![
        Finding::of("operators", config.users().map(|users| format!("{} may approve", users.len()))),
        Finding::of(
            "chats",
            config.chats().map(|chats| match chats.len() {
                0 => "private ones only".to_owned(),
                count => format!("private ones and {count} more"),
            }),
        ),
        match config.telegram() {
            Ok(telegram) => {
                Finding::ok("bot token", format!("set; the Bot API is {}", telegram.api_url.as_str()))
            }
            // The console works without a bot.
            Err(error @ ConfigError::Missing { .. }) => Finding::warn("bot token", error.to_string()),
            Err(error) => Finding::fail("bot token", error.to_string()),
        },
        match config.totp() {
            Ok(Some(_)) => Finding::ok("one-time codes", "on: every approval needs otp="),
            Ok(None) => Finding::warn(
                "one-time codes",
                format!(
                    "off: whoever holds an operator's account can approve; set {} to switch them on",
                    variable::TOTP_SECRET
                ),
            ),
            Err(error) => Finding::fail("one-time codes", error.to_string()),
        },
        Finding::of("manifest secret", config.manifest_secret().map(|_| "set")),
        Finding::of("data key", config.data_keys().map(|_| "set")),
    ];
    findings.extend(check_cloudflare(config));
    findings.extend(
        names
            .filter(|name| is_unknown(name))
            .map(|name| Finding::warn(name, "secmon knows no such variable and ignores it; is it misspelt?")),
    );
    findings
}

/// What is configured for changes at Cloudflare.
fn check_cloudflare(config: &Config) -> Vec<Finding> {
    let mut findings = vec![
        Finding::of("Cloudflare's API", config.cloudflare_api().map(|url| url.as_str().to_owned())),
        match config.auto_cloudflare() {
            Ok(AutoCloudflare::Allowed) => Finding::ok("automatic Cloudflare changes", "allowed"),
            Ok(AutoCloudflare::Disabled) => Finding::ok(
                "automatic Cloudflare changes",
                format!("stopped by {}", variable::AUTO_CF_DISABLED),
            ),
            Err(error) => Finding::fail("automatic Cloudflare changes", error.to_string()),
        },
        Finding::of(
            "leases at Cloudflare",
            config.durations().map(|durations| {
                let minutes = |action| durations.of(action) / 60;
                format!(
                    "under-attack mode for {} min, everything else for {} h, armed for {} h",
                    minutes(ActionId::CfUnderAttack),
                    minutes(ActionId::CfTargetedBlock) / 60,
                    minutes(ActionId::EnableCfAuto) / 60
                )
            }),
        ),
        Finding::of(
            "automatic policy",
            config.auto_policy().and_then(|policy| {
                let flips = config.auto_flips()?;
                Ok(format!("{}, put back at most {flips} times an hour", policy.as_str()))
            }),
        ),
    ];
    match config.cloudflare_edge() {
        Ok(None) => {}
        Ok(Some(edge)) => {
            let text = format!("{} is asked instead of it; only tests want that", edge.as_str());
            findings.push(Finding::warn("Cloudflare's edge", text));
        }
        Err(error) => findings.push(Finding::fail("Cloudflare's edge", error.to_string())),
    }
    findings
}

fn is_unknown(name: &str) -> bool {
    let base = name.strip_suffix("_FILE").filter(|base| variable::SECRETS.contains(base)).unwrap_or(name);
    base.starts_with("SECMON_") && !variable::SECRETS.contains(&base) && !variable::PLAIN.contains(&base)
}
