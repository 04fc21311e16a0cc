//! TLS 1.3 with client certificates: the configuration, the check of the peer's name, and a stream.
//!
//! No older version is compiled in, no session is resumed, no early data is taken. Plaintext and ciphertext
//! buffers are bounded by what TLS calls a record.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use async_io::Async;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme, version::TLS13,
};
use secmon_wire::CONTROL_NAME;
use webpki::EndEntityCert;

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
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority)?;
    let of_our_authority = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|e| Error::General(e.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(ControlPlaneOnly { of_our_authority }))
        .with_single_cert(chain, key)?;
    // The control plane keeps its connections; sessions would only be memory that a peer can fill.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Accepts a client certificate if it is of our authority, for clients, valid now, **and** names the control
/// plane. Another agent's certificate is of the same authority and is refused by its name.
#[derive(Debug)]
struct ControlPlaneOnly {
    of_our_authority: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for ControlPlaneOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.of_our_authority.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.of_our_authority.verify_client_cert(end_entity, intermediates, now)?;
        let wrong_name = || Error::InvalidCertificate(CertificateError::NotValidForName);
        let name = ServerName::try_from(CONTROL_NAME).map_err(|_| wrong_name())?;
        let certificate = EndEntityCert::try_from(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        certificate.verify_is_valid_for_subject_name(&name).map_err(|_| wrong_name())?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.of_our_authority.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.of_our_authority.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.of_our_authority.supported_verify_schemes()
    }
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

    /// Reads some plaintext; 0 at the end of the connection, orderly or not.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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

    /// Sends plaintext, all of it.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_parts(&[bytes]).await
    }

    /// Sends the parts one after the other, in as few packets as they fit in.
    pub(crate) async fn write_parts(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() {
                let taken = self.tls.writer().write(rest)?;
                rest = rest.get(taken..).unwrap_or_default();
                if !rest.is_empty() {
                    self.flush().await?;
                }
            }
        }
        self.flush().await
    }

    /// Says goodbye, and takes what is still on its way: closing a socket with unread bytes resets the
    /// connection, and the peer could lose a response that says what was wrong (RFC 9112 §9.6).
    pub(crate) async fn close(mut self) -> io::Result<()> {
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
