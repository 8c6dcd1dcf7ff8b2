//! The daemon: one task that owns all state and does one thing after another.
//!
//! Requests of clients, news of the kernel's links and next hops, and the clock come in; records
//! in the data plane's tables go out. Packets do not wait for it, and do not miss it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rlvs_config::settings::{AtStop, Settings};
use rlvs_control::{Client, SOCKET};
use rlvs_network::{Event, Network, namespace};
use rlvs_plane::{KernelTables, Plane, Sizes, bpffs};
use rlvs_probe::{Prober, Report};
use rlvs_speaker::{States, Told};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

use crate::connections::Connections;
use crate::core::{Core, Threads};
use crate::error::Error;
use crate::journal::Journal;
use crate::news::News;
use crate::parameter::{ACCEPT_LOCAL, EARLY_DEMUX};
use crate::server::doors::Doors;
use crate::server::{Access, Handle, Request, Server};
use crate::site::Configuration;
use crate::vrrp::Vrrp;
use crate::{estimator, real_path, service_manager, site, sweep};

const STATE: &str = "/run/rlvs";
const TIDY: Duration = Duration::from_secs(1);
/// After reports of checks, others have so much more time: where very many change at once, they are
/// worked off together.
const SHARE: u32 = 4;
/// Reports of checks that are worked off before others have their turn.
const AT_ONCE: usize = 4096;
const NEWS: Duration = Duration::from_secs(5);

/// Runs a director in this network namespace until it is told to stop. Forwarding goes on then.
pub fn run(configuration: Configuration) -> Result<(), Error> {
    let cookie = prepare()?;
    let server = Server::bind(SOCKET)?;
    // The next director must find nothing of this one that is still to be removed.
    let name = server.hold()?;
    // Once: it is found by way of ancestors, who may be gone by the end.
    let pins = bpffs::directory(cookie)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let (forwarding, last) = serve(configuration, cookie, &pins, server).await?;
        match forwarding {
            AtStop::Leave => {
                tracing::info!("the director stops; forwarding goes on, `rlvs down` ends it");
            }
            AtStop::Drain | AtStop::Remove => {
                remove(cookie, &pins).await?;
                tracing::info!("the director stops; nothing of it is left");
            }
        }
        drop(name);
        last.await;
        Ok(())
    });
    // Whoever still looks up a name is not waited for.
    runtime.shutdown_background();
    outcome
}

/// Ends forwarding in this network namespace: detaches all programs, removes all maps and the
/// journal, and lets the kernel forget real servers. Whether there was anything.
pub fn down() -> Result<bool, Error> {
    let cookie = prepare()?;
    if let Ok(status) = Client::connect().and_then(|mut client| client.status()) {
        return Err(Error::Running {
            pid: status.daemon.pid,
        });
    }
    let pins = bpffs::directory(cookie)?;
    runtime()?.block_on(remove(cookie, &pins))
}

/// Removes all that a director without a daemon has; whether there was anything.
async fn remove(cookie: u64, pins: &Path) -> Result<bool, Error> {
    let addresses = site::addresses::take_away(cookie).await;
    let of_vrrp = rlvs_speaker::take_away(&state(cookie)).await;
    // Before the program: packets are led there no longer.
    rlvs_network::marks::remove().map_err(Error::Marks)?;
    real_path::remove_leftovers();
    let was_there = rlvs_plane::remove_all(pins)?;
    for parameter in [ACCEPT_LOCAL, EARLY_DEMUX] {
        parameter
            .restore(&state(cookie))
            .map_err(Error::Parameter)?;
    }
    release_neighbours().await?;
    // What could not be taken away is noted there: `rlvs down` tries again.
    addresses.and(of_vrrp).map_err(Error::Addresses)?;
    let _ = std::fs::remove_dir_all(state(cookie));
    Ok(was_there)
}

/// Whether a director forwards in this network namespace, with a daemon or without.
pub fn is_present() -> Result<bool, Error> {
    Ok(bpffs::directories(prepare()?).next().is_some())
}

fn runtime() -> Result<Runtime, Error> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().map_err(Error::Runtime)
}

/// Neighbours that a daemon had managed stay so without it, for the next one.
async fn release_neighbours() -> Result<(), Error> {
    let (network, mut news) = Network::start()?;
    // The first news come when links and neighbours have been read.
    let _ = timeout(NEWS, news.recv()).await;
    network.release().await;
    Ok(())
}

fn prepare() -> Result<u64, Error> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    namespace::cookie().map_err(Error::Namespace)
}

pub(crate) fn state(cookie: u64) -> PathBuf {
    Path::new(STATE).join(cookie.to_string())
}

/// Until it is told to stop; what is to become of forwarding then, and what is to be done last.
async fn serve(
    configuration: Configuration,
    cookie: u64,
    pins: &Path,
    server: Server,
) -> Result<(AtStop, impl Future<Output = ()> + use<>), Error> {
    let config = configuration.reading.site.settings.clone();
    let access = Access::new(config.control.group.as_deref())?;
    let kept = Journal::open(&state(cookie))?;
    let mut plane = Plane::open(pins, sizes(&config))?;
    plane.trace(cookie);
    let tables = Arc::clone(&plane.tables);
    let (network, mut news) = Network::start()?;
    prepare_loopback(&config, &state(cookie));
    let (prober, reports) = Prober::start().map_err(Error::Checks)?;
    let connections = Arc::new(Connections(Arc::clone(&tables)));
    let (handle, requests) = Handle::new(connections, News::new());
    let doors = Doors::new(handle.clone()).map_err(Error::Runtime)?;
    let (vrrp, told) = Vrrp::start(&state(cookie)).map_err(Error::Vrrp)?;
    let states = vrrp.states();
    let threads = Threads {
        network,
        prober,
        vrrp,
    };
    let mut core = Core::begin(config, cookie, plane, kept, threads, doors)?;
    meet_links(&mut core, &mut news).await?;
    core.precede_site(&configuration).await;
    core.begin_site(&configuration)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(access, handle, async {
        let _ = stopped.await;
    }));
    tracing::info!(namespace = cookie, "the director is ready");
    service_manager::ready();
    let mut events = Events {
        requests,
        news,
        reports,
        told,
        states,
    };
    let outcome = work(&mut core, &tables, &mut events, &configuration).await;
    service_manager::stopping();
    let hands_over = core.config.stop.forwarding != AtStop::Leave;
    core.end_vrrp(hands_over).await;
    while let Ok(told) = events.told.try_recv() {
        core.hear_vrrp(&told);
    }
    core.end_site().await;
    drop(stop);
    let _ = serving.await;
    outcome.map(|()| (core.config.stop.forwarding, core.follow_end()))
}

/// Without it the director serves all others.
fn prepare_loopback(config: &Settings, state: &Path) {
    let outcome = match config.interfaces.loopback {
        true => ACCEPT_LOCAL.set(state),
        false => ACCEPT_LOCAL.restore(state),
    };
    if let Err(error) = outcome {
        tracing::warn!(%error, "net.ipv4.conf.lo.accept_local cannot be set");
    }
}

fn sizes(config: &Settings) -> Sizes {
    Sizes {
        connections: [config.connections, config.ipv6_connections()],
        services: config.services,
        destinations: config.destinations,
    }
}

/// Attaches to the interfaces there are: who is told that the director is ready may send packets.
async fn meet_links(core: &mut Core, news: &mut mpsc::Receiver<Event>) -> Result<(), Error> {
    loop {
        let event = news.recv().await.ok_or(Error::NetworkEnded)?;
        let are_links = matches!(event, Event::Links(_));
        core.learn(event);
        if are_links {
            return Ok(());
        }
    }
}

/// Tables that an earlier daemon made keep their sizes.
/// What comes, beside signals and the clock.
struct Events {
    requests: mpsc::Receiver<Request>,
    news: mpsc::Receiver<Event>,
    reports: mpsc::UnboundedReceiver<Report>,
    told: mpsc::Receiver<Told>,
    states: watch::Receiver<States>,
}

/// Does what comes, until a signal.
async fn work(
    core: &mut Core,
    tables: &Arc<KernelTables>,
    events: &mut Events,
    configuration: &Configuration,
) -> Result<(), Error> {
    let mut swept: watch::Receiver<_> = sweep::spawn(Arc::clone(tables));
    let mut tidy = ticking(TIDY);
    let mut estimate = ticking(estimator::PERIOD);
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    let mut reload = signal(SignalKind::hangup()).map_err(Error::Runtime)?;
    let (mut reports, mut quiet_until) = (Vec::new(), Instant::now());
    loop {
        tokio::select! {
            Some(()) = wait_for_end(&mut terminate, &mut interrupt) => {
                if core.end() {
                    return Ok(());
                }
            }
            _ = reload.recv() => core.reload_site(configuration),
            Some(request) = events.requests.recv() => {
                core.answer(request);
                if core.asked_to_end && core.end() {
                    return Ok(());
                }
            }
            _ = hear_from(&mut events.reports, &mut reports, quiet_until), if !core.is_ending() => {
                let begun = Instant::now();
                core.hear(&mut reports);
                quiet_until = Instant::now() + SHARE * begun.elapsed();
            }
            Ok(()) = events.states.changed() => core.follow_synchronisation(),
            Some(told) = events.told.recv() => core.hear_vrrp(&told),
            event = events.news.recv() => core.learn(event.ok_or(Error::NetworkEnded)?),
            Ok(()) = swept.changed() => core.take_sweep(swept.borrow_and_update().clone()),
            _ = tidy.tick() => {
                core.tidy(Instant::now());
                service_manager::alive();
                if core.has_ended() {
                    return Ok(());
                }
            }
            _ = estimate.tick() => core.estimate(),
        }
    }
}

async fn wait_for_end(terminate: &mut Signal, interrupt: &mut Signal) -> Option<()> {
    tokio::select! {
        told = terminate.recv() => told,
        told = interrupt.recv() => told,
    }
}

/// Waits for reports of checks, but not before a moment.
async fn hear_from(
    queue: &mut mpsc::UnboundedReceiver<Report>,
    reports: &mut Vec<Report>,
    quiet_until: Instant,
) {
    sleep_until(quiet_until.into()).await;
    queue.recv_many(reports, AT_ONCE).await;
}

fn ticking(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
