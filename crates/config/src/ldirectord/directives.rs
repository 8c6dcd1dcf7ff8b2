//! The directives, and what they are unless they are given.

use std::time::Duration;

use rlvs_check::spec::Method;
use rlvs_control::rules::SCHEDULERS;

use crate::keepalived::Word;
use crate::keepalived::block::{Keyword, unacted, value};
use crate::model::{Alerts, Mail};

/// What holds for all, or for a virtual service.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) check_timeout: Option<Duration>,
    pub(super) negotiate_timeout: Option<Duration>,
    pub(super) check_interval: Duration,
    pub(super) failure_count: u32,
    /// Whose words are address and method.
    pub(super) fallback: Vec<Word>,
    fallback_ipv6: Vec<Word>,
    pub(super) quiescent: bool,
    mail_to: Vec<String>,
    mail_from: Option<String>,
    mail_server: Option<String>,

    pub(super) check_type: String,
    pub(super) service: Option<String>,
    pub(super) check_command: Vec<String>,
    pub(super) check_port: Option<u16>,
    pub(super) request: Option<String>,
    pub(super) receive: Option<String>,
    pub(super) method: Method,
    pub(super) virtual_host: Option<String>,
    pub(super) login: Option<String>,
    pub(super) password: String,
    pub(super) database: String,
    pub(super) scheduler: String,
    pub(super) persistent: Option<u32>,
    pub(super) netmask: Option<Word>,
    pub(super) protocol: Option<String>,
    pub(super) one_packet: bool,
    /// Each with all of its words.
    pub(super) real: Vec<Vec<Word>>,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            check_timeout: None,
            negotiate_timeout: None,
            check_interval: Duration::from_secs(10),
            failure_count: 1,
            fallback: Vec::new(),
            fallback_ipv6: Vec::new(),
            // The manual says yes, the program has no.
            quiescent: false,
            mail_to: Vec::new(),
            mail_from: None,
            mail_server: None,
            check_type: "negotiate".into(),
            service: None,
            check_command: vec!["/bin/true".into()],
            check_port: None,
            request: None,
            receive: None,
            method: Method::Get,
            virtual_host: None,
            login: None,
            password: String::new(),
            database: String::new(),
            scheduler: "wrr".into(),
            persistent: None,
            netmask: None,
            protocol: None,
            one_packet: false,
            real: Vec::new(),
        }
    }
}

impl Scope {
    /// What a virtual service begins with.
    pub(super) fn inner(&self, is_ipv6: bool) -> Self {
        let mut inner = self.clone();
        if is_ipv6 {
            inner.fallback = std::mem::take(&mut inner.fallback_ipv6);
        }
        inner
    }

    pub(super) fn alerts(&self) -> Alerts {
        let mail = (!self.mail_to.is_empty()).then(|| Mail {
            to: self.mail_to.clone(),
            from: self.mail_from.clone(),
            server: self.mail_server.clone(),
            ..Mail::default()
        });
        Alerts {
            mail,
            ..Alerts::default()
        }
    }

    pub(super) fn mails(&self) -> bool {
        !self.mail_to.is_empty()
    }
}

/// For all, and for virtual services.
pub(super) const GLOBAL: &[Keyword<Scope>] = &[
    value(&["checktimeout"], |it, notes, line| {
        it.check_timeout = notes.time(line)
    }),
    value(&["negotiatetimeout"], |it, notes, line| {
        it.negotiate_timeout = notes.time(line)
    }),
    value(&["checkinterval"], |it, notes, line| {
        if let Some(time) = notes.time(line) {
            it.check_interval = time;
        }
    }),
    value(&["failurecount", "checkcount"], |it, notes, line| {
        if let Some(count) = notes.number(line, 1..=u32::MAX) {
            it.failure_count = count;
        }
    }),
    value(&["fallback"], |it, _, line| {
        it.fallback = line.parameters().to_vec()
    }),
    value(&["fallback6"], |it, _, line| {
        it.fallback_ipv6 = line.parameters().to_vec()
    }),
    value(&["quiescent"], |it, notes, line| {
        it.quiescent = notes.flag(line).unwrap_or(it.quiescent);
    }),
    value(&["emailalert"], |it, _, line| {
        let words = line
            .parameters()
            .iter()
            .flat_map(|word| word.text.split(','));
        let words = words.map(|word| word.trim().to_owned());
        it.mail_to = words.filter(|word| !word.is_empty()).collect();
    }),
    value(&["emailalertfrom"], |it, notes, line| {
        it.mail_from = notes.text(line)
    }),
    value(&["smtp"], |it, notes, line| {
        it.mail_server = notes.text(line)
    }),
    unacted(
        &["emailalertfreq", "emailalertstatus"],
        "mail is sent once for each change",
    ),
    unacted(&["fallbackcommand"], "use quorum_up and quorum_down"),
    unacted(
        &["callback", "autoreload"],
        "`systemctl reload rlvs` reads the file again",
    ),
    unacted(&["execute", "supervised", "fork"], "one daemon does all"),
    unacted(&["logfile"], "logs go to the journal"),
    unacted(&["readdquiescent"], "the director keeps what the file says"),
    unacted(
        &["cleanstop"],
        "forwarding goes on when the daemon stops; `rlvs down` ends it",
    ),
    unacted(&["maintenancedir"], "use `rlvs drain`"),
];

/// For virtual services only.
pub(super) const VIRTUAL: &[Keyword<Scope>] = &[
    value(&["real", "real6"], |it, _, line| {
        it.real.push(line.parameters().to_vec())
    }),
    value(&["checktype"], |it, notes, line| {
        it.check_type = notes.text(line).unwrap_or_default();
    }),
    value(&["service"], |it, notes, line| {
        it.service = notes.text(line)
    }),
    value(&["checkcommand"], |it, notes, line| {
        if let Some(command) = notes.command(line) {
            let more = line
                .parameters()
                .iter()
                .skip(1)
                .map(|word| word.text.clone());
            it.check_command = command.words.into_iter().chain(more).collect();
        }
    }),
    value(&["checkport"], |it, notes, line| {
        it.check_port = notes.number(line, 1..=65535)
    }),
    value(&["request"], |it, notes, line| {
        it.request = notes.text(line)
    }),
    value(&["receive"], |it, notes, line| {
        it.receive = notes.text(line)
    }),
    value(&["httpmethod"], |it, notes, line| {
        it.method = match notes.choice(line, &["GET", "HEAD"]).as_deref() {
            Some("HEAD") => Method::Head,
            _ => Method::Get,
        };
    }),
    value(&["virtualhost"], |it, notes, line| {
        it.virtual_host = notes.text(line)
    }),
    value(&["login"], |it, notes, line| it.login = notes.text(line)),
    value(&["passwd"], |it, notes, line| {
        it.password = notes.text(line).unwrap_or_default()
    }),
    value(&["database"], |it, notes, line| {
        it.database = notes.text(line).unwrap_or_default()
    }),
    unacted(&["secret"], "RADIUS is not spoken: use an external check"),
    value(&["scheduler"], |it, notes, line| {
        if let Some(name) = notes.choice(line, &SCHEDULERS) {
            it.scheduler = name;
        }
    }),
    value(&["persistent"], |it, notes, line| {
        it.persistent = notes.number(line, 1..=i32::MAX.cast_unsigned());
    }),
    value(&["netmask"], |it, notes, line| {
        it.netmask = notes.first(line).cloned()
    }),
    value(&["protocol"], |it, notes, line| {
        it.protocol = notes.choice(line, &["tcp", "udp", "fwm"]);
    }),
    value(&["ops"], |it, notes, line| {
        it.one_packet = notes.flag(line).unwrap_or_default()
    }),
    unacted(&["monitorfile"], "logs go to the journal"),
    unacted(
        &["servicename", "comment"],
        "services are named by their addresses",
    ),
];
