//! Mail.

use super::super::block::{Keyword, block, value};
use super::super::notes::{Notes, words};
use super::super::tree::Statement;
use super::Globals;
use crate::model::Mail;

pub(super) const MAIL: &[Keyword<Globals>] = &[
    block(&["notification_email"], |it, _, line| {
        mail(it)
            .to
            .extend(words(line).map(|word| word.text.clone()));
    }),
    value(&["notification_email_from"], |it, notes, line| {
        mail(it).from = notes.text(line);
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
