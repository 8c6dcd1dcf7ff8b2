//! What happens, told to those who listen.

use rlvs_control::event::{Event, What};
use tokio::sync::broadcast;

/// Events that a slow listener may be behind.
const KEPT: usize = 4096;

/// Where events are told.
#[derive(Clone, Debug)]
pub struct News(broadcast::Sender<Event>);

impl News {
    pub fn new() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }

    /// Tells what happened just now.
    pub fn tell(&self, what: What) {
        // Nobody need listen.
        let _ = self.0.send(Event::now(what));
    }

    /// What is told from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

impl Default for News {
    fn default() -> Self {
        Self::new()
    }
}
