//! Lines of FTP that name an end of a data connection: `PORT` and the answer to `PASV` (RFC 959) with
//! six numbers, `EPRT` and the answer to `EPSV` (RFC 2428) in fields between marks.

use core::ops::ControlFlow;

use crate::family::Family;
use crate::frame::Frame;
use crate::tables::Tables;

/// So much of a segment is read: lines that clients and servers wait for come alone.
const MOST_READ: usize = 512;

/// What one side says it with: how the two kinds of line begin, in small letters, and what comes
/// before the fields.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    old: u32,
    extended: u32,
    opener: u8,
}

impl Dialect {
    pub(super) const COMMANDS: Self = Self::new(*b"port", *b"eprt", b' ');
    pub(super) const ANSWERS: Self = Self::new(*b"227 ", *b"229 ", b'(');

    const fn new(old: [u8; 4], extended: [u8; 4], opener: u8) -> Self {
        Self {
            old: u32::from_be_bytes(old),
            extended: u32::from_be_bytes(extended),
            opener,
        }
    }
}

/// What a line names.
#[derive(Clone, Copy)]
pub(super) struct Named {
    /// [`Reader::DONE_OLD`], [`Reader::DONE`], or nothing is named.
    step: u32,
    /// Six bytes, the address first; or the port alone.
    numbers: u64,
    /// Where in the payload its line begins, the six numbers do, and the comma after the address is.
    pub(super) line: u32,
    pub(super) start: u32,
    pub(super) comma: u32,
}

impl Named {
    /// Whether there is a port, and one that may be for data: not a privileged one, which would open
    /// other servers to whoever gets this one to say a line. IPv6 has one kind of line alone.
    #[inline(always)]
    pub(super) fn is_port_for_data<F: Family>(&self) -> bool {
        const FIRST_UNPRIVILEGED: u16 = 1024;
        let is_known = self.step == Reader::DONE || self.is_old::<F>();
        is_known && self.numbers as u16 >= FIRST_UNPRIVILEGED
    }

    #[inline(always)]
    pub(super) fn port(&self) -> [u8; 2] {
        (self.numbers as u16).to_be_bytes()
    }

    /// Whether it is one of the two kinds of IPv4 alone, with an address.
    #[inline(always)]
    pub(super) fn is_old<F: Family>(&self) -> bool {
        F::INDEX == 0 && self.step == Reader::DONE_OLD
    }

    /// As it lies in packets.
    #[inline(always)]
    pub(super) fn address(&self) -> u32 {
        ((self.numbers >> 16) as u32).to_be()
    }
}

/// What the first line in a payload, at `at` in the frame, names that names anything.
#[inline(always)]
pub(super) fn find<R: Frame, T: Tables>(
    frame: &R,
    tables: &T,
    (at, length): (usize, usize),
    dialect: Dialect,
) -> Named {
    // The verifier is to know of none where it begins: 6.1 reads a loop's body for that alone.
    let zero = || frame.offset(0) as u32;
    let mut reader = Reader {
        step: zero(),
        value: zero(),
        count: zero(),
        numbers: zero().into(),
        line: zero(),
        start: zero(),
        comma: zero(),
    };
    let length = if length < MOST_READ {
        length
    } else {
        MOST_READ
    };
    tables.repeat(length as u32, |n| {
        match frame.header::<u8>(frame.offset(at + n as usize)) {
            Some(&byte) => reader.read(byte, n, dialect),
            None => ControlFlow::Break(()),
        }
    });
    Named {
        step: reader.step,
        numbers: reader.numbers,
        line: reader.line,
        start: reader.start,
        comma: reader.comma,
    }
}

struct Reader {
    step: u32,
    /// The line's first letters, a number, or what is between fields.
    value: u32,
    /// How many numbers or fields are complete.
    count: u32,
    numbers: u64,
    line: u32,
    start: u32,
    comma: u32,
}

impl Reader {
    /// Up to here the step is how many letters of a line were read.
    const NAMED: u32 = 4;
    const BEFORE_NUMBERS: u32 = 5;
    const NUMBERS: u32 = 6;
    const BEFORE_OPENER: u32 = 7;
    const OPENER: u32 = 8;
    const FIELDS: u32 = 9;
    const OTHER: u32 = 10;
    const DONE_OLD: u32 = 11;
    const DONE: u32 = 12;

    /// The byte at `at`.
    #[inline(always)]
    fn read(&mut self, byte: u8, at: u32, dialect: Dialect) -> ControlFlow<()> {
        match self.step {
            Self::BEFORE_NUMBERS => self.before_numbers(byte, at),
            Self::NUMBERS => self.number(byte, at),
            Self::BEFORE_OPENER if byte == dialect.opener => self.step = Self::OPENER,
            Self::OPENER if byte != dialect.opener => self.open(byte),
            Self::FIELDS => self.field(byte),
            step if step < Self::NAMED => self.name(byte, at, dialect),
            _ => {}
        }
        if self.step >= Self::DONE_OLD {
            return ControlFlow::Break(());
        }
        if byte == b'\n' {
            self.step = 0;
        }
        ControlFlow::Continue(())
    }

    #[inline(always)]
    fn name(&mut self, byte: u8, at: u32, dialect: Dialect) {
        const LOWER: u8 = 0x20;
        if self.step == 0 {
            self.line = at;
        }
        self.value = self.value << 8 | u32::from(byte | LOWER);
        self.step = self.step.wrapping_add(1);
        if self.step == Self::NAMED {
            self.step = match self.value {
                value if value == dialect.old => Self::BEFORE_NUMBERS,
                value if value == dialect.extended => Self::BEFORE_OPENER,
                _ => Self::OTHER,
            };
        }
    }

    /// The first digit counts, whatever is in front of it (RFC 1123, section 4.1.2.6).
    #[inline(always)]
    fn before_numbers(&mut self, byte: u8, at: u32) {
        if byte.is_ascii_digit() {
            self.step = Self::NUMBERS;
            self.start = at;
            (self.count, self.numbers) = (0, 0);
            self.value = digit(byte);
        }
    }

    #[inline(always)]
    fn number(&mut self, byte: u8, at: u32) {
        if byte.is_ascii_digit() {
            return self.digit(byte, 255);
        }
        self.numbers = self.numbers << 8 | u64::from(self.value & 255);
        self.value = 0;
        self.count = self.count.wrapping_add(1);
        if self.count == 4 {
            self.comma = at;
        }
        self.step = match (byte, self.count) {
            (b',', count) if count < 6 => Self::NUMBERS,
            (b',', _) => Self::OTHER,
            (_, 6) => Self::DONE_OLD,
            _ => Self::OTHER,
        };
    }

    #[inline(always)]
    fn open(&mut self, byte: u8) {
        self.step = Self::FIELDS;
        (self.count, self.numbers) = (0, 0);
        self.start = byte.into();
    }

    /// The third field is the port. Of the others the first is the address' kind, the second the
    /// address; whose it is, is known.
    #[inline(always)]
    fn field(&mut self, byte: u8) {
        const LAST: u32 = 2;
        if u32::from(byte) == self.start {
            self.count = self.count.wrapping_add(1);
            self.numbers = self.value.into();
            self.value = 0;
            if self.count > LAST {
                self.step = Self::DONE;
            }
        } else if self.count == LAST {
            match byte.is_ascii_digit() {
                true => self.digit(byte, u16::MAX.into()),
                false => self.step = Self::OTHER,
            }
        }
    }

    #[inline(always)]
    fn digit(&mut self, byte: u8, most: u32) {
        self.value = self.value.wrapping_mul(10).wrapping_add(digit(byte));
        if self.value > most {
            self.step = Self::OTHER;
        }
    }
}

#[inline(always)]
fn digit(byte: u8) -> u32 {
    u32::from(byte.wrapping_sub(b'0'))
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::family::V4;
    use crate::memory::{Bytes, Memory, Sizes};

    /// Address and port.
    fn of(text: &str, dialect: Dialect) -> Option<(Option<[u8; 4]>, u16)> {
        let memory = Memory::new(Sizes::default());
        let mut bytes: Vec<u8> = [0; 54].into();
        bytes.extend(text.as_bytes());
        let frame = Bytes::received(bytes, 1);
        let named = find(&frame, &memory, (54, text.len()), dialect);
        let address = named.is_old::<V4>().then(|| named.address().to_ne_bytes());
        named
            .is_port_for_data::<V4>()
            .then(|| (address, u16::from_be_bytes(named.port())))
    }

    #[test]
    fn answers_name_ports() {
        let old = Some((Some([10, 0, 1, 11]), 30_000));
        for text in [
            "227 Entering Passive Mode (10,0,1,11,117,48).\r\n",
            "227 Entering Passive Mode (10,0,1,11,117,48)\r\n",
            "227 =10,0,1,11,117,48\r\n",
            "227 10,0,1,11,117,48\n",
            "200 Switching to Binary mode.\r\n227 PASV ok (10,0,1,11,117,48)\r\n",
            "227-No\r\n227 (010,000,001,011,117,048)\r\n",
        ] {
            assert_eq!(of(text, Dialect::ANSWERS), old, "{text:?}");
        }
        for text in [
            "229 Entering Extended Passive Mode (|||30000|)\r\n",
            "229 Ok (!!!30000!)\r\n",
            "229 (|1|10.0.1.11|30000|)\r\n",
        ] {
            assert_eq!(of(text, Dialect::ANSWERS), Some((None, 30_000)), "{text:?}");
        }
    }

    #[test]
    fn commands_name_ports() {
        let old = Some((Some([198, 51, 100, 7]), 50_001));
        for text in [
            "PORT 198,51,100,7,195,81\r\n",
            "port 198,51,100,7,195,81\r\n",
            "TYPE I\r\nPORT 198,51,100,7,195,81\r\n",
        ] {
            assert_eq!(of(text, Dialect::COMMANDS), old, "{text:?}");
        }
        for text in [
            "EPRT |1|198.51.100.7|50001|\r\n",
            "EPRT |2|2001:db8::7|50001|\r\n",
            "eprt !2!::7!50001!\r\n",
        ] {
            assert_eq!(
                of(text, Dialect::COMMANDS),
                Some((None, 50_001)),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_names_none_is_left() {
        for text in [
            "",
            "2",
            "227 ",
            "227 Entering Passive Mode (10,0,1,11,117,48",
            "227 Entering Passive Mode (10,0,1,11,117)\r\n",
            "227 Entering Passive Mode (10,0,1,11,117,48,1)\r\n",
            "227 Entering Passive Mode (10,0,1,256,117,48)\r\n",
            "227 Entering Passive Mode (10,0,1,11,0,22)\r\n",
            "1227 (10,0,1,11,117,48)\r\n",
            "500 227 (10,0,1,11,117,48)\r\n",
            "229 Entering Extended Passive Mode (|||22|)\r\n",
            "229 Entering Extended Passive Mode (|||65536|)\r\n",
            "229 Entering Extended Passive Mode (|||30000",
            "229 Entering Extended Passive Mode (|||3000x|)\r\n",
            "229 |||30000|\r\n",
            "PORT 10,0,1,11,117,48\r\n",
        ] {
            assert_eq!(of(text, Dialect::ANSWERS), None, "{text:?}");
        }
        for text in ["PORT 10,0,1,11\r\n", "EPRT |1|10.0.1.11|\r\n", "PASV\r\n"] {
            assert_eq!(of(text, Dialect::COMMANDS), None, "{text:?}");
        }
        let far: String = std::iter::repeat_n('x', MOST_READ).collect();
        let text = far + "\r\n227 (10,0,1,11,117,48)\r\n";
        assert_eq!(of(&text, Dialect::ANSWERS), None);
    }
}
