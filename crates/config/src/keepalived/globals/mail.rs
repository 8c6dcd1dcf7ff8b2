//! Mail.

use super::super::block::{Keyword, block, value};
use super::super::notes::{Notes, words};
use super::super::tree::{Statement, Word};
use super::Globals;
use crate::model::Mail;

pub(super) const MAIL: &[Keyword<Globals>] = &[
    block(&["notification_email"], |it, notes, line| {
        let addresses = words(line).filter_map(|word| address(notes, line, word));
        mail(it).to.extend(addresses);
    }),
    value(&["notification_email_from"], |it, notes, line| {
        let word = notes.first(line);
        mail(it).from = word.and_then(|word| address(notes, line, word));
    }),
    value(&["smtp_server"], smtp_server),
    value(&["smtp_helo_name"], |it, notes, line| {
        mail(it).helo_name = notes.text(line);
    }),
    value(&["smtp_connect_timeout"], |it, notes, line| {
        mail(it).connect_timeout = notes.number(line, 1..=86_400);
    }),
    value(&["router_id", "lvs_id"], |it, notes, line| {
        mail(it).router_id = notes.text(line);
    }),
    value(&["no_email_faults"], |it, _, _| mail(it).no_faults = true),
];

fn mail(globals: &mut Globals) -> &mut Mail {
    globals.alerts.mail.get_or_insert_default()
}

/// Left out, where no mail could go there.
fn address(notes: &mut Notes, line: &Statement, word: &Word) -> Option<String> {
    if let Some(wrong) = Mail::wrong(&word.text) {
        notes.warn(word.place, line.keyword(), wrong);
        return None;
    }
    Some(word.text.clone())
}

fn smtp_server(it: &mut Globals, notes: &mut Notes, line: &Statement) {
    let server = notes.text(line);
    let port = line.parameters().get(1);
    let port = port.map(|word| notes.number_of(line, word, 1..=u16::MAX));
    if port == Some(None) {
        return;
    }
    let mail = mail(it);
    mail.server = server;
    mail.port = port.flatten();
}
