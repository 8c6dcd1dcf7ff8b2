//! Lines out of pieces that end anywhere.

use serde::de::Error as _;

/// Bytes that a line may have; what comes has a few hundred.
const LONGEST: usize = 64 << 10;

/// The beginning of a line whose end has not come yet.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Hands all lines that end in `data` to `each`; answers false when that did.
    pub(super) fn feed(
        &mut self,
        data: &[u8],
        each: &mut dyn FnMut(&[u8]) -> serde_json::Result<bool>,
    ) -> serde_json::Result<bool> {
        for piece in data.split_inclusive(|&byte| byte == b'\n') {
            if self.begun.len() + piece.len() > LONGEST {
                return Err(serde_json::Error::custom("a line is too long"));
            }
            if !piece.ends_with(b"\n") {
                self.begun.extend_from_slice(piece);
            } else if !self.complete(piece, each)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn complete(
        &mut self,
        end: &[u8],
        each: &mut dyn FnMut(&[u8]) -> serde_json::Result<bool>,
    ) -> serde_json::Result<bool> {
        if self.begun.is_empty() {
            return each(end);
        }
        self.begun.extend_from_slice(end);
        let more = each(&self.begun);
        self.begun.clear();
        more
    }
}
