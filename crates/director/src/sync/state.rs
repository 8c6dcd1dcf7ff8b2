//! States as entries have them, and as messages do: both are in IPVS's order.

use rlvs_engine::connection::State as Own;
use rlvs_sync::{Sctp, State, Tcp};

/// None for what is no client's connection or template.
pub(super) fn told(state: Own) -> Option<State> {
    let after = |first: Own| usize::from((state as u8).wrapping_sub(first as u8));
    match state {
        Own::Udp => Some(State::Udp),
        Own::Template => Some(State::Template),
        Own::Assured => Some(State::Assured),
        Own::Free | Own::Claimed | Own::Spare30 | Own::Reverse => None,
        _ => {
            let tcp = Tcp::ALL.get(after(Own::None)).copied().map(State::Tcp);
            let sctp = || Sctp::ALL.get(after(Own::SctpNone)).copied();
            tcp.or_else(|| sctp().map(State::Sctp))
        }
    }
}

pub(super) fn learned(state: State) -> Own {
    match state {
        State::Udp => Own::Udp,
        State::Template => Own::Template,
        State::Assured => Own::Assured,
        State::Tcp(state) => Own::from_bits(Own::None as u8 + state as u8),
        State::Sctp(state) => Own::from_bits(Own::SctpNone as u8 + state as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_survive_being_told() {
        let mut count = 0;
        for own in (0..32).map(Own::from_bits) {
            if let Some(state) = told(own) {
                assert_eq!(learned(state), own);
                count += 1;
            }
        }
        assert_eq!(count, 3 + Tcp::ALL.len() + Sctp::ALL.len());
    }

    #[test]
    fn states_are_of_one_name() {
        assert_eq!(told(Own::Established), Some(State::Tcp(Tcp::Established)));
        assert_eq!(told(Own::SynAck), Some(State::Tcp(Tcp::SynAck)));
        assert_eq!(told(Own::SctpNone), Some(State::Sctp(Sctp::None)));
        assert_eq!(told(Own::Closed), Some(State::Sctp(Sctp::Closed)));
    }
}
