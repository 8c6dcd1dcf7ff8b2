//! `global_defs { ... }`, and `SSL { ... }`.

mod mail;
mod unacted;
mod vrrp;

use std::path::PathBuf;

use rlvs_check::spec::Tls;
use rlvs_control::Timeouts;

use super::block::{Keyword, read_block, unacted, value};
use super::notes::Notes;
use super::tree::Statement;
use crate::model::vrrp::Defaults;
use crate::model::{Alerts, Command, Fifo};

/// What counts for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Globals {
    pub(super) alerts: Alerts,
    /// `lvs_flush_on_stop`
    pub(super) flushes: bool,
    pub(super) defaults: Defaults,
    pub(super) timeouts: Option<Timeouts>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) smtp_alert_checker: Option<bool>,
    pub(super) checker_log_all_failures: Option<bool>,
    /// Who scripts run as that name nobody, and the group.
    pub(super) script_user: (Option<String>, Option<String>),
    pub(super) script_security: bool,
    /// Files of `SSL`.
    pub(super) tls: Tls,
}

impl Globals {
    /// A command with the user that it has if it names none.
    pub(super) fn runs(&self, command: Option<Command>) -> Option<Command> {
        let mut command = command?;
        if command.user.is_none() {
            (command.user, command.group) = self.script_user.clone();
        }
        Some(command)
    }
}

/// Reads `global_defs`.
pub(super) fn global_defs(globals: &mut Globals, notes: &mut Notes, statement: &Statement) {
    let tables: &[&[Keyword<Globals>]] = &[GLOBALS, mail::MAIL, vrrp::VRRP, unacted::UNACTED];
    read_block(statement, tables, globals, notes);
}

/// Reads `SSL`.
pub(super) fn ssl(globals: &mut Globals, notes: &mut Notes, statement: &Statement) {
    read_block(statement, &[SSL], &mut globals.tls, notes);
}

const SSL: &[Keyword<Tls>] = &[
    value(&["ca", "cafile"], |tls, notes, line| {
        tls.ca = notes.text(line).map(PathBuf::from);
    }),
    value(&["certificate", "certfile"], |tls, notes, line| {
        tls.certificate = notes.text(line).map(PathBuf::from);
    }),
    value(&["key", "keyfile"], |tls, notes, line| {
        tls.key = notes.text(line).map(PathBuf::from);
    }),
    unacted(
        &["password"],
        "keys that are encrypted are not read: take its passphrase off the key",
    ),
];

const GLOBALS: &[Keyword<Globals>] = &[
    value(&["lvs_timeouts"], timeouts),
    value(&["smtp_alert"], |it, notes, line| {
        it.smtp_alert = notes.flag(line);
    }),
    value(&["smtp_alert_checker"], |it, notes, line| {
        it.smtp_alert_checker = notes.flag(line);
    }),
    value(&["checker_log_all_failures"], |it, notes, line| {
        it.checker_log_all_failures = notes.flag(line);
    }),
    value(&["script_user"], |it, notes, line| {
        let user = notes.text(line);
        it.script_user = (user, line.parameters().get(1).map(|word| word.text.clone()));
    }),
    value(&["enable_script_security"], |it, _, _| {
        it.script_security = true
    }),
    value(&["startup_script"], |it, notes, line| {
        it.alerts.startup_script = notes.command(line);
    }),
    value(&["shutdown_script"], |it, notes, line| {
        it.alerts.shutdown_script = notes.command(line);
    }),
    value(&["startup_script_timeout"], |it, notes, line| {
        it.alerts.startup_script_timeout = notes.number(line, 1..=1000);
    }),
    value(&["shutdown_script_timeout"], |it, notes, line| {
        it.alerts.shutdown_script_timeout = notes.number(line, 1..=1000);
    }),
    value(&["notify_fifo"], |it, notes, line| {
        fifo(&mut it.alerts.fifo, notes, line)
    }),
    value(&["lvs_notify_fifo"], |it, notes, line| {
        fifo(&mut it.alerts.lvs_fifo, notes, line)
    }),
    value(&["vrrp_notify_fifo"], |it, notes, line| {
        fifo(&mut it.alerts.vrrp_fifo, notes, line)
    }),
    value(&["notify_fifo_script"], |it, notes, line| {
        fifo_script(&mut it.alerts.fifo, notes, line);
    }),
    value(&["lvs_notify_fifo_script"], |it, notes, line| {
        fifo_script(&mut it.alerts.lvs_fifo, notes, line);
    }),
    value(&["vrrp_notify_fifo_script"], |it, notes, line| {
        fifo_script(&mut it.alerts.vrrp_fifo, notes, line);
    }),
    value(&["rs_init_notifies"], |it, _, _| {
        it.alerts.rs_init_notifies = true
    }),
    value(&["no_checker_emails"], |it, _, _| {
        it.alerts.no_checker_emails = true
    }),
    value(&["lvs_flush_on_stop", "lvs_flush_onstop"], |it, _, _| {
        it.flushes = true
    }),
    // Both counted when the files were read.
    value(&["include_check", "random_seed"], |_, _, _| {}),
];

/// `lvs_timeouts [tcp SECS] [tcpfin SECS] [udp SECS]`
fn timeouts(it: &mut Globals, notes: &mut Notes, line: &Statement) {
    let mut timeouts = it.timeouts.unwrap_or_default();
    let mut words = line.parameters().iter();
    while let Some(word) = words.next() {
        let place = match word.text.as_str() {
            "tcp" => &mut timeouts.tcp,
            "tcpfin" => &mut timeouts.tcp_fin,
            "udp" => &mut timeouts.udp,
            other => {
                let message = format!("`{other}` is none of tcp, tcpfin and udp");
                notes.warn(word.place, line.keyword(), message);
                continue;
            }
        };
        match words.next() {
            Some(seconds) => {
                if let Some(seconds) = notes.number_of(line, seconds, 1..=i32::MAX.cast_unsigned())
                {
                    *place = seconds;
                }
            }
            None => notes.warn(word.place, line.keyword(), "its seconds are missing"),
        }
    }
    it.timeouts = Some(timeouts);
}

/// `FIFO_NAME [user [group]]`; the script may come before it.
fn fifo(fifo: &mut Option<Fifo>, notes: &mut Notes, line: &Statement) {
    let Some(path) = notes.text(line).map(PathBuf::from) else {
        return;
    };
    let word = |index: usize| line.parameters().get(index).map(|word| word.text.clone());
    let script = fifo.take().and_then(|fifo| fifo.script);
    *fifo = Some(Fifo {
        path,
        user: word(1),
        group: word(2),
        script,
    });
}

fn fifo_script(fifo: &mut Option<Fifo>, notes: &mut Notes, line: &Statement) {
    let script = notes.command(line);
    let fifo = fifo.get_or_insert_with(|| Fifo {
        path: PathBuf::new(),
        user: None,
        group: None,
        script: None,
    });
    fifo.script = script;
}
