//! Our certificate authority: P-256 certificates that let the control plane and the agents know each
//! other in TLS 1.3. Nobody else's certificates are ever asked about.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secmon_wire::{AGENT_NAME_SUFFIX, AgentId, CONTROL_NAME};

use super::FleetError;

const DAY_S: u64 = 86_400;
/// The authority outlives every certificate that it signs in its first seven years.
const CA_DAYS: u64 = 3650;
/// The longest that common TLS stacks accept of a private authority.
const LEAF_DAYS: u64 = 825;
/// How far a clock may be behind when it first sees a new certificate.
const BACKDATED_S: u64 = DAY_S;

/// The authority: its certificate and the key that signs others.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    not_after: u64,
}

/// A certificate with its private key, both in PEM.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The key, PKCS#8.
    pub key: String,
    /// When it ends, in seconds since the epoch.
    pub not_after: u64,
}

/// From when until when a certificate is good, in seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: u64,
    /// The last second.
    pub not_after: u64,
}

impl Authority {
    /// Makes a new authority.
    pub fn generate(now: u64) -> Result<(Self, Issued), FleetError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let (mut params, validity) = params("secmon CA", now, CA_DAYS, None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        let issued = Issued { certificate, key: key.serialize_pem(), not_after: validity.not_after };
        Ok((Self { issuer: Issuer::new(params, key), not_after: validity.not_after }, issued))
    }

    /// Reads the authority of a data directory.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, FleetError> {
        let read = |path: &Path| std::fs::read_to_string(path).map_err(FleetError::reading(path));
        let content = |path: &Path, expected| FleetError::Content { path: path.to_owned(), expected };
        let expected = "a P-256 private key (PKCS#8 in PEM)";
        let key_pair = KeyPair::from_pem(&read(key)?).map_err(|_| content(key, expected))?;
        let expected = "the certificate of an authority";
        let text = read(certificate)?;
        let der =
            CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| content(certificate, expected))?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&der).map_err(|_| content(certificate, expected))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key_pair.public_key_raw() {
            return Err(content(key, "the private key of the certificate beside it"));
        }
        let not_after = validity(text.as_bytes()).ok_or_else(|| content(certificate, expected))?.not_after;
        let issuer = Issuer::from_ca_cert_der(&der, key_pair).map_err(|_| content(certificate, expected))?;
        Ok(Self { issuer, not_after })
    }

    /// A certificate that names the control plane: a client to every agent.
    pub fn issue_control(&self, now: u64) -> Result<Issued, FleetError> {
        self.issue(CONTROL_NAME, ExtendedKeyUsagePurpose::ClientAuth, now)
    }

    /// A certificate that names an agent: a server, and no client to anybody.
    pub fn issue_agent(&self, agent: &AgentId, now: u64) -> Result<Issued, FleetError> {
        self.issue(&agent_name(agent), ExtendedKeyUsagePurpose::ServerAuth, now)
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose, now: u64) -> Result<Issued, FleetError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let (mut params, validity) = params(name, now, LEAF_DAYS, Some(self.not_after))?;
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into()?)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued { certificate, key: key.serialize_pem(), not_after: validity.not_after })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

/// The DNS name in an agent's certificate.
pub fn agent_name(agent: &AgentId) -> String {
    format!("{agent}{AGENT_NAME_SUFFIX}")
}

/// From when until when the first certificate in `pem` is good; `None` if there is none.
pub fn validity(pem: &[u8]) -> Option<Validity> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
    let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).ok();
    let validity = certificate.validity();
    Some(Validity { not_before: seconds(validity.not_before)?, not_after: seconds(validity.not_after)? })
}

/// A time as the date that people read, in UTC.
pub fn date(time: u64) -> String {
    /// The end of the year 9999, after which a date has no four-digit year.
    const LAST: u64 = 253_402_300_799;
    (date_time_ymd(1970, 1, 1) + Duration::from_secs(time.min(LAST))).date().to_string()
}

/// What all our certificates have in common.
fn params(
    name: &str,
    now: u64,
    days: u64,
    end: Option<u64>,
) -> Result<(CertificateParams, Validity), FleetError> {
    let not_after = now.saturating_add(days.saturating_mul(DAY_S)).min(end.unwrap_or(u64::MAX));
    let validity = Validity { not_before: now.saturating_sub(BACKDATED_S), not_after };
    let epoch = date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + Duration::from_secs(validity.not_before);
    params.not_after = epoch + Duration::from_secs(validity.not_after);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok((params, validity))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_767_225_600;

    #[test]
    fn certificates_name_their_holder_and_end_before_the_authority_does() {
        let (authority, ca) = Authority::generate(NOW).expect("an authority");
        let control = authority.issue_control(NOW).expect("a certificate");
        assert_eq!(
            validity(control.certificate.as_bytes()),
            Some(Validity { not_before: NOW - DAY_S, not_after: NOW + 825 * DAY_S })
        );
        let late = authority.issue_control(NOW + 3000 * DAY_S).expect("a certificate");
        assert_eq!(late.not_after, ca.not_after);
        assert_eq!(late.not_after, NOW + 3650 * DAY_S);
    }

    #[test]
    fn any_number_has_a_date() {
        assert_eq!(date(NOW), "2026-01-01");
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(u64::MAX), "9999-12-31");
    }

    #[test]
    fn an_authority_reads_back_and_goes_on_issuing() {
        let directory = tempfile::tempdir().expect("a directory");
        let (certificate, key) = (directory.path().join("ca.pem"), directory.path().join("ca.key"));
        let (_, ca) = Authority::generate(NOW).expect("an authority");
        std::fs::write(&certificate, &ca.certificate).expect("a file");
        std::fs::write(&key, &ca.key).expect("a file");
        let authority = Authority::read(&certificate, &key).expect("the authority");
        let agent = AgentId::new("web1").expect("an id");
        let issued = authority.issue_agent(&agent, NOW).expect("a certificate");

        let anchor = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).expect("a certificate");
        let anchor = webpki::anchor_from_trusted_cert(&anchor).expect("an anchor");
        let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).expect("a certificate");
        let leaf = webpki::EndEntityCert::try_from(&der).expect("a leaf");
        let verify = |usage| {
            let time = rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(NOW));
            leaf.verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                std::slice::from_ref(&anchor),
                &[],
                time,
                usage,
                None,
                None,
            )
            .map(|_| ())
        };
        verify(webpki::KeyUsage::server_auth()).expect("a server's certificate");
        verify(webpki::KeyUsage::client_auth()).expect_err("not a client's");
        let name = agent_name(&agent).try_into().expect("a name");
        leaf.verify_is_valid_for_subject_name(&name).expect("the agent's name");

        let (_, other) = Authority::generate(NOW).expect("an authority");
        std::fs::write(&key, &other.key).expect("a file");
        let error = Authority::read(&certificate, &key).expect_err("another key").to_string();
        assert!(error.contains("ca.key: not the private key of the certificate beside it"), "{error}");
    }
}
