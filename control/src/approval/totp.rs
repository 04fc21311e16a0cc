//! RFC 6238 codes: SHA-1, 30-second steps, 6 digits, as every authenticator and pyotp make them.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::Otp;

/// Seconds of one step (RFC 6238 §4.1).
const STEP_S: u64 = 30;

/// Fewer decoded bytes than these are refused: codes could be guessed from one that was seen.
const SECRET_MIN: usize = 10;

/// The shared secret. It is never shown.
#[derive(Clone)]
pub struct TotpSecret(Vec<u8>);

/// What a code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CodeVerdict {
    /// Right, for this time step.
    Right {
        /// Seconds since the epoch divided by 30.
        step: u64,
    },
    /// Of no step near the clock.
    Wrong,
}

impl TotpSecret {
    /// The secret from base32 as pyotp takes it: any case, with or without padding, spaces and hyphens
    /// for reading ignored.
    pub fn from_base32(text: &str) -> Option<Self> {
        let text: String =
            text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect();
        let bytes = data_encoding::BASE32_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()?;
        (bytes.len() >= SECRET_MIN).then_some(Self(bytes))
    }

    /// Whether `otp` is the code of the step of `now`, the one before or the one after. Every candidate is
    /// compared, whichever matches, in time that doesn't depend on the digits.
    pub fn judge(&self, otp: &Otp, now: u64) -> CodeVerdict {
        let current = now / STEP_S;
        let mut verdict = CodeVerdict::Wrong;
        for step in [current.saturating_add(1), current.saturating_sub(1), current] {
            let code = self.code(step);
            let difference = code.iter().zip(otp.digits()).fold(0, |sum, (a, b)| sum | (a ^ b));
            if difference == 0 {
                verdict = CodeVerdict::Right { step };
            }
        }
        verdict
    }

    /// The code at a time: what an authenticator shows. Nothing that judges needs it.
    pub fn code_at(&self, time: u64) -> String {
        self.code(time / STEP_S).iter().map(|digit| char::from(*digit)).collect()
    }

    /// The six digits of a step (RFC 4226 §5.3).
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104 §2)")]
    fn code(&self, step: u64) -> [u8; 6] {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(&step.to_be_bytes());
        let digest: [u8; 20] = mac.finalize().into_bytes().into();
        let offset = usize::from(digest[19] & 15);
        let mut word = [0; 4];
        word.copy_from_slice(&digest[offset..offset + 4]);
        let mut rest = (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000;
        let mut digits = [0; 6];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        digits
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, SHA-1, last six digits; the secret is "12345678901234567890".
    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        let secret = TotpSecret::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").expect("a secret");
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let otp = Otp::new(code).expect("digits");
            assert_eq!(secret.judge(&otp, time), CodeVerdict::Right { step: time / 30 }, "{time}");
        }
    }

    #[test]
    fn one_step_of_skew_is_accepted_on_either_side_and_two_are_not() {
        let secret = TotpSecret::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").expect("a secret");
        let otp = Otp::new("050471").expect("digits");
        let step = 1_111_111_111 / STEP_S;
        for (skew, expected) in [
            (-2, CodeVerdict::Wrong),
            (-1, CodeVerdict::Right { step }),
            (0, CodeVerdict::Right { step }),
            (1, CodeVerdict::Right { step }),
            (2, CodeVerdict::Wrong),
        ] {
            let now = (step * STEP_S).checked_add_signed(skew * 30).expect("a time");
            assert_eq!(secret.judge(&otp, now), expected, "{skew}");
        }
    }

    #[test]
    fn secrets_are_read_as_pyotp_reads_them() {
        for text in ["JBSWY3DPEHPK3PXP", "jbswy3dpehpk3pxp", "JBSW Y3DP EHPK 3PXP", "jbsw-y3dp-ehpk-3pxp"] {
            assert!(TotpSecret::from_base32(text).is_some(), "{text}");
        }
        for text in ["", "JBSWY3DP", "not base32!", "JBSWY3DPEHPK3PX1"] {
            assert!(TotpSecret::from_base32(text).is_none(), "{text}");
        }
    }
}
