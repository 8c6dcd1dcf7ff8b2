//! The director's certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::tokens::{self, read_private};

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {why}", path.display())]
    Certificate { path: PathBuf, why: String },
    #[error(transparent)]
    Key(#[from] tokens::Error),
    #[error("{}: {why}", path.display())]
    NoKey { path: PathBuf, why: String },
    #[error("{} and {}: {why}", certificate.display(), key.display())]
    Together {
        certificate: PathBuf,
        key: PathBuf,
        why: rustls::Error,
    },
}

/// What begins TLS with a certificate, its chain and its key, of files in PEM.
pub(super) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string());
    let chain = chain.and_then(|chain| match chain.is_empty() {
        true => Err("there is no certificate in it".to_owned()),
        false => Ok(chain),
    });
    let chain = chain.map_err(|why| Error::Certificate {
        path: certificate.to_owned(),
        why,
    })?;
    let text = read_private(key)?;
    let parsed = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| Error::NoKey {
        path: key.to_owned(),
        why: error.to_string(),
    })?;
    let together = |why| Error::Together {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        why,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(together)?
        .with_no_client_auth()
        .with_single_cert(chain, parsed)
        .map_err(together)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
