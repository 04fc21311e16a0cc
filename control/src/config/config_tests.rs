use std::collections::HashMap;

use super::*;

const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
const TOTP: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const MANIFEST: &str = "5f0c1d2e3b4a59687f6e5d4c3b2a19085f0c1d2e3b4a59687f6e5d4c3b2a1908";
const DATA: &str = "kJ2xQ0Z5m1X4o8W7c3V6b9N_a-S1d2F3g4H5j6K7l8M=";

fn complete() -> HashMap<String, String> {
    [
        (variable::BOT_TOKEN, TOKEN),
        (variable::ALLOWED_USER_IDS, "11111111, 22222222"),
        (variable::ALLOWED_CHAT_IDS, "-1001234567890"),
        (variable::TOTP_SECRET, TOTP),
        (variable::MANIFEST_SECRET, MANIFEST),
        (variable::DATA_KEY, DATA),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Everything that any command reads.
#[derive(Debug)]
struct All {
    data: DataDir,
    access: Access,
    telegram: Telegram,
    manifest_secret: Secret,
    #[expect(dead_code, reason = "shown by the test of debug forms only")]
    data_keys: DataKeys,
    auto_cloudflare: AutoCloudflare,
    cloudflare_api: ApiUrl,
}

fn read(variables: &HashMap<String, String>) -> Result<All, ConfigError> {
    let config = Config::from_env(&|name: &str| variables.get(name).cloned());
    Ok(All {
        data: config.data_dir().clone(),
        access: config.access()?,
        telegram: config.telegram()?,
        manifest_secret: config.manifest_secret()?,
        data_keys: config.data_keys()?,
        auto_cloudflare: config.auto_cloudflare()?,
        cloudflare_api: config.cloudflare_api()?,
    })
}

fn with(name: &str, value: &str) -> Result<All, ConfigError> {
    let mut variables = complete();
    variables.insert(name.to_owned(), value.to_owned());
    read(&variables)
}

#[test]
fn a_complete_environment_is_read() {
    let all = read(&complete()).expect("a configuration");
    assert_eq!(all.access.users, BTreeSet::from([11_111_111, 22_222_222]));
    assert_eq!(all.access.chats, BTreeSet::from([-1_001_234_567_890]));
    assert!(all.access.totp.is_some());
    assert_eq!(all.data, DataDir::new("/var/lib/secmon"));
    assert_eq!(all.manifest_secret.expose(), MANIFEST);
    assert_eq!(all.auto_cloudflare, AutoCloudflare::Allowed);
    assert_eq!(all.telegram.token.expose(), TOKEN);
    assert_eq!(all.telegram.api_url.as_str(), "https://api.telegram.org");
    assert_eq!(all.cloudflare_api.as_str(), "https://api.cloudflare.com/client/v4");
}

#[test]
fn only_the_one_time_codes_and_what_has_a_default_may_be_absent() {
    for (name, optional) in [
        (variable::BOT_TOKEN, false),
        (variable::ALLOWED_USER_IDS, false),
        (variable::ALLOWED_CHAT_IDS, true),
        (variable::TOTP_SECRET, true),
        (variable::MANIFEST_SECRET, false),
        (variable::DATA_KEY, false),
    ] {
        let mut variables = complete();
        variables.remove(name);
        match read(&variables) {
            Ok(_) => assert!(optional, "{name}"),
            Err(error) => {
                assert!(
                    !optional && error.to_string().starts_with(&format!("{name} is not set; ")),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn a_bad_value_is_refused_by_name_in_one_line_and_never_shown() {
    for (name, value) in [
        (variable::BOT_TOKEN, "hunter2"),
        (variable::BOT_TOKEN, "0123:hunter2"),
        (variable::BOT_TOKEN, "123:hunter2 x"),
        (variable::BOT_TOKEN, "123:"),
        (variable::ALLOWED_USER_IDS, "hunter2"),
        (variable::ALLOWED_USER_IDS, "-5"),
        (variable::ALLOWED_USER_IDS, "0"),
        (variable::ALLOWED_USER_IDS, "4503599627370496"),
        (variable::ALLOWED_USER_IDS, "1;2"),
        (variable::ALLOWED_USER_IDS, ""),
        (variable::ALLOWED_USER_IDS, " "),
        (variable::ALLOWED_USER_IDS, ","),
        (variable::ALLOWED_CHAT_IDS, "hunter2"),
        (variable::ALLOWED_CHAT_IDS, "0"),
        (variable::TOTP_SECRET, "hunter2"),
        (variable::TOTP_SECRET, "GEZDGNBVGY3TQOI"),
        (variable::TOTP_SECRET, ""),
        (variable::MANIFEST_SECRET, "hunter2"),
        (variable::MANIFEST_SECRET, ""),
        (variable::DATA_KEY, "hunter2"),
        (variable::DATA_KEY, MANIFEST),
        (variable::DATA_KEY, &format!("{DATA},hunter2")),
        (variable::API_URL, "http://hunter2.example"),
        (variable::CLOUDFLARE_API_URL, "http://hunter2.example"),
        (variable::AUTO_CF_DISABLED, "yes"),
        (variable::AUTO_CF_DISABLED, "true"),
    ] {
        let error = with(name, value).expect_err(value).to_string();
        assert!(error.starts_with(name), "{error}");
        assert!(!error.contains('\n') && !error.contains("hunter2") && !error.contains(MANIFEST), "{error}");
    }
}

#[test]
fn spellings_that_people_use_are_accepted() {
    for (name, value) in [
        (variable::ALLOWED_USER_IDS, "1 2,3\n4503599627370495,"),
        (variable::ALLOWED_CHAT_IDS, ""),
        (variable::TOTP_SECRET, "gezd gnbv-gy3t qojq gezd gnbv gy3t qojq"),
        (variable::TOTP_SECRET, "GEZDGNBVGY3TQOJQGE======"),
        (variable::DATA_KEY, &format!("{DATA}, {DATA}")),
        (variable::API_URL, ""),
        (variable::CLOUDFLARE_API_URL, ""),
        (variable::AUTO_CF_DISABLED, ""),
        (variable::AUTO_CF_DISABLED, "0"),
    ] {
        with(name, value).expect(value);
    }
    let all = with(variable::AUTO_CF_DISABLED, "1").expect("a configuration");
    assert_eq!(all.auto_cloudflare, AutoCloudflare::Disabled);
}

#[test]
fn a_secret_comes_from_its_file_without_the_trailing_newline() {
    let directory = tempfile::tempdir().expect("a directory");
    for name in variable::SECRETS {
        let mut variables = complete();
        let value = variables.remove(*name).expect("a secret");
        let path = directory.path().join(name);
        std::fs::write(&path, format!("{value}\n")).expect("a file");
        variables.insert(format!("{name}_FILE"), path.display().to_string());
        let all = read(&variables).expect("a configuration");
        assert_eq!(all.manifest_secret.expose(), MANIFEST, "{name}");
        assert_eq!(all.telegram.token.expose(), TOKEN, "{name}");

        variables.insert((*name).to_owned(), value);
        let error = read(&variables).expect_err("both").to_string();
        assert_eq!(error, format!("{name} and {name}_FILE are both set; remove one of them"));
    }
}

#[test]
fn a_secret_file_that_is_absent_empty_or_too_long_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("secret");
    let mut variables = complete();
    variables.remove(variable::DATA_KEY);
    variables.insert(format!("{}_FILE", variable::DATA_KEY), path.display().to_string());
    let error = |variables| read(variables).expect_err("refused").to_string();

    assert!(error(&variables).starts_with("SECMON_DATA_KEY_FILE: "), "{}", error(&variables));
    std::fs::write(&path, "\n").expect("a file");
    assert!(error(&variables).starts_with("SECMON_DATA_KEY is empty; "));
    std::fs::write(&path, "x".repeat(5000)).expect("a file");
    assert!(error(&variables).contains("longer than any secret"));
    std::fs::write(&path, format!("{DATA}\r\n")).expect("a file");
    assert!(read(&variables).is_ok());
}

#[test]
fn secrets_are_in_no_debug_form() {
    let variables = complete();
    let config = Config::from_env(&|name: &str| variables.get(name).cloned());
    let all = read(&variables).expect("a configuration");
    let shown = format!("{config:?} {all:?} {:?} {0}", Secret::new("hunter2".to_owned()));
    assert!(shown.contains("SECMON_DATA_KEY"), "{shown}");
    for secret in [TOKEN, TOTP, MANIFEST, DATA, "hunter2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
