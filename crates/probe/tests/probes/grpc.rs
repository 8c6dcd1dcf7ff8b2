use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Response};
use rlvs_check::spec::{Grpc, Kind};

use crate::{UP, ask, assert_down, server};

/// Says this status of the service "well", and of no other.
async fn health(status: &'static [u8]) -> SocketAddr {
    server::tcp(move |stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            tokio::spawn(async move {
                assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                let mut body = request.into_body();
                let message = body.data().await.unwrap().unwrap();
                let known = &message[..] == b"\0\0\0\0\x06\x0a\x04well";
                let response = Response::builder().header("content-type", "application/grpc");
                if !known {
                    let response = response.header("grpc-status", "5").body(()).unwrap();
                    respond.send_response(response, true).unwrap();
                    return;
                }
                let mut body = respond
                    .send_response(response.body(()).unwrap(), false)
                    .unwrap();
                body.send_data(Bytes::from_static(status), false).unwrap();
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                body.send_trailers(trailers).unwrap();
            });
        }
    })
    .await
}

fn grpc(service: &str) -> Kind {
    Kind::Grpc(Grpc {
        service: service.into(),
        ..Grpc::default()
    })
}

#[tokio::test]
async fn statuses() {
    let serving = health(b"\0\0\0\0\x02\x08\x01").await;
    assert_eq!(ask(grpc("well"), serving).await, UP);
    assert_down(ask(grpc("else"), serving).await, "gRPC status \"5\"");
    let not = health(b"\0\0\0\0\x02\x08\x02").await;
    assert_down(ask(grpc("well"), not).await, "not serving");
    let unknown = health(b"\0\0\0\0\0").await;
    assert_down(ask(grpc("well"), unknown).await, "serving status 0");
    let garbage = health(b"\0\0\0\0\x09\xff").await;
    assert_down(ask(grpc("well"), garbage).await, "no gRPC health status");
    assert_down(ask(grpc("well"), server::silent().await).await, "timed out");
}
