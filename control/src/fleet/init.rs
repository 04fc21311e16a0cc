//! A new data directory: authority, keys, generated secrets, empty database, empty audit log.
//!
//! It is made once and whole. Nothing is ever overwritten: a second authority or data key beside the
//! first would lock out every agent and lose every stored credential.

use std::fmt::Write as _;
use std::path::Path;

use data_encoding::{BASE32_NOPAD, BASE64URL, HEXLOWER};

use super::FleetError;
use super::files::{Access, NewDirectory, create};
use super::keys::{SigningKey, public_pem, random};
use super::pki::Authority;
use crate::config::{DataDir, Secret, variable};
use crate::store::{Store, StoreError};

/// Secrets that the environment holds already: they go on being used and aren't written to a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct FromEnvironment {
    /// `SECMON_MANIFEST_SECRET` is set.
    pub manifest_secret: bool,
    /// `SECMON_DATA_KEY` is set.
    pub data_key: bool,
}

/// Whether to make a secret for one-time codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewTotp {
    /// Make one and switch the codes on.
    Make,
    /// Leave the line for it commented out.
    Leave,
}

/// Why there is no new data directory.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A file or key couldn't be made.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The database couldn't be made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its path can't stand in an environment file.
    #[error("the path of the data directory must be UTF-8 text without control characters; choose another")]
    Path,
}

/// Makes the data directory. Returns the secret of the one-time codes if it made one.
pub fn init(
    data: &DataDir,
    given: FromEnvironment,
    totp: NewTotp,
    now: u64,
) -> Result<Option<Secret>, InitError> {
    let absolute = std::path::absolute(data.as_path()).map_err(FleetError::reading(data.as_path()))?;
    let hint = "an existing data directory is never changed; choose another with --data-dir";
    let directory = NewDirectory::start(&absolute, hint)?;
    let building = DataDir::new(directory.path());

    let (authority, ca) = Authority::generate(now)?;
    let control = authority.issue_control(now)?;
    create(&building.ca_certificate(), Access::Public, ca.certificate.as_bytes())?;
    create(&building.ca_key(), Access::Private, ca.key.as_bytes())?;
    create(&building.control_certificate(), Access::Public, control.certificate.as_bytes())?;
    create(&building.control_key(), Access::Private, control.key.as_bytes())?;
    let (dispatch, dispatch_pem) = SigningKey::generate()?;
    create(&building.dispatch_key(), Access::Private, dispatch_pem.as_bytes())?;
    create(&building.dispatch_public(), Access::Public, public_pem(&dispatch.public()).as_bytes())?;

    let totp = match totp {
        NewTotp::Make => Some(Secret::new(BASE32_NOPAD.encode(&random_bytes::<20>()?))),
        NewTotp::Leave => None,
    };
    let settings = env_file(&absolute, given, totp.as_ref())?;
    create(&building.env_file(), Access::Private, settings.as_bytes())?;
    create(&building.audit_log(), Access::Private, b"")?;
    // SQLite gives its companion files the mode of the database, so that must be private from the start.
    create(&building.database(), Access::Private, b"")?;
    drop(Store::open(&building.database())?);

    directory.publish()?;
    Ok(totp)
}

/// What an authenticator app scans or takes as a link.
pub fn otpauth_uri(secret: &Secret) -> String {
    format!(
        "otpauth://totp/secmon?secret={}&issuer=secmon&algorithm=SHA1&digits=6&period=30",
        secret.expose()
    )
}

fn random_bytes<const N: usize>() -> Result<[u8; N], FleetError> {
    let mut bytes = [0; N];
    random(&mut bytes)?;
    Ok(bytes)
}

fn env_file(data: &Path, given: FromEnvironment, totp: Option<&Secret>) -> Result<String, InitError> {
    let path = data.to_str().filter(|path| !path.contains(char::is_control)).ok_or(InitError::Path)?;
    let mut text = format!(
        "# Settings of secmon: every secmon command reads this file, and so does systemd where a unit says\n\
         # EnvironmentFile=. Variables of the environment win over it. Keep a copy of it in a safe place:\n\
         # without its secrets, manifests and stored credentials have to be made anew.\n\
         {}={}\n",
        variable::DATA_DIR,
        quoted(path)
    );
    let mut secret = |name: &str, given: bool, value: String| {
        let _ = match given {
            true => writeln!(text, "# {name} came from the environment when this file was made."),
            false => writeln!(text, "{name}={value}"),
        };
    };
    secret(variable::MANIFEST_SECRET, given.manifest_secret, HEXLOWER.encode(&random_bytes::<32>()?));
    secret(variable::DATA_KEY, given.data_key, BASE64URL.encode(&random_bytes::<32>()?));
    let _ = write!(
        text,
        "\n# The bot's token, as @BotFather gives it.\n\
         #{}=\n\
         \n# Who may approve: numeric Telegram user ids with commas between them.\n\
         #{}=\n\
         \n# One-time codes: with a secret here (base32), every approval needs otp=.\n",
        variable::BOT_TOKEN,
        variable::ALLOWED_USER_IDS,
    );
    let _ = match totp {
        Some(secret) => writeln!(text, "{}={}", variable::TOTP_SECRET, secret.expose()),
        None => writeln!(text, "#{}=", variable::TOTP_SECRET),
    };
    let _ =
        write!(text, "\n# 1 stops every automatic Cloudflare change.\n{}=0\n", variable::AUTO_CF_DISABLED);
    Ok(text)
}

/// The value in double quotes where it needs them (systemd.exec(5)).
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@:,".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '`' | '$') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, EnvFile};

    #[test]
    fn a_new_data_directory_is_complete_and_readable() {
        let home = tempfile::tempdir().expect("a directory");
        let data = DataDir::new(home.path().join("with space$"));
        let secret = init(&data, FromEnvironment::default(), NewTotp::Make, 1_767_225_600).expect("made");
        assert!(otpauth_uri(&secret.expect("a secret")).starts_with("otpauth://totp/secmon?secret="));

        Authority::read(&data.ca_certificate(), &data.ca_key()).expect("an authority");
        SigningKey::read(&data.dispatch_key()).expect("a key");
        Store::open(&data.database()).expect("a database");
        assert_eq!(std::fs::read(data.audit_log()).expect("a log"), b"");
        let file = EnvFile::read(&data.env_file()).expect("an environment file");
        let config = Config::from_env(&|name| file.get(name).map(str::to_owned));
        assert_eq!(config.data_dir(), &data);
        config.manifest_secret().expect("a secret");
        config.data_keys().expect("a key");
        assert!(config.totp().expect("a secret").is_some());
    }

    #[test]
    fn secrets_that_the_environment_holds_are_not_made_again() {
        let given = FromEnvironment { manifest_secret: true, data_key: true };
        let text = env_file(Path::new("/x"), given, None).expect("text");
        let file = EnvFile::parse(&text).expect("a file");
        assert_eq!(file.names().collect::<Vec<_>>(), [variable::AUTO_CF_DISABLED, variable::DATA_DIR]);
    }

    #[test]
    fn a_second_run_changes_nothing() {
        let home = tempfile::tempdir().expect("a directory");
        let data = DataDir::new(home.path().join("data"));
        let again = || init(&data, FromEnvironment::default(), NewTotp::Leave, 1_767_225_600);
        again().expect("made");
        let before = std::fs::read(data.ca_key()).expect("a key");
        let error = again().expect_err("a second time").to_string();
        assert!(error.contains("is there already and is not overwritten"), "{error}");
        assert_eq!(std::fs::read(data.ca_key()).expect("a key"), before);
        assert_eq!(std::fs::read_dir(home.path()).expect("entries").count(), 1);
    }
}
