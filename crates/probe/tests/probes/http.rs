use std::time::Duration;

use rlvs_check::spec::{Check, Connect, Http, Kind, Method, Options, Regex, Url, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{UP, ask, ask_by, assert_down, assert_not_made, options, server};

fn page(url: Url) -> Kind {
    Kind::Http(Http::new(vec![url]))
}

fn get() -> Kind {
    page(Url::new("/"))
}

#[tokio::test]
async fn status_codes() {
    let at = |code: u16| server::says(format!("HTTP/1.1 {code} X\r\nContent-Length: 0\r\n\r\n"));
    assert_eq!(ask(get(), at(200).await).await, UP);
    assert_eq!(ask(get(), at(204).await).await, UP);
    assert_down(ask(get(), at(503).await).await, "status 503");
    let url = Url {
        status: vec!["404".parse().unwrap()],
        ..Url::new("/")
    };
    assert_eq!(ask(page(url), at(404).await).await, UP);
}

#[tokio::test]
async fn bodies() {
    let address = server::says("HTTP/1.0 200 OK\r\n\r\nall is well\n").await;
    let digest = |digest: &str| Url {
        digest: Some(digest.parse().unwrap()),
        ..Url::new("/")
    };
    // printf 'all is well\n' | md5sum
    let right = digest("2670f929ce8c93af815ba0ae8fd591ff");
    assert_eq!(ask(page(right), address).await, UP);
    let wrong = digest("00000000000000000000000000000000");
    assert_down(
        ask(page(wrong), address).await,
        "MD5 2670f929ce8c93af815ba0ae8fd591ff",
    );
    let regex = |regex: Regex| Url {
        regex: Some(regex),
        ..Url::new("/")
    };
    assert_eq!(ask(page(regex(Regex::new("well$"))), address).await, UP);
    assert_down(
        ask(page(regex(Regex::new("ill"))), address).await,
        "not as wanted",
    );
    let not = Regex {
        no_match: true,
        ..Regex::new("well")
    };
    assert_down(ask(page(regex(not)), address).await, "not as wanted");
}

/// The request, as the server gets it.
async fn request(http: Http) -> String {
    let (sender, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let address = server::tcp(move |mut stream| {
        let sender = sender.clone();
        async move {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            request.truncate(length);
            sender.send(String::from_utf8(request).unwrap()).unwrap();
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").await.unwrap();
        }
    })
    .await;
    assert_eq!(ask(Kind::Http(http), address).await, UP);
    let host = format!("Host: {address}");
    requests
        .recv()
        .await
        .unwrap()
        .replace(&host, "Host: ADDRESS")
}

#[tokio::test]
async fn requests_are_keepaliveds() {
    let with = |version, virtual_host: Option<&str>| Http {
        version,
        virtual_host: virtual_host.map(Into::into),
        ..Http::new(vec![Url::new("/a?b=c")])
    };
    assert_eq!(
        request(with(Version::Http10, None)).await,
        "GET /a?b=c HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: ADDRESS\r\n\r\n"
    );
    assert_eq!(
        request(with(Version::Http11, Some("www.example.org"))).await,
        "GET /a?b=c HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\n\
         Host: www.example.org\r\n\r\n"
    );
    let head = Url {
        method: Method::Head,
        ..Url::new("/")
    };
    let head = request(Http::new(vec![head])).await;
    assert!(head.starts_with("HEAD / HTTP/1.0\r\n"), "{head}");
}

#[tokio::test]
async fn servers_that_do_not_serve() {
    assert_down(ask(get(), server::silent().await).await, "timed out");
    assert_down(
        ask(get(), server::says("").await).await,
        "connection closed",
    );
    assert_down(
        ask(get(), server::says("\u{1}\u{2}garbage\r\n\r\n").await).await,
        "invalid",
    );
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
    assert_down(ask(get(), server::says(short).await).await, "body");
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(1 << 20));
    assert_down(ask(get(), server::says(head).await).await, "too large");
}

/// A page whose MD5 sum is that of "all is well".
fn well() -> Kind {
    page(Url {
        digest: Some("4409bb950a3826c313c34b46b429ac84".parse().unwrap()),
        ..Url::new("/")
    })
}

#[tokio::test]
async fn bodies_in_chunks() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let says = |body: &str| server::says(format!("{head}{body}"));
    let chunks = "4;a=b\r\nall \r\n7\r\nis well\r\n0\r\nTrailer: x\r\n\r\n";
    assert_eq!(ask(well(), says(chunks).await).await, UP);
    let longer = "4\r\nall \r\n8\r\nis well!\r\n0\r\n\r\n";
    assert_down(ask(well(), says(longer).await).await, "MD5");
    assert_down(ask(well(), says("4\r\nall ").await).await, "the body");
    assert_down(ask(well(), says("four\r\n").await).await, "chunk");
}

#[tokio::test]
async fn answers_before_the_final_one() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nall is well and more";
    assert_eq!(
        ask(well(), server::says(format!("{early}{last}")).await).await,
        UP
    );
    assert_down(
        ask(get(), server::says(early.repeat(9)).await).await,
        "no final answer",
    );
}

/// Takes a request, and begins an answer.
async fn heads(stream: &mut tokio::net::TcpStream) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").await;
}

#[tokio::test]
async fn a_body_without_end_is_read_to_a_limit() {
    let endless = || {
        server::tcp(|mut stream| async move {
            heads(&mut stream).await;
            while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
        })
    };
    assert_eq!(ask(get(), endless().await).await, UP);
    let digest = Url {
        digest: Some("00000000000000000000000000000000".parse().unwrap()),
        ..Url::new("/")
    };
    let options = Options {
        total_timeout: Some(Duration::from_secs(30)),
        ..options()
    };
    let check = Check::new(page(digest), Connect::default(), &options);
    assert_down(ask_by(check, endless().await).await, "to sum up");
}

#[tokio::test]
async fn a_server_that_drips_is_not_waited_for() {
    let dripping = server::tcp(|mut stream| async move {
        heads(&mut stream).await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let options = Options {
        total_timeout: Some(Duration::from_millis(900)),
        ..options()
    };
    let check = Check::new(get(), Connect::default(), &options);
    assert_down(ask_by(check, dripping).await, "more than 900ms");
}

#[tokio::test]
async fn http_2_without_tls() {
    let address = server::tcp(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let status = match request.uri().path() {
                "/here" if request.uri().host() == Some("www.example.org") => 200,
                _ => 404,
            };
            let response = http::Response::builder().status(status).body(()).unwrap();
            let mut body = respond.send_response(response, false).unwrap();
            body.send_data(bytes::Bytes::from("all is well\n"), true)
                .unwrap();
        }
    })
    .await;
    let at = |path: &str| {
        let url = Url {
            regex: Some(Regex::new("^all is well$")),
            ..Url::new(path)
        };
        Kind::Http(Http {
            version: Version::Http2,
            virtual_host: Some("www.example.org".into()),
            ..Http::new(vec![url])
        })
    };
    assert_eq!(ask(at("/here"), address).await, UP);
    assert_down(ask(at("/there"), address).await, "status 404");
    assert_down(
        ask(at("/here"), server::says("HTTP/1.1 400 No\r\n\r\n").await).await,
        "HTTP/2",
    );
}

#[tokio::test]
async fn nonsense_is_not_asked() {
    let address = server::silent().await;
    assert_not_made(ask(page(Url::new("/ with spaces")), address).await, "path");
    assert_not_made(ask(Kind::Http(Http::new(vec![])), address).await, "no URL");
}
