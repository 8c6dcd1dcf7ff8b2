use std::net::SocketAddr;

use rlvs_check::spec::{Database, Kind, Login};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{UP, ask, assert_down, server};

const FAST: &[u8] = b"\x01\x03";
const FULL: &[u8] = b"\x01\x04";
const WELL: &[u8] = b"\0\0\0\x02\0\0\0";
const END: &[u8] = b"\xfe\0\0\x02\0";
const CLEAR: &[u8] = b"\xfemysql_clear_password\0";

async fn send(stream: &mut TcpStream, number: u8, packet: &[u8]) {
    let length = packet.len() as u8;
    let bytes = [&[length, 0, 0, number], packet].concat();
    let _ = stream.write_all(&bytes).await;
}

async fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 4];
    let mut packet = Vec::new();
    if stream.read_exact(&mut head).await.is_ok() {
        packet.resize(usize::from(head[0]), 0);
        let _ = stream.read_exact(&mut packet).await;
    }
    packet
}

fn greeting() -> Vec<u8> {
    let capabilities: u32 = 0x0008_0000 | 0x8000 | 0x0200 | 0x08 | 0x01;
    let [a, b, c, d] = capabilities.to_le_bytes();
    let parts: [&[u8]; 6] = [
        b"\x0a8.0.36\0\x07\0\0\0saltsalt\0",
        &[a, b, 45, 2, 0, c, d, 21],
        &[0; 10],
        b"saltsaltsalt\0",
        b"caching_sha2_password",
        b"\0",
    ];
    parts.concat()
}

fn has(packet: &[u8], part: &str) -> bool {
    packet.windows(part.len()).any(|it| it == part.as_bytes())
}

/// A server as MySQL 8, to which "anna" has logged in lately, "berta" has not, and "carl" is to tell his
/// password as it is.
async fn mysql() -> SocketAddr {
    server::tcp(|mut stream| async move {
        send(&mut stream, 0, &greeting()).await;
        let login = receive(&mut stream).await;
        if has(&login, "otto") {
            send(&mut stream, 2, b"\xff\x15\x04#28000Access denied").await;
            return;
        }
        if has(&login, "carl") {
            send(&mut stream, 2, CLEAR).await;
            assert!(receive(&mut stream).await.is_empty(), "a password");
            return;
        }
        if has(&login, "berta") {
            send(&mut stream, 2, FULL).await;
            assert_eq!(receive(&mut stream).await, [2]);
            send(&mut stream, 4, b"\x01no key").await;
            return;
        }
        send(&mut stream, 2, FAST).await;
        send(&mut stream, 3, WELL).await;
        let query = receive(&mut stream).await;
        send(&mut stream, 1, b"\x01").await;
        send(
            &mut stream,
            2,
            b"\x03def\0\0\0\x011\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0",
        )
        .await;
        send(&mut stream, 3, END).await;
        if query == b"\x03SELECT 1" {
            send(&mut stream, 4, b"\x011").await;
        }
        send(&mut stream, 4, END).await;
    })
    .await
}

fn with(name: &str, request: Option<&str>) -> Kind {
    Kind::Mysql(Database {
        login: Login {
            name: name.into(),
            password: "secret".into(),
        },
        database: "shop".into(),
        request: request.map(Into::into),
        tls: None,
    })
}

#[tokio::test]
async fn mysql_servers() {
    let good = mysql().await;
    assert_eq!(ask(with("anna", None), good).await, UP);
    assert_eq!(ask(with("anna", Some("SELECT 1")), good).await, UP);
    assert_down(ask(with("anna", Some("SELECT 2")), good).await, "no row");
    assert_down(ask(with("otto", None), good).await, "Access denied");
    assert_down(ask(with("carl", None), good).await, "without TLS");
    assert_down(ask(with("berta", None), good).await, "challenge");
}

#[tokio::test]
async fn what_is_no_mysql_server() {
    for (says, reason) in [("HTTP/1.1 200 OK\r\n", ""), ("", "closed")] {
        let other = server::tcp(move |mut stream| async move {
            let _ = stream.write_all(says.as_bytes()).await;
        });
        assert_down(ask(with("anna", None), other.await).await, reason);
    }
    let refusing = server::tcp(|mut stream| async move {
        send(&mut stream, 0, b"\xff\x69\x04Host is blocked").await;
    })
    .await;
    assert_down(ask(with("anna", None), refusing).await, "Host is blocked");
    assert_down(
        ask(with("anna", None), server::silent().await).await,
        "timed out",
    );
}
