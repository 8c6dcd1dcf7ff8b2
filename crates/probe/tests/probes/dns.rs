use rlvs_check::spec::{Dns, Kind, RecordType};
use simple_dns::rdata::{A, MX, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord};

use crate::{UP, ask, assert_down, server};

/// Answers with this code; questions for www.example.org with addresses and a mail server.
fn answer(question: &[u8], code: RCODE) -> Option<Vec<u8>> {
    let question = Packet::parse(question).unwrap();
    let mut answer = Packet::new_reply(question.id());
    answer.set_flags(PacketFlag::RESPONSE);
    *answer.rcode_mut() = code;
    let name = Name::new_unchecked("www.example.org");
    if question.questions[0].qname == name {
        let exchange = Name::new_unchecked("mail.example.org");
        for data in [
            RData::A(A {
                address: 0xc000_0201,
            }),
            RData::MX(MX {
                preference: 10,
                exchange,
            }),
        ] {
            answer
                .answers
                .push(ResourceRecord::new(name.clone(), CLASS::IN, 1, data));
        }
    }
    answer.build_bytes_vec().ok()
}

fn dns(answers: &[&str]) -> Kind {
    Kind::Dns(Dns {
        record: RecordType::A,
        name: "www.example.org.".into(),
        answers: answers.iter().map(|answer| answer.to_string()).collect(),
    })
}

#[tokio::test]
async fn an_answer_without_error_is_a_success() {
    let good = server::udp(|question| answer(question, RCODE::NoError)).await;
    assert_eq!(ask(Kind::Dns(Dns::default()), good).await, UP);
    assert_eq!(ask(dns(&["192.0.2.1"]), good).await, UP);
    assert_eq!(
        ask(dns(&["192.0.2.1", "10 Mail.example.org."]), good).await,
        UP
    );
    assert_down(
        ask(dns(&["192.0.2.2"]), good).await,
        "192.0.2.2 is not among",
    );
}

#[tokio::test]
async fn errors_and_silence_are_failures() {
    let failing = server::udp(|question| answer(question, RCODE::ServerFailure)).await;
    assert_down(ask(dns(&[]), failing).await, "ServerFailure");
    assert_down(
        ask(dns(&[]), server::udp(|_| None).await).await,
        "timed out",
    );
    assert_down(
        ask(dns(&[]), server::nobody().await).await,
        "connection refused",
    );
}

#[tokio::test]
async fn what_is_no_answer_is_passed_over() {
    let echoing = server::udp(|question| Some(question.to_vec())).await;
    assert_down(ask(dns(&[]), echoing).await, "timed out");
    let short = server::udp(|_| Some(vec![1])).await;
    assert_down(ask(dns(&[]), short).await, "timed out");
    let garbage = server::udp(|question| {
        let mut answer = question[..2].to_vec();
        answer.extend([0x80, 0, 0, 9, 0, 9, 0, 9, 0, 9, 0xc0, 0x0c]);
        Some(answer)
    })
    .await;
    assert_down(ask(dns(&[]), garbage).await, "cannot be read");
}
