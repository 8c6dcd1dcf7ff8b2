//! Schedulers as their rules are told: they walk the list, one destination at a time.

/// A destination as a scheduler sees it; the one added last comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) weight: u32,
    pub(crate) overloaded: bool,
    pub(crate) active: u32,
    pub(crate) inactive: u32,
}

impl Candidate {
    fn takes(&self, least_weight: u32) -> bool {
        self.weight >= least_weight.max(1) && !self.overloaded
    }

    fn delay(&self) -> u64 {
        u64::from(self.active) + 1
    }

    fn overhead(&self) -> u64 {
        u64::from(self.active) * 256 + u64::from(self.inactive)
    }
}

/// What a scheduler remembers of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Place of the last choice; `None`: before the first.
    last: Option<usize>,
    /// The current weight of wrr.
    current: u32,
}

impl Memory {
    pub(crate) fn fresh(scheduler: &str, weights: &[u32]) -> Self {
        let current = if scheduler == "wrr" {
            gcd_and_start(weights).1
        } else {
            0
        };
        Self {
            last: None,
            current,
        }
    }

    /// A destination was added in front.
    pub(crate) fn added(&mut self, scheduler: &str, weights: &[u32]) {
        self.last = self.last.map(|place| place + 1);
        self.changed(scheduler, weights);
    }

    pub(crate) fn removed(&mut self, place: usize, scheduler: &str, weights: &[u32]) {
        if let Some(last) = self.last
            && place <= last
        {
            self.last = last.checked_sub(1);
        }
        self.changed(scheduler, weights);
    }

    /// Whenever anything about the destinations changed, wrr begins a pass, and its current
    /// weight is one that a pass can have.
    pub(crate) fn changed(&mut self, scheduler: &str, weights: &[u32]) {
        if scheduler != "wrr" {
            return;
        }
        self.last = None;
        let (gcd, start) = gcd_and_start(weights);
        if self.current > start || self.current == 0 {
            self.current = start;
        } else if gcd > 1 {
            self.current = self.current / gcd * gcd + 1;
        }
    }

    pub(crate) fn pick(&mut self, scheduler: &str, all: &[Candidate]) -> Option<usize> {
        match scheduler {
            "rr" => self.rr(all),
            "wrr" => self.wrr(all),
            "lc" => lc(all),
            "wlc" => least(all, Candidate::overhead),
            "sed" => least(all, Candidate::delay),
            "nq" => idle(all).or_else(|| least(all, Candidate::delay)),
            "fo" => heaviest(all, |_| true),
            "ovf" => heaviest(all, |it| it.active <= it.weight),
            other => panic!("{other}?"),
        }
    }

    fn rr(&mut self, all: &[Candidate]) -> Option<usize> {
        let first = self.last.map_or(0, |place| place + 1);
        let found = (first..all.len())
            .chain(0..first)
            .find(|&place| all[place].takes(1))?;
        self.last = Some(found);
        Some(found)
    }

    fn wrr(&mut self, all: &[Candidate]) -> Option<usize> {
        let weights: Vec<u32> = all.iter().map(|it| it.weight).collect();
        let (gcd, start) = gcd_and_start(&weights);
        let (mut last, mut current, mut wraps) = (self.last, self.current, 0);
        while start > 0 && wraps < 2 {
            let first = last.map_or(0, |place| place + 1);
            let found = (first..all.len()).find(|&place| all[place].takes(current));
            if found.is_some() {
                (self.last, self.current) = (found, current);
                return found;
            }
            last = None;
            (current, wraps) = match current.checked_sub(gcd) {
                Some(lower) if lower > 0 => (lower, wraps),
                _ => (start, wraps + 1),
            };
        }
        None
    }
}

/// The one with the least overhead; the first of equals.
fn lc(all: &[Candidate]) -> Option<usize> {
    let places = (0..all.len()).filter(|&place| all[place].takes(1));
    places.min_by_key(|&place| all[place].overhead())
}

/// The one with the least load for its weight; the first of equals.
fn least(all: &[Candidate], load: fn(&Candidate) -> u64) -> Option<usize> {
    let places = (0..all.len()).filter(|&place| all[place].takes(1));
    places.reduce(|best, place| {
        let (mine, other) = (all[place], all[best]);
        let is_less = u128::from(load(&mine)) * u128::from(other.weight)
            < u128::from(load(&other)) * u128::from(mine.weight);
        if is_less { place } else { best }
    })
}

fn idle(all: &[Candidate]) -> Option<usize> {
    all.iter().position(|it| it.takes(1) && it.active == 0)
}

/// The heaviest of those that `may` be taken; the first of equals.
fn heaviest(all: &[Candidate], may: fn(&Candidate) -> bool) -> Option<usize> {
    let places = (0..all.len()).filter(|&place| all[place].takes(1) && may(&all[place]));
    places.min_by_key(|&place| std::cmp::Reverse(all[place].weight))
}

/// The largest number that divides all weights, and where wrr's passes start.
fn gcd_and_start(weights: &[u32]) -> (u32, u32) {
    let most = weights.iter().copied().max().unwrap_or(0);
    let divides = |by: &u32| weights.iter().all(|weight| weight % by == 0);
    let gcd = (1..=most).rev().find(divides).unwrap_or(1);
    (gcd, if most == 0 { 0 } else { most - (gcd - 1) })
}
