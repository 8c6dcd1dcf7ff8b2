//! A data plane of its own in the kernel, and its programs run by BPF_PROG_TEST_RUN.

use std::net::IpAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, HashMap, MapData};
use aya::programs::{TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, Pod};
use rlvs_control::{
    Change, Destination, DestinationKey, ForwardingMethod, Protocol, Service, ServiceKey,
    Transaction,
};
use rlvs_director::desired::Desired;
use rlvs_director::installed::{Hop, Installed, Now, Steps};
use rlvs_engine::connection::{Meta, State};
use rlvs_engine::statistics::Counters;
use rlvs_engine::table::{self, Entry, Inserted};
use rlvs_engine::tables::interface;
use rlvs_engine::tuple::Packet as Readable;
use rlvs_engine::{FamilyTables, Tables, V4, V6};
use rlvs_plane::{BENCH_OBJECT, KernelTables, Plane, Sizes, Store};
use rlvs_wire::protocol::{SCTP, TCP};
use rustix::time::{ClockId, clock_gettime};

use crate::packet::{Clients, DIRECTOR, PORT, VIRTUAL4, VIRTUAL6, Version};
use crate::plan::Plan;

/// Test runs show frames as received by the loopback interface, the first of any namespace.
const INTERFACE: u32 = 1;

// SAFETY: integers and bytes without padding between or behind them.
unsafe impl Pod for Plan {}

/// What is measured: the programs of the bench over tables of their own.
pub(crate) struct Subject {
    ebpf: Ebpf,
    pub(crate) tables: KernelTables,
    plan: Array<MapData, Plan>,
}

/// The service that packets are sent to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) version: Version,
    pub(crate) protocol: u8,
    pub(crate) scheduler: &'static str,
    pub(crate) destinations: u32,
    pub(crate) method: ForwardingMethod,
}

/// What the tables counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Counted {
    pub(crate) packets: u64,
    pub(crate) connections: u64,
    /// Packets of real servers.
    pub(crate) answers: u64,
}

impl Target {
    pub(crate) const fn new(
        version: Version,
        protocol: u8,
        scheduler: &'static str,
        destinations: u32,
    ) -> Self {
        Self {
            version,
            protocol,
            scheduler,
            destinations,
            method: ForwardingMethod::Route,
        }
    }
}

impl Subject {
    /// With room for so many connections of the target's IP version.
    pub(crate) fn new(target: Target, connections: u32) -> Result<Self> {
        let connections = match target.version {
            Version::V4 => [connections, 1],
            Version::V6 => [1, connections],
        };
        let sizes = Sizes {
            connections,
            services: 1,
            destinations: target.destinations,
        };
        let (mut ebpf, tables) = Plane::unpinned_from(BENCH_OBJECT, sizes)?;
        let plan = Array::try_from(ebpf.take_map("PLAN").context("no map PLAN")?)?;
        let found = ebpf.take_map("BENCH_HASH").context("no map BENCH_HASH")?;
        HashMap::<_, [u64; 2], u64>::try_from(found)?.insert([0; 2], 0, 0)?;
        install(&tables, target)?;
        let own = tables
            .interfaces()
            .get(INTERFACE as usize)
            .context("no interfaces")?;
        own.store(interface::word(INTERFACE, DIRECTOR));
        Ok(Self { ebpf, tables, plan })
    }

    /// Nanoseconds a round of `program` takes, given `frame` first and then what `plan` makes.
    pub(crate) fn run(
        &mut self,
        program: &str,
        frame: &[u8],
        plan: Plan,
        rounds: u32,
    ) -> Result<f64> {
        self.plan.set(0, plan, 0)?;
        let program: &Xdp = self
            .ebpf
            .program(program)
            .context("no such program")?
            .try_into()?;
        let options = TestRunOptions {
            data_in: Some(frame),
            repeat: rounds,
            ..Default::default()
        };
        let before = cpu_time();
        program.test_run(options)?;
        Ok((cpu_time() - before) as f64 / f64::from(rounds))
    }

    pub(crate) fn counted(&self) -> Counted {
        let sum = |of: fn(&Counters) -> u64| self.tables.all_counters().iter().map(of).sum();
        Counted {
            packets: sum(|counters| counters.packets.load()),
            connections: sum(|counters| counters.connections.load()),
            answers: sum(|counters| counters.packets_back.load()),
        }
    }

    /// Size of all tables that grow with the number of connections.
    pub(crate) fn connection_bytes(&self, version: Version) -> usize {
        let (bytes, buckets) = match version {
            Version::V4 => (
                size_of_val(self.tables.buckets4()),
                self.tables.buckets4().len(),
            ),
            Version::V6 => (
                size_of_val(self.tables.buckets6()),
                self.tables.buckets6().len(),
            ),
        };
        bytes + buckets * size_of::<u64>()
    }

    /// Makes so many connections, the first flows' ones.
    pub(crate) fn populate(&self, target: Target, flows: u32) -> Result<()> {
        match target.version {
            Version::V4 => populate::<V4>(&self.tables, target, flows),
            Version::V6 => populate::<V6>(&self.tables, target, flows),
        }
    }

    /// Ends all connections of IPv4.
    pub(crate) fn clear(&self) {
        for bucket in self.tables.buckets4() {
            for slot in &bucket.slots {
                let meta = Meta(slot.meta.load());
                if meta.is_live() {
                    table::release::<V4, _>(&self.tables, Entry { slot, meta });
                }
            }
        }
    }
}

fn cpu_time() -> i64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

fn populate<F: Clients + Readable>(tables: &KernelTables, target: Target, flows: u32) -> Result<()>
where
    KernelTables: FamilyTables<F>,
{
    let state = match target.protocol {
        TCP => State::Established,
        SCTP => State::SctpEstablished,
        _ => State::Udp,
    };
    for flow in 0..flows {
        let number = flow % target.destinations;
        let key = F::key_of(flow, target.protocol);
        let added = table::add_if_room::<F, _>(tables, &key, Meta::new(number, state, 0));
        ensure!(matches!(added, Inserted::New(_)), "no room for flow {flow}");
        if let (Some(load), Some(destination)) = (tables.load(number), tables.destination(number)) {
            load.begin(state.is_active(), destination);
        }
    }
    Ok(())
}

/// Writes the service as the director does.
fn install(tables: &KernelTables, target: Target) -> Result<()> {
    let address = match target.version {
        Version::V4 => VIRTUAL4.into(),
        Version::V6 => VIRTUAL6.into(),
    };
    let protocol = match target.protocol {
        TCP => Protocol::Tcp,
        SCTP => Protocol::Sctp,
        _ => Protocol::Udp,
    };
    let key = ServiceKey::Address {
        protocol,
        address,
        port: PORT,
    };
    let mut desired = Desired::default();
    desired
        .apply(&transaction(key, target), 0, &mut |_, _| ())
        .map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let mut installed = Installed::new(tables);
    installed.install(
        tables,
        &key,
        desired.service(&key),
        &Steps::new(),
        Now {
            instant: Instant::now(),
            seconds: 0,
        },
    )?;
    let addresses: Vec<_> = installed.addresses().collect();
    for address in addresses {
        let hop = Hop::Resolved {
            mtu: 1500,
            local: Some(local(target.version)),
            interface: INTERFACE,
            source: DIRECTOR,
            destination: [2, 1, 0, 0, 0, 0],
            redirect: false,
        };
        installed.set_hop(tables, address, hop);
    }
    Ok(())
}

fn transaction(key: ServiceKey, target: Target) -> Transaction {
    let service = Service {
        key,
        scheduler: target.scheduler.to_owned(),
        scheduler_flags: 0,
        persistence: None,
        one_packet: false,
        persistence_engine: None,
        client_address: Default::default(),
        slow_start: 0,
    };
    let destinations = (0..target.destinations).map(|number| Change::AddDestination {
        service: key,
        destination: destination(target, number),
    });
    let locals = (target.method == ForwardingMethod::FullNat).then(|| Change::AddLocalAddress {
        service: key,
        address: local(target.version),
    });
    let changes = std::iter::once(Change::AddService(service))
        .chain(destinations)
        .chain(locals)
        .collect::<Vec<_>>();
    Transaction::from(changes)
}

/// The director's own address, in tunnels and for full NAT.
fn local(version: Version) -> IpAddr {
    match version {
        Version::V4 => [10, 2, 0, 1].into(),
        Version::V6 => [0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].into(),
    }
}

/// Weights go from 1 to 8; of ovf, to which they are numbers of connections, in millions.
fn destination(target: Target, number: u32) -> Destination {
    let [_, _, a, b] = number.to_be_bytes();
    let address = match target.version {
        Version::V4 => [10, 1, a, b].into(),
        Version::V6 => [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, a, b].into(),
    };
    let unit = if target.scheduler == "ovf" {
        1_000_000
    } else {
        1
    };
    Destination {
        key: DestinationKey {
            address,
            port: PORT,
        },
        method: target.method,
        weight: (1 + number % 8) * unit,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}
