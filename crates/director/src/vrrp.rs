//! VRRP in the director: what `rlvs-speaker` is told, and what becomes of what it tells.

pub(crate) mod plan;
mod ready;
mod served;
mod show;
mod synchronisation;

use std::path::Path;
use std::time::Instant;

use rlvs_config::Site;
use rlvs_control::event::{VrrpChange, VrrpEvent, What};
use rlvs_control::handover::{HandedOver, Handover, Taken};
use rlvs_control::status::VrrpInstance;
use rlvs_control::{Code, Error, SyncDaemon};
use rlvs_speaker::{Served, Settled, Speaker, States, Told, settle};
use rlvs_vrrp::Event;
use tokio::sync::{mpsc, watch};

use crate::core::Core;
use crate::desired::Desired;
use crate::server::Reply;
use ready::Ready;
use show::{shown, state};

/// Checks that have said nothing yet keep this director from taking over.
const CHECKS: &str = "checks";

/// Connections that peers have, and that are not known here yet, do so as well.
const CONNECTIONS: &str = "connections";

/// What the core has of it.
#[derive(Debug)]
pub(crate) struct Vrrp {
    speaker: Speaker,
    ready: Ready,
    /// As it was told last.
    told_ready: Option<Result<(), String>>,
    /// Virtual servers that are tracked.
    services: Vec<String>,
    /// Addresses are closed to all but services.
    closes: bool,
    told_served: Option<Vec<Served>>,
}

impl Vrrp {
    /// Begins to listen; nothing is spoken before there is a site.
    pub(crate) fn start(directory: &Path) -> std::io::Result<(Self, mpsc::Receiver<Told>)> {
        let (speaker, told) = Speaker::start(directory)?;
        let vrrp = Self {
            speaker,
            ready: Ready::new(Instant::now()),
            told_ready: None,
            services: Vec::new(),
            closes: false,
            told_served: None,
        };
        Ok((vrrp, told))
    }

    /// What instances are: whoever does something only where one is master follows this.
    pub(crate) fn states(&self) -> watch::Receiver<States> {
        self.speaker.states()
    }

    /// What this director waits for before it takes over; who brings it about sets it here.
    pub(crate) fn ready(&mut self) -> &mut Ready {
        &mut self.ready
    }

    pub(crate) fn view(&self) -> Vec<VrrpInstance> {
        self.speaker.view().into_iter().map(shown).collect()
    }

    /// Speaks as a site has it, with these services.
    pub(crate) fn follow(&mut self, site: &Site, desired: &Desired) {
        let Settled { plan, notes, .. } = settle(site);
        for note in notes {
            tracing::warn!("{note}");
        }
        self.ready.limit(site.vrrp.defaults.ready_within);
        self.services = plan.tracked_services();
        self.closes = plan.instances.iter().any(|it| it.placement.closed);
        // Addresses are closed to nothing that is served.
        self.serve(desired);
        self.speaker.follow(plan);
    }

    /// What is let through to this host where addresses are closed.
    pub(crate) fn serve(&mut self, desired: &Desired) {
        if !self.closes {
            return;
        }
        let served = Some(served::served(desired));
        if self.told_served != served {
            self.speaker.serve(served.clone().unwrap_or_default());
            self.told_served = served;
        }
    }

    fn tell_ready(&mut self) {
        let ready = self.ready.state(Instant::now());
        if self.told_ready.as_ref() != Some(&ready) {
            self.speaker.ready(ready.clone());
            self.told_ready = Some(ready);
        }
    }
}

/// What of a site's VRRP cannot be, and what is not acted on: of a file that is not applied.
pub fn judge(site: &Site) -> (Vec<String>, Vec<String>) {
    let settled = settle(site);
    (settled.problems, settled.notes)
}

/// What of a site's VRRP cannot be.
pub(crate) fn refused(site: &Site) -> Result<(), Error> {
    match settle(site).problems {
        problems if problems.is_empty() => Ok(()),
        problems => Err(Error::new(Code::Invalid, problems.join("\n"))),
    }
}

impl Core {
    /// What checks say may let this director take over, or change a priority.
    pub(crate) fn follow_checks(&mut self) {
        let (unknown, all) = self.managed.unknown_checks();
        let checks = match unknown {
            0 => Ok(()),
            _ => Err(format!(
                "{unknown} of {all} health checks have said nothing yet"
            )),
        };
        self.vrrp.ready().set(CHECKS, checks);
        let connections = self.has_caught_up();
        self.vrrp.ready().set(CONNECTIONS, connections);
        self.vrrp.tell_ready();
        if !self.vrrp.services.is_empty() {
            let quorums = self.managed.quorums();
            let is_tracked = |name: &String| self.vrrp.services.contains(name);
            let tracked = quorums.into_iter().filter(|(name, _)| is_tracked(name));
            self.vrrp.speaker.services(tracked.collect());
        }
    }

    /// Synchronisation daemons that the site has, as instances are now.
    pub(crate) fn daemons_of_site(&self) -> Vec<SyncDaemon> {
        let states = self.vrrp.states().borrow().clone();
        let written = self.managed.sync_daemon();
        written.map_or_else(Vec::new, |it| synchronisation::daemons(it, &states))
    }

    pub(crate) fn hand_over(&self, of: Handover, reply: Reply<HandedOver>) {
        let answer = self.vrrp.speaker.hand_over(of.name);
        tokio::spawn(async move {
            let outcome = match answer.await {
                Ok(Ok(taken)) => Ok(HandedOver {
                    instances: taken
                        .into_iter()
                        .map(|(name, master)| Taken { name, master })
                        .collect(),
                }),
                Ok(Err(problem)) => Err(Error::new(Code::Conflict, problem)),
                Err(_) => Err(Error::new(Code::Internal, "VRRP has ended")),
            };
            reply.send(outcome);
        });
    }

    /// Something happened to an instance or a group.
    pub(crate) fn hear_vrrp(&mut self, told: &Told) {
        if let Told::Placed = told {
            return self.follow_own_addresses();
        }
        if let Some(event) = event(told) {
            self.news.tell(What::Vrrp(event));
        }
        self.managed.tell_vrrp(told);
    }

    /// Speaks no more. Who lets forwarding go on does so for the next daemon, which goes on here.
    pub(crate) async fn end_vrrp(&mut self, hands_over: bool) {
        let view = self.vrrp.view();
        let mut masters = view
            .iter()
            .filter(|it| it.state == rlvs_control::status::VrrpState::Master);
        if !hands_over && masters.next().is_some() {
            tracing::warn!(
                "virtual addresses stay for the next daemon: start it soon, for another director \
                 takes them over, too, when it hears nobody; `rlvs stop --remove` would hand over"
            );
        }
        self.vrrp.speaker.end(hands_over).await;
    }
}

fn event(told: &Told) -> Option<VrrpEvent> {
    let (name, what) = match told {
        Told::Instance {
            name,
            event,
            why,
            priority,
            ..
        } => {
            let what = match event {
                Event::State { from, to, .. } => VrrpChange::VrrpState {
                    from: state(*from),
                    to: state(*to),
                    why: why.clone().unwrap_or_default(),
                    priority: *priority,
                },
                Event::Priority { from, to } => VrrpChange::VrrpPriority {
                    from: *from,
                    to: *to,
                },
                Event::LowerPriority { source, priority } => VrrpChange::VrrpLowerPriority {
                    source: *source,
                    priority: *priority,
                },
                _ => return None,
            };
            (name, what)
        }
        Told::Group { name, from, to } => {
            let (from, to) = (state(*from), state(*to));
            (name, VrrpChange::VrrpGroupState { from, to })
        }
        Told::Placed => return None,
    };
    let vrrp = name.clone();
    Some(VrrpEvent { vrrp, what })
}
