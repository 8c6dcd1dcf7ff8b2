//! The kinds of checkers, and the keywords of each.

use rlvs_check::spec::{Connect, Dns, Hex, Http, RecordType, Reply, Script};

use super::super::block::{Keyword, block, read_block, unacted, value};
use super::super::notes::Notes;
use super::super::tree::Statement;
use super::checker::{CheckDraft, connection};
use super::http;
use crate::model::command::split;

/// What a checker asks.
#[derive(Clone, Debug)]
pub(super) enum KindDraft {
    Tcp,
    /// TLS is in it for SSL_GET.
    Http(Http),
    Smtp(String),
    Dns(Dns),
    Misc(Script),
    Udp(UdpDraft),
    Ping,
    File(FileDraft),
    Bfd,
}

/// UDP_CHECK, whose lengths count only if a reply is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct UdpDraft {
    pub(super) payload: Option<Hex>,
    pub(super) required: bool,
    pub(super) reply: Reply,
}

/// FILE_CHECK, whose file is named elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct FileDraft {
    pub(super) track_file: String,
    pub(super) weight: Option<i32>,
    pub(super) reverse: bool,
}

/// The keywords of checkers.
pub(super) const NAMES: [&str; 10] = [
    "TCP_CHECK",
    "HTTP_GET",
    "SSL_GET",
    "SMTP_CHECK",
    "DNS_CHECK",
    "MISC_CHECK",
    "UDP_CHECK",
    "PING_CHECK",
    "FILE_CHECK",
    "BFD_CHECK",
];

impl KindDraft {
    /// With the defaults of its kind.
    pub(super) fn named(keyword: &str) -> Self {
        match keyword {
            "HTTP_GET" => Self::Http(Http::new(Vec::new())),
            "SSL_GET" => Self::Http(Http {
                tls: Some(rlvs_check::spec::Tls::default()),
                ..Http::new(Vec::new())
            }),
            "SMTP_CHECK" => Self::Smtp(String::new()),
            "DNS_CHECK" => Self::Dns(Dns::default()),
            "MISC_CHECK" => Self::Misc(Script::new([] as [&str; 0])),
            "UDP_CHECK" => Self::Udp(UdpDraft::default()),
            "PING_CHECK" => Self::Ping,
            "FILE_CHECK" => Self::File(FileDraft::default()),
            "BFD_CHECK" => Self::Bfd,
            _ => Self::Tcp,
        }
    }
}

/// What a checker of this kind has beside what all have.
pub(super) fn keywords(kind: &KindDraft) -> &'static [Keyword<CheckDraft>] {
    match kind {
        KindDraft::Tcp | KindDraft::Ping => &[],
        KindDraft::Http(http) if http.tls.is_some() => http::SSL_GET,
        KindDraft::Http(_) => http::HTTP_GET,
        KindDraft::Smtp(_) => SMTP,
        KindDraft::Dns(_) => DNS,
        KindDraft::Misc(_) => MISC,
        KindDraft::Udp(_) => UDP,
        KindDraft::File(_) => FILE,
        KindDraft::Bfd => BFD,
    }
}

const SMTP: &[Keyword<CheckDraft>] = &[
    value(&["helo_name"], |it, notes, line| {
        if let (KindDraft::Smtp(name), Some(text)) = (&mut it.kind, notes.text(line)) {
            *name = text;
        }
    }),
    block(&["host"], |it, notes, line| {
        let mut host = Connect::default();
        read_block(line, &[&const { connection() }], &mut host, notes);
        it.hosts.push(host);
    }),
];

const DNS: &[Keyword<CheckDraft>] = &[
    value(&["type"], |it, notes, line| {
        let record = notes.choice(line, &["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"]);
        let record = record.as_deref().map(|name| match name {
            "A" => RecordType::A,
            "NS" => RecordType::Ns,
            "CNAME" => RecordType::Cname,
            "MX" => RecordType::Mx,
            "TXT" => RecordType::Txt,
            "AAAA" => RecordType::Aaaa,
            _ => RecordType::Soa,
        });
        if let (KindDraft::Dns(dns), Some(record)) = (&mut it.kind, record) {
            dns.record = record;
        }
    }),
    value(&["name"], |it, notes, line| {
        if let (KindDraft::Dns(dns), Some(name)) = (&mut it.kind, notes.text(line)) {
            dns.name = name;
        }
    }),
];

const MISC: &[Keyword<CheckDraft>] = &[
    value(&["misc_path"], |it, notes, line| {
        script(it, notes, |script, notes| {
            script.command = split(&notes.text(line)?);
            Some(())
        });
    }),
    value(&["misc_timeout"], |it, notes, line| {
        script(it, notes, |script, notes| {
            script.timeout = Some(notes.time(line)?);
            Some(())
        });
    }),
    value(&["misc_dynamic"], |it, notes, line| {
        script(it, notes, |script, notes| {
            script.dynamic = notes.flag(line)?;
            Some(())
        });
    }),
    value(&["user"], |it, notes, line| {
        script(it, notes, |script, notes| {
            script.user = Some(notes.text(line)?);
            script.group = line.parameters().get(1).map(|word| word.text.clone());
            Some(())
        });
    }),
];

fn script(
    it: &mut CheckDraft,
    notes: &mut Notes,
    set: impl FnOnce(&mut Script, &mut Notes) -> Option<()>,
) {
    if let KindDraft::Misc(script) = &mut it.kind {
        // What is wrong was said.
        let _ = set(script, notes);
    }
}

const UDP: &[Keyword<CheckDraft>] = &[
    value(&["payload"], |it, notes, line| {
        if let (Some(udp), Some(payload)) = (udp(it), parsed(notes, line)) {
            udp.payload = Some(payload);
        }
    }),
    value(&["require_reply"], |it, notes, line| {
        if let Some(udp) = udp(it) {
            udp.required = true;
            if !line.parameters().is_empty() {
                udp.reply.pattern = parsed(notes, line);
            }
        }
    }),
    value(&["min_reply_length"], |it, notes, line| {
        if let (Some(udp), Some(length)) = (udp(it), notes.number(line, 0..=u16::MAX)) {
            udp.reply.min_length = length;
        }
    }),
    value(&["max_reply_length"], |it, notes, line| {
        if let (Some(udp), Some(length)) = (udp(it), notes.number(line, 0..=u16::MAX)) {
            udp.reply.max_length = length;
        }
    }),
];

fn udp(it: &mut CheckDraft) -> Option<&mut UdpDraft> {
    match &mut it.kind {
        KindDraft::Udp(udp) => Some(udp),
        _ => None,
    }
}

/// All parameters together, in hexadecimal digits.
fn parsed<T: std::str::FromStr<Err = String>>(notes: &mut Notes, line: &Statement) -> Option<T> {
    let words = line.parameters().iter().map(|word| word.text.as_str());
    let text = words.collect::<Vec<_>>().join(" ");
    match text.parse() {
        Ok(value) => Some(value),
        Err(message) => {
            notes.wrong(line, message);
            None
        }
    }
}

const FILE: &[Keyword<CheckDraft>] = &[
    value(&["track_file"], |it, notes, line| {
        if let (KindDraft::File(file), Some(name)) = (&mut it.kind, notes.text(line)) {
            file.track_file = name;
        }
    }),
    value(&["weight"], |it, notes, line| {
        let weight = notes.number(line, -i32::MAX..=i32::MAX);
        if let (KindDraft::File(file), Some(weight)) = (&mut it.kind, weight) {
            let reverse = line.parameters().get(1);
            file.weight = Some(weight);
            file.reverse = reverse.is_some_and(|word| word.text == "reverse");
        }
    }),
    unacted(
        &["dynamic"],
        "the number in the file always changes the weight, as in keepalived",
    ),
];

const BFD: &[Keyword<CheckDraft>] = &[value(&["name"], |_, notes, line| {
    notes.text(line);
})];
