//! A director whose core keeps services in memory only.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rlvs_control::drain::{Draining, Drains, End, EndedDrain, RunningDrain};
use rlvs_control::event::{ServerChange, ServerEvent, VrrpChange, VrrpEvent, What};
use rlvs_control::handover::{HandedOver, Taken};
use rlvs_control::listing::Statistics;
use rlvs_control::site::{self, AddressStep, Applied, Before, Plan, Step, VrrpStep};
use rlvs_control::status::{
    AddressState, Answers, Attachment, ConnectionTable, Counter, Daemon, DestinationState,
    FailingCheck, Interface, Listener, MarkPath, MarkRule, NetworkNamespace, NextHop, ServiceState,
    SiteState, SlowStart, TroubledServer, VrrpInstance, VrrpState,
};
use rlvs_control::stop::{AtStop, Stopping};
use rlvs_control::sync::{DaemonState, Dropped, PeerState};
use rlvs_control::{
    Change, Client, ConnectionEntry, DestinationKey, Director, ForwardingMethod, Made, Overall,
    Protocol, Service, ServiceKey, Status, SyncDaemon, SyncRole, Synchronisation, Transaction,
    model::Family,
};
use rlvs_director::metrics::{CheckedServer, Figures};
use rlvs_director::news::News;
use rlvs_director::server::{Access, ConnectionSource, Handle, Request, Server};
use rlvs_testing::remembering::Memory;
use tokio::sync::{mpsc, oneshot};

/// How long the core works on [`slow`].
const SLOW: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server.
pub(crate) struct Fake {
    name: String,
    stop: oneshot::Sender<()>,
    slow: std::sync::mpsc::Receiver<()>,
    thread: JoinHandle<()>,
    pub(crate) news: News,
}

impl Fake {
    pub(crate) fn start() -> Self {
        Self::with(Access::new(None).unwrap(), Arc::new(NoConnections))
    }

    pub(crate) fn with(
        access: Access,
        connections: Arc<dyn ConnectionSource + Send + Sync>,
    ) -> Self {
        Self::run(access, connections, true)
    }

    pub(crate) fn without_core() -> Self {
        Self::run(Access::new(None).unwrap(), Arc::new(NoConnections), false)
    }

    fn run(
        access: Access,
        connections: Arc<dyn ConnectionSource + Send + Sync>,
        with_core: bool,
    ) -> Self {
        let name = unused_name();
        let server = Server::bind(&name).unwrap();
        let news = News::new();
        let (handle, requests) = Handle::new(connections, news.clone());
        let (stop, stopped) = oneshot::channel();
        let (began, slow) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                match with_core {
                    true => drop(tokio::spawn(core(requests, began))),
                    false => drop(requests),
                }
                let shutdown = async { drop(stopped.await) };
                server.serve(access, handle, shutdown).await.unwrap();
            });
        });
        Self {
            name,
            stop,
            slow,
            thread,
            news,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect_to(&self.name).unwrap()
    }

    /// Until the core works on [`slow`].
    pub(crate) fn wait_for_slow(&self) {
        self.slow.recv_timeout(PATIENCE).unwrap();
    }

    pub(crate) fn stop(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

fn plan() -> Plan {
    Plan {
        steps: vec![Step {
            change: Change::EditService(service(80)),
            before: Some(Before::Service(service(80))),
        }],
        later: vec![],
        addresses: vec![AddressStep {
            address: "192.0.2.1/32".to_owned(),
            interface: Some("eth0".to_owned()),
            comes: true,
        }],
        vrrp: vec![VrrpStep {
            what: "instance VI_1".to_owned(),
            change: site::VrrpChange::Changes,
            details: vec!["priority 100 \u{2192} 7".to_owned()],
        }],
        taken_over: vec![service_key(80)],
        notes: vec!["so it is".to_owned()],
    }
}

fn applied() -> Applied {
    Applied {
        number: 3,
        path: Some("/etc/rlvs/rlvs.toml".into()),
        text: "services = 5".to_owned(),
    }
}

fn drains() -> Drains {
    let Status { services, .. } = status();
    let destination = &services[0].destinations[0];
    let ended = |end| EndedDrain {
        service: service_key(80),
        destination: destination.key,
        end,
        active_connections: 0,
        inactive_connections: 1,
        seconds_ago: 2,
    };
    Drains {
        running: vec![RunningDrain {
            service: service_key(80),
            destination: destination.key,
            draining: destination.draining.unwrap(),
            active_connections: 1,
            inactive_connections: 2,
            persistent_connections: 3,
        }],
        ended: [End::Empty, End::Deadline, End::Cancelled, End::Deleted]
            .map(ended)
            .into(),
    }
}

fn figures(director: &mut Memory) -> Figures {
    let checked = CheckedServer {
        service: service_key(80),
        server: ([192, 0, 2, 3], 80).into(),
        up: true,
    };
    Figures {
        status: status(),
        services: director.services().unwrap(),
        overall: overall(),
        servers: vec![checked],
        checks: [("http", [3, 1])].into(),
        swept: Duration::from_millis(250),
        drains: 2,
    }
}

fn overall() -> Overall {
    let statistics = Statistics {
        connections: 1,
        bytes_out_rate: u64::MAX,
        ..Statistics::default()
    };
    Overall {
        statistics,
        cpus: vec![statistics, Statistics::default()],
    }
}

/// One event of each kind.
pub(crate) fn events() -> Vec<What> {
    let server = ([192, 0, 2, 3], 80).into();
    let of_server = [
        ServerChange::ServerUp { server },
        ServerChange::ServerWeight {
            server,
            from: 1,
            to: 2,
        },
        ServerChange::QuorumLost {
            weight: 1,
            threshold: 2,
        },
        ServerChange::SorryServerIn,
    ];
    let service = service_key(80);
    let of_server = of_server.map(|what| What::Server(ServerEvent { service, what }));
    let applied = What::SiteApplied {
        path: "/etc/rlvs/rlvs.toml".into(),
        number: 3,
        changes: 4,
    };
    let master = What::Vrrp(VrrpEvent {
        vrrp: "VI_1".to_owned(),
        what: VrrpChange::VrrpState {
            from: VrrpState::Backup,
            to: VrrpState::Master,
            why: "no master was heard".to_owned(),
            priority: 100,
        },
    });
    [applied, What::Missed { events: 5 }, master]
        .into_iter()
        .chain(of_server)
        .collect()
}

async fn core(mut requests: mpsc::Receiver<Request>, slow: std::sync::mpsc::Sender<()>) {
    let mut director = Memory::default();
    while let Some(request) = requests.recv().await {
        match request {
            Request::Apply(transaction, reply) => {
                if transaction == self::slow() {
                    slow.send(()).unwrap();
                    tokio::time::sleep(SLOW).await;
                }
                let made = director.apply(&transaction);
                reply.send(made.map(|()| Made {
                    number: director.number,
                }));
            }
            Request::ApplySite(_, reply) | Request::Plan(_, reply) => {
                reply.send(Ok(plan()));
            }
            Request::Stop(_, reply) => reply.send(Ok(Stopping {
                forwarding: AtStop::Drain,
                drain_timeout: 60,
            })),
            Request::HandOver(of, reply) => reply.send(Ok(HandedOver {
                instances: vec![Taken {
                    name: of.name.unwrap_or_default(),
                    master: [192, 0, 2, 2].into(),
                }],
            })),
            Request::Site(reply) => reply.send(Ok(applied())),
            Request::Drains(reply) => reply.send(Ok(drains())),
            Request::Overall(reply) => reply.send(Ok(overall())),
            Request::Services(reply) => reply.send(director.services()),
            Request::Figures(reply) => reply.send(Ok(Box::new(figures(&mut director)))),
            Request::Status(reply) => reply.send(Ok(status())),
            Request::Timeouts(reply) => reply.send(director.timeouts()),
            Request::Synchronisation(reply) => reply.send(Ok(synchronisation())),
            Request::Sysctls(reply) => reply.send(director.sysctls()),
        }
    }
}

pub(crate) struct NoConnections;

impl ConnectionSource for NoConnections {
    fn visit(&self, _each: &mut dyn FnMut(ConnectionEntry) -> bool) {}
}

/// A socket name of this test alone.
pub(crate) fn unused_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("rlvs-test-{}-{count}", std::process::id())
}

/// A transaction that takes a while.
pub(crate) fn slow() -> Transaction {
    Change::SetTimeouts {
        tcp: 4711,
        tcp_fin: 0,
        udp: 0,
    }
    .into()
}

/// Sends a request by hand and reads the whole answer.
pub(crate) fn post(name: &str, path: &str, headers: &str, body: impl AsRef<[u8]>) -> String {
    let body = body.as_ref();
    let mut stream = connect(name);
    let length = match headers.contains("Content-Length") {
        true => String::new(),
        false => format!("Content-Length: {}\r\n", body.len()),
    };
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}{length}");
    let request = [format!("{head}\r\n").as_bytes(), body].concat();
    stream.write_all(&request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Asks by hand, as HTTP/1.0 has it: the answer ends with the connection. Its status, and its body.
pub(crate) fn ask(name: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = begin(name, method, path, body);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// Asks, and leaves the answer to be read.
pub(crate) fn begin(name: &str, method: &str, path: &str, body: &str) -> UnixStream {
    let mut stream = connect(name);
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    stream
}

pub(crate) fn connect(name: &str) -> UnixStream {
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let stream = UnixStream::connect_addr(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub(crate) fn service(port: u16) -> Service {
    Service {
        key: service_key(port),
        scheduler: "wlc".to_owned(),
        scheduler_flags: 0,
        persistence: None,
        one_packet: false,
        persistence_engine: None,
        client_address: Default::default(),
        slow_start: 0,
    }
}

fn service_key(port: u16) -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: [192, 0, 2, 1].into(),
        port,
    }
}

/// One of everything.
pub(crate) fn status() -> Status {
    let destination = |host, next_hop| DestinationState {
        key: DestinationKey {
            address: [192, 0, 2, host].into(),
            port: 80,
        },
        method: ForwardingMethod::Route,
        weight: 1,
        active_connections: 2,
        inactive_connections: 3,
        next_hop,
        draining: Some(Draining {
            seconds: 1,
            seconds_left: Some(2),
            keeps_clients: false,
            weight: 3,
        }),
        slow_start: Some(SlowStart {
            percent: 50,
            seconds_left: 2,
        }),
        path_mtu: Some(1500),
    };
    let interface = |name: &str, index, attachment| {
        let name = name.to_owned();
        Interface {
            name,
            index,
            attachment,
            reason: "it is so".to_owned(),
        }
    };
    let counter = |reason: &str| Counter {
        reason: reason.to_owned(),
        meaning: "in words".to_owned(),
        packets: 7,
    };
    Status {
        daemon: Daemon {
            version: "0.1.0".to_owned(),
            pid: 1,
            uptime_seconds: 2,
            network_namespace: NetworkNamespace {
                cookie: u64::MAX,
                name: Some("d".to_owned()),
            },
        },
        number: 7,
        listening: [Answers::Api, Answers::ApiOverTls, Answers::Metrics]
            .map(|what| Listener {
                address: ([0, 0, 0, 0], 7443).into(),
                what,
            })
            .into(),
        interfaces: vec![
            interface("eth0", 2, Attachment::Native),
            interface("eth1", 3, Attachment::Generic),
            interface("eth2", 4, Attachment::Tc),
            interface("eth3", 5, Attachment::Detached),
        ],
        marks: Some(MarkPath {
            device: "lvs0".to_owned(),
            rules: vec![MarkRule {
                family: Family::Ipv6,
                rule: "200: from all lookup local".to_owned(),
            }],
            problem: None,
        }),
        synchronisation: Some(synchronisation()),
        site: Some(SiteState {
            path: "/etc/rlvs/rlvs.toml".into(),
            number: 3,
            checks: 2,
            failing: vec![FailingCheck {
                target: ([192, 0, 2, 3], 80).into(),
                kind: "tcp".to_owned(),
                reason: Some("refused".to_owned()),
            }],
            troubled: vec![TroubledServer {
                service: service_key(80),
                quorum: true,
                sorry: false,
                down: vec![([192, 0, 2, 3], 80).into()],
                kept: vec![],
                servers: 2,
            }],
            addresses: vec![AddressState {
                address: "192.0.2.1/32".to_owned(),
                interface: Some("eth0".to_owned()),
                put: true,
                problem: None,
            }],
        }),
        vrrp: vec![VrrpInstance {
            name: "VI_1".to_owned(),
            group: Some("VG".to_owned()),
            interface: "eth0".to_owned(),
            version: 2,
            virtual_router_id: 51,
            state: VrrpState::Master,
            since_seconds: 60,
            why: Some("no master was heard".to_owned()),
            priority: 100,
            source: Some([192, 0, 2, 1].into()),
            master: Some([192, 0, 2, 2].into()),
            master_priority: Some(90),
            held: Some("checks".to_owned()),
            handed_over: true,
            addresses: vec!["192.0.2.100/32".to_owned()],
            problems: vec!["there is no interface eth7".to_owned()],
            transitions: 2,
            sent: 60,
            not_sent: 1,
            received: 3,
            refused: [("password".to_owned(), 3)].into(),
        }],
        services: vec![ServiceState {
            key: service_key(80),
            scheduler: "wlc".to_owned(),
            from_file: false,
            destinations: vec![
                destination(2, resolved()),
                destination(
                    3,
                    NextHop::Unresolved {
                        reason: "no route".to_owned(),
                    },
                ),
            ],
            local_addresses: vec![],
        }],
        connections: vec![ConnectionTable {
            family: Family::Ipv4,
            entries: 5,
            size: 1000,
            slots: 1536,
            bytes: 98304,
            evicted: 0,
            thinned: 0,
            stateless: 0,
        }],
        passed: vec![counter("not-ours")],
        dropped: vec![counter("no-next-hop")],
    }
}

fn resolved() -> NextHop {
    NextHop::Resolved {
        interface: "eth0".to_owned(),
        mac: "02:00:00:00:00:02".to_owned(),
    }
}

pub(crate) fn synchronisation() -> Synchronisation {
    let backup = DaemonState {
        problem: Some("no socket".to_owned()),
        messages: 3,
        records: 40,
        peers: vec![[192, 0, 2, 3].into()],
        waiting: 1,
        dropped: vec![Dropped {
            reason: "stranger".to_owned(),
            count: 2,
        }],
        ..DaemonState::new(SyncDaemon::new(SyncRole::Backup, "eth0").filled(1500))
    };
    Synchronisation {
        peers: vec![PeerState {
            address: ([192, 0, 2, 3], 8849).into(),
            problem: Some("connection refused".to_owned()),
            caught_up: true,
            told: 1,
            taken: 2,
            waiting: 3,
            dropped: Vec::new(),
        }],
        caught_up: true,
        daemons: vec![
            DaemonState::new(SyncDaemon::new(SyncRole::Master, "eth0")),
            backup,
        ],
    }
}
