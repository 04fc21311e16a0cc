//! A TLS client that takes any certificate: it looks at what a server shows, and trusts nothing that it says.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error, PeerIncompatible,
    SignatureScheme, StreamOwned,
};

use super::timed::Timed;
use crate::net::provider;

/// A connection, and the certificates that were shown on it, leaf first.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) stream: StreamOwned<ClientConnection, Timed>,
    pub(super) shown: Vec<Vec<u8>>,
}

/// Makes the handshake for `name`.
pub(super) fn open(mut tcp: Timed, name: &str) -> io::Result<Session> {
    let camera = Arc::new(Camera::default());
    let versions = &[&rustls::version::TLS13];
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(versions)
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&camera) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut tcp).map_err(told)?;
    }
    let shown = std::mem::take(&mut *camera.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Session { stream: StreamOwned::new(connection, tcp), shown })
}

/// A server that speaks TLS 1.2 at most says so, or goes on with it; either way it isn't broken.
fn told(error: io::Error) -> io::Error {
    use PeerIncompatible::{ServerDoesNotSupportTls12Or13, ServerTlsVersionIsDisabledByOurConfig};
    match error.get_ref().and_then(|cause| cause.downcast_ref()) {
        Some(
            Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::PeerIncompatible(ServerDoesNotSupportTls12Or13 | ServerTlsVersionIsDisabledByOurConfig),
        ) => io::ErrorKind::Unsupported.into(),
        _ => error,
    }
}

/// Takes down what is shown.
#[derive(Debug, Default)]
struct Camera(Mutex<Vec<Vec<u8>>>);

impl ServerCertVerifier for Camera {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = std::iter::once(leaf).chain(others).map(|certificate| certificate.to_vec());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = shown.collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        // None is verified, so every kind of certificate may be shown.
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ED25519,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
        ]
    }
}
