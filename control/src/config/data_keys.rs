//! The keys that stored credentials are encrypted with. Several make a rotation: the first encrypts, all decrypt.

use std::fmt;

use data_encoding::{BASE64URL, Encoding, Specification};

use super::Secret;

/// So many keys fit in the file that a secret may come from; a rotation needs two.
const KEYS_MAX: usize = 16;

/// A Fernet key.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    signing: [u8; 16],
    encryption: [u8; 16],
}

/// One or more keys, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKeys {
    newest: DataKey,
    older: Vec<DataKey>,
}

impl DataKey {
    /// The key of these bytes, which have to be random.
    pub const fn of(signing: [u8; 16], encryption: [u8; 16]) -> Self {
        Self { signing, encryption }
    }

    /// The key, if the text is a Fernet key: in base64 the bytes that sign, then those that encrypt.
    pub fn new(text: &str) -> Option<Self> {
        let bytes = fernet_base64().decode(text.as_bytes()).ok()?;
        let (signing, encryption) = bytes.split_first_chunk()?;
        Some(Self { signing: *signing, encryption: encryption.try_into().ok()? })
    }

    /// The bytes that sign.
    pub const fn signing(&self) -> &[u8; 16] {
        &self.signing
    }

    /// The bytes that encrypt.
    pub const fn encryption(&self) -> &[u8; 16] {
        &self.encryption
    }

    /// The key as text.
    pub fn to_text(&self) -> Secret {
        Secret::new(BASE64URL.encode(&[self.signing, self.encryption].concat()))
    }
}

impl DataKeys {
    /// A key alone.
    pub const fn one(key: DataKey) -> Self {
        Self { newest: key, older: Vec::new() }
    }

    /// The keys, if the text is Fernet keys with commas between them.
    pub fn new(secret: &Secret) -> Option<Self> {
        let mut keys = secret.expose().split(',').map(|text| DataKey::new(text.trim()));
        let newest = keys.next()??;
        let older: Vec<DataKey> = keys.collect::<Option<_>>()?;
        (older.len() < KEYS_MAX).then_some(Self { newest, older })
    }

    /// The key that encrypts.
    pub const fn newest(&self) -> &DataKey {
        &self.newest
    }

    /// The keys that only decrypt.
    pub fn older(&self) -> &[DataKey] {
        &self.older
    }

    /// All keys, the newest first.
    pub fn all(&self) -> impl Iterator<Item = &DataKey> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    /// The same with a newer one in front.
    #[must_use]
    pub fn with_newer(self, newest: DataKey) -> Self {
        let older = std::iter::once(self.newest).chain(self.older).collect();
        Self { newest, older }
    }

    /// The keys as text, as the variable holds them.
    pub fn to_text(&self) -> Secret {
        let texts: Vec<String> = self.all().map(|key| key.to_text().expose().to_owned()).collect();
        Secret::new(texts.join(","))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// URL-safe base64 with padding. Python's decoder doesn't look at the last, unused bits, so a key that
/// works there works here.
#[expect(clippy::expect_used, reason = "the specification is a constant, and a test builds it")]
fn fernet_base64() -> Encoding {
    let mut base64: Specification = BASE64URL.specification();
    base64.check_trailing_bits = false;
    base64.encoding().expect("base64 without the check of trailing bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "kJ2xQ0Z5m1X4o8W7c3V6b9N_a-S1d2F3g4H5j6K7l8M=";
    const B: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn keys(text: &str) -> Option<DataKeys> {
        DataKeys::new(&Secret::new(text.to_owned()))
    }

    #[test]
    fn the_first_of_several_keys_is_the_newest() {
        let both = keys(&format!("{A}, {B}")).expect("keys");
        assert_eq!(both.newest(), &DataKey::new(A).expect("a key"));
        assert_eq!(both.older(), [DataKey::new(B).expect("a key")]);
        assert_eq!(both.to_text().expose(), format!("{A},{B}"));
        assert_eq!(keys(B).expect("a key").with_newer(DataKey::new(A).expect("a key")), both);
    }

    #[test]
    fn a_data_key_is_what_fernet_takes() {
        let key = DataKey::new(B).expect("a key");
        let bytes: Vec<u8> = (0..32).collect();
        assert_eq!((&key.signing()[..], &key.encryption()[..]), bytes.split_at(16));
        for refused in [&A[..43], &A[1..], &A.replace('_', "/"), &format!("{A}=")] {
            assert!(DataKey::new(refused).is_none(), "{refused}");
            assert!(keys(&format!("{A},{refused}")).is_none(), "{refused}");
        }
        assert!(keys(&format!("{A},")).is_none() && keys("").is_none());
        assert!(keys(&vec![A; KEYS_MAX].join(",")).is_some());
        assert!(keys(&vec![A; KEYS_MAX + 1].join(",")).is_none());
    }
}
