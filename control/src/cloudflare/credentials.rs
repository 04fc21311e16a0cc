//! API tokens: what is taken for one, and how one is stored.

use super::fernet;
use crate::config::{DataKeys, Secret};
use crate::fleet::FleetError;
use crate::fleet::keys::random;
use crate::store::ZoneRow;

/// Tokens have 40 characters, newer ones a prefix and a checksum as well.
const TOKEN_LENGTHS: std::ops::RangeInclusive<usize> = 32..=128;
/// The prefix of tokens that belong to an account and not to a person (Cloudflare's "Token formats").
const ACCOUNT_PREFIX: &str = "cfat_";

/// An API token's text, as far as its form tells.
#[derive(Clone, Debug)]
pub struct ApiToken(Secret);

/// Why a text isn't taken for an API token. None of them shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAToken {
    /// There is nothing.
    #[error("no API token came; give it on standard input or with --token-file")]
    Empty,
    /// It is the key to everything that its owner has.
    #[error(
        "this is a global API key, which opens everything that its owner has, and isn't taken; make an API token for \
         this zone alone: dash.cloudflare.com, My Profile, API Tokens, Create Custom Token"
    )]
    GlobalKey,
    /// It is a key for certificates.
    #[error("this is an Origin CA key, which is for certificates; make an API token: My Profile, API Tokens")]
    OriginKey,
    /// It is something else.
    #[error("this is not an API token: expected one line of 40 or more letters, digits, _ and -")]
    Form,
}

impl ApiToken {
    /// The token, if the text can be one. White space around it is dropped.
    pub fn new(text: &str) -> Result<Self, NotAToken> {
        let text = text.trim();
        let known = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
        // Global keys were 37 hexadecimal digits before they got a prefix.
        if text.starts_with("cfk_") || (text.len() == 37 && text.bytes().all(|c| c.is_ascii_hexdigit())) {
            Err(NotAToken::GlobalKey)
        } else if text.starts_with("v1.0-") {
            Err(NotAToken::OriginKey)
        } else if text.is_empty() {
            Err(NotAToken::Empty)
        } else if TOKEN_LENGTHS.contains(&text.len()) && text.bytes().all(known) {
            Ok(Self(Secret::new(text.to_owned())))
        } else {
            Err(NotAToken::Form)
        }
    }

    /// The token itself.
    pub const fn secret(&self) -> &Secret {
        &self.0
    }
}

/// Whether a token says of itself that it belongs to an account.
pub(super) fn is_of_an_account(token: &Secret) -> bool {
    token.expose().starts_with(ACCOUNT_PREFIX)
}

/// Encrypts and decrypts what is stored.
#[derive(Clone, Debug)]
pub struct Vault(DataKeys);

/// No data key opens a stored credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the stored token of {0} doesn't open: SECMON_DATA_KEY is not the key that it was encrypted with; restore the key \
     (a copy of secmon.env has it), or store the token anew with `secmon cloudflare add`"
)]
pub struct WrongKey(pub String);

impl Vault {
    /// A vault of these keys.
    pub const fn new(keys: DataKeys) -> Self {
        Self(keys)
    }

    /// The token as it is stored.
    pub fn seal(&self, token: &Secret, now: u64) -> Result<String, FleetError> {
        let mut iv = [0; 16];
        random(&mut iv)?;
        Ok(fernet::encrypt(self.0.newest(), token, now, iv))
    }

    /// The token of a zone.
    pub fn open(&self, zone: &ZoneRow) -> Result<Secret, WrongKey> {
        fernet::decrypt(&self.0, &zone.credential).ok_or_else(|| WrongKey(zone.seen.name.clone()))
    }

    /// Whether the tokens of all these zones open.
    pub fn check(&self, zones: &[ZoneRow]) -> Result<(), WrongKey> {
        zones.iter().try_for_each(|zone| self.open(zone).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use secmon_wire::ClientId;

    use super::*;
    use crate::cloudflare::{Plan, ZoneId};
    use crate::config::DataKey;
    use crate::store::SeenZone;

    #[test]
    fn tokens_are_taken_and_other_credentials_are_told_apart_without_being_shown() {
        let (old, forty) = ("v".repeat(40), "A1_-".repeat(10));
        for taken in
            [&old, &format!("cfut_{forty}0a1b2c3d"), &format!("cfat_{forty}0a1b2c3d"), &format!(" {old}\r\n")]
        {
            assert_eq!(ApiToken::new(taken).expect(taken).secret().expose(), taken.trim());
        }
        for (refused, why) in [
            ("c2547eb745079dac9320b638f5e225cf483cc", NotAToken::GlobalKey),
            ("C2547EB745079DAC9320B638F5E225CF483CC\n", NotAToken::GlobalKey),
            (&format!("cfk_{forty}0a1b2c3d"), NotAToken::GlobalKey),
            ("v1.0-144cac24d24004b7ae40d1c7-a5ad67a9fc0d9f0c", NotAToken::OriginKey),
            ("", NotAToken::Empty),
            ("\n", NotAToken::Empty),
            ("hunter2", NotAToken::Form),
            (&format!("Bearer {old}"), NotAToken::Form),
            (&format!("{old}\n{old}"), NotAToken::Form),
            (&"x".repeat(129), NotAToken::Form),
        ] {
            let error = ApiToken::new(refused).expect_err(refused);
            assert_eq!(error, why, "{refused}");
            assert!(refused.trim().is_empty() || !error.to_string().contains(refused.trim()), "{error}");
        }
    }

    #[test]
    fn a_stored_token_opens_with_an_older_key_and_not_with_another() {
        let (one, two) = (DataKey::of([1; 16], [2; 16]), DataKey::of([3; 16], [4; 16]));
        let token = Secret::new("hunter2".to_owned());
        let seen = SeenZone {
            name: "example.com".to_owned(),
            plan: Plan::Free,
            status: "active".to_owned(),
            paused: false,
            checked: 7,
        };
        let zone = ZoneRow {
            zone: ZoneId::new(&"a".repeat(32)).expect("a zone"),
            client: ClientId::new("acme").expect("a client"),
            credential: Vault::new(DataKeys::one(one.clone())).seal(&token, 7).expect("sealed"),
            added: 7,
            seen,
        };
        assert!(!zone.credential.contains("hunter2"));
        let both = Vault::new(DataKeys::one(one).with_newer(two.clone()));
        assert_eq!(both.open(&zone).expect("opened").expose(), "hunter2");
        assert_eq!(both.check(std::slice::from_ref(&zone)), Ok(()));
        let error =
            Vault::new(DataKeys::one(two)).check(std::slice::from_ref(&zone)).expect_err("another key");
        assert!(
            error.to_string().starts_with("the stored token of example.com doesn't open: SECMON_DATA_KEY")
        );
        assert!(!format!("{both:?}{error:?}{zone:?}").contains("hunter2"));
        assert_ne!(
            both.seal(&token, 7).expect("sealed"),
            both.seal(&token, 7).expect("sealed"),
            "a random iv each"
        );
    }
}
