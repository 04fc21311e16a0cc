//! Fernet tokens (AES-128-CBC under HMAC-SHA256, <https://github.com/fernet/spec>), as Python's `cryptography` makes and
//! reads them. Pure: key, time and randomness come in.
//!
//! The time in a token is written and never judged: a stored credential has no end, and a clock that was set back must
//! not make it look forged.

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use data_encoding::BASE64URL;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::{DataKey, DataKeys, Secret};

const VERSION: u8 = 0x80;
const MAC_LEN: usize = 32;
/// Version and time.
const HEAD_LEN: usize = 9;

/// A token that holds `secret`.
pub(super) fn encrypt(key: &DataKey, secret: &Secret, now: u64, iv: [u8; 16]) -> String {
    let cipher = cbc::Encryptor::<Aes128>::new(key.encryption().into(), &iv.into());
    let mut token = vec![VERSION];
    token.extend(now.to_be_bytes());
    token.extend(iv);
    token.extend(cipher.encrypt_padded_vec::<Pkcs7>(secret.expose().as_bytes()));
    let tag = mac(key, &token).finalize().into_bytes();
    token.extend(tag);
    BASE64URL.encode(&token)
}

/// What a token holds, if one of the keys made it and nobody changed it.
pub(super) fn decrypt(keys: &DataKeys, token: &str) -> Option<Secret> {
    let bytes = BASE64URL.decode(token.as_bytes()).ok()?;
    let (signed, tag) = bytes.split_last_chunk::<MAC_LEN>()?;
    let key = keys.all().find(|key| mac(key, signed).verify_slice(tag).is_ok())?;
    let (head, rest) = signed.split_first_chunk::<HEAD_LEN>()?;
    let (iv, encrypted) = rest.split_first_chunk::<16>()?;
    if head.first() != Some(&VERSION) {
        return None;
    }
    let cipher = cbc::Decryptor::<Aes128>::new(key.encryption().into(), iv.into());
    let bytes = cipher.decrypt_padded_vec::<Pkcs7>(encrypted).ok()?;
    String::from_utf8(bytes).ok().map(Secret::new)
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 §2)")]
fn mac(key: &DataKey, message: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.signing()).expect("an HMAC key");
    mac.update(message);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/fernet.json");
        serde_json::from_slice(&std::fs::read(path).expect("vectors")).expect("JSON")
    }

    fn keys(case: &Value) -> DataKeys {
        let text = case["keys"].as_str().expect("keys");
        DataKeys::new(&Secret::new(text.to_owned())).expect("keys")
    }

    #[test]
    fn tokens_are_what_python_makes_byte_for_byte_and_python_s_are_read() {
        let vectors = vectors();
        let made = vectors["made"].as_array().expect("a list");
        assert!(made.len() > 4);
        for case in made {
            let text = |name: &str| case[name].as_str().expect("a text");
            let iv = data_encoding::HEXLOWER.decode(text("iv").as_bytes()).expect("hex");
            let (secret, now) =
                (Secret::new(text("text").to_owned()), case["time"].as_u64().expect("a time"));
            let token = encrypt(keys(case).newest(), &secret, now, iv.try_into().expect("16 bytes"));
            assert_eq!(token, text("token"), "{case}");
        }
        for case in made.iter().chain(vectors["read"].as_array().expect("a list")) {
            let read = decrypt(&keys(case), case["token"].as_str().expect("a token"));
            assert_eq!(read.expect("read").expose(), case["text"], "{case}");
        }
    }

    #[test]
    fn tokens_that_python_refuses_are_refused() {
        let vectors = vectors();
        let refused = vectors["refused"].as_array().expect("a list");
        assert!(refused.len() > 8);
        for case in refused {
            assert!(decrypt(&keys(case), case["token"].as_str().expect("a token")).is_none(), "{case}");
        }
    }

    proptest! {
        #[test]
        fn only_the_whole_token_under_its_own_key_opens(
            text in ".{0,100}", iv: [u8; 16], one: [u8; 16], two: [u8; 16], at: prop::sample::Index, bit in 0..8_u8,
        ) {
            let (key, other) = (DataKey::of(one, two), DataKey::of(two, one));
            let token = encrypt(&key, &Secret::new(text.clone()), 7, iv);
            let both = DataKeys::one(key.clone()).with_newer(other.clone());
            prop_assert_eq!(decrypt(&both, &token).expect("read").expose().to_owned(), text);
            if one != two {
                prop_assert!(decrypt(&DataKeys::one(other), &token).is_none());
            }
            let mut bytes = BASE64URL.decode(token.as_bytes()).expect("base64");
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decrypt(&both, &BASE64URL.encode(&bytes)).is_none());
            prop_assert!(decrypt(&both, &BASE64URL.encode(&bytes[..at])).is_none());
        }
    }
}
