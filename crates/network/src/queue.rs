//! Addresses in the order in which their turn comes, each once.
//!
//! In order, so that adding all again while some still wait does not put those off for ever.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// With some that were removed and are passed over.
    order: VecDeque<IpAddr>,
    members: HashSet<IpAddr>,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn push(&mut self, address: IpAddr) {
        if self.members.insert(address) {
            self.order.push_back(address);
        }
    }

    pub(crate) fn remove(&mut self, address: &IpAddr) {
        if self.members.remove(address) && self.order.len() > 2 * self.members.len() {
            self.order.retain(|waiting| self.members.contains(waiting));
        }
    }

    /// Takes up to `limit` from the front.
    pub(crate) fn take(&mut self, limit: usize) -> Vec<IpAddr> {
        let order = std::iter::from_fn(|| self.order.pop_front());
        let present = order.filter(|address| self.members.remove(address));
        present.take(limit).collect()
    }
}

impl<'a> Extend<&'a IpAddr> for Queue {
    fn extend<T: IntoIterator<Item = &'a IpAddr>>(&mut self, addresses: T) {
        addresses
            .into_iter()
            .for_each(|address| self.push(*address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn first_come_first_served_however_often_all_are_added() {
        let mut queue = Queue::default();
        let all: Vec<_> = (0..10).map(address).collect();
        let mut taken = Vec::new();
        for _ in 0..5 {
            queue.extend(&all);
            taken.extend(queue.take(2));
        }
        assert_eq!(taken, all);
    }

    #[test]
    fn what_is_removed_is_passed_over_and_may_come_again() {
        let mut queue = Queue::default();
        queue.extend(&[address(1), address(2), address(3)]);
        queue.remove(&address(1));
        queue.push(address(1));
        assert_eq!(queue.take(9).len(), 3);
        assert!(queue.is_empty());
        queue.push(address(1));
        (0..9).for_each(|_| queue.remove(&address(1)));
        assert!(queue.take(9).is_empty());
    }
}
