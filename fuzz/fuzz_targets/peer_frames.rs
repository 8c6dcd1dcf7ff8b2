//! What comes by TCP from who says it is a peer. Before there is a secret between the two: hellos, of both
//! sides. After: messages that are changed on the way, and frames, which a peer may have wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rlvs_sync::Scope;
use rlvs_sync::peer::{Draft, Frame, Handshake, Session};

const SECRET: [u8; 32] = [7; 32];

fuzz_target!(|bytes: &[u8]| {
    let [kind, rest @ ..] = bytes else {
        return;
    };
    match kind % 4 {
        0 => hello(rest),
        1 => message(rest),
        _ => frame(rest),
    }
});

/// Nobody finds by chance what only who knows the secret can say.
fn hello(bytes: &[u8]) {
    let mut answers = Handshake::answer(&SECRET).expect("it is a secret");
    assert!(answers.hear(bytes).is_err());
    let mut begins = Handshake::begin(&SECRET).expect("it is a secret");
    begins.say().expect("it is its turn");
    assert!(begins.hear(bytes).is_err());
}

/// As bytes alone, and as what a true message is changed by.
fn message(bytes: &[u8]) {
    let [mut one, mut other] = sessions();
    assert!(other.open(bytes).is_err());
    let mut sealed = one.seal(Frame::ALIVE).expect("it is short");
    let is_changed = bytes.iter().take(sealed.len()).any(|&byte| byte != 0);
    for (to, by) in sealed.iter_mut().zip(bytes) {
        *to ^= by;
    }
    assert_eq!(other.open(&sealed).is_err(), is_changed);
}

/// Is read, and what was read is said the same.
fn frame(bytes: &[u8]) {
    let Some(Frame::Connections(all)) = Frame::read(bytes) else {
        return;
    };
    let mut draft = Draft::new();
    let mut told = Vec::new();
    for (record, idle) in all {
        match record {
            Ok(record) => {
                if draft.push(&record, idle) {
                    told.push((Ok(record), idle));
                }
            }
            Err(reason) => assert_ne!(reason.scope(), Scope::Datagram),
        }
    }
    let again = Frame::read(&draft.finish());
    assert_eq!(again, Some(Frame::Connections(told)));
}

fn sessions() -> [Session; 2] {
    let mut one = Handshake::begin(&SECRET).expect("it is a secret");
    let mut other = Handshake::answer(&SECRET).expect("it is a secret");
    let first = one.say().expect("it is its turn");
    other.hear(&first).expect("both have the secret");
    let second = other.say().expect("it is its turn");
    one.hear(&second).expect("both have the secret");
    [one, other].map(|it| it.finish().expect("both have spoken"))
}
