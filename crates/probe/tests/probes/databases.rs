use std::net::SocketAddr;

use rlvs_check::spec::{Database, Directory, Kind, Login, Redis, Regex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{UP, ask, assert_down, server};

fn login(name: &str) -> Login {
    Login {
        name: name.into(),
        password: "secret".into(),
    }
}

#[tokio::test]
async fn redis_servers() {
    let good = server::talks(
        "",
        &[
            ("PING", "+PONG\r\n"),
            ("anna", "+OK\r\n"),
            ("otto", "-WRONGPASS no\r\n"),
            ("replication", "$30\r\n# Replication\r\nrole:master\r\n\r\n"),
            ("", ""),
        ],
    )
    .await;
    let redis = |login, role: Option<&str>| {
        Kind::Redis(Redis {
            login,
            role: role.map(Into::into),
            tls: None,
        })
    };
    assert_eq!(ask(redis(None, None), good).await, UP);
    assert_eq!(
        ask(redis(Some(login("anna")), Some("master")), good).await,
        UP
    );
    assert_down(
        ask(redis(Some(login("otto")), None), good).await,
        "WRONGPASS",
    );
    assert_down(
        ask(redis(None, Some("slave")), good).await,
        "its role is master",
    );
    let loading = server::says("-LOADING\r\n").await;
    assert_down(ask(redis(None, None), loading).await, "-LOADING");
}

/// Logs all in but "otto"; "SELECT 1" has a row, all else none.
async fn postgresql() -> SocketAddr {
    server::tcp(|mut stream| async move {
        let length = stream.read_u32().await.unwrap() as usize;
        let mut start = vec![0; length - 4];
        stream.read_exact(&mut start).await.unwrap();
        if start.windows(4).any(|part| part == b"otto") {
            stream
                .write_all(b"E\0\0\0\x1cSFATAL\0C28000\0Mnot him\0\0")
                .await
                .unwrap();
            return;
        }
        let _ = stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await;
        while let Ok(b'Q') = stream.read_u8().await {
            let length = stream.read_u32().await.unwrap() as usize;
            let mut query = vec![0; length - 4];
            stream.read_exact(&mut query).await.unwrap();
            if query == b"SELECT 1\0" {
                let columns = b"T\0\0\0\x1a\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\0\0\0\0\0\0";
                stream.write_all(columns).await.unwrap();
                stream
                    .write_all(b"D\0\0\0\x0b\0\x01\0\0\0\x011")
                    .await
                    .unwrap();
            }
            let _ = stream.write_all(b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I").await;
        }
    })
    .await
}

#[tokio::test]
async fn postgresql_servers() {
    let good = postgresql().await;
    let with = |name: &str, request: Option<&str>| {
        Kind::Postgresql(Database {
            login: login(name),
            database: "shop".into(),
            request: request.map(Into::into),
            tls: None,
        })
    };
    assert_eq!(ask(with("anna", None), good).await, UP);
    assert_eq!(ask(with("anna", Some("SELECT 1")), good).await, UP);
    assert_down(ask(with("anna", Some("SELECT 2")), good).await, "no row");
    assert_down(ask(with("otto", None), good).await, "FATAL: not him");
    assert_down(
        ask(with("anna", None), server::silent().await).await,
        "timed out",
    );
    assert_down(
        ask(with("anna", None), server::says("garbage").await).await,
        "",
    );
}

/// Binds all but "otto", and has the entry "dc=org".
async fn ldap() -> SocketAddr {
    server::tcp(|mut stream| async move {
        loop {
            let mut request = [0; 1024];
            let Ok(length) = stream.read(&mut request).await else {
                return;
            };
            let has = |part: &[u8]| request[..length].windows(part.len()).any(|it| it == part);
            let answer: &[u8] = match request.get(5) {
                Some(0x60) if has(b"otto") => b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\0\x04\0",
                Some(0x60) => b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0",
                Some(0x63) if has(b"dc=org") => {
                    b"\x30\x1b\x02\x01\x02\x64\x16\x04\x06dc=org\x30\x0c\x30\x0a\x04\x02ou\x31\x04\x04\x02it\
                      \x30\x0c\x02\x01\x02\x65\x07\x0a\x01\0\x04\0\x04\0"
                }
                Some(0x63) => b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\0\x04\0\x04\0",
                _ => return,
            };
            stream.write_all(answer).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn ldap_servers() {
    let good = ldap().await;
    let with = |name: Option<&str>, request: &str, receive: Option<&str>| {
        Kind::Ldap(Directory {
            login: name.map(login),
            request: request.into(),
            receive: receive.map(Regex::new),
            tls: None,
        })
    };
    assert_eq!(ask(with(None, "dc=org", None), good).await, UP);
    assert_eq!(
        ask(with(Some("anna"), "dc=org", Some("ou: it")), good).await,
        UP
    );
    assert_down(
        ask(with(None, "dc=org", Some("ou: hr")), good).await,
        "not as wanted",
    );
    assert_down(ask(with(None, "dc=net", None), good).await, "not there");
    assert_down(
        ask(with(Some("otto"), "dc=org", None), good).await,
        "bind: result code 49",
    );
    assert_down(
        ask(with(None, "", None), server::says("SSH-2.0\r\n").await).await,
        "not LDAP",
    );
    let huge = server::says(vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]).await;
    assert_down(ask(with(None, "", None), huge).await, "not LDAP");
}
