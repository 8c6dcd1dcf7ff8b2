//! TLS of checks.

use std::path::Path;
use std::sync::Arc;

use rlvs_check::spec::{ServerName as Name, Tls};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::fault::{Fault, Result};
use crate::stream::Stream;
use crate::target::Target;
use crate::tools::Tools;

/// The protocol inside that is agreed on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Alpn {
    None,
    H2,
}

/// Begins TLS on a connection.
pub(crate) async fn begin(
    target: &Target,
    stream: impl Stream + 'static,
    tls: &Tls,
    virtual_host: Option<&str>,
    alpn: Alpn,
    tools: &Tools,
) -> Result<Box<dyn Stream>> {
    let config = tools.config(tls, alpn).await?;
    let name = match &tls.server_name {
        Name::None => None,
        Name::VirtualHost => virtual_host,
        Name::Name(name) => Some(name.as_str()),
    };
    // An address is not sent, but it is what the certificate must be for.
    let name = match name {
        Some(name) => ServerName::try_from(without_port(name).to_owned())
            .map_err(|_| Fault::here(format!("\"{name}\" is no name of a TLS server")))?,
        None => ServerName::IpAddress(target.address.ip().into()),
    };
    let handshake = TlsConnector::from(config).connect(name, stream);
    let stream = target.wait("TLS", handshake).await?;
    if alpn == Alpn::H2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(Fault::target("the server does not offer HTTP/2"));
    }
    Ok(Box::new(stream))
}

/// Virtual hosts may have a port.
fn without_port(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.parse::<u16>().is_ok() => host,
        _ => name,
    }
}

/// Reads the files, and makes the settings of such connections.
pub(crate) fn config(tls: &Tls, alpn: Alpn) -> core::result::Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(match tls.verify {
            true => WebPkiServerVerifier::builder_with_provider(Arc::new(roots(tls)?), provider)
                .build()
                .map_err(|error| error.to_string())?,
            false => Arc::new(AnyCertificate(provider)),
        });
    let mut config = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| format!("{}: {error}", certificate.display()))?,
        (None, None) => builder.with_no_client_auth(),
        _ => return Err("a client certificate and its key are needed both, or none".into()),
    };
    if alpn == Alpn::H2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    // A session that is taken up again shows no certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn roots(tls: &Tls) -> core::result::Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = match &tls.ca {
        Some(file) => certificates(file)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(found);
    match roots.is_empty() {
        true => Err("no certificate authorities are installed: name some (ca)".into()),
        false => Ok(roots),
    }
}

fn certificates(file: &Path) -> core::result::Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error| format!("{}: {error}", file.display());
    let found = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let found = found
        .collect::<core::result::Result<Vec<_>, _>>()
        .map_err(wrong)?;
    match found.is_empty() {
        true => Err(format!("{}: no certificate in PEM form", file.display())),
        false => Ok(found),
    }
}

fn private_key(file: &Path) -> core::result::Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| {
        format!(
            "{}: {error} (encrypted keys cannot be read)",
            file.display()
        )
    })
}

/// Takes any certificate: the check asks whether the server serves.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> core::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> core::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> core::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
