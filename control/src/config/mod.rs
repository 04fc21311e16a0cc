//! The environment as typed values. What is not here can't be configured.
//!
//! Every part reads only what it needs, so that a command asks for no secret that it doesn't use. Values
//! are parsed here and nowhere else; an error names the variable and what to do, and never the value.

mod api_url;
mod data_dir;
mod data_keys;
mod durations;
mod env_file;
mod environment;
mod secret;
mod values;

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::approval::TotpSecret;
use crate::cloudflare::AutoPolicy;

pub use api_url::ApiUrl;
pub use data_dir::DataDir;
pub use data_keys::{DataKey, DataKeys};
pub use durations::Durations;
pub use env_file::{EnvFile, EnvFileError, with_value};
pub use environment::{ConfigError, Lookup};
pub use secret::Secret;
pub use values::{AutoCloudflare, BotToken};

use environment::{optional, optional_secret, required, required_secret};

/// Changes of mind in an hour, where nothing else is said.
const AUTO_FLIPS: usize = 4;
const GENERATED: &str = "`secmon init` makes one and writes it to secmon.env";

/// The variables, by name. A table, so that a misspelt one can be told from a known one.
pub mod variable {
    /// The bot's token, as BotFather gives it.
    pub const BOT_TOKEN: &str = "SECMON_TELEGRAM_BOT_TOKEN";
    /// Who may approve: numeric user ids.
    pub const ALLOWED_USER_IDS: &str = "SECMON_TELEGRAM_ALLOWED_USER_IDS";
    /// Chats besides private ones where the bot listens.
    pub const ALLOWED_CHAT_IDS: &str = "SECMON_TELEGRAM_ALLOWED_CHAT_IDS";
    /// The secret of the one-time codes, in base32.
    pub const TOTP_SECRET: &str = "SECMON_TELEGRAM_TOTP_SECRET";
    /// Where the Bot API is.
    pub const API_URL: &str = "SECMON_TELEGRAM_API_URL";
    /// The key of the manifests' HMAC.
    pub const MANIFEST_SECRET: &str = "SECMON_MANIFEST_SECRET";
    /// The keys that stored credentials are encrypted with.
    pub const DATA_KEY: &str = "SECMON_DATA_KEY";
    /// Where Cloudflare's API is.
    pub const CLOUDFLARE_API_URL: &str = "SECMON_CLOUDFLARE_API_URL";
    /// What stands in for Cloudflare's edge.
    pub const CLOUDFLARE_EDGE: &str = "SECMON_CLOUDFLARE_EDGE";
    /// The kill switch of automatic Cloudflare changes.
    pub const AUTO_CF_DISABLED: &str = "SECMON_AUTO_CF_DISABLED";
    /// Where keys, database and audit log are.
    pub const DATA_DIR: &str = "SECMON_DATA_DIR";
    /// How long under-attack mode lasts.
    pub const UNDER_ATTACK_MINUTES: &str = "SECMON_CF_UNDER_ATTACK_MINUTES";
    /// How long blocks, challenges and limits last.
    pub const BLOCK_HOURS: &str = "SECMON_CF_BLOCK_HOURS";
    /// How long a client stays armed.
    pub const AUTO_HOURS: &str = "SECMON_CF_AUTO_HOURS";
    /// What the automatic dispatch does first.
    pub const AUTO_POLICY: &str = "SECMON_CF_AUTO_POLICY";
    /// How often in an hour the automatic dispatch may change its mind.
    pub const AUTO_FLIPS: &str = "SECMON_CF_AUTO_FLIPS";

    /// Those that hold a secret, and so may also be given as a file in `NAME_FILE`.
    pub const SECRETS: &[&str] = &[BOT_TOKEN, TOTP_SECRET, MANIFEST_SECRET, DATA_KEY];
    /// The others.
    pub const PLAIN: &[&str] = &[
        ALLOWED_CHAT_IDS,
        ALLOWED_USER_IDS,
        API_URL,
        AUTO_CF_DISABLED,
        AUTO_FLIPS,
        AUTO_HOURS,
        AUTO_POLICY,
        BLOCK_HOURS,
        CLOUDFLARE_API_URL,
        CLOUDFLARE_EDGE,
        DATA_DIR,
        UNDER_ATTACK_MINUTES,
    ];
}

/// A snapshot of the variables. Each part is parsed when a command asks for it, so that the console needs
/// no bot token and `manifest sign` nothing but the manifest secret.
#[derive(Clone)]
pub struct Config {
    data: DataDir,
    variables: BTreeMap<String, String>,
}

/// Who may approve, where, and with what proof.
#[derive(Clone, Debug)]
pub struct Access {
    /// The operators' user ids; never empty.
    pub users: BTreeSet<i64>,
    /// Chats besides private ones where the bot listens.
    pub chats: BTreeSet<i64>,
    /// The secret of the one-time codes; without it, approvals carry none.
    pub totp: Option<TotpSecret>,
}

/// What the Telegram transport takes.
#[derive(Clone, Debug)]
pub struct Telegram {
    /// The bot's token.
    pub token: BotToken,
    /// Where the Bot API is.
    pub api_url: ApiUrl,
}

impl Config {
    /// Takes the known variables.
    pub fn from_env(lookup: Lookup<'_>) -> Self {
        let plain = variable::PLAIN.iter().map(|name| (*name).to_owned());
        let secrets = variable::SECRETS.iter().flat_map(|name| [(*name).to_owned(), format!("{name}_FILE")]);
        let variables: BTreeMap<_, _> =
            plain.chain(secrets).filter_map(|name| lookup(&name).map(|value| (name, value))).collect();
        let data = variables.get(variable::DATA_DIR).filter(|path| !path.is_empty());
        Self { data: data.map_or_else(DataDir::default, DataDir::new), variables }
    }

    /// Where keys, database and audit log are.
    pub const fn data_dir(&self) -> &DataDir {
        &self.data
    }

    /// Who may approve, where, and with what proof.
    pub fn access(&self) -> Result<Access, ConfigError> {
        Ok(Access { users: self.users()?, chats: self.chats()?, totp: self.totp()? })
    }

    /// What the Telegram transport takes.
    pub fn telegram(&self) -> Result<Telegram, ConfigError> {
        Ok(Telegram { token: self.token()?, api_url: self.api_url()? })
    }

    /// The key of the manifests' HMAC: the bytes of the text as it stands, hexadecimal or not.
    pub fn manifest_secret(&self) -> Result<Secret, ConfigError> {
        let name = variable::MANIFEST_SECRET;
        let secret = required_secret(&self.lookup(), name, GENERATED)?;
        if secret.expose().len() < values::MANIFEST_SECRET_MIN {
            let expected = "at least 32 bytes of text; `openssl rand -hex 32` makes one";
            return Err(ConfigError::Value { name, expected });
        }
        Ok(secret)
    }

    /// The keys that stored credentials are encrypted with.
    pub fn data_keys(&self) -> Result<DataKeys, ConfigError> {
        let name = variable::DATA_KEY;
        let secret = required_secret(&self.lookup(), name, GENERATED)?;
        DataKeys::new(&secret).ok_or(ConfigError::Value {
            name,
            expected: "a Fernet key: 32 bytes in URL-safe base64, 44 characters (or several with commas, \
                       the newest first); `openssl rand -base64 32 | tr +/ -_` makes one",
        })
    }

    /// Where Cloudflare's API is.
    pub fn cloudflare_api(&self) -> Result<ApiUrl, ConfigError> {
        self.url(
            variable::CLOUDFLARE_API_URL,
            ApiUrl::cloudflare,
            "https://HOST[:PORT][/PATH] (plain http:// only to this machine); \
             without the variable it is https://api.cloudflare.com/client/v4",
        )
    }

    /// What stands in for Cloudflare's edge on this machine, if anything does.
    pub fn cloudflare_edge(&self) -> Result<Option<ApiUrl>, ConfigError> {
        let name = variable::CLOUDFLARE_EDGE;
        let Some(text) = optional(&self.lookup(), name) else { return Ok(None) };
        // Another edge than the zone's own would show nothing of what a change there did.
        let here = ApiUrl::new(&text).filter(|url| !url.is_encrypted());
        let expected =
            "http://127.0.0.1:PORT, for tests; without the variable pages are asked for by their names";
        here.map(Some).ok_or(ConfigError::Value { name, expected })
    }

    /// Whether automatic Cloudflare changes may happen.
    pub fn auto_cloudflare(&self) -> Result<AutoCloudflare, ConfigError> {
        let name = variable::AUTO_CF_DISABLED;
        let expected = "1 to stop every automatic Cloudflare change, 0 or nothing to allow them";
        AutoCloudflare::new(optional(&self.lookup(), name).as_deref())
            .ok_or(ConfigError::Value { name, expected })
    }

    /// What the automatic dispatch does first.
    pub fn auto_policy(&self) -> Result<AutoPolicy, ConfigError> {
        let name = variable::AUTO_POLICY;
        let Some(text) = optional(&self.lookup(), name) else { return Ok(AutoPolicy::default()) };
        AutoPolicy::new(&text).ok_or(ConfigError::Value { name, expected: "ladder or under-attack" })
    }

    /// How often in an hour the automatic dispatch may put something back.
    pub fn auto_flips(&self) -> Result<usize, ConfigError> {
        let name = variable::AUTO_FLIPS;
        let Some(text) = optional(&self.lookup(), name) else { return Ok(AUTO_FLIPS) };
        let number = text.parse().ok().filter(|number| (1..=60).contains(number) && !text.starts_with('+'));
        number.ok_or(ConfigError::Value { name, expected: "a number from 1 to 60" })
    }

    /// How long mitigations and armings last.
    pub fn durations(&self) -> Result<Durations, ConfigError> {
        Durations::read(&self.lookup())
    }

    /// The secret of the one-time codes. A variable that is there but empty is refused: it would switch the
    /// codes off without anybody having said so.
    pub fn totp(&self) -> Result<Option<TotpSecret>, ConfigError> {
        let name = variable::TOTP_SECRET;
        let hint = "give the secret, or remove the variable";
        let Some(secret) = optional_secret(&self.lookup(), name, hint)? else { return Ok(None) };
        let expected = "base32 (A-Z, 2-7) of at least 10 bytes, which are 16 characters";
        TotpSecret::from_base32(secret.expose()).map(Some).ok_or(ConfigError::Value { name, expected })
    }

    /// The operators' user ids; never empty.
    pub fn users(&self) -> Result<BTreeSet<i64>, ConfigError> {
        let name = variable::ALLOWED_USER_IDS;
        let hint = "list the numeric Telegram user ids of those who may approve, as in 11111111,22222222; \
                    `secmon serve` logs the id of whoever writes to the bot";
        let text = required(&self.lookup(), name, hint)?;
        let ids = values::numbers(&text).filter(|ids| !ids.is_empty());
        let ids = ids.filter(|ids| ids.iter().all(|id| (1..values::ID_END).contains(id)));
        let expected = "numeric Telegram user ids (not names) with commas or spaces between them";
        ids.ok_or(ConfigError::Value { name, expected })
    }

    /// Chats besides private ones where the bot listens.
    pub fn chats(&self) -> Result<BTreeSet<i64>, ConfigError> {
        let name = variable::ALLOWED_CHAT_IDS;
        let ids = values::numbers(&optional(&self.lookup(), name).unwrap_or_default());
        let in_range = |id: &i64| *id != 0 && (1 - values::ID_END..values::ID_END).contains(id);
        let expected =
            "numeric Telegram chat ids (those of groups are negative) with commas or spaces between them";
        ids.filter(|ids| ids.iter().all(in_range)).ok_or(ConfigError::Value { name, expected })
    }

    fn token(&self) -> Result<BotToken, ConfigError> {
        let name = variable::BOT_TOKEN;
        let secret = required_secret(&self.lookup(), name, "set it to the token that @BotFather gave you")?;
        BotToken::new(secret).ok_or(ConfigError::Value {
            name,
            expected: "a bot token (digits, a colon, then letters, digits, _ and -), as @BotFather gives it",
        })
    }

    fn api_url(&self) -> Result<ApiUrl, ConfigError> {
        self.url(
            variable::API_URL,
            ApiUrl::telegram,
            "https://HOST[:PORT][/PATH] (plain http:// only to this machine); \
             without the variable it is https://api.telegram.org",
        )
    }

    fn url(
        &self,
        name: &'static str,
        default: fn() -> ApiUrl,
        expected: &'static str,
    ) -> Result<ApiUrl, ConfigError> {
        match optional(&self.lookup(), name) {
            None => Ok(default()),
            Some(text) => ApiUrl::new(&text).ok_or(ConfigError::Value { name, expected }),
        }
    }

    fn lookup(&self) -> impl Fn(&str) -> Option<String> {
        |name| self.variables.get(name).cloned()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("variables", &self.variables.keys()).finish()
    }
}
