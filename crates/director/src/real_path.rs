//! Health checks by way of virtual addresses: the programs that their packets need are on
//! interfaces while there are such checks.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rlvs_engine::destination::Tunnel;
use rlvs_network::Link;
use rlvs_network::marks::DEVICE;
use rlvs_plane::real_path::{self, Path, RealPath, Sockets};
use rlvs_probe::{Journey, Ways};

use crate::attach::whole;

#[derive(Debug, Default)]
pub(crate) struct RealPaths {
    loaded: Option<RealPath>,
    sender: Arc<Sender>,
    /// Where the programs cannot be, which is said once.
    refused: BTreeMap<u32, String>,
}

/// What probes know of it, in their own thread.
#[derive(Debug, Default)]
struct Sender(RwLock<Option<Arc<Sockets>>>);

impl RealPaths {
    /// Without what a daemon that was killed may have left.
    pub(crate) fn begin() -> Self {
        remove_leftovers();
        Self::default()
    }

    pub(crate) fn ways(&self) -> Arc<dyn Ways> {
        self.sender.clone()
    }

    /// From now on there are such checks, or there are none.
    pub(crate) fn set_wanted(
        &mut self,
        wanted: bool,
        links: &[Link],
    ) -> Result<(), rlvs_plane::Error> {
        match (wanted, &self.loaded) {
            (true, None) => {
                let loaded = RealPath::load()?;
                self.sender.set(Some(loaded.sockets().clone()));
                self.loaded = Some(loaded);
                self.follow(links);
            }
            (false, Some(_)) => {
                self.sender.set(None);
                self.loaded = None;
                self.refused.clear();
            }
            _ => {}
        }
        Ok(())
    }

    /// Real servers may be behind, and answer by, any interface but those that are parts of others.
    pub(crate) fn follow(&mut self, links: &[Link]) {
        let Some(loaded) = &mut self.loaded else {
            return;
        };
        let is_whole = |link: &&Link| whole(link, links).is_none() && link.name != DEVICE;
        let wanted = links
            .iter()
            .filter(|link| link.up && link.ethernet && !link.loopback)
            .filter(is_whole)
            .map(|link| (link.index, link.name.clone()));
        let wanted: BTreeMap<_, _> = wanted.collect();
        let refused = loaded.follow(&wanted);
        for (index, reason) in &refused {
            if self.refused.get(index) != Some(reason) {
                let interface = &wanted[index];
                tracing::warn!(
                    interface,
                    reason,
                    "checks by way of virtual addresses cannot go by it"
                );
            }
        }
        self.refused = refused;
    }
}

impl Sender {
    fn set(&self, sockets: Option<Arc<Sockets>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = sockets;
    }

    fn get(&self) -> Option<Arc<Sockets>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Ways for Sender {
    fn open(&self, cookie: u64, journey: &Journey) -> io::Result<()> {
        let path = Path {
            server: journey.server,
            virtual_address: journey.through.virtual_address,
            protocol: journey.protocol,
            tunnel: journey.through.tunnel.map(Tunnel),
        };
        let sockets = self
            .get()
            .ok_or_else(|| io::Error::other("no programs for it"))?;
        sockets.open(cookie, &path).map_err(io::Error::other)
    }

    fn close(&self, cookie: u64) -> bool {
        self.get().is_some_and(|sockets| sockets.close(cookie))
    }
}

/// Removes what a daemon that was killed may have left.
pub(crate) fn remove_leftovers() {
    let names = nix::net::if_::if_nameindex();
    let names: Vec<String> = match &names {
        Ok(names) => names
            .iter()
            .map(|it| it.name().to_string_lossy().into_owned())
            .collect(),
        Err(error) => {
            tracing::warn!(%error, "the interfaces cannot be listed");
            return;
        }
    };
    real_path::remove_leftovers(names.iter().map(String::as_str));
}
