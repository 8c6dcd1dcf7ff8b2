//! Neighbours are told where addresses are, as fast as they may be.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rlvs_host::address::Interface;
use rlvs_host::announce::announce;
use tokio::time::Instant;

use crate::plan::{Pace, Placement};

/// Announcements that wait; more are left out.
const MOST: usize = 65_536;

/// What is still to be told.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    paces: Vec<Pace>,
    queues: Vec<Queue>,
}

/// Of interfaces that have one pace together.
#[derive(Debug)]
struct Queue {
    waiting: VecDeque<One>,
    next: Instant,
}

#[derive(Clone, Debug)]
struct One {
    instance: Arc<str>,
    interface: String,
    address: IpAddr,
}

impl Teller {
    /// Other paces; what waits is told at once.
    pub(crate) fn follow(&mut self, paces: &[Pace], interfaces: &[Interface]) {
        if self.paces == paces {
            return;
        }
        let left = core::mem::take(&mut self.queues);
        for one in left.into_iter().flat_map(|queue| queue.waiting) {
            tell(&one, interfaces);
        }
        let queue = |_: &Pace| Queue {
            waiting: VecDeque::new(),
            next: Instant::now(),
        };
        self.queues = paces.iter().map(queue).collect();
        self.paces = paces.to_vec();
    }

    /// Tells each address of an instance so many times, each round after the other.
    pub(crate) fn add(
        &mut self,
        instance: &str,
        placement: &Placement,
        times: u32,
        interfaces: &[Interface],
    ) {
        let instance: Arc<str> = instance.into();
        for _ in 0..times {
            for place in &placement.addresses {
                let one = One {
                    instance: instance.clone(),
                    interface: place.interface.clone(),
                    address: place.setting.address,
                };
                match self.pace_of(&one) {
                    Some((number, pace)) if !pace.is_zero() => self.wait(number, one),
                    _ => tell(&one, interfaces),
                }
            }
        }
        self.work(interfaces);
    }

    /// Nothing more of an instance that is master no longer.
    pub(crate) fn forget(&mut self, instance: &str) {
        for queue in &mut self.queues {
            queue.waiting.retain(|one| &*one.instance != instance);
        }
    }

    /// Tells what is due.
    pub(crate) fn work(&mut self, interfaces: &[Interface]) {
        let now = Instant::now();
        for number in 0..self.queues.len() {
            while self.queues[number].next <= now {
                let Some(one) = self.queues[number].waiting.pop_front() else {
                    break;
                };
                tell(&one, interfaces);
                let pace = self.pace_of(&one).map_or(Duration::ZERO, |(_, pace)| pace);
                self.queues[number].next = now + pace;
            }
        }
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        let waiting = self.queues.iter().filter(|it| !it.waiting.is_empty());
        waiting.map(|queue| queue.next).min()
    }

    fn wait(&mut self, number: usize, one: One) {
        let waiting = &mut self.queues[number].waiting;
        if waiting.len() < MOST {
            waiting.push_back(one);
        }
    }

    fn pace_of(&self, one: &One) -> Option<(usize, Duration)> {
        let is_its =
            |pace: &Pace| pace.interfaces.is_empty() || pace.interfaces.contains(&one.interface);
        let number = self.paces.iter().position(is_its)?;
        let pace = &self.paces[number];
        let time = if one.address.is_ipv4() {
            pace.garp
        } else {
            pace.gna
        };
        Some((number, time))
    }
}

fn tell(one: &One, interfaces: &[Interface]) {
    let Some(on) = interfaces.iter().find(|it| it.name == one.interface) else {
        return;
    };
    if let Err(error) = announce(one.address, on) {
        tracing::warn!(address = %one.address, %error, "neighbours cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use rlvs_config::model::VirtualAddress;

    use super::*;
    use crate::plan::{Place, setting};

    #[test]
    fn what_is_told_keeps_its_pace() {
        let place = |text: &str| Place {
            interface: "eth9".into(),
            setting: setting(&VirtualAddress::new(text.parse().unwrap())),
        };
        let placement = Placement {
            addresses: vec![place("192.0.2.1/32"), place("2001:db8::1/128")],
            ..Placement::default()
        };
        let mut teller = Teller::default();
        let pace = Pace {
            garp: Duration::from_secs(60),
            ..Pace::default()
        };
        teller.follow(&[pace], &[]);
        teller.add("one", &placement, 3, &[]);
        // IPv6 waits for nothing, and the first of IPv4 has been told.
        assert_eq!(teller.queues[0].waiting.len(), 2);
        assert!(teller.due().is_some_and(|at| at > Instant::now()));
        teller.forget("one");
        assert_eq!(teller.due(), None);
    }
}
