//! TLS 1.3 with client certificates: the configuration, the check of the peer's name, and a stream.
//!
//! No older version is compiled in, no session is resumed, no early data is taken. Plaintext and ciphertext
//! buffers are bounded by what TLS calls a record.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use async_io::Async;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection,
    SignatureScheme, version::TLS13,
};
use secmon_wire::CONTROL_NAME;
use webpki::{EndEntityCert, KeyUsage};

use super::crypto::SIGNATURES;
use super::stream::Stream;

/// Bytes of plaintext that wait to be encrypted and sent.
const SEND_BUFFER_MAX: usize = 64 * 1024;
/// Reads after which a peer that goes on sending is cut off.
const LINGER_READS: usize = 256;

/// The server's side of TLS for this agent: our certificate, and peers of `authority` that name the control
/// plane.
pub(crate) fn tls_config(
    provider: &Arc<CryptoProvider>,
    authority: CertificateDer<'static>,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
) -> Result<Arc<ServerConfig>, Error> {
    let anchor = webpki::anchor_from_trusted_cert(&authority)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?
        .to_owned();
    let hint = vec![DistinguishedName::in_sequence(&anchor.subject)];
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match()?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(ControlPlaneOnly { anchor, hint }))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    // The control plane keeps its connections; sessions would only be memory that a peer can fill.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Accepts a client certificate if it is of our authority, for clients, valid now, **and** names the control
/// plane. Another agent's certificate is of the same authority and is refused by its name.
#[derive(Debug)]
struct ControlPlaneOnly {
    anchor: TrustAnchor<'static>,
    hint: Vec<DistinguishedName>,
}

impl ClientCertVerifier for ControlPlaneOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hint
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let certificate = EndEntityCert::try_from(end_entity).map_err(|e| refusal(&e))?;
        let anchors = std::slice::from_ref(&self.anchor);
        let usage = KeyUsage::client_auth();
        certificate
            .verify_for_usage(SIGNATURES.all, anchors, intermediates, now, usage, None, None)
            .map_err(|e| refusal(&e))?;
        let wrong_name = || Error::InvalidCertificate(CertificateError::NotValidForName);
        let name = ServerName::try_from(CONTROL_NAME).map_err(|_| wrong_name())?;
        certificate.verify_is_valid_for_subject_name(&name).map_err(|_| wrong_name())?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &SIGNATURES)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SIGNATURES.supported_schemes()
    }
}

/// What the peer is told of its certificate.
fn refusal(error: &webpki::Error) -> Error {
    Error::InvalidCertificate(match error {
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        _ => CertificateError::BadEncoding,
    })
}

/// One TLS connection over a non-blocking socket.
#[derive(Debug)]
pub(crate) struct TlsStream {
    tcp: Async<TcpStream>,
    tls: ServerConnection,
}

impl TlsStream {
    /// Completes the handshake.
    pub(crate) async fn accept(tcp: Async<TcpStream>, config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
        tls.set_buffer_limit(Some(SEND_BUFFER_MAX));
        let mut stream = Self { tcp, tls };
        while stream.tls.is_handshaking() {
            stream.flush().await?;
            if stream.tls.is_handshaking() && stream.receive().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        stream.flush().await?;
        Ok(stream)
    }

    /// Takes ciphertext from the socket; 0 at its end.
    async fn receive(&mut self) -> io::Result<usize> {
        let Self { tcp, tls } = self;
        let length = tcp.read_with(|mut socket| tls.read_tls(&mut socket)).await?;
        if let Err(error) = self.tls.process_new_packets() {
            // The peer should learn why (RFC 8446 §6.2); whether it does is its own affair.
            let _peer_is_gone = self.flush().await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(length)
    }

    async fn flush(&mut self) -> io::Result<()> {
        let Self { tcp, tls } = self;
        while tls.wants_write() {
            if tcp.write_with(|mut socket| tls.write_tls(&mut socket)).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

impl Stream for TlsStream {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            // TLS has answers of its own to send (key updates).
            self.flush().await?;
            if self.receive().await? == 0 {
                return Ok(0);
            }
        }
    }

    async fn write(&mut self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        while !parts.is_empty() {
            let taken = self.tls.writer().write_vectored(parts)?;
            IoSlice::advance_slices(&mut parts, taken);
            self.flush().await?;
        }
        Ok(())
    }

    /// Says goodbye, and takes what is still on its way: closing a socket with unread bytes resets the
    /// connection, and the peer could lose a response that says what was wrong (RFC 9112 §9.6).
    async fn close(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.flush().await?;
        self.tcp.get_ref().shutdown(std::net::Shutdown::Write)?;
        let mut dropped = [0_u8; 1024];
        for _ in 0..LINGER_READS {
            if self.tcp.read_with(|mut socket| socket.read(&mut dropped)).await? == 0 {
                break;
            }
        }
        Ok(())
    }
}
