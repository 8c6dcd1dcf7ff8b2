//! Another address in the answer to `PASV`, in a text of the same length.
//!
//! The numbers end where they did. If they need more room than they had, it is taken from the words
//! in front of them; if less, there are blanks. Nobody but people reads those words: clients look
//! for the first digit, as RFC 1123 (section 4.1.2.6) tells them to.
//!
//! ```text
//! 227 Entering Passive Mode (10,0,1,11,117,48).
//! 227 Entering Passive  (198,51,100,7,117,48).
//! 227 Entering Passive Mode    (10,0,0,9,117,48).
//! ```

use core::ops::ControlFlow;

use rlvs_wire::Checksum;

use super::line::Named;
use crate::frame::Frame;
use crate::tables::Tables;

/// Behind `227` there are at least a blank and what stands before the numbers.
const LEAST_BEFORE: usize = 5;

/// So much is written: numbers have no zeros in front that would need more.
const MOST: usize = 32;

/// Writes `address` in place of the one that is named; the change in sums over the segment, or
/// nothing if there is no room for it. The payload begins at `at`.
#[inline(always)]
pub(super) fn write<R: Frame, T: Tables>(
    frame: &mut R,
    tables: &T,
    at: usize,
    named: Named,
    address: [u8; 4],
) -> Option<Checksum> {
    let place = |offset: u32| frame.offset(at + offset as usize);
    let (line, before, end) = (place(named.line), place(named.start), place(named.comma));
    let start = end.wrapping_sub(length(address));
    let first = match start < before {
        true if start < line + LEAST_BEFORE => return None,
        true => start.wrapping_sub(2),
        false => before.wrapping_sub(1),
    };
    let length = end.wrapping_sub(first);
    if length > MOST {
        return None;
    }
    let edge = *frame.header::<u8>(frame.offset(before.wrapping_sub(1)))?;
    let mut writer = Writer::new(frame, address, edge);
    tables.repeat(length as u32, |n| {
        let at = frame.offset(end.wrapping_sub(1).wrapping_sub(n as usize));
        let byte = writer.next();
        match frame.header_mut::<u8>(at) {
            Some(field) => {
                writer.note(at, *field, byte);
                *field = byte;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    });
    Some(writer.changed())
}

/// How many characters its four numbers and the commas between them are.
#[inline(always)]
fn length(address: [u8; 4]) -> usize {
    let digits = |number: u8| 1 + (number > 9) as usize + (number > 99) as usize;
    let [a, b, c, d] = address;
    digits(a) + digits(b) + digits(c) + digits(d) + 3
}

/// Says the text's characters, the last one first.
struct Writer {
    /// Of the number that is being written what is left, and the numbers before it.
    value: u32,
    rest: u32,
    /// How many numbers are to come, this one included.
    left: u32,
    step: u32,
    /// What stood before the numbers.
    edge: u8,
    /// Sums over what the text is and was.
    after: u32,
    before: u32,
}

impl Writer {
    const DIGIT: u32 = 0;
    const COMMA: u32 = 1;
    const EDGE: u32 = 2;
    const BLANK: u32 = 3;

    /// The verifier is to know of no part where it begins.
    #[inline(always)]
    fn new<R: Frame>(frame: &R, address: [u8; 4], edge: u8) -> Self {
        let known = |word: usize| frame.offset(word) as u32;
        let rest = u32::from_be_bytes(address);
        Self {
            value: rest & 255,
            rest,
            left: known(4),
            step: known(Self::DIGIT as usize),
            edge,
            after: known(0),
            before: known(0),
        }
    }

    #[inline(always)]
    fn next(&mut self) -> u8 {
        match self.step {
            Self::DIGIT => self.digit(),
            Self::COMMA => {
                self.rest >>= 8;
                self.value = self.rest & 255;
                self.step = Self::DIGIT;
                b','
            }
            Self::EDGE => {
                self.step = Self::BLANK;
                self.edge
            }
            _ => b' ',
        }
    }

    #[inline(always)]
    fn digit(&mut self) -> u8 {
        let digit = (self.value % 10) as u8;
        self.value /= 10;
        if self.value == 0 {
            self.left = self.left.wrapping_sub(1);
            self.step = match self.left {
                0 => Self::EDGE,
                _ => Self::COMMA,
            };
        }
        b'0' + digit
    }

    /// Headers in front of the segment have even lengths, and so has Ethernet's.
    #[inline(always)]
    fn note(&mut self, at: usize, before: u8, after: u8) {
        let shift = (at & 1 ^ 1) * 8;
        self.before = self.before.wrapping_add(u32::from(before) << shift);
        self.after = self.after.wrapping_add(u32::from(after) << shift);
    }

    #[inline(always)]
    fn changed(&self) -> Checksum {
        Checksum::default()
            .plus4(self.after.to_be_bytes())
            .minus4(self.before.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::super::line::{self, Dialect};
    use super::*;
    use crate::memory::{Bytes, Memory, Sizes};

    fn written(text: &str, address: [u8; 4]) -> Option<String> {
        let memory = Memory::new(Sizes::default());
        let mut bytes: Vec<u8> = [0; 54].into();
        bytes.extend(text.as_bytes());
        let mut frame = Bytes::received(bytes.clone(), 1);
        let named = line::find(&frame, &memory, (54, text.len()), Dialect::ANSWERS);
        let changed = write(&mut frame, &memory, 54, named, address)?;
        let sum = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes.resize(bytes.len().next_multiple_of(2), 0);
            let (words, _) = bytes.as_chunks::<2>();
            words
                .iter()
                .fold(Checksum::default(), |sum, &word| sum.plus(word))
        };
        let expected = sum(&frame.bytes);
        assert_eq!(
            sum(&bytes).and(changed).to_sum(),
            expected.to_sum(),
            "{text:?}"
        );
        Some(String::from_utf8(frame.bytes[54..].to_vec()).expect("text"))
    }

    #[test]
    fn texts_keep_their_length() {
        for (text, address, expected) in [
            (
                "227 Entering Passive Mode (10,0,1,11,117,48).\r\n",
                [10, 0, 1, 12],
                "227 Entering Passive Mode (10,0,1,12,117,48).\r\n",
            ),
            (
                "227 Entering Passive Mode (10,0,1,11,117,48).\r\n",
                [198, 51, 100, 7],
                "227 Entering Passive M (198,51,100,7,117,48).\r\n",
            ),
            (
                "227 Entering Passive Mode (192,168,100,111,117,48)\r\n",
                [1, 2, 3, 4],
                "227 Entering Passive Mode         (1,2,3,4,117,48)\r\n",
            ),
            (
                "200 Ok\r\n227 PASV ok (1,1,1,1,4,5)\r\n",
                [192, 168, 1, 100],
                "200 Ok\r\n227 P (192,168,1,100,4,5)\r\n",
            ),
            (
                "227 =10,0,1,11,4,5\r\n",
                [9, 0, 0, 1],
                "227   =9,0,0,1,4,5\r\n",
            ),
            (
                "227 10,0,1,11,4,5\r\n",
                [10, 0, 1, 99],
                "227 10,0,1,99,4,5\r\n",
            ),
        ] {
            assert_eq!(written(text, address).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_text_without_room_is_left() {
        for text in [
            "227 =1,1,1,1,4,5\r\n",
            "227 (1,1,1,1,4,5)\r\n",
            "227 1,1,1,1,4,5\r\n",
            "227 Entering Passive Mode (0000000000000000000000000010,1,1,2,4,5)\r\n",
        ] {
            assert_eq!(written(text, [10, 1, 1, 1]), None);
        }
    }
}
