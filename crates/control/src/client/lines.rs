//! Lines out of pieces that end anywhere.

use serde::de::Error as _;

use crate::ConnectionEntry;

/// Bytes that a line may have; an entry has a few hundred.
const LONGEST: usize = 64 << 10;

/// The beginning of a line whose end has not come yet.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Hands all entries that end in `data` to `each`; answers false when that did.
    pub(super) fn feed(
        &mut self,
        data: &[u8],
        each: &mut dyn FnMut(ConnectionEntry) -> bool,
    ) -> serde_json::Result<bool> {
        for piece in data.split_inclusive(|&byte| byte == b'\n') {
            if self.begun.len() + piece.len() > LONGEST {
                return Err(serde_json::Error::custom("a line is too long"));
            }
            if !piece.ends_with(b"\n") {
                self.begun.extend_from_slice(piece);
            } else if !each(self.complete(piece)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn complete(&mut self, end: &[u8]) -> serde_json::Result<ConnectionEntry> {
        if self.begun.is_empty() {
            return serde_json::from_slice(end);
        }
        self.begun.extend_from_slice(end);
        let entry = serde_json::from_slice(&self.begun);
        self.begun.clear();
        entry
    }
}
