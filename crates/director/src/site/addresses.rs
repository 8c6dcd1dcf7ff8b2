//! Addresses that this machine has by the site's file: put on their interfaces, told to neighbours,
//! and taken away when the file has them no more. What was there before stays.
//!
//! A task of its own follows them: an interface may come later, or lose its addresses when it goes
//! down.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rlvs_config::Site;
use rlvs_control::site::AddressStep;
use rlvs_control::status::AddressState;
use rlvs_host::Error;
use rlvs_host::address::{self, Handle, Interface, Setting};
use rlvs_host::announce::announce;
use rlvs_host::store::Store;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::daemon;

/// The note of what was put, beside the journal.
const NOTE: &str = "addresses.json";
/// How often it is looked whether they are there.
const PERIOD: Duration = Duration::from_secs(2);

/// An address, and where it was put.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Put {
    address: IpAddr,
    length: u8,
    #[serde(default)]
    peer: Option<(IpAddr, u8)>,
    interface: String,
}

/// An address with the interface that is named for it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Wanted {
    setting: Setting,
    interface: Option<String>,
}

/// What follows them.
#[derive(Debug)]
pub(super) struct Addresses {
    wanted: watch::Sender<Vec<Wanted>>,
    state: Arc<Mutex<Vec<AddressState>>>,
}

impl Addresses {
    pub(super) fn new(cookie: u64) -> Self {
        let (wanted, changes) = watch::channel(Vec::new());
        let state = Arc::default();
        let keeper = Keeper {
            changes,
            store: store(cookie),
            state: Arc::clone(&state),
            said: Vec::new(),
        };
        tokio::spawn(keeper.work());
        Self { wanted, state }
    }

    /// Makes them those of a site.
    pub(super) fn follow(&self, site: &Site) {
        let wanted = wanted(site);
        self.wanted.send_if_modified(|present| {
            let is_another = *present != wanted;
            *present = wanted;
            is_another
        });
    }

    pub(super) fn state(&self) -> Vec<AddressState> {
        let state = self.state.lock();
        state.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What becomes another by a site.
pub(super) fn steps(before: &Site, after: &Site) -> Vec<AddressStep> {
    let (before, after) = (wanted(before), wanted(after));
    let step = |wanted: &Wanted, comes| AddressStep {
        address: text(wanted.setting.address, wanted.setting.length),
        interface: wanted.interface.clone(),
        comes,
    };
    let gone = before.iter().filter(|it| !after.contains(it));
    let new = after.iter().filter(|it| !before.contains(it));
    gone.map(|it| step(it, false))
        .chain(new.map(|it| step(it, true)))
        .collect()
}

/// Takes away all that was put here.
pub(crate) async fn take_away(cookie: u64) -> Result<(), Error> {
    let store = store(cookie);
    let put = store.load()?;
    if !put.is_empty() {
        let handle = address::connect()?;
        let interfaces = address::interfaces(&handle).await?;
        let (kept, problem) = take_all(&handle, &put, &interfaces).await;
        store.save(&kept)?;
        return problem.map_or(Ok(()), Err);
    }
    store.save(&Vec::new())
}

fn store(cookie: u64) -> Store<Vec<Put>> {
    Store::at(daemon::state(cookie).join(NOTE))
}

fn wanted(site: &Site) -> Vec<Wanted> {
    let usual = &site.vrrp.defaults.interface;
    let wanted = site.addresses.iter().map(|it| Wanted {
        setting: rlvs_speaker::setting(it),
        interface: it.interface.clone().or_else(|| usual.clone()),
    });
    wanted.collect()
}

/// The task.
struct Keeper {
    changes: watch::Receiver<Vec<Wanted>>,
    store: Store<Vec<Put>>,
    state: Arc<Mutex<Vec<AddressState>>>,
    /// Problems that were logged.
    said: Vec<String>,
}

impl Keeper {
    /// Until nobody wants anything any more; what is there stays.
    async fn work(mut self) {
        // Nothing is taken away before it is known what is wanted.
        while self.changes.changed().await.is_ok() {
            loop {
                let wanted = self.changes.borrow_and_update().clone();
                let problems = match self.settle(&wanted).await {
                    Ok(state) => self.show(state),
                    Err(error) => vec![error.to_string()],
                };
                self.say(problems);
                if wanted.is_empty() {
                    break;
                }
                if let Ok(Err(_)) = timeout(PERIOD, self.changes.changed()).await {
                    return;
                }
            }
        }
    }

    /// The addresses that go go first.
    async fn settle(&self, wanted: &[Wanted]) -> Result<Vec<AddressState>, Error> {
        let mut put = self.store.load()?;
        if wanted.is_empty() && put.is_empty() {
            return Ok(Vec::new());
        }
        let handle = address::connect()?;
        let interfaces = address::interfaces(&handle).await?;
        let places: Vec<_> = wanted.iter().map(|it| place(it, &interfaces)).collect();
        let stays = |one: &Put| {
            let mut all = wanted.iter().zip(&places);
            all.any(|(it, place)| place.as_ref().is_ok_and(|place| is(one, it, place)))
        };
        let gone: Vec<_> = put.iter().filter(|one| !stays(one)).cloned().collect();
        if !gone.is_empty() {
            let (kept, problem) = take_all(&handle, &gone, &interfaces).await;
            put.retain(|one| !gone.contains(one) || kept.contains(one));
            self.store.save(&put)?;
            if let Some(problem) = problem {
                tracing::warn!(%problem, "not taken away, and tried again");
            }
        }
        let mut state = Vec::with_capacity(wanted.len());
        for (it, place) in wanted.iter().zip(places) {
            let interface = place.as_ref().ok().map(|place| place.name.clone());
            let outcome = match place {
                Ok(place) => self.place(&handle, it, place, &mut put).await,
                Err(problem) => Err(problem),
            };
            state.push(AddressState {
                address: text(it.setting.address, it.setting.length),
                interface,
                put: *outcome.as_ref().unwrap_or(&false),
                problem: outcome.err(),
            });
        }
        Ok(state)
    }

    /// Puts it there if it is not; whether it was put by us.
    async fn place(
        &self,
        handle: &Handle,
        wanted: &Wanted,
        place: &Interface,
        put: &mut Vec<Put>,
    ) -> Result<bool, String> {
        let setting = &wanted.setting;
        let is_ours = put.iter().any(|one| is(one, wanted, place));
        if setting.is_on(place) {
            return Ok(is_ours);
        }
        if !is_ours {
            put.push(Put {
                address: setting.address,
                length: setting.length,
                peer: setting.peer,
                interface: place.name.clone(),
            });
            // Before the first change it speaks of.
            self.store.save(put).map_err(|error| error.to_string())?;
        }
        let added = address::put(handle, setting, place).await;
        if added.map_err(|error| error.to_string())? {
            let text = text(setting.address, setting.length);
            tracing::info!(address = text, interface = place.name, "put there");
            if let Err(error) = announce(setting.address, place) {
                tracing::warn!(address = text, %error, "neighbours cannot be told");
            }
        }
        Ok(true)
    }

    fn show(&self, state: Vec<AddressState>) -> Vec<String> {
        let problem = |it: &AddressState| Some(format!("{}: {}", it.address, it.problem.as_ref()?));
        let problems = state.iter().filter_map(problem).collect();
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        problems
    }

    /// Each problem once, until it is over.
    fn say(&mut self, problems: Vec<String>) {
        for problem in problems.iter().filter(|it| !self.said.contains(it)) {
            tracing::warn!("address {problem}");
        }
        self.said = problems;
    }
}

fn is(put: &Put, wanted: &Wanted, place: &Interface) -> bool {
    let setting = &wanted.setting;
    let of_put = (put.address, put.length, put.peer);
    put.interface == place.name && of_put == (setting.address, setting.length, setting.peer)
}

/// Where it belongs, or why that is nowhere.
fn place<'a>(wanted: &Wanted, interfaces: &'a [Interface]) -> Result<&'a Interface, String> {
    if let Some(name) = &wanted.interface {
        let found = interfaces.iter().find(|it| it.name == *name);
        return found.ok_or_else(|| format!("there is no interface {name}"));
    }
    let address = wanted.setting.address;
    let has = |it: &&Interface| {
        let mut others = it.addresses.iter().filter(|(other, _)| *other != address);
        it.name != "lo" && others.any(|&(other, length)| is_in(address, other, length))
    };
    let mut having = interfaces.iter().filter(has);
    match (having.next(), having.next()) {
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => Err(format!(
            "the networks of {} and {} have it: name its interface",
            one.name, other.name
        )),
        _ => Err("no interface's network has it: name its interface".to_owned()),
    }
}

fn is_in(address: IpAddr, of: IpAddr, length: u8) -> bool {
    ipnet::IpNet::new(of, length).is_ok_and(|network| network.contains(&address))
}

/// Takes all away that can be: what could not, and why.
async fn take_all(
    handle: &Handle,
    put: &[Put],
    interfaces: &[Interface],
) -> (Vec<Put>, Option<Error>) {
    let (mut kept, mut problem) = (Vec::new(), None);
    for one in put {
        match take(handle, one, interfaces).await {
            Ok(()) => tracing::info!(address = %one, "taken away"),
            Err(error) => {
                kept.push(one.clone());
                problem.get_or_insert(error);
            }
        }
    }
    (kept, problem)
}

async fn take(handle: &Handle, put: &Put, interfaces: &[Interface]) -> Result<(), Error> {
    let at_end = put.peer.unwrap_or((put.address, put.length));
    match interfaces.iter().find(|it| it.name == put.interface) {
        Some(from) => address::take(handle, put.address, at_end, from).await,
        None => Ok(()),
    }
}

fn text(address: IpAddr, length: u8) -> String {
    format!("{address}/{length}")
}

impl fmt::Display for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} of {}", self.address, self.length, self.interface)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rlvs_config::written;
    use rlvs_host::address::AddressFlags;

    use super::*;

    fn site(text: &str) -> Site {
        let reading = written::read(Path::new("site.toml"), text.to_owned());
        reading
            .unwrap_or_else(|it| panic!("{}", it.pictures()))
            .site
    }

    const SITE: &str = r#"
[[address]]
address = "192.0.2.200/24"
interface = "eth0"
label = "eth0:1"
broadcast = "+"
scope = "link"

[[address]]
address = "2001:db8::200/128"
"#;

    #[test]
    fn settings_are_what_is_written() {
        let wanted = wanted(&site(SITE));
        let [first, second] = &wanted[..] else {
            panic!("two addresses");
        };
        assert_eq!(
            first.setting,
            Setting {
                address: "192.0.2.200".parse().unwrap(),
                length: 24,
                peer: None,
                broadcast: Some("192.0.2.255".parse().unwrap()),
                label: Some("eth0:1".into()),
                scope: 253,
                preferred: None,
                flags: AddressFlags::empty(),
            }
        );
        assert_eq!(second.setting, Setting::of_vip(second.setting.address));
    }

    #[test]
    fn only_what_is_another_comes_and_goes() {
        let (before, after) = (site(SITE), site(&SITE.replace("::200", "::201")));
        assert_eq!(steps(&before, &before), []);
        let steps = steps(&before, &after);
        let text: Vec<_> = steps.iter().map(|it| (&it.address[..], it.comes)).collect();
        assert_eq!(
            text,
            [("2001:db8::200/128", false), ("2001:db8::201/128", true)]
        );
    }

    #[test]
    fn an_address_goes_where_its_network_is() {
        let interface = |name: &str, address: &str| Interface {
            index: 2,
            name: name.into(),
            up: true,
            ethernet: true,
            addresses: vec![(address.parse().unwrap(), 24)],
            ..Interface::default()
        };
        let all = [
            interface("eth0", "192.0.2.5"),
            interface("eth1", "10.0.0.5"),
        ];
        let mut one = wanted(&site(SITE)).remove(0);
        one.interface = None;
        assert_eq!(place(&one, &all).unwrap().name, "eth0");
        one.interface = Some("eth1".into());
        assert_eq!(place(&one, &all).unwrap().name, "eth1");
        one.interface = Some("eth7".into());
        assert_eq!(place(&one, &all).unwrap_err(), "there is no interface eth7");
        one.interface = None;
        one.setting.address = "203.0.113.1".parse().unwrap();
        assert!(place(&one, &all).is_err());
    }
}
