use rlvs_check::spec::{Exchange, Kind, Reply, Sip, Udp};

use crate::{UP, ask, assert_down, server};

fn udp(payload: Option<&str>, reply: Option<Reply>) -> Kind {
    Kind::Udp(Udp {
        payload: payload.map(|payload| payload.parse().unwrap()),
        reply,
    })
}

fn reply(pattern: &str) -> Option<Reply> {
    Some(Reply {
        pattern: Some(pattern.parse().unwrap()),
        ..Reply::default()
    })
}

#[tokio::test]
async fn no_error_is_a_success_unless_an_answer_is_wanted() {
    let silent = server::udp(|_| None).await;
    assert_eq!(ask(udp(None, None), silent).await, UP);
    assert_down(
        ask(udp(None, Some(Reply::default())), silent).await,
        "no answer",
    );
    assert_down(
        ask(udp(None, None), server::nobody().await).await,
        "connection refused",
    );
}

#[tokio::test]
async fn answers_are_looked_at() {
    let echo = server::udp(|datagram| Some(datagram.to_vec())).await;
    assert_eq!(ask(udp(Some("0102 03"), reply("01X2")), echo).await, UP);
    assert_down(
        ask(udp(Some("0102 03"), reply("01X3")), echo).await,
        "not as wanted",
    );
    let long = Some(Reply {
        min_length: 1,
        max_length: 2,
        pattern: None,
    });
    assert_eq!(ask(udp(Some("0102"), long.clone()), echo).await, UP);
    assert_down(ask(udp(Some("010203"), long), echo).await, "not as wanted");
}

#[tokio::test]
async fn sip_servers() {
    let sip = |udp| {
        Kind::Sip(Sip {
            udp,
            ..Sip::default()
        })
    };
    let good = server::udp(|request| {
        let request = core::str::from_utf8(request).unwrap();
        assert!(
            request.starts_with("OPTIONS sip:rlvs@127.0.0.1:"),
            "{request}"
        );
        Some(b"SIP/2.0 200 OK\r\n\r\n".to_vec())
    })
    .await;
    assert_eq!(ask(sip(true), good).await, UP);
    let busy = server::udp(|_| Some(b"SIP/2.0 503 Busy\r\n\r\n".to_vec())).await;
    assert_down(ask(sip(true), busy).await, "503 Busy");
    let by_tcp = server::says("SIP/2.0 200 OK\r\n\r\n").await;
    assert_eq!(ask(sip(false), by_tcp).await, UP);
    assert_down(
        ask(Kind::Exchange(Exchange::default()), server::silent().await).await,
        "timed",
    );
}
