use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rlvs_check::spec::{Http, Kind, ServerName, Tls, Url};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::{UP, ask, assert_down, assert_not_made, server};

/// A certificate authority, with its certificate in a file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn issue(&self, name: &str, expired: bool) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_string()]).unwrap();
        if expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn verifying(&self, name: ServerName) -> Tls {
        Tls {
            server_name: name,
            verify: true,
            ca: Some(self.folder.path().join("ca")),
            ..Tls::default()
        }
    }

    /// A page by TLS; clients need a certificate if `clients`.
    async fn server(&self, name: &str, expired: bool, clients: bool) -> SocketAddr {
        let (certificate, key) = self.issue(name, expired);
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            true => {
                let mut roots = RootCertStore::empty();
                roots.add(self.issuer.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
            false => builder.with_no_client_auth(),
        };
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = builder.with_single_cert(vec![certificate], key).unwrap();
        serve(TlsAcceptor::from(Arc::new(config))).await
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Answers 200 if the client asked for the name www.example.org, else 421.
async fn serve(acceptor: TlsAcceptor) -> SocketAddr {
    server::tcp(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let named = stream.get_ref().1.server_name() == Some("www.example.org");
            let code = if named { 200 } else { 421 };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = format!("HTTP/1.0 {code} X\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

fn https(tls: Tls, status: &str) -> Kind {
    let url = Url {
        status: vec![status.parse().unwrap()],
        ..Url::new("/")
    };
    Kind::Http(Http {
        tls: Some(tls),
        virtual_host: Some("www.example.org:8443".into()),
        ..Http::new(vec![url])
    })
}

fn named() -> ServerName {
    ServerName::Name("www.example.org".into())
}

#[tokio::test]
async fn names_are_sent_as_wanted() {
    let address = Authority::new().server("whatever", true, false).await;
    let with = |server_name| Tls {
        server_name,
        ..Tls::default()
    };
    assert_eq!(ask(https(with(ServerName::None), "421"), address).await, UP);
    assert_eq!(
        ask(https(with(ServerName::VirtualHost), "200"), address).await,
        UP
    );
    assert_eq!(ask(https(with(named()), "200"), address).await, UP);
    let other = ServerName::Name("other.example.org".into());
    assert_eq!(ask(https(with(other), "421"), address).await, UP);
}

#[tokio::test]
async fn certificates_are_looked_at_if_wanted() {
    let authority = Authority::new();
    let good = authority.server("www.example.org", false, false).await;
    assert_eq!(
        ask(https(authority.verifying(named()), "200"), good).await,
        UP
    );
    let expired = authority.server("www.example.org", true, false).await;
    assert_down(
        ask(https(authority.verifying(named()), "200"), expired).await,
        "xpired",
    );
    let other = authority.server("other.example.org", false, false).await;
    assert_down(
        ask(https(authority.verifying(named()), "200"), other).await,
        "not valid for name",
    );
    let stranger = Authority::new();
    assert_down(
        ask(https(stranger.verifying(named()), "200"), good).await,
        "invalid peer certificate",
    );
    let address = authority.server("127.0.0.1", false, false).await;
    let by_address = authority.verifying(ServerName::None);
    assert_eq!(ask(https(by_address, "421"), address).await, UP);
}

#[tokio::test]
async fn clients_show_their_certificate() {
    let authority = Authority::new();
    let address = authority.server("www.example.org", false, true).await;
    let path = |name: &str| authority.folder.path().join(name);
    let (certificate, key) = authority.issue("client", false);
    std::fs::write(path("certificate"), certificate).unwrap();
    std::fs::write(path("key"), key).unwrap();
    let tls = Tls {
        certificate: Some(path("certificate")),
        key: Some(path("key")),
        ..authority.verifying(named())
    };
    assert_eq!(ask(https(tls.clone(), "200"), address).await, UP);
    let without = authority.verifying(named());
    assert_down(ask(https(without, "200"), address).await, "ertificate");
    let missing = Tls {
        key: Some(path("nothing")),
        ..tls
    };
    assert_not_made(ask(https(missing, "200"), address).await, "nothing");
}

#[tokio::test]
async fn who_does_not_speak_tls_is_down() {
    let tls = || https(Tls::default(), "200");
    assert_down(
        ask(tls(), server::says("HTTP/1.0 200 OK\r\n\r\n").await).await,
        "",
    );
    assert_down(ask(tls(), server::silent().await).await, "TLS: timed out");
    let plain = Authority::new()
        .server("www.example.org", false, false)
        .await;
    let http2 = Kind::Http(Http {
        version: rlvs_check::spec::Version::Http2,
        tls: Some(Tls::default()),
        ..Http::new(vec![Url::new("/")])
    });
    assert_down(ask(http2, plain).await, "HTTP/2");
}
