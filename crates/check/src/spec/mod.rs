//! One health check and its options, all settled: what configuration files say, read.
//!
//! Names and defaults are keepalived's (keepalived.conf(5), "virtual_server"). Times are
//! `Duration`s; in JSON and TOML "2s", "1500ms" or a number of seconds.

pub mod connect;
pub mod dns;
pub mod exchange;
pub mod file;
pub mod grpc;
pub mod hex;
pub mod http;
pub mod login;
pub mod options;
pub mod policy;
pub mod regex;
pub mod script;
pub mod seconds;
pub mod tls;
pub mod udp;

use serde::{Deserialize, Serialize};

pub use connect::{Connect, Via};
pub use dns::{Dns, RecordType};
pub use exchange::{Exchange, Sip};
pub use file::File;
pub use grpc::Grpc;
pub use hex::{Digest, Hex, Pattern};
pub use http::{Http, Method, StatusRange, Url, Version};
pub use login::{Database, Directory, Ftp, Login, Mailbox, Redis};
pub use options::{Damping, Options, Timing};
pub use policy::{Percent, ServerPolicy, ServicePolicy, SorryServer};
pub use regex::{Regex, RegexOption};
pub use script::Script;
pub use tls::{ServerName, Tls};
pub use udp::{Reply, Udp};

/// A health check of one real server.
///
/// Checks that are equal and have the same target are one: it is asked once for all of them.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What is asked.
    pub kind: Kind,
    /// From where to where.
    #[serde(default)]
    pub connect: Connect,
    /// When, and how often before it counts.
    pub timing: Timing,
}

impl Check {
    /// A check with the defaults of its kind, of what configuration says in `options`.
    pub fn new(kind: Kind, connect: Connect, options: &Options) -> Self {
        let timing = options.settle(&kind);
        Self {
            kind,
            connect,
            timing,
        }
    }
}

/// What is asked of a real server.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `TCP_CHECK`; ldirectord's `connect`: a connection comes about.
    Tcp,
    /// `HTTP_GET`, and `SSL_GET` with [`Http::tls`].
    Http(Http),
    /// `SMTP_CHECK`: greeting, HELO and QUIT are answered well.
    Smtp {
        /// `helo_name`; empty: "smtpchecker.keepalived.org", as keepalived says.
        #[serde(default)]
        helo_name: String,
    },
    /// `DNS_CHECK`, by UDP.
    Dns(Dns),
    /// `UDP_CHECK`.
    Udp(Udp),
    /// `PING_CHECK`: an ICMP echo is answered.
    Ping,
    /// `MISC_CHECK`; ldirectord's `external`: a program says how the server is.
    Script(Script),
    /// `FILE_CHECK`: a number in a file of this machine says it.
    File(File),
    /// ldirectord's `simpletcp`, and `nntp`: something is sent, the answer is looked at.
    Exchange(Exchange),
    /// ldirectord's `ftp`.
    Ftp(Ftp),
    /// ldirectord's `imap`, and `imaps` with TLS.
    Imap(Mailbox),
    /// ldirectord's `pop`, and `pops` with TLS.
    Pop(Mailbox),
    /// ldirectord's `ldap`, and `ldaps` with TLS.
    Ldap(Directory),
    /// ldirectord's `pgsql`.
    Mysql(Database),
    Postgresql(Database),
    /// ldirectord's `sip`: OPTIONS is answered by 200.
    Sip(Sip),
    /// PING is answered.
    Redis(Redis),
    /// `grpc.health.v1.Health/Check` is answered by SERVING.
    Grpc(Grpc),
}

impl Kind {
    /// The name that logs and listings have for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http(http) if http.tls.is_some() => "https",
            Self::Http(_) => "http",
            Self::Smtp { .. } => "smtp",
            Self::Dns(_) => "dns",
            Self::Udp(_) => "udp",
            Self::Ping => "ping",
            Self::Script(_) => "script",
            Self::File(_) => "file",
            Self::Exchange(_) => "exchange",
            Self::Ftp(_) => "ftp",
            Self::Imap(_) => "imap",
            Self::Pop(_) => "pop",
            Self::Ldap(_) => "ldap",
            Self::Mysql(_) => "mysql",
            Self::Postgresql(_) => "postgresql",
            Self::Sip(_) => "sip",
            Self::Redis(_) => "redis",
            Self::Grpc(_) => "grpc",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_survive_json() {
        let kinds = [
            Kind::Tcp,
            Kind::Http(Http::new(vec![Url::new("/health")])),
            Kind::Dns(Dns::default()),
            Kind::Udp(Udp {
                payload: Some(Hex(vec![0xab, 0x12])),
                reply: Some(Reply {
                    pattern: Some("AX".parse().unwrap()),
                    ..Reply::default()
                }),
            }),
            Kind::Script(Script::new(["/bin/true", "a b"])),
        ];
        for kind in kinds {
            let check = Check::new(kind, Connect::default(), &Options::default());
            let text = serde_json::to_string(&check).unwrap();
            assert_eq!(
                serde_json::from_str::<Check>(&text).unwrap(),
                check,
                "{text}"
            );
        }
    }

    #[test]
    fn unknown_options_are_refused() {
        let text = r#"{"kind":"tcp","timing":{},"retries":3}"#;
        assert!(serde_json::from_str::<Check>(text).is_err());
    }
}
