//! A director whose core keeps services in memory only.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rlvs_control::status::{
    Attachment, ConnectionTable, Counter, Daemon, DestinationState, Interface, MarkPath, MarkRule,
    NetworkNamespace, NextHop, ServiceState,
};
use rlvs_control::{
    Change, Client, ConnectionEntry, DestinationKey, Director, ForwardingMethod, Protocol, Service,
    ServiceKey, Status, Transaction, model::Family,
};
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
        let (handle, requests) = Handle::new(connections, Default::default());
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

async fn core(mut requests: mpsc::Receiver<Request>, slow: std::sync::mpsc::Sender<()>) {
    let mut director = Memory::default();
    while let Some(request) = requests.recv().await {
        match request {
            Request::Apply(transaction, reply) => {
                if transaction == self::slow() {
                    slow.send(()).unwrap();
                    tokio::time::sleep(SLOW).await;
                }
                reply.send(director.apply(&transaction));
            }
            Request::ApplySite(_, reply) | Request::Plan(_, reply) => {
                reply.send(Ok(Default::default()));
            }
            Request::Site(reply) => reply.send(Ok(Default::default())),
            Request::Drains(reply) => reply.send(Ok(Default::default())),
            Request::Overall(reply) => reply.send(Ok(Default::default())),
            Request::Services(reply) => reply.send(director.services()),
            Request::Status(reply) => reply.send(Ok(status())),
            Request::Timeouts(reply) => reply.send(director.timeouts()),
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
        draining: None,
        slow_start: None,
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
        site: None,
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
