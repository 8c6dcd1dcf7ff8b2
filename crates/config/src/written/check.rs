//! `check = ...`: one check or several, in a word, a table or a list of these.

mod kind;
mod list;

use std::net::IpAddr;

use rlvs_check::spec::{Check, Connect, Options, Timing, Via};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::options::with_options;
use kind::Kinds;
pub(crate) use list::Checks;

with_options! {
    /// A health check: one key names its kind, the rest its options.
    #[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
    #[serde(default, deny_unknown_fields, expecting = "a check: a word such as \"tcp\", or a table")]
    pub(crate) struct WrittenCheck {
        /// A connection comes about.
        #[serde(skip_serializing_if = "Option::is_none")]
        tcp: Option<kind::Yes>,
        /// An ICMP echo is answered.
        #[serde(skip_serializing_if = "Option::is_none")]
        ping: Option<kind::Yes>,
        /// Pages are answered as they shall be: a path, or a table.
        #[serde(skip_serializing_if = "Option::is_none")]
        http: Option<kind::Http>,
        /// The same with TLS.
        #[serde(skip_serializing_if = "Option::is_none")]
        https: Option<kind::Http>,
        /// Greeting, HELO and QUIT are answered well.
        #[serde(skip_serializing_if = "Option::is_none")]
        smtp: Option<kind::Smtp>,
        /// A question by UDP is answered.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Dns>")]
        dns: Option<rlvs_check::spec::Dns>,
        /// A datagram is answered, or at least not by an ICMP error.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Udp>")]
        udp: Option<rlvs_check::spec::Udp>,
        /// A program says how the server is, by its exit status: a command, or a table.
        #[serde(skip_serializing_if = "Option::is_none")]
        script: Option<kind::Script>,
        /// A number in a file says it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::File>")]
        file: Option<rlvs_check::spec::File>,
        /// Something is sent, and the answer looked at.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Exchange>")]
        exchange: Option<rlvs_check::spec::Exchange>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Ftp>")]
        ftp: Option<rlvs_check::spec::Ftp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Mailbox>")]
        imap: Option<rlvs_check::spec::Mailbox>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Mailbox>")]
        pop: Option<rlvs_check::spec::Mailbox>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Directory>")]
        ldap: Option<rlvs_check::spec::Directory>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Database>")]
        mysql: Option<rlvs_check::spec::Database>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Database>")]
        postgresql: Option<rlvs_check::spec::Database>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Sip>")]
        sip: Option<rlvs_check::spec::Sip>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Redis>")]
        redis: Option<rlvs_check::spec::Redis>,
        /// grpc.health.v1.Health/Check is answered by SERVING.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<crate::written::schema::Grpc>")]
        grpc: Option<rlvs_check::spec::Grpc>,

        /// Where the check goes, rather than to the real server's address.
        #[serde(skip_serializing_if = "Option::is_none")]
        connect_ip: Option<IpAddr>,
        /// Where the check goes, rather than to the real server's port.
        #[serde(skip_serializing_if = "Option::is_none")]
        connect_port: Option<u16>,
        /// The check's source address.
        #[serde(skip_serializing_if = "Option::is_none")]
        bindto: Option<IpAddr>,
        /// The check's interface.
        #[serde(skip_serializing_if = "Option::is_none")]
        bind_if: Option<String>,
        /// The check's source port.
        #[serde(skip_serializing_if = "Option::is_none")]
        bind_port: Option<u16>,
        /// The firewall mark of the check's packets.
        #[serde(skip_serializing_if = "Option::is_none")]
        fwmark: Option<u32>,
        /// "direct" to the real server's own address, or to the "vip" by the forwarding method:
        /// then the answer proves that the real server has the virtual address.
        #[serde(skip_serializing_if = "crate::model::vrrp::is_default")]
        #[schemars(with = "crate::written::schema::Via")]
        via: Via,
    }
}

impl WrittenCheck {
    /// Of a kind that needs no options.
    pub(crate) fn named(word: &str) -> Result<Self, String> {
        let mut check = Self::default();
        let kinds = Kinds::of(&mut check);
        kinds.set_usual(word)?;
        Ok(check)
    }

    /// The check, with what `outer` says where this leaves something open.
    pub(crate) fn check(&self, outer: &Options) -> Result<Check, String> {
        let kind = self.kind()?;
        let connect = Connect {
            address: self.connect_ip,
            port: self.connect_port,
            bind_address: self.bindto,
            bind_interface: self.bind_if.clone(),
            bind_port: self.bind_port,
            mark: self.fwmark,
            via: self.via,
        };
        Ok(Check::new(kind, connect, &self.options().or(outer)))
    }

    /// What has to be written for this check where no outer level says anything.
    pub(crate) fn of(check: &Check) -> Self {
        let connect = &check.connect;
        let mut written = Self {
            connect_ip: connect.address,
            connect_port: connect.port,
            bindto: connect.bind_address,
            bind_if: connect.bind_interface.clone(),
            bind_port: connect.bind_port,
            fwmark: connect.mark,
            via: connect.via,
            ..Self::default()
        };
        written.set_kind(&check.kind);
        written.set_timing(check);
        written
    }

    /// Whether it goes by options at all.
    pub(crate) fn has_options(&self) -> bool {
        self.file.is_none()
    }

    /// Only what differs from what would follow without it.
    fn set_timing(&mut self, check: &Check) {
        let wanted = &check.timing;
        let usual = Options::default().settle(&check.kind);
        self.delay_loop = differs(wanted.delay_loop, usual.delay_loop);
        self.connect_timeout = differs(wanted.connect_timeout, usual.connect_timeout);
        let usual: Timing = self.options().settle(&check.kind);
        self.total_timeout = differs(wanted.total_timeout, usual.total_timeout);
        self.retry = differs(wanted.retry, usual.retry);
        self.delay_before_retry = differs(wanted.delay_before_retry, usual.delay_before_retry);
        self.warmup = differs(wanted.warmup, usual.warmup);
        self.alpha = differs(wanted.alpha, usual.alpha);
        self.log_all_failures = differs(wanted.log_all_failures, usual.log_all_failures);
        self.rise = differs(wanted.rise, usual.rise);
        self.damping = wanted.damping;
    }
}

fn differs<T: PartialEq>(wanted: T, usual: T) -> Option<T> {
    (wanted != usual).then_some(wanted)
}
