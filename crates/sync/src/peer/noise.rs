//! The encryption between two directors: Noise (NNpsk0). Who does not know the secret neither reads nor
//! says anything; keys are new for each connection, so that a secret that gets known later does not
//! tell what was said.

use std::fmt;

use snow::{Builder, HandshakeState, TransportState};
use thiserror::Error;

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
/// Both must mean the same by what follows.
const PROLOGUE: &[u8] = b"rlvs synchronisation 2";
/// Bytes of a message, and of a handshake's.
pub const LONGEST: usize = u16::MAX as usize;
pub const LONGEST_HELLO: usize = 256;
/// Bytes that a message is longer than what it says.
pub const AROUND: usize = 16;

/// Something that was heard is not believed, or cannot be said.
#[derive(Debug, Error)]
pub enum Refused {
    #[error("the other has another secret, or speaks something else")]
    Stranger,
    #[error("the other says too much: {0} bytes")]
    TooLong(usize),
    #[error("what was said was changed on the way, or is none of this conversation: {0}")]
    Changed(snow::Error),
    #[error("there is no encryption: {0}")]
    Broken(snow::Error),
}

/// The two messages by which two directors meet: who begins says the first, who answers the second.
pub struct Handshake(HandshakeState);

impl Handshake {
    pub fn begin(secret: &[u8; 32]) -> Result<Self, Refused> {
        let built = builder(secret).and_then(Builder::build_initiator);
        built.map(Self).map_err(Refused::Broken)
    }

    pub fn answer(secret: &[u8; 32]) -> Result<Self, Refused> {
        let built = builder(secret).and_then(Builder::build_responder);
        built.map(Self).map_err(Refused::Broken)
    }

    /// The message that is this one's turn.
    pub fn say(&mut self) -> Result<Vec<u8>, Refused> {
        let mut bytes = vec![0; LONGEST_HELLO];
        let length = self.0.write_message(&[], &mut bytes);
        bytes.truncate(length.map_err(Refused::Broken)?);
        Ok(bytes)
    }

    /// The other's.
    pub fn hear(&mut self, message: &[u8]) -> Result<(), Refused> {
        if message.len() > LONGEST_HELLO {
            return Err(Refused::TooLong(message.len()));
        }
        let heard = self.0.read_message(message, &mut []);
        heard.map(drop).map_err(|_| Refused::Stranger)
    }

    /// What follows, once both have spoken.
    pub fn finish(self) -> Result<Session, Refused> {
        let session = self.0.into_transport_mode();
        session.map(Session).map_err(Refused::Broken)
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake")
    }
}

/// One end of a conversation.
pub struct Session(TransportState);

impl Session {
    /// A frame as it is sent.
    pub fn seal(&mut self, frame: &[u8]) -> Result<Vec<u8>, Refused> {
        let mut bytes = vec![0; frame.len() + AROUND];
        let length = self.0.write_message(frame, &mut bytes);
        bytes.truncate(length.map_err(Refused::Broken)?);
        Ok(bytes)
    }

    /// The frame in a message.
    pub fn open(&mut self, message: &[u8]) -> Result<Vec<u8>, Refused> {
        let mut frame = vec![0; message.len().saturating_sub(AROUND)];
        let length = self.0.read_message(message, &mut frame);
        frame.truncate(length.map_err(Refused::Changed)?);
        Ok(frame)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

fn builder(secret: &[u8; 32]) -> Result<Builder<'_>, snow::Error> {
    let builder = Builder::new(PATTERN.parse()?).prologue(PROLOGUE)?;
    builder.psk(0, secret)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    const SECRET: [u8; 32] = [1; 32];

    fn pair() -> [Session; 2] {
        let mut one = Handshake::begin(&SECRET).unwrap();
        let mut other = Handshake::answer(&SECRET).unwrap();
        other.hear(&one.say().unwrap()).unwrap();
        one.hear(&other.say().unwrap()).unwrap();
        [one.finish().unwrap(), other.finish().unwrap()]
    }

    #[test]
    fn both_understand_each_other_in_order() {
        let [mut one, mut other] = pair();
        for frame in [vec![], vec![7; 10], vec![1; LONGEST - AROUND]] {
            let message = one.seal(&frame).unwrap();
            assert_eq!(other.open(&message).unwrap(), frame);
        }
        assert!(one.seal(&vec![1; LONGEST]).is_err(), "it would be too long");
        let answer = other.seal(b"yes").unwrap();
        assert_eq!(one.open(&answer).unwrap(), b"yes");
        assert!(one.open(&answer).is_err(), "nothing is believed twice");
    }

    #[test]
    fn who_has_another_secret_is_a_stranger() {
        let mut one = Handshake::begin(&[2; 32]).unwrap();
        let mut other = Handshake::answer(&SECRET).unwrap();
        let refused = other.hear(&one.say().unwrap());
        assert!(matches!(refused, Err(Refused::Stranger)));
    }

    proptest! {
        // Each case makes keys.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_bytes_are_a_hello(bytes in vec(any::<u8>(), 0..400)) {
            let mut answers = Handshake::answer(&SECRET).unwrap();
            prop_assert!(answers.hear(&bytes).is_err());
            let mut begins = Handshake::begin(&SECRET).unwrap();
            begins.say().unwrap();
            prop_assert!(begins.hear(&bytes).is_err());
        }

        #[test]
        fn what_was_changed_is_not_believed(
            frame in vec(any::<u8>(), 0..300),
            place in any::<Index>(),
            change in 1..=255u8,
        ) {
            let [mut one, mut other] = pair();
            let mut message = one.seal(&frame).unwrap();
            let place = place.index(message.len());
            message[place] ^= change;
            prop_assert!(other.open(&message).is_err());
        }

        #[test]
        fn no_bytes_are_a_message(bytes in vec(any::<u8>(), 0..300)) {
            let [_, mut other] = pair();
            prop_assert!(other.open(&bytes).is_err());
        }
    }
}
