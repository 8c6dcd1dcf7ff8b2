//! The way to a director elsewhere: TLS, and a token that says who asks.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::exchange::Stream;
use crate::{Code, Error};

/// Where the API listens, unless said otherwise.
const PORT: u16 = 7443;
/// How long a connection may take to be there.
const PATIENCE: Duration = Duration::from_secs(10);

/// A director by its address, and what it knows us by.
#[derive(Clone)]
pub struct Remote {
    host: String,
    port: u16,
    /// None for one on this host that listens without TLS.
    tls: Option<(ServerName<'static>, TlsConnector)>,
    authority: HeaderValue,
    token: HeaderValue,
}

impl Remote {
    /// `url` is `https://HOST:PORT`. Its certificate must be one of `authority`'s, a file in PEM, or of
    /// one that this host trusts.
    pub fn new(url: &str, token: &str, authority: Option<&Path>) -> Result<Self, Error> {
        let uri: Uri = url.parse().map_err(|_| not_understood(url))?;
        let plain = match uri.scheme_str() {
            Some("https") => false,
            Some("http") => true,
            _ => return Err(not_understood(url)),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(not_understood(url));
        }
        let named = uri.authority().ok_or_else(|| not_understood(url))?.as_str();
        let host = uri.host().ok_or_else(|| not_understood(url))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if plain && !is_here(host) {
            let message = format!(
                "{url}: a token must not be sent in the clear: use https, or an address of this host"
            );
            return Err(Error::new(Code::Invalid, message));
        }
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))
            .map_err(|_| Error::new(Code::Invalid, "The token is none: `rlvs token` makes one"))?;
        value.set_sensitive(true);
        let tls = match plain {
            true => None,
            false => Some((name(host)?, connector(authority)?)),
        };
        Ok(Self {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(PORT),
            tls,
            authority: HeaderValue::try_from(named).map_err(|_| not_understood(url))?,
            token: value,
        })
    }

    /// What requests carry: whom they are for, and who asks.
    pub(super) fn sign(&self, headers: &mut HeaderMap) {
        headers.insert(HOST, self.authority.clone());
        headers.insert(AUTHORIZATION, self.token.clone());
    }

    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, Error> {
        let connecting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            let stream: Box<dyn Stream> = match &self.tls {
                None => Box::new(stream),
                Some((name, connector)) => Box::new(connector.connect(name.clone(), stream).await?),
            };
            Ok(stream)
        };
        let connected = timeout(PATIENCE, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        connected.map_err(|error: io::Error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &io::Error) -> Error {
        let Self { host, port, .. } = self;
        let is_tls = error
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>());
        let (code, mend) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (
                Code::NotRunning,
                ": it does not run, or [api] of its rlvs.toml does not listen there",
            ),
            _ if is_tls => (
                Code::PermissionDenied,
                ": its certificate must be for this name, and of an authority that --ca-file or this \
                 host knows",
            ),
            _ => (Code::NotRunning, ""),
        };
        let message = format!("Cannot reach the director at {host} port {port} ({error}){mend}");
        Error::new(code, message)
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

fn connector(authority: Option<&Path>) -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => {
            let refused = |error: String| {
                let message = format!("{}: {error}", path.display());
                Error::new(Code::Invalid, message)
            };
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| refused(error.to_string()))?;
            let (added, _) = roots.add_parsable_certificates(certificates);
            if added == 0 {
                return Err(refused("there is no certificate in it".to_owned()));
            }
        }
        None => {
            let known = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(known.certs);
        }
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Code::Internal, error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn name(host: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| Error::new(Code::Invalid, format!("`{host}` is no name of a host")))
}

fn is_here(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

fn not_understood(url: &str) -> Error {
    let message = format!("`{url}` is no director: write https://HOST:PORT");
    Error::new(Code::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_directors_are_read() {
        for (url, host, port) in [
            ("https://lb1.example.org:7000", "lb1.example.org", 7000),
            ("https://192.0.2.1", "192.0.2.1", 7443),
            ("https://[2001:db8::1]:7443/", "2001:db8::1", 7443),
            ("http://127.0.0.1:1", "127.0.0.1", 1),
            ("http://[::1]:1", "::1", 1),
        ] {
            let remote = Remote::new(url, "rlvs_1\n", None).unwrap();
            assert_eq!((remote.host.as_str(), remote.port), (host, port));
            assert!(!format!("{remote:?} {:?}", remote.token).contains("rlvs_1"));
        }
        for (url, why) in [
            ("lb1:7443", "write https://"),
            ("https://lb1/v1", "write https://"),
            ("ftp://lb1", "write https://"),
            ("http://192.0.2.1", "in the clear"),
        ] {
            let error = Remote::new(url, "x", None).unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
        let missing = Remote::new("https://x", "x", Some(Path::new("/nonexistent.pem")));
        assert!(
            missing
                .unwrap_err()
                .message
                .starts_with("/nonexistent.pem: ")
        );
    }
}
