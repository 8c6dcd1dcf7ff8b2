//! What one director says to another of rlvs: a byte that says what it is, then connections as in IPVS's
//! messages, each with the time since its last packet.

use rlvs_sync::message::{Builder, Message};
use rlvs_sync::{Reason, Record};

use crate::sync::teller::Due;

/// Bytes of connections in one frame. With all around they fit into a message of Noise (65535).
const LARGEST: usize = 16 << 10;

const CONNECTIONS: u8 = 1;
const CAUGHT_UP: u8 = 2;
const ALIVE: u8 = 3;

/// A frame to be read.
#[derive(Debug)]
pub(super) enum Frame {
    Connections(Vec<(Result<Record, Reason>, u32)>),
    /// All that there was has been told; what follows is news.
    CaughtUp,
    Alive,
}

/// Frames that mean the same each time.
pub(super) const CAUGHT_UP_FRAME: &[u8] = &[CAUGHT_UP];
pub(super) const ALIVE_FRAME: &[u8] = &[ALIVE];

/// Connections on their way into a frame.
#[derive(Debug)]
pub(super) struct Draft {
    builder: Builder,
    idle: Vec<u8>,
}

impl Draft {
    pub(super) fn new() -> Self {
        Self {
            builder: Builder::new(0, LARGEST),
            idle: Vec::new(),
        }
    }

    /// Whether there was room.
    #[must_use]
    pub(super) fn push(&mut self, due: &Due) -> bool {
        let has_room = self.builder.push(&due.record);
        if has_room {
            self.idle.extend(due.idle.to_be_bytes());
        }
        has_room
    }

    pub(super) fn count(&self) -> u8 {
        self.builder.count()
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut bytes = vec![CONNECTIONS, self.builder.count()];
        bytes.extend(self.idle);
        bytes.extend(self.builder.finish());
        bytes
    }
}

/// None for what no director says.
pub(super) fn read(bytes: &[u8]) -> Option<Frame> {
    match bytes {
        [CAUGHT_UP] => Some(Frame::CaughtUp),
        [ALIVE] => Some(Frame::Alive),
        [CONNECTIONS, count, rest @ ..] => {
            let (idle, message) = rest.split_at_checked(usize::from(*count) * 4)?;
            let message = Message::read(message).ok()?;
            let idle = idle.as_chunks::<4>().0.iter().copied();
            let idle = idle.map(u32::from_be_bytes);
            Some(Frame::Connections(message.records.zip(idle).collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::tests::tcp;

    #[test]
    fn connections_survive_their_frame() {
        let mut draft = Draft::new();
        let due = |port: u16| Due {
            record: tcp(port),
            idle: u32::from(port) * 1000,
        };
        assert!((1..=255).all(|port| draft.push(&due(port))));
        assert!(!draft.push(&due(256)), "a byte counts them");
        assert_eq!(draft.count(), 255);
        let bytes = draft.finish();
        assert!(bytes.len() < 65_000);
        let Some(Frame::Connections(read)) = read(&bytes) else {
            panic!("no connections");
        };
        let expected = (1..=255).map(due).map(|it| (Ok(it.record), it.idle));
        assert!(read.into_iter().eq(expected));
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
            assert!(read(bytes).is_none(), "{bytes:?}");
        }
        let mut draft = Draft::new();
        let due = Due {
            record: tcp(1),
            idle: 1,
        };
        assert!(draft.push(&due));
        let whole = draft.finish();
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_none(), "{length}");
        }
        assert!(matches!(read(CAUGHT_UP_FRAME), Some(Frame::CaughtUp)));
        assert!(matches!(read(ALIVE_FRAME), Some(Frame::Alive)));
    }
}
