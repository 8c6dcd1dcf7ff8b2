//! `real_server ADDRESS [PORT] { ... }`

use std::net::IpAddr;

use rlvs_check::spec::Options;
use rlvs_control::ForwardingMethod;

use super::super::block::{Keyword, block, read_block, unacted, value};
use super::super::notes::Notes;
use super::super::tree::Statement;
use super::checker::{CheckDraft, checker};
use super::forwarding::method;
use super::kinds;
use super::options::{HasOptions, options};
use crate::model::Command;
use crate::source::Place;

/// A real server as far as it is read.
#[derive(Clone, Debug)]
pub(super) struct RealDraft {
    pub(super) place: Place,
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) weight: u32,
    pub(super) method: Option<ForwardingMethod>,
    pub(super) upper_threshold: u32,
    pub(super) lower_threshold: u32,
    pub(super) inhibit_on_failure: Option<bool>,
    pub(super) notify_up: Option<Command>,
    pub(super) notify_down: Option<Command>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) options: Options,
    pub(super) virtual_host: Option<String>,
    pub(super) checks: Vec<CheckDraft>,
}

impl HasOptions for RealDraft {
    fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    fn virtual_host(&mut self) -> &mut Option<String> {
        &mut self.virtual_host
    }
}

/// Reads one.
pub(super) fn real_server(notes: &mut Notes, statement: &Statement) -> Option<RealDraft> {
    let (address, port) = endpoint(notes, statement)?;
    let mut draft = RealDraft {
        place: statement.place(),
        address,
        port,
        weight: 1,
        method: None,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit_on_failure: None,
        notify_up: None,
        notify_down: None,
        smtp_alert: None,
        options: Options::default(),
        virtual_host: None,
        checks: Vec::new(),
    };
    let options = &const { options::<RealDraft>() };
    read_block(statement, &[REAL_SERVER, options], &mut draft, notes);
    Some(draft)
}

/// `ADDRESS [PORT]`
pub(super) fn endpoint(notes: &mut Notes, statement: &Statement) -> Option<(IpAddr, Option<u16>)> {
    let address = notes.address(statement)?;
    let port = match statement.parameters().get(1) {
        Some(word) => Some(notes.number_of(statement, word, 1..=u16::MAX)?),
        None => None,
    };
    Some((address, port))
}

const REAL_SERVER: &[Keyword<RealDraft>] = &[
    value(&["weight"], |it, notes, line| {
        if let Some(weight) = notes.number(line, 0..=i32::MAX.cast_unsigned()) {
            it.weight = weight;
        }
    }),
    value(&["lvs_method", "lb_kind"], |it, notes, line| {
        it.method = method(notes, line);
    }),
    value(&["uthreshold"], |it, notes, line| {
        let number = notes.number(line, 0..=i32::MAX.cast_unsigned());
        it.upper_threshold = number.unwrap_or_default();
    }),
    value(&["lthreshold"], |it, notes, line| {
        let number = notes.number(line, 0..=i32::MAX.cast_unsigned());
        it.lower_threshold = number.unwrap_or_default();
    }),
    value(&["inhibit_on_failure"], |it, notes, line| {
        it.inhibit_on_failure = notes.flag(line);
    }),
    value(&["notify_up"], |it, notes, line| {
        it.notify_up = notes.command(line);
    }),
    value(&["notify_down"], |it, notes, line| {
        it.notify_down = notes.command(line);
    }),
    value(&["smtp_alert"], |it, notes, line| {
        it.smtp_alert = notes.flag(line);
    }),
    unacted(&["snmp_name"], "there is no SNMP agent"),
    block(&kinds::NAMES, |it, notes, line| {
        let check = checker(notes, line);
        it.checks.push(check);
    }),
];
