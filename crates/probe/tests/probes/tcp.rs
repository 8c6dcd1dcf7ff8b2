use rlvs_check::spec::{Check, Connect, Exchange, Kind, Regex};
use socket2::{Domain, Socket, Type};

use crate::{UP, ask, ask_by, assert_down, assert_not_made, options, server};

#[tokio::test]
async fn a_connection_is_a_success() {
    assert_eq!(ask(Kind::Tcp, server::silent().await).await, UP);
    assert_down(
        ask(Kind::Tcp, server::nobody().await).await,
        "connection refused",
    );
}

#[tokio::test]
async fn a_queue_that_is_full_is_a_failure() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(
            &"127.0.0.1:0"
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .into(),
        )
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // Nobody accepts: one connection fits.
    let _first = std::net::TcpStream::connect(address).unwrap();
    assert_down(ask(Kind::Tcp, address).await, "timed out");
}

#[tokio::test]
async fn probes_come_from_where_they_shall() {
    let address = server::tcp(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        let from = stream.peer_addr().unwrap();
        stream.write_all(from.to_string().as_bytes()).await.unwrap();
    })
    .await;
    let connect = Connect {
        bind_address: Some("127.0.0.99".parse().unwrap()),
        bind_port: Some(40_099),
        ..Connect::default()
    };
    let exchange = Kind::Exchange(Exchange {
        receive: Some(Regex::new("^127.0.0.99:40099$")),
        ..Exchange::default()
    });
    assert_eq!(
        ask_by(Check::new(exchange.clone(), connect, &options()), address).await,
        UP
    );
    let elsewhere = Connect {
        bind_address: Some("192.0.2.77".parse().unwrap()),
        ..Connect::default()
    };
    let came = ask_by(Check::new(exchange, elsewhere, &options()), address).await;
    assert_not_made(came, "no socket");
}

#[tokio::test]
async fn something_is_sent_and_the_answer_is_looked_at() {
    let address = server::talks("", &[("hello", "200 well\r\n")]).await;
    let exchange = |receive: Option<&str>| {
        Kind::Exchange(Exchange {
            request: "hello\r\n".into(),
            receive: receive.map(Regex::new),
            tls: None,
        })
    };
    assert_eq!(ask(exchange(Some("^200")), address).await, UP);
    assert_eq!(ask(exchange(None), address).await, UP);
    assert_down(ask(exchange(Some("^300")), address).await, "timed out");
    assert_down(
        ask(exchange(Some("^300")), server::says("200 well").await).await,
        "200 well",
    );
    assert_down(ask(exchange(None), server::says("").await).await, "closed");
    assert_not_made(
        ask(exchange(Some("(")), address).await,
        "regular expression",
    );
}

#[tokio::test]
async fn an_answer_without_end_is_read_to_a_limit() {
    let endless = server::tcp(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let exchange = Exchange {
        receive: Some(Regex::new("y")),
        ..Exchange::default()
    };
    assert_down(
        ask(Kind::Exchange(exchange), endless).await,
        "answered \"xxx",
    );
}

#[tokio::test]
async fn packets_are_marked() {
    let marked = Connect {
        mark: Some(0x77),
        ..Connect::default()
    };
    let check = Check::new(Kind::Tcp, marked, &options());
    let came = ask_by(check, server::silent().await).await;
    // Only root may, and is told so.
    match nix::unistd::geteuid().is_root() {
        true => assert_eq!(came, UP),
        false => assert_not_made(came, "not permitted"),
    }
}
