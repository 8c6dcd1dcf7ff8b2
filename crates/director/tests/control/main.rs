//! The client and the server over a real socket, with a core that has no data plane.

mod access;
mod listing;
mod metrics;
mod nonsense;
mod openapi;
mod support;

use rlvs_control::endpoint::{API, Version};
use rlvs_control::{Change, Client, Code, Director, Timeouts, Transaction};
use rlvs_director::server::{Error, Server};

use support::{Fake, post, service, status, unused_name};

#[test]
fn changes_arrive_and_are_listed() {
    let fake = Fake::start();
    let mut client = fake.client();
    client
        .apply(&Change::AddService(service(80)).into())
        .unwrap();
    client
        .apply(&Change::AddService(service(81)).into())
        .unwrap();
    let services = client.services().unwrap().services;
    let keys: Vec<_> = services
        .iter()
        .map(|status| status.service.clone())
        .collect();
    assert_eq!(keys, [service(80), service(81)]);
}

#[test]
fn timeouts_status_and_version_are_answered() {
    let fake = Fake::start();
    let mut client = fake.client();
    assert_eq!(client.timeouts().unwrap(), Timeouts::default());
    assert_eq!(client.status().unwrap(), status());
    assert_eq!(client.version().unwrap(), Version::own());
}

#[test]
fn a_refusal_keeps_its_code_and_place() {
    let fake = Fake::start();
    let change = Change::AddService(service(80));
    let twice = Transaction::from(vec![change.clone(), change]);
    let error = fake.client().apply(&twice).unwrap_err();
    assert_eq!((error.code, error.change), (Code::ServiceExists, Some(1)));
    assert!(fake.client().services().unwrap().services.is_empty());
}

#[test]
fn settings_of_ipvs_are_set_together_or_not_at_all() {
    let fake = Fake::start();
    let mut client = fake.client();
    let set = |name: &str, value: &str| Change::SetSysctl {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let value = |client: &mut Client| {
        let values = client.sysctls().unwrap();
        let of_it = values.into_iter().find(|value| value.name == "sloppy_tcp");
        of_it.unwrap().value
    };
    let bad = [set("sloppy_tcp", "1"), set("drop_entry", "4")];
    let error = client
        .apply(&Transaction::from(Vec::from(bad)))
        .unwrap_err();
    assert_eq!((error.code, error.change), (Code::Range, Some(1)));
    assert_eq!(value(&mut client), "0");
    client
        .apply(&set("net/ipv4/vs/sloppy_tcp", "0x1").into())
        .unwrap();
    assert_eq!(value(&mut client), "1");
    fake.stop();
}

#[test]
fn no_director_is_said_with_the_mend() {
    let error = Client::connect_to(&unused_name())
        .unwrap()
        .services()
        .unwrap_err();
    assert_eq!(error.code, Code::NotRunning);
    assert!(error.message.contains("`rlvs run`"), "{error}");
}

#[test]
fn a_director_without_a_core_is_stopping() {
    let fake = Fake::without_core();
    let error = fake.client().timeouts().unwrap_err();
    assert_eq!(error.code, Code::NotRunning);
    assert!(error.message.contains("stopping"), "{error}");
}

#[test]
fn a_second_director_is_refused() {
    let fake = Fake::start();
    let error = Server::bind(fake.name()).unwrap_err();
    assert!(matches!(&error, Error::Taken { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("runs in this network namespace already"),
        "{error}"
    );
}

#[test]
fn the_name_is_free_again_after_the_end() {
    let fake = Fake::start();
    let name = fake.name().to_owned();
    fake.stop();
    Server::bind(&name).unwrap();
}

#[test]
fn a_request_under_way_is_answered_at_the_end() {
    let fake = Fake::start();
    let mut client = fake.client();
    let slow = std::thread::spawn(move || client.apply(&support::slow()));
    fake.wait_for_slow();
    fake.stop();
    slow.join().unwrap().unwrap();
}

#[test]
fn a_malformed_request_names_the_place() {
    let fake = Fake::start();
    for (body, place) in [
        (
            r#"{"changes":[{"add-service":{"key":5}}]}"#,
            "changes[0].add-service.key: ",
        ),
        (
            r#"{"changes":["flush","flash"]}"#,
            "changes[1]: unknown variant `flash`",
        ),
        (r#"{"changes":[]"#, "line 1 column 13"),
        (
            r#"{"changes":[]} x"#,
            "trailing characters at line 1 column 16",
        ),
        ("", "line 1 column 0"),
    ] {
        let answer = post(fake.name(), "/v1/transaction", "", body);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(
            answer.contains(r#""code":"malformed""#) && answer.contains(place),
            "{answer}"
        );
    }
}

#[test]
fn a_request_of_another_version_is_told_so() {
    let fake = Fake::start();
    let answer = post(fake.name(), &format!("/v{}/transaction", API + 1), "", "{}");
    assert!(answer.starts_with("HTTP/1.1 501 "), "{answer}");
    assert!(
        answer.contains("the request is for version 2: restart the director"),
        "{answer}"
    );

    let answer = post(
        fake.name(),
        "/v1/transaction",
        "User-Agent: rlvs/99.0.0\r\n",
        "{}",
    );
    assert!(
        answer.contains("it is from rlvs/99.0.0, the director is rlvs/"),
        "{answer}"
    );
}

#[test]
fn unknown_paths_and_methods_are_told_so() {
    let fake = Fake::start();
    let answer = post(fake.name(), "/v1/nonsense", "", "");
    assert!(answer.starts_with("HTTP/1.1 501 ") && answer.contains("has no /v1/nonsense"));
    let answer = post(fake.name(), "/v1/services", "", "");
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("does not take POST"));
}

#[test]
fn a_request_that_is_too_large_is_refused_unread() {
    let fake = Fake::start();
    let answer = post(
        fake.name(),
        "/v1/transaction",
        "Content-Length: 67108865\r\n",
        "",
    );
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("larger than 64 MiB"), "{answer}");

    let mut giant = service(80);
    giant.scheduler = "x".repeat(64 << 20);
    let error = fake
        .client()
        .apply(&Change::AddService(giant).into())
        .unwrap_err();
    assert_eq!(error.code, Code::Range);
    assert!(error.message.contains("65 MiB"), "{error}");
}
