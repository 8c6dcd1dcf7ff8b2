//! A server that is not ours.

use std::fs;
use std::process::{Child, Command};
use std::time::Duration;

use rlvs_check::spec::{Http, Kind, Regex, ServerName, Tls, Url, Version};

use crate::{UP, ask, assert_down, server};

struct Nginx {
    process: Child,
    port: u16,
    tls: u16,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// `None` where it is not installed.
    async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let key = rcgen::generate_simple_self_signed(["www.example.org".to_string()]).unwrap();
        fs::write(path.join("certificate"), key.cert.pem()).unwrap();
        fs::write(path.join("key"), key.signing_key.serialize_pem()).unwrap();
        fs::write(path.join("index.html"), "all is well\n").unwrap();
        let [port, tls] = [server::nobody().await.port(), server::nobody().await.port()];
        let folder_name = path.display();
        let config = format!(
            "daemon off; master_process off; pid {folder_name}/pid; error_log stderr crit;\n\
             events {{}}\n\
             http {{ access_log off; client_body_temp_path {folder_name}; proxy_temp_path {folder_name};\n\
             fastcgi_temp_path {folder_name}; uwsgi_temp_path {folder_name}; scgi_temp_path {folder_name};\n\
             server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{tls} ssl http2; root {folder_name};\n\
             ssl_certificate {folder_name}/certificate; ssl_certificate_key {folder_name}/key;\n\
             location /broken {{ return 500; }} }} }}\n"
        );
        fs::write(path.join("config"), config).unwrap();
        let process = Command::new("nginx")
            .arg("-c")
            .arg(path.join("config"))
            .spawn()
            .ok()?;
        let nginx = Self {
            process,
            port,
            tls,
            _folder: folder,
        };
        for port in [port, tls] {
            while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn nginx_in_all_versions() {
    let Some(nginx) = Nginx::start().await else {
        eprintln!("nginx is not installed: skipped");
        return;
    };
    let page = |version, tls, path: &str| {
        let url = Url {
            regex: Some(Regex::new("^all is well$")),
            ..Url::new(path)
        };
        Kind::Http(Http {
            version,
            tls,
            virtual_host: Some("www.example.org".into()),
            ..Http::new(vec![url])
        })
    };
    let tls = || {
        Some(Tls {
            server_name: ServerName::VirtualHost,
            ..Tls::default()
        })
    };
    let plain = ([127, 0, 0, 1], nginx.port).into();
    let secure = ([127, 0, 0, 1], nginx.tls).into();
    for version in [Version::Http10, Version::Http10Close, Version::Http11] {
        assert_eq!(
            ask(page(version, None, "/"), plain).await,
            UP,
            "{version:?}"
        );
        assert_eq!(
            ask(page(version, tls(), "/"), secure).await,
            UP,
            "{version:?} TLS"
        );
    }
    assert_eq!(ask(page(Version::Http2, tls(), "/"), secure).await, UP);
    assert_down(
        ask(page(Version::Http2, tls(), "/broken"), secure).await,
        "status 500",
    );
    assert_down(
        ask(page(Version::Http11, None, "/broken"), plain).await,
        "status 500",
    );
    assert_down(
        ask(page(Version::Http11, None, "/missing"), plain).await,
        "status 404",
    );
}
