//! A checker of a real server: what all kinds have alike.

use rlvs_check::spec::{Connect, Options};

use super::super::block::{Keyword, read_block, value};
use super::super::notes::Notes;
use super::super::tree::Statement;
use super::kinds::{self, KindDraft};
use super::options::{HasOptions, options};
use crate::source::Place;

/// A checker as far as it is read; what it inherits is not known before all is read.
#[derive(Clone, Debug)]
pub(super) struct CheckDraft {
    pub(super) kind: KindDraft,
    pub(super) connect: Connect,
    pub(super) options: Options,
    pub(super) virtual_host: Option<String>,
    pub(super) place: Place,
    /// Further targets of SMTP_CHECK.
    pub(super) hosts: Vec<Connect>,
}

impl CheckDraft {
    fn new(kind: KindDraft, place: Place) -> Self {
        Self {
            kind,
            connect: Connect::default(),
            options: Options::default(),
            virtual_host: None,
            place,
            hosts: Vec::new(),
        }
    }
}

impl HasOptions for CheckDraft {
    fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    fn virtual_host(&mut self) -> &mut Option<String> {
        &mut self.virtual_host
    }
}

/// Reads one.
pub(super) fn checker(notes: &mut Notes, statement: &Statement) -> CheckDraft {
    let kind = KindDraft::named(statement.keyword());
    let mut draft = CheckDraft::new(kind, statement.place());
    let own = kinds::keywords(&draft.kind);
    let options = &const { options::<CheckDraft>() };
    let connect = &const { connection::<CheckDraft>() };
    let tables: &[&[Keyword<CheckDraft>]] = match draft.kind {
        KindDraft::Misc(_) => &[own, options],
        KindDraft::File(_) | KindDraft::Bfd => &[own],
        _ => &[own, options, connect],
    };
    read_block(statement, tables, &mut draft, notes);
    draft
}

/// What has a place to connect to.
pub(super) trait HasConnect {
    fn connect(&mut self) -> &mut Connect;
}

impl HasConnect for CheckDraft {
    fn connect(&mut self) -> &mut Connect {
        &mut self.connect
    }
}

impl HasConnect for Connect {
    fn connect(&mut self) -> &mut Connect {
        self
    }
}

/// From where to where a check goes.
pub(super) const fn connection<T: HasConnect>() -> [Keyword<T>; 6] {
    [
        value(&["connect_ip"], |it: &mut T, notes, line| {
            it.connect().address = notes.address(line);
        }),
        value(&["connect_port"], |it: &mut T, notes, line| {
            it.connect().port = notes.number(line, 1..=u16::MAX);
        }),
        value(&["bindto"], |it: &mut T, notes, line| {
            it.connect().bind_address = notes.address(line);
        }),
        value(&["bind_if"], |it: &mut T, notes, line| {
            it.connect().bind_interface = notes.text(line);
        }),
        value(&["bind_port"], |it: &mut T, notes, line| {
            it.connect().bind_port = notes.number(line, 1..=u16::MAX);
        }),
        value(&["fwmark"], |it: &mut T, notes, line| {
            it.connect().mark = notes.number(line, 0..=u32::MAX);
        }),
    ]
}
