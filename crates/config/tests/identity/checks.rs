//! Any check.

use std::net::IpAddr;
use std::time::Duration;

use proptest::option::of;
use proptest::prelude::*;
use rlvs_check::spec::{
    Check, Connect, Damping, Database, Directory, Dns, Exchange, File, Ftp, Grpc, Hex, Http, Kind,
    Login, Mailbox, Method, Options, RecordType, Redis, Regex, RegexOption, Reply, Script,
    ServerName, Sip, StatusRange, Tls, Udp, Url, Version, Via,
};

use super::sites::text;

pub(crate) fn check() -> impl Strategy<Value = Check> {
    (kind(), connect(), options())
        .prop_map(|(kind, connect, options)| Check::new(kind, connect, &options))
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Tcp),
        Just(Kind::Ping),
        http().prop_map(Kind::Http),
        text().prop_map(|helo_name| Kind::Smtp { helo_name }),
        (text(), prop::collection::vec(text(), 0..2)).prop_map(|(name, answers)| {
            let record = RecordType::Mx;
            Kind::Dns(Dns {
                record,
                name,
                answers,
            })
        }),
        of(0_u16..9).prop_map(|length| {
            let reply = length.map(|max_length| Reply {
                pattern: Some("aX".parse().unwrap()),
                min_length: 0,
                max_length,
            });
            let payload = Some(Hex(vec![0, 255]));
            Kind::Udp(Udp { payload, reply })
        }),
        script().prop_map(Kind::Script),
        (text(), any::<i32>(), any::<bool>()).prop_map(|(path, weight, reverse)| {
            let path = path.into();
            Kind::File(File {
                path,
                weight,
                reverse,
            })
        }),
        (text(), of(regex()), of(tls())).prop_map(|(request, receive, tls)| {
            Kind::Exchange(Exchange {
                request,
                receive,
                tls,
            })
        }),
        logins(),
    ]
}

fn logins() -> impl Strategy<Value = Kind> {
    (0..9, login(), text(), of(regex()), of(tls())).prop_map(|(which, login, text, regex, tls)| {
        match which {
            0 => Kind::Ftp(Ftp {
                login: Some(login),
                request: Some(text),
                receive: regex,
            }),
            1 => Kind::Imap(Mailbox {
                login: Some(login),
                tls,
            }),
            2 => Kind::Pop(Mailbox { login: None, tls }),
            3 => Kind::Ldap(Directory {
                login: None,
                request: text,
                receive: regex,
                tls,
            }),
            4 => Kind::Postgresql(Database {
                login,
                database: text,
                request: None,
                tls,
            }),
            5 => Kind::Mysql(Database {
                login,
                database: String::new(),
                request: Some(text),
                tls,
            }),
            6 => Kind::Redis(Redis {
                login: None,
                tls,
                role: Some(text),
            }),
            7 => Kind::Sip(Sip {
                login: text,
                receive: regex,
                udp: true,
            }),
            _ => Kind::Grpc(Grpc {
                service: text,
                virtual_host: None,
                tls,
            }),
        }
    })
}

fn http() -> impl Strategy<Value = Http> {
    let version = prop::sample::select(vec![
        Version::Http10,
        Version::Http10Close,
        Version::Http11,
        Version::Http2,
    ]);
    let urls = prop::collection::vec(url(), 1..3);
    (version, of(tls()), of(text()), urls, any::<bool>()).prop_map(
        |(version, tls, virtual_host, urls, fast_recovery)| Http {
            version,
            tls,
            virtual_host,
            urls,
            fast_recovery,
        },
    )
}

fn url() -> impl Strategy<Value = Url> {
    (
        text(),
        any::<bool>(),
        of(text()),
        of(100_u16..599),
        of(regex()),
    )
        .prop_map(|(path, head, virtual_host, status, regex)| Url {
            path,
            method: if head { Method::Head } else { Method::Get },
            virtual_host,
            status: status
                .and_then(|code| StatusRange::new(code, 599))
                .into_iter()
                .collect(),
            digest: head.then(|| "0123456789abcdef0123456789abcdef".parse().unwrap()),
            regex,
        })
}

fn regex() -> impl Strategy<Value = Regex> {
    (text(), any::<bool>(), of(0..9_usize)).prop_map(|(pattern, no_match, max_offset)| Regex {
        pattern,
        no_match,
        options: if no_match {
            vec![RegexOption::Caseless]
        } else {
            Vec::new()
        },
        min_offset: 0,
        max_offset,
    })
}

fn tls() -> impl Strategy<Value = Tls> {
    (any::<bool>(), of(text())).prop_map(|(verify, name)| Tls {
        server_name: name
            .clone()
            .map_or(ServerName::VirtualHost, ServerName::Name),
        verify,
        ca: name.map(Into::into),
        certificate: None,
        key: None,
    })
}

fn script() -> impl Strategy<Value = Script> {
    let command = prop::collection::vec(text(), 1..4);
    (
        command,
        of(time()),
        any::<bool>(),
        of(text()),
        any::<bool>(),
    )
        .prop_map(|(command, timeout, dynamic, user, secure)| Script {
            command,
            timeout,
            dynamic,
            user,
            group: None,
            secure,
        })
}

fn login() -> impl Strategy<Value = Login> {
    (text(), text()).prop_map(|(name, password)| Login { name, password })
}

fn connect() -> impl Strategy<Value = Connect> {
    (
        of(any::<IpAddr>()),
        of(any::<u16>()),
        of(text()),
        of(any::<u32>()),
        any::<bool>(),
    )
        .prop_map(|(address, port, bind_interface, mark, vip)| Connect {
            address,
            port,
            bind_address: address,
            bind_interface,
            bind_port: None,
            mark,
            via: if vip { Via::Vip } else { Via::Direct },
        })
}

fn options() -> impl Strategy<Value = Options> {
    let times = (of(time()), of(time()), of(time()), of(time()), of(time()));
    let numbers = (
        of(0..9_u32),
        of(1..9_u32),
        of(any::<bool>()),
        of(any::<bool>()),
        of(time()),
    );
    (times, numbers).prop_map(
        |(times, (retry, rise, alpha, log_all_failures, damping))| Options {
            connect_timeout: times.0,
            total_timeout: times.1,
            delay_loop: times.2,
            retry,
            delay_before_retry: times.3,
            warmup: times.4,
            alpha,
            log_all_failures,
            rise,
            damping: damping.map(|hold| Damping {
                falls: 3,
                within: hold,
                hold,
            }),
        },
    )
}

fn time() -> impl Strategy<Value = Duration> {
    (0..1_000_000_000_u64).prop_map(Duration::from_micros)
}
