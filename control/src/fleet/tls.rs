//! The control plane as a TLS client of its agents: TLS 1.3, our authority alone, our certificate.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::FleetError;
use crate::config::DataDir;

/// The client side of a connection to any agent. Which agent it is, the name in its certificate says.
pub fn control_tls(data: &DataDir) -> Result<ClientConfig, FleetError> {
    let content = |path: &Path, expected| FleetError::Content { path: path.to_owned(), expected };
    let read = |path: &Path| std::fs::read(path).map_err(FleetError::reading(path));

    let ca = data.ca_certificate();
    let mut roots = RootCertStore::empty();
    let anchor =
        CertificateDer::from_pem_slice(&read(&ca)?).map_err(|_| content(&ca, "a certificate in PEM"))?;
    roots.add(anchor).map_err(|_| content(&ca, "the certificate of an authority"))?;

    let path = data.control_certificate();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(&path)?).collect();
    let chain = chain.map_err(|_| content(&path, "a certificate in PEM"))?;
    let path = data.control_key();
    let key =
        PrivateKeyDer::from_pem_slice(&read(&path)?).map_err(|_| content(&path, "a private key in PEM"))?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| FleetError::Key("TLS 1.3 is not compiled in"))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|_| content(&path, "the private key of control.pem"))
}
