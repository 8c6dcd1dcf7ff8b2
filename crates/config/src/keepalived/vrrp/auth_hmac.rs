//! `auth_hmac { key ID SECRET ... }`

use super::super::block::{Keyword, value};
use super::super::notes::Notes;
use super::super::tree::Statement;
use crate::model::vrrp::auth_hmac::{AntiReplay, AuthHmac, HmacKey, HmacMode};

pub(super) const AUTH_HMAC: &[Keyword<AuthHmac>] = &[
    value(&["key"], key),
    value(&["active_key"], |it, notes, line| {
        it.active_key = notes.number(line, 1..=255);
    }),
    value(&["anti_replay"], |it, notes, line| {
        let choice = notes.choice(line, &["time", "monotonic"]);
        it.anti_replay = choice.map(|choice| match choice.as_str() {
            "time" => AntiReplay::Time,
            _ => AntiReplay::Monotonic,
        });
    }),
    value(&["time_window"], |it, notes, line| {
        it.time_window = notes.number(line, 1..=300);
    }),
    value(&["mode"], |it, notes, line| {
        let choice = notes.choice(line, &["enforce", "permissive", "receive-only"]);
        it.mode = choice.map(|choice| match choice.as_str() {
            "enforce" => HmacMode::Enforce,
            "permissive" => HmacMode::Permissive,
            _ => HmacMode::ReceiveOnly,
        });
    }),
];

fn key(it: &mut AuthHmac, notes: &mut Notes, line: &Statement) {
    let id = notes.number(line, 1..=255);
    match (id, line.parameters().get(1)) {
        (Some(id), Some(word)) => it.key.push(HmacKey {
            id,
            secret: word.text.clone(),
        }),
        (Some(_), None) => notes.wrong(line, "its secret is missing"),
        (None, _) => {}
    }
}
