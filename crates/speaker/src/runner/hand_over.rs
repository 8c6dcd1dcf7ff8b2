//! Planned hand-overs: another director is to be master, and who asks waits until it is.

use std::time::Duration;

use rlvs_vrrp::{Machine, State};
use tokio::sync::oneshot;

use super::{HandedOver, Runner};
use crate::unit::Unit;

/// What the other takes at most beside the protocol's time.
const PATIENCE: Duration = Duration::from_secs(1);

/// One that is under way.
pub(crate) struct Pending {
    units: Vec<String>,
    pub(super) until: Duration,
    reply: oneshot::Sender<Result<HandedOver, String>>,
}

impl Runner {
    pub(super) fn hand_over(
        &mut self,
        of: Option<String>,
        reply: oneshot::Sender<Result<HandedOver, String>>,
    ) {
        let names = match self.masters(of.as_deref()) {
            Ok(names) => names,
            Err(problem) => return drop(reply.send(Err(problem))),
        };
        let mut longest = Duration::ZERO;
        for number in 0..self.units.len() {
            if !names.contains(&self.units[number].name) {
                continue;
            }
            let now = self.now();
            let mut actions = self.units[number].set_handed_over(now, true, &self.readings);
            actions.extend(self.units[number].resign(now));
            let machines = self.units[number].machines().iter();
            let time = |machine: &Machine| {
                let spec = machine.spec();
                spec.interval * (u32::from(spec.down_timer_adverts) + 1) + PATIENCE
            };
            longest = machines.map(time).max().unwrap_or_default().max(longest);
            self.perform(number, actions);
            self.remember(number);
        }
        self.handing_over.push(Pending {
            units: names,
            until: self.now() + longest,
            reply,
        });
    }

    /// Units that are master, by the name of a group or an instance, or all.
    fn masters(&self, of: Option<&str>) -> Result<Vec<String>, String> {
        let Some(of) = of else {
            let masters = self.units.iter().filter(|it| it.is_master());
            let names: Vec<_> = masters.map(|it| it.name.clone()).collect();
            return match names.is_empty() {
                true => Err("no instance is master here: there is nothing to hand over".into()),
                false => Ok(names),
            };
        };
        let has = |unit: &&Unit| {
            let mut members = unit.members.iter();
            unit.name == of || members.any(|it| it.instance.name == of)
        };
        let Some(unit) = self.units.iter().find(has) else {
            let names: Vec<_> = self.units.iter().map(|it| it.name.as_str()).collect();
            let known = names.join(", ");
            return Err(format!(
                "there is no instance or group {of}: there are {known}"
            ));
        };
        match unit.is_master() {
            true => Ok(vec![unit.name.clone()]),
            false => Err(format!("{of} is not master here: ask the director that is")),
        }
    }

    /// Answers who waits, as soon as it is known how it went.
    pub(super) fn judge_hand_overs(&mut self) {
        let now = self.now();
        let all = core::mem::take(&mut self.handing_over);
        for pending in all {
            match self.outcome(&pending, now) {
                Some(outcome) => drop(pending.reply.send(outcome)),
                None => self.handing_over.push(pending),
            }
        }
    }

    fn outcome(&self, pending: &Pending, now: Duration) -> Option<Result<HandedOver, String>> {
        let units = self
            .units
            .iter()
            .filter(|it| pending.units.contains(&it.name));
        let mut handed = HandedOver::new();
        let mut waits = false;
        for unit in units {
            for (member, machine) in unit.members.iter().zip(unit.machines()) {
                let name = &member.instance.name;
                match (machine.state(), machine.master()) {
                    (State::Master, _) => {
                        let what = "no other director took it over, so it is master again";
                        return Some(Err(format!("{name}: {what}")));
                    }
                    (State::Backup, Some((address, _))) => handed.push((name.clone(), address)),
                    _ => waits = true,
                }
            }
        }
        match (waits, now >= pending.until) {
            (false, _) => Some(Ok(handed)),
            (true, true) => Some(Err("no other director was heard to take over".to_owned())),
            (true, false) => None,
        }
    }
}
