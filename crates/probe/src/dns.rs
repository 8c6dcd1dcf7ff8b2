//! DNS_CHECK: a question by UDP.

use rlvs_check::machine::Adjust;
use rlvs_check::spec::{Dns, RecordType};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::net::UdpSocket;

use crate::fault::{Fault, Result};
use crate::target::Target;

/// The longest answer without EDNS (RFC 1035, 2.3.4), with room for servers that do not care.
const MOST: usize = 4096;

pub(crate) async fn run(target: &Target, dns: &Dns) -> Result<Adjust> {
    let identifier = fastrand::u16(..);
    let question = question(dns, identifier)?;
    let socket = target.udp().await?;
    target
        .wait("the answer", ask(&socket, &question, identifier, dns))
        .await?;
    Ok(Adjust::Keep)
}

pub(crate) fn question(dns: &Dns, identifier: u16) -> Result<Vec<u8>> {
    let wrong = |error| Fault::here(format!("name {:?}: {error}", dns.name));
    let name = Name::new(dns.name.trim_end_matches('.')).map_err(wrong)?;
    let class = QCLASS::CLASS(CLASS::IN);
    let kind = QTYPE::TYPE(kind(dns.record));
    let mut packet = Packet::new_query(identifier);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet
        .questions
        .push(Question::new(name, kind, class, false));
    packet.build_bytes_vec().map_err(wrong)
}

/// What is not an answer to this question is passed over, as in keepalived.
async fn ask(socket: &UdpSocket, question: &[u8], identifier: u16, dns: &Dns) -> Result<()> {
    socket.send(question).await?;
    let mut buffer = vec![0; MOST];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let answer = &buffer[..length];
        let Some(header) = answer.first_chunk::<4>() else {
            continue;
        };
        let is_answer = header[2] & 0x80 != 0;
        if header[..2] == identifier.to_be_bytes() && is_answer {
            return judge(answer, dns);
        }
    }
}

fn judge(answer: &[u8], dns: &Dns) -> Result<()> {
    let packet = Packet::parse(answer)
        .map_err(|error| Fault::target(format!("the answer cannot be read: {error}")))?;
    match packet.rcode() {
        RCODE::NoError => {}
        code => return Err(Fault::target(format!("answered by {code:?}"))),
    }
    let found: Vec<String> = packet
        .answers
        .iter()
        .map(|answer| text(&answer.rdata))
        .collect();
    for wanted in &dns.answers {
        if !found.iter().any(|found| same(found, wanted)) {
            return Err(Fault::target(format!(
                "{wanted} is not among the answers {found:?}"
            )));
        }
    }
    Ok(())
}

fn kind(record: RecordType) -> TYPE {
    match record {
        RecordType::A => TYPE::A,
        RecordType::Aaaa => TYPE::AAAA,
        RecordType::Cname => TYPE::CNAME,
        RecordType::Mx => TYPE::MX,
        RecordType::Ns => TYPE::NS,
        RecordType::Ptr => TYPE::PTR,
        RecordType::Soa => TYPE::SOA,
        RecordType::Srv => TYPE::SRV,
        RecordType::Txt => TYPE::TXT,
    }
}

/// As a zone file has it, without last dots of names.
fn text(data: &RData) -> String {
    match data {
        RData::A(a) => core::net::Ipv4Addr::from(a.address).to_string(),
        RData::AAAA(aaaa) => core::net::Ipv6Addr::from(aaaa.address).to_string(),
        RData::CNAME(name) => name.0.to_string(),
        RData::NS(name) => name.0.to_string(),
        RData::PTR(name) => name.0.to_string(),
        RData::MX(mx) => format!("{} {}", mx.preference, mx.exchange),
        RData::SRV(srv) => {
            format!(
                "{} {} {} {}",
                srv.priority, srv.weight, srv.port, srv.target
            )
        }
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            soa.mname, soa.rname, soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum
        ),
        RData::TXT(txt) => String::try_from(txt.clone()).unwrap_or_default(),
        other => format!("{:?}", other.type_code()),
    }
}

/// Names are the same in upper and lower case, with and without the last dot.
fn same(found: &str, wanted: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split_ascii_whitespace()
            .map(|word| word.trim_end_matches('.').trim_matches('"').to_lowercase())
            .collect()
    };
    words(found) == words(wanted)
}
