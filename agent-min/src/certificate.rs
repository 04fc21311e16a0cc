//! What is wrong with the agent's certificate, and when it ends.
//!
//! webpki judges signature, purpose, name and time, as it does in a handshake. It keeps the end of validity
//! to itself, but its "expired" error says it: asked for a day in the far future, every sound certificate is
//! refused with its own `notAfter`. That spares us a DER reader.

use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use secmon_wire::{AGENT_NAME_SUFFIX, AgentId};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

/// The name that an agent's certificate must carry.
pub(crate) fn agent_name(agent_id: &AgentId) -> String {
    format!("{agent_id}{AGENT_NAME_SUFFIX}")
}

/// Checks that `chain` is a server certificate of `authority` for `agent_id` that is valid at `clock`. The
/// error says what is wrong with it.
pub(crate) fn check(
    chain: &[CertificateDer<'_>],
    authority: &CertificateDer<'_>,
    agent_id: &AgentId,
    provider: &CryptoProvider,
    clock: u64,
) -> Result<(), String> {
    let (leaf, intermediates) = chain.split_first().ok_or("holds no certificate")?;
    let leaf = EndEntityCert::try_from(leaf).map_err(|e| format!("holds a broken certificate ({e})"))?;
    verify(&leaf, intermediates, authority, provider, clock).map_err(|error| match error {
        Error::CertExpired { not_after, .. } => {
            format!("expired {} days ago", clock.saturating_sub(not_after.as_secs()) / DAY)
        }
        Error::CertNotValidYet { .. } => "is not valid yet by this host's clock".into(),
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => {
            "is not from the authority in ca.pem".into()
        }
        error => format!("is not usable as a server certificate ({error})"),
    })?;
    let name = agent_name(agent_id);
    let dns = ServerName::try_from(name.as_str()).map_err(|e| e.to_string())?;
    leaf.verify_is_valid_for_subject_name(&dns).map_err(|_| format!("does not carry the name {name}"))
}

/// When a certificate ends, in seconds since the epoch.
pub(crate) fn not_after(
    certificate: &CertificateDer<'_>,
    authority: &CertificateDer<'_>,
    provider: &CryptoProvider,
) -> Option<u64> {
    let leaf = EndEntityCert::try_from(certificate).ok()?;
    match verify(&leaf, &[], authority, provider, FAR_FUTURE) {
        Err(Error::CertExpired { not_after, .. }) => Some(not_after.as_secs()),
        _ => None,
    }
}

/// Seconds of a day.
pub(crate) const DAY: u64 = 86_400;

/// The last second of the year 9999, which X.509 uses for "no end" (RFC 5280 §4.1.2.5), and one more.
const FAR_FUTURE: u64 = 253_402_300_800;

fn verify(
    leaf: &EndEntityCert<'_>,
    intermediates: &[CertificateDer<'_>],
    authority: &CertificateDer<'_>,
    provider: &CryptoProvider,
    clock: u64,
) -> Result<(), Error> {
    let anchor = anchor_from_trusted_cert(authority)?;
    leaf.verify_for_usage(
        provider.signature_verification_algorithms.all,
        &[anchor],
        intermediates,
        UnixTime::since_unix_epoch(Duration::from_secs(clock)),
        KeyUsage::server_auth(),
        None,
        None,
    )
    .map(|_path| ())
}
