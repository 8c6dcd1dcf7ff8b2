//! Connections of those who have not said yet who they are: only so many at a time.
//!
//! When they are too many, the oldest of the address that has the most is ended. So who floods a door
//! crowds out itself, and somebody else still gets in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

/// Where strangers wait.
#[derive(Clone, Debug)]
pub(super) struct Strangers {
    most: usize,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    /// The oldest first.
    there: Vec<Stranger>,
}

#[derive(Debug)]
struct Stranger {
    id: u64,
    peer: IpAddr,
    end: AbortHandle,
}

/// One of the places; it is free again when this is gone.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    inner: Arc<Mutex<Inner>>,
}

impl Strangers {
    /// Room for `most`.
    pub(super) fn new(most: usize) -> Self {
        let inner = Arc::default();
        Self { most, inner }
    }

    /// Begins a task for a stranger, which is ended when there is no room. Whether another had to go.
    pub(super) fn admit<F>(&self, peer: IpAddr, task: impl FnOnce(Place) -> F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let goes = inner.there.len() >= self.most;
        if goes {
            inner.end_one();
        }
        let id = inner.next;
        inner.next += 1;
        let place = Place {
            id,
            inner: Arc::clone(&self.inner),
        };
        let end = tokio::spawn(task(place)).abort_handle();
        let peer = network(peer);
        inner.there.push(Stranger { id, peer, end });
        goes
    }
}

impl Inner {
    fn end_one(&mut self) {
        let mut counts = HashMap::<IpAddr, usize>::new();
        for stranger in &self.there {
            *counts.entry(stranger.peer).or_default() += 1;
        }
        let most = counts.values().max().copied();
        let is_of_most = |it: &Stranger| counts.get(&it.peer).copied() == most;
        if let Some(index) = self.there.iter().position(is_of_most) {
            self.there.remove(index).end.abort();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.there.retain(|stranger| stranger.id != self.id);
    }
}

/// A host has a whole /64 of IPv6.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// The peers that are there, the oldest first.
    fn there(strangers: &Strangers) -> Vec<u8> {
        let inner = strangers.inner.lock().unwrap();
        let last = |it: &Stranger| match it.peer {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => 0,
        };
        inner.there.iter().map(last).collect()
    }

    fn come(strangers: &Strangers, host: u8) -> bool {
        strangers.admit([192, 0, 2, host].into(), |place| async move {
            pending::<()>().await;
            drop(place);
        })
    }

    #[tokio::test]
    async fn who_has_the_most_makes_room() {
        let strangers = Strangers::new(4);
        for host in [1, 2, 2, 3] {
            assert!(!come(&strangers, host));
        }
        assert!(come(&strangers, 4));
        assert_eq!(there(&strangers), [1, 2, 3, 4]);
        // All have as many: the oldest goes.
        assert!(come(&strangers, 5));
        assert_eq!(there(&strangers), [2, 3, 4, 5]);
        for _ in 0..100 {
            come(&strangers, 9);
        }
        assert_eq!(there(&strangers).len(), 4);
        come(&strangers, 7);
        assert!(there(&strangers).contains(&7));
    }

    #[tokio::test]
    async fn a_place_is_free_when_its_task_has_ended() {
        let strangers = Strangers::new(1);
        strangers.admit([192, 0, 2, 1].into(), |place| async move { drop(place) });
        tokio::task::yield_now().await;
        assert!(there(&strangers).is_empty());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let peer = |text: &str| network(text.parse().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
    }
}
