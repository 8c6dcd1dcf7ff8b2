//! Frames: a byte that says what one is, then connections as in IPVS's messages, each with the time since
//! its last packet.

use crate::message::{Builder, Message};
use crate::reason::Reason;
use crate::record::Record;

/// Bytes of connections in one frame. With all around they fit into a message of Noise (65535).
const LARGEST: usize = 16 << 10;

const CONNECTIONS: u8 = 1;
const CAUGHT_UP: u8 = 2;
const ALIVE: u8 = 3;

/// A frame that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame {
    /// Each with the ticks since its last packet.
    Connections(Vec<(Result<Record, Reason>, u32)>),
    /// All that there was has been told; what follows is news.
    CaughtUp,
    Alive,
}

impl Frame {
    /// [`Frame::CaughtUp`] as it is said.
    pub const CAUGHT_UP: &[u8] = &[CAUGHT_UP];
    /// [`Frame::Alive`] as it is said.
    pub const ALIVE: &[u8] = &[ALIVE];

    /// None for what no director says.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [CAUGHT_UP] => Some(Self::CaughtUp),
            [ALIVE] => Some(Self::Alive),
            [CONNECTIONS, count, rest @ ..] => {
                let (idle, message) = rest.split_at_checked(usize::from(*count) * 4)?;
                let message = Message::read(message).ok()?;
                let idle = idle.as_chunks::<4>().0.iter().copied();
                let idle = idle.map(u32::from_be_bytes);
                Some(Self::Connections(message.records.zip(idle).collect()))
            }
            _ => None,
        }
    }
}

/// Connections on their way into a frame.
#[derive(Debug)]
pub struct Draft {
    builder: Builder,
    idle: Vec<u8>,
}

impl Draft {
    pub fn new() -> Self {
        Self {
            builder: Builder::new(0, LARGEST),
            idle: Vec::new(),
        }
    }

    /// Whether there was room; there always is for the first.
    #[must_use]
    pub fn push(&mut self, record: &Record, idle: u32) -> bool {
        let has_room = self.builder.push(record);
        if has_room {
            self.idle.extend(idle.to_be_bytes());
        }
        has_room
    }

    pub fn count(&self) -> u8 {
        self.builder.count()
    }

    /// The frame.
    pub fn finish(self) -> Vec<u8> {
        let mut bytes = vec![CONNECTIONS, self.builder.count()];
        bytes.extend(self.idle);
        bytes.extend(self.builder.finish());
        bytes
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::examples::{any_record, numbered};

    fn frame(all: &[(Record, u32)]) -> Vec<u8> {
        let mut draft = Draft::new();
        assert!(all.iter().all(|(record, idle)| draft.push(record, *idle)));
        draft.finish()
    }

    #[test]
    fn a_frame_is_as_large_as_a_byte_counts() {
        let mut draft = Draft::new();
        assert!((0..255).all(|number| draft.push(&numbered(number), 0)));
        assert!(!draft.push(&numbered(255), 0));
        assert_eq!(draft.count(), 255);
        assert!(draft.finish().len() < 65_000);
    }

    #[test]
    fn nonsense_is_nothing() {
        for bytes in [
            &[][..],
            &[0],
            &[9, 9],
            &[CONNECTIONS],
            &[CONNECTIONS, 2, 0],
            &[ALIVE, 0],
        ] {
            assert_eq!(Frame::read(bytes), None, "{bytes:?}");
        }
        let whole = frame(&[(numbered(1), 1)]);
        for length in 0..whole.len() {
            assert_eq!(Frame::read(&whole[..length]), None, "{length}");
        }
        assert_eq!(Frame::read(Frame::CAUGHT_UP), Some(Frame::CaughtUp));
        assert_eq!(Frame::read(Frame::ALIVE), Some(Frame::Alive));
    }

    proptest! {
        #[test]
        fn connections_survive_their_frame(
            all in vec((any_record(), any::<u32>()), 0..20),
        ) {
            let read = Frame::read(&frame(&all));
            let expected = all.into_iter().map(|(record, idle)| (Ok(record), idle));
            prop_assert_eq!(read, Some(Frame::Connections(expected.collect())));
        }

        /// Whatever comes, nothing breaks, and no more is read than the frame says there is.
        #[test]
        fn any_bytes_are_read_or_not(bytes in vec(any::<u8>(), 0..600)) {
            if let Some(Frame::Connections(all)) = Frame::read(&bytes) {
                prop_assert!(all.len() <= usize::from(bytes[1]));
            }
        }

        #[test]
        fn a_broken_byte_breaks_nothing_else(
            all in vec((any_record(), any::<u32>()), 1..6),
            place in any::<proptest::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = frame(&all);
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if let Some(Frame::Connections(read)) = Frame::read(&bytes) {
                prop_assert!(read.len() <= usize::from(bytes[1]));
            }
        }
    }
}
