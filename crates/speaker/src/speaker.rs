//! The daemon's end: what is to be spoken goes in, what happens comes out.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rlvs_vrrp::{Event, State};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{mpsc, oneshot, watch};

use crate::closed::Served;
use crate::hands::{self, Outfit};
use crate::note::{self, Note};
use crate::plan::Plan;
use crate::runner::{self, Runner};
use crate::view::{InstanceView, Shown};

/// Events that wait to be told. More come only where advertisements make states change in a flood;
/// the last states are known all the same.
const TOLD: usize = 4096;

/// Speaks VRRP, in threads of its own that end when this is dropped.
#[derive(Debug)]
pub struct Speaker {
    commands: UnboundedSender<Command>,
    shown: Arc<Shown>,
    states: watch::Receiver<States>,
}

/// The state of each instance, by name.
pub type States = Arc<BTreeMap<String, State>>;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Told {
    Instance {
        name: String,
        event: Event,
        /// Why its state is what it is.
        why: Option<String>,
        priority: u8,
        /// It is master now.
        is_master: bool,
        /// It is no longer in the configuration.
        deleted: bool,
    },
    Group {
        name: String,
        from: State,
        to: State,
    },
    /// Addresses have come or gone.
    Placed,
}

/// What was handed over, and to whom.
pub type HandedOver = Vec<(String, std::net::IpAddr)>;

#[derive(Debug)]
pub(crate) enum Command {
    Follow(Plan),
    Ready(Result<(), String>),
    /// Virtual servers that have their quorum, or not.
    Services(Vec<(String, bool)>),
    Serve(Vec<Served>),
    HandOver(Option<String>, oneshot::Sender<Result<HandedOver, String>>),
    End {
        hands_over: bool,
        done: oneshot::Sender<()>,
    },
}

impl Speaker {
    /// Starts the threads; what earlier daemons have put on this machine is written down in
    /// `directory`.
    pub fn start(directory: &Path) -> io::Result<(Self, mpsc::Receiver<Told>)> {
        let store = note::store(directory);
        let note = store.load().unwrap_or_else(|error| {
            tracing::warn!(%error, "VRRP does not know what the daemon before this one has left");
            Note::default()
        });
        let (told, events) = mpsc::channel(TOLD);
        let (readings, read) = unbounded_channel();
        let shown = Arc::new(Shown::default());
        let remembered = note.remembered.clone();
        let outfit = Outfit {
            store,
            note,
            shown: shown.clone(),
            told: told.clone(),
            readings,
        };
        let (jobs, interfaces) = hands::start(outfit)?;
        let (commands, inbox) = unbounded_channel();
        let (known, states) = watch::channel(States::default());
        let runner = Runner::new(jobs, interfaces, told, shown.clone(), known, remembered);
        runner::start(runner, inbox, read)?;
        let speaker = Self {
            commands,
            shown,
            states,
        };
        Ok((speaker, events))
    }

    /// Speaks as this has it; what is as it was goes on.
    pub fn follow(&self, plan: Plan) {
        self.send(Command::Follow(plan));
    }

    /// Whether backups may take over, or why not. They may not before this was called.
    pub fn ready(&self, ready: Result<(), String>) {
        self.send(Command::Ready(ready));
    }

    /// What virtual servers that are tracked are.
    pub fn services(&self, services: Vec<(String, bool)>) {
        self.send(Command::Services(services));
    }

    /// All virtual services: they are served at addresses that are closed to all else.
    pub fn serve(&self, served: Vec<Served>) {
        self.send(Command::Serve(served));
    }

    /// Lets another director be master of an instance, a group, or all that are master here. The
    /// answer comes when it is.
    pub fn hand_over(&self, of: Option<String>) -> oneshot::Receiver<Result<HandedOver, String>> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::HandOver(of, reply));
        answer
    }

    /// Speaks no more: with a good-bye, and without addresses; or as a daemon that dies, so that the
    /// next one goes on.
    pub async fn end(&self, hands_over: bool) {
        let (done, ended) = oneshot::channel();
        self.send(Command::End { hands_over, done });
        let _ = ended.await;
    }

    pub fn view(&self) -> Vec<InstanceView> {
        self.shown.view()
    }

    /// What follows the states of instances.
    pub fn states(&self) -> watch::Receiver<States> {
        self.states.clone()
    }

    fn send(&self, command: Command) {
        // The thread ends only when this is dropped, or after the end.
        let _ = self.commands.send(command);
    }
}
