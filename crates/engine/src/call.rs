//! SIP's Call-ID (RFC 3261, section 20.8): by it `--pe sip` knows what belongs together, whoever
//! sends it (net/netfilter/ipvs/ip_vs_pe_sip.c).

use core::ops::ControlFlow;

use crate::call_id::CallId;
use crate::family::mix;
use crate::frame::{Frame, OFFSETS};
use crate::tables::Tables;

/// The Call-ID of the SIP message at `at`, as 64 bits that stand for it; 0 if there is none. It is left in
/// [`Tables::call_id`] as it is written.
#[inline(always)]
pub fn call<R: Frame, T: Tables>(frame: &R, tables: &T, at: usize) -> u64 {
    let (Some(settings), Some(id)) = (tables.settings(), tables.call_id()) else {
        return 0;
    };
    let at = frame.offset(at);
    // The verifier is to know of none where it begins: 6.1 reads a loop's body for that alone.
    let mut hash = settings.seed.load();
    let mut word = hash;
    let mut step = frame.offset(Step::IN_LINE as usize) as u32;
    let mut length = frame.offset(0) as u32;
    tables.repeat((OFFSETS - at) as u32, |n| {
        let Some(&byte) = frame.header::<u8>(frame.offset(at + n as usize)) else {
            return ControlFlow::Break(());
        };
        step = Step::after(step, byte);
        match step {
            Step::VALUE if length >= CallId::LONGEST => {
                step = Step::NONE;
                return ControlFlow::Break(());
            }
            Step::VALUE => {
                hash = mix(hash ^ byte as u64);
                word = id.add(length, word, byte);
                length += 1;
            }
            Step::DONE | Step::NONE => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    match step {
        Step::DONE => {
            id.finish(length);
            // 0 says that there is none.
            hash | 1
        }
        _ => 0,
    }
}

/// What stands for a Call-ID that another director tells.
pub fn told<T: Tables>(tables: &T, call: &[u8]) -> u64 {
    let seed = tables.settings().map_or(0, |it| it.seed.load());
    call.iter()
        .fold(seed, |hash, &byte| mix(hash ^ u64::from(byte)))
        | 1
}

/// Where reading is: the names of headers are of either case, "i" is short for "Call-ID", and
/// blanks may be around the colon.
struct Step;

impl Step {
    /// From here to `NAMED` what was read of the name is as long as the step's number.
    const LINE: u32 = 0;
    const NAMED: u32 = NAME_LENGTH;
    const SHORT: u32 = NAME_LENGTH + 1;
    const COLON: u32 = NAME_LENGTH + 2;
    const VALUE: u32 = NAME_LENGTH + 3;
    const IN_LINE: u32 = NAME_LENGTH + 4;
    const DONE: u32 = NAME_LENGTH + 5;
    /// The headers are over.
    const NONE: u32 = NAME_LENGTH + 6;

    #[inline(always)]
    const fn after(step: u32, byte: u8) -> u32 {
        let is_blank = byte == b' ' || byte == b'\t';
        match (step, byte) {
            (Self::VALUE, b'\r' | b'\n' | b' ' | b'\t') => Self::DONE,
            (Self::VALUE, _) => Self::VALUE,
            (Self::LINE, b'\r') => Self::LINE,
            (Self::LINE, b'\n') => Self::NONE,
            (_, b'\n') => Self::LINE,
            (Self::IN_LINE, _) => Self::IN_LINE,
            (Self::NAMED | Self::SHORT, b':') => Self::COLON,
            (Self::NAMED | Self::SHORT | Self::COLON, _) if is_blank => match step {
                Self::COLON => Self::COLON,
                _ => Self::NAMED,
            },
            (Self::COLON, b'\r') => Self::IN_LINE,
            (Self::COLON, _) => Self::VALUE,
            (Self::LINE, b'i' | b'I') => Self::SHORT,
            _ if step < Self::NAMED && byte | LOWER == (NAME >> (8 * step)) as u8 => step + 1,
            _ => Self::IN_LINE,
        }
    }
}

const NAME_LENGTH: u32 = 7;
/// "call-id"; the dash has the bit of small letters as well.
const NAME: u64 = u64::from_le_bytes(*b"call-id\0");
const LOWER: u8 = 0x20;

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::call_id::from_words;
    use crate::memory::{Bytes, Memory, Sizes};

    fn of(message: &str) -> u64 {
        read(&Memory::new(Sizes::default()), message)
    }

    fn read(memory: &Memory, message: &str) -> u64 {
        let mut bytes: Vec<u8> = [0; 42].into();
        bytes.extend(message.as_bytes());
        call(&Bytes::received(bytes, 1), memory, 42)
    }

    fn invite(header: &str) -> String {
        std::format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c:5060\r\n{header}\r\nCSeq: 1 INVITE\r\n\r\n"
        )
    }

    #[test]
    fn a_call_is_known_however_it_is_written() {
        let call = of(&invite("Call-ID: 3c26700c@host.example"));
        assert_ne!(call, 0);
        let memory = Memory::new(Sizes::default());
        assert_eq!(told(&memory, b"3c26700c@host.example"), call);
        for header in [
            "call-id: 3c26700c@host.example",
            "CALL-ID:3c26700c@host.example",
            "Call-ID \t: 3c26700c@host.example",
            "i: 3c26700c@host.example",
            "I :3c26700c@host.example",
            "Contact: <sip:i@b>\r\nCall-ID: 3c26700c@host.example \r\nCall-ID: another",
            "Via: x\ni: 3c26700c@host.example\n",
        ] {
            assert_eq!(of(&invite(header)), call, "{header:?}");
        }
        for header in [
            "Call-ID: 3c26700c@host.exampl",
            "Call-ID: 3c26700d@host.example",
        ] {
            let other = of(&invite(header));
            assert!(other != call && other != 0, "{header:?}");
        }
    }

    #[test]
    fn it_is_left_as_it_is_written() {
        let memory = Memory::new(Sizes::default());
        let longest = "c".repeat(CallId::LONGEST as usize);
        for id in [&longest, "3c26700c@host.example", "8 bytes.", "X", &longest] {
            let id = id.replace(' ', "-");
            for header in [
                std::format!("Call-ID: {id}"),
                std::format!("i:{id}"),
                std::format!("call-id \t: \t{id} \t"),
            ] {
                let call = read(&memory, &invite(&header));
                assert_eq!(call, told(&memory, id.as_bytes()), "{header:?}");
                let left = memory.call_ids.read.load();
                assert_eq!(from_words(&left).0, id.as_bytes(), "{header:?}");
            }
        }
    }

    /// IPVS makes nothing of it either.
    #[test]
    fn one_that_is_too_long_is_none() {
        let longest = "c".repeat(CallId::LONGEST as usize);
        assert_ne!(of(&invite(&std::format!("Call-ID: {longest}"))), 0);
        assert_eq!(of(&invite(&std::format!("Call-ID: {longest}c"))), 0);
        let two = std::format!("Call-ID: {longest}c\r\nCall-ID: a");
        assert_eq!(of(&invite(&two)), 0);
    }

    #[test]
    fn what_is_none_is_no_call() {
        for header in [
            "Call-ID:",
            "Call-ID: ",
            "Call-IDs: a",
            "Call_ID: a",
            "Call: a",
            "xi: a",
            "ii: a",
            "X-Call-ID: a",
            "Subject: Call-ID: a",
        ] {
            assert_eq!(of(&invite(header)), 0, "{header:?}");
        }
        assert_eq!(of(""), 0);
        assert_eq!(of("Call-ID: a\r\n"), 0, "the first line is the request");
        assert_eq!(of("INVITE\r\nCall-ID: cut"), 0, "it ends with its line");
        assert_eq!(of("INVITE\r\n\r\ni: not a header\r\n"), 0);
        assert_eq!(of("INVITE\n\ni: not a header\n"), 0);
    }
}
