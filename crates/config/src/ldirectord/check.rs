//! `checktype` and `service`: what is asked of real servers.

use std::time::Duration;

use rlvs_check::spec::{
    Check, Connect, Database, Directory, Dns, Exchange, Ftp, Http, Kind, Login, Mailbox, Options,
    RecordType, Regex, Script, Sip, Tls, Url,
};
use rlvs_control::ServiceKey;

use super::directives::Scope;
use crate::keepalived::notes::Notes;
use crate::source::Place;

const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
const NEGOTIATE_TIMEOUT: Duration = Duration::from_secs(30);

/// The real server that a check is for.
pub(super) struct Target {
    /// Its own request and what is to be received, if it has them.
    pub(super) request: Option<String>,
    pub(super) receive: Option<String>,
    /// What an external program is told: virtual address or mark and port, real address and port.
    pub(super) words: [String; 4],
}

/// The checks of a real server; what cannot be had is said once, at `place`.
pub(super) fn checks(
    scope: &Scope,
    key: &ServiceKey,
    target: &Target,
    place: Place,
    notes: &mut Notes,
) -> Vec<Check> {
    let mut say = |message: String| notes.warn(place, "checktype", message);
    let kind = match scope.check_type.as_str() {
        "on" | "off" => return Vec::new(),
        "connect" => connect(key),
        "ping" => Kind::Ping,
        "external" => external(scope, target),
        "external-perl" => {
            say("the program is run as one of its own, not inside of Perl".into());
            external(scope, target)
        }
        "negotiate" => match negotiate(scope, key, target) {
            Ok(kind) => kind,
            Err(None) => return Vec::new(),
            Err(Some(message)) => {
                say(message);
                connect(key)
            }
        },
        other => {
            say(match other.parse::<u32>() {
                Ok(_) => {
                    "connections and requests in turn are not there: each check is a request".into()
                }
                Err(_) => format!("`{other}` is no type of check: requests are made"),
            });
            negotiate(scope, key, target).unwrap_or_else(|_| connect(key))
        }
    };
    let port = scope.check_port;
    let connect = Connect {
        port,
        ..Connect::default()
    };
    let options = options(scope, &kind);
    vec![Check::new(kind, connect, &options)]
}

fn options(scope: &Scope, kind: &Kind) -> Options {
    let timeout = scope.check_timeout.unwrap_or(CHECK_TIMEOUT);
    let negotiate = scope.negotiate_timeout.or(scope.check_timeout);
    let total = match kind {
        Kind::Tcp | Kind::Ping | Kind::Script(_) => None,
        _ => Some(negotiate.unwrap_or(NEGOTIATE_TIMEOUT)),
    };
    Options {
        connect_timeout: Some(timeout),
        total_timeout: total,
        delay_loop: Some(scope.check_interval),
        retry: Some(scope.failure_count - 1),
        delay_before_retry: Some(scope.check_interval),
        ..Options::default()
    }
}

/// Ping is the check of connections for UDP.
fn connect(key: &ServiceKey) -> Kind {
    match key {
        ServiceKey::Address {
            protocol: rlvs_control::Protocol::Udp,
            ..
        } => Kind::Ping,
        _ => Kind::Tcp,
    }
}

fn external(scope: &Scope, target: &Target) -> Kind {
    let command = scope.check_command.iter().chain(&target.words);
    Kind::Script(Script {
        timeout: Some(scope.check_timeout.unwrap_or(CHECK_TIMEOUT)),
        secure: false,
        ..Script::new(command.cloned())
    })
}

/// `Err(None)`: nothing is checked; `Err(Some)`: this cannot be checked, and why.
fn negotiate(scope: &Scope, key: &ServiceKey, target: &Target) -> Result<Kind, Option<String>> {
    let usual = || match key {
        ServiceKey::Mark { .. } => "none",
        ServiceKey::Address { port, .. } => usual_service(*port),
    };
    let service = scope.service.as_deref().unwrap_or_else(usual);
    let request = target.request.clone().or(scope.request.clone());
    let receive = target.receive.clone().or(scope.receive.clone());
    let receive = receive.filter(|text| !text.is_empty()).map(Regex::new);
    let tls = || Some(Tls::default());
    let login = || {
        let name = scope.login.clone()?;
        let password = scope.password.clone();
        Some(Login { name, password })
    };
    let database = || {
        let Some(login) = login() else {
            return Err(Some(
                "its `login` is missing: only connections are checked".into(),
            ));
        };
        let (database, request, tls) = (scope.database.clone(), request.clone(), None);
        Ok(Database {
            login,
            database,
            request,
            tls,
        })
    };
    Ok(match service {
        "none" => return Err(None),
        "http" => page(scope, request, receive, None),
        "https" => page(scope, request, receive, tls()),
        "dns" => dns(request, receive.map(|regex| regex.pattern)),
        "smtp" | "submission" => Kind::Smtp {
            helo_name: String::new(),
        },
        "ftp" => Kind::Ftp(Ftp {
            login: login(),
            request,
            receive,
        }),
        "imap" | "imaps" => Kind::Imap(Mailbox {
            login: login(),
            tls: (service == "imaps").then(Tls::default),
        }),
        "pop" | "pops" => Kind::Pop(Mailbox {
            login: login(),
            tls: (service == "pops").then(Tls::default),
        }),
        "ldap" | "ldaps" => Kind::Ldap(Directory {
            login: login(),
            request: request.unwrap_or_default(),
            receive,
            tls: (service == "ldaps").then(Tls::default),
        }),
        "mysql" => Kind::Mysql(database()?),
        "pgsql" => Kind::Postgresql(database()?),
        "sip" => Kind::Sip(Sip {
            login: scope.login.clone().unwrap_or_default(),
            receive,
            udp: connect(key) == Kind::Ping,
        }),
        "simpletcp" => Kind::Exchange(Exchange {
            request: request.unwrap_or_default().replace("\\n", "\n"),
            receive,
            tls: None,
        }),
        "nntp" => Kind::Exchange(Exchange {
            request: "list newsgroups\r\n".into(),
            receive,
            tls: None,
        }),
        other => {
            let message = format!("`{other}` cannot be asked: only connections are checked");
            return Err(Some(message));
        }
    })
}

fn page(scope: &Scope, request: Option<String>, receive: Option<Regex>, tls: Option<Tls>) -> Kind {
    let request = request.unwrap_or_else(|| "/".into());
    let path = match request.starts_with('/') {
        true => request,
        false => format!("/{request}"),
    };
    let mut url = Url::new(path);
    url.method = scope.method;
    url.regex = receive;
    Kind::Http(Http {
        tls,
        virtual_host: scope.virtual_host.clone(),
        ..Http::new(vec![url])
    })
}

fn dns(request: Option<String>, receive: Option<String>) -> Kind {
    let name = request.unwrap_or_else(|| ".".into());
    let record = match name.parse::<std::net::IpAddr>() {
        Ok(_) => RecordType::Ptr,
        Err(_) => RecordType::A,
    };
    Kind::Dns(Dns {
        record,
        name,
        answers: receive.into_iter().collect(),
    })
}

/// What listens on a port.
fn usual_service(port: u16) -> &'static str {
    match port {
        21 => "ftp",
        25 => "smtp",
        53 => "dns",
        80 => "http",
        110 => "pop",
        119 => "nntp",
        143 => "imap",
        389 => "ldap",
        443 => "https",
        587 => "submission",
        636 => "ldaps",
        993 => "imaps",
        995 => "pops",
        1521 => "oracle",
        1812 => "radius",
        3128 => "http_proxy",
        3306 => "mysql",
        5432 => "pgsql",
        5060 => "sip",
        _ => "none",
    }
}
