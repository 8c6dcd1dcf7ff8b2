//! One scenario on both directors, and what differs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use rlvs_control::Change;
use rlvs_tests::place::server_mac;

use crate::frame;
use crate::kernel::Kernel;
use crate::rlvs::Rlvs;
use crate::scenario::{Edit, Packet, SERVERS, Scenario, Step, World, line};
use crate::side::{Connection, Side};

/// The kernel ends a connection whose port is used again by a timer, on its next tick.
const NEXT_TICKS: Duration = Duration::from_millis(20);
/// The kernel sums up what it shows of its counters every two seconds.
const STATISTICS: Duration = Duration::from_millis(2200);
/// Within this time no connection ends by itself: the shortest that one lives is 4 s.
const IN_TIME: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 3;
/// The kernel renames a template whose destination is gone, and leaves it to its time.
const OUTDATED: u16 = 65_535;
/// Seconds that the remaining times of a connection may differ by.
const CLOCKS: u32 = 3;

/// Both directors.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) kernel: Kernel,
    pub(crate) rlvs: Rlvs,
    runs: u16,
}

/// What one director did.
#[derive(Debug, Default)]
struct Record {
    /// Frames that went on, by the number of the packet.
    frames: BTreeMap<u32, Vec<u8>>,
    connections: Vec<Connection>,
    listing: String,
}

impl Pair {
    pub(crate) fn new(kernel: Kernel, rlvs: Rlvs) -> Self {
        Self {
            kernel,
            rlvs,
            runs: 0,
        }
    }

    /// What differs, if anything does.
    pub(crate) fn differ(&mut self, scenario: &Scenario) -> Result<Option<String>> {
        let mut difference = None;
        for _ in 0..ATTEMPTS {
            self.runs += 1;
            let world = World {
                ipv6: scenario.ipv6,
                run: self.runs,
            };
            let begun = Instant::now();
            difference = self.run(&world, scenario)?;
            if difference.is_none() || begun.elapsed() < IN_TIME {
                break;
            }
        }
        Ok(difference)
    }

    fn run(&mut self, world: &World, scenario: &Scenario) -> Result<Option<String>> {
        let mut records = [Record::default(), Record::default()];
        let mut sent = Vec::new();
        for step in &scenario.steps {
            match step {
                Step::Edit(edits) => {
                    let changes: Vec<_> = edits.iter().map(|edit| world.change(edit)).collect();
                    self.apply(&changes)?;
                }
                Step::Send(packets) => self.send(world, packets, &mut sent, &mut records)?,
            }
        }
        self.finish(world, scenario, &mut records)?;
        self.clear(world, scenario)?;
        Ok(difference(
            world,
            &sent,
            &records,
            scenario.edits_a_service() || scenario.deletes_a_service(),
        ))
    }

    fn sides(&mut self) -> [&mut dyn Side; 2] {
        [&mut self.kernel, &mut self.rlvs]
    }

    pub(crate) fn apply(&mut self, changes: &[Change]) -> Result<()> {
        self.sides()
            .into_iter()
            .try_for_each(|side| side.apply(changes))
    }

    fn send(
        &mut self,
        world: &World,
        packets: &[Packet],
        sent: &mut Vec<Packet>,
        records: &mut [Record; 2],
    ) -> Result<()> {
        for packet in packets {
            let frame = frame::build(world, packet, sent.len() as u32);
            sent.push(*packet);
            for side in self.sides() {
                side.place().wire.send(&frame)?;
            }
            if packet.kind.begins_again() {
                self.settle(world, records)?;
                sleep(NEXT_TICKS);
            }
        }
        self.settle(world, records)
    }

    fn settle(&mut self, world: &World, records: &mut [Record; 2]) -> Result<()> {
        for (side, record) in self.sides().into_iter().zip(records) {
            side.place().wire.settle(|frame| {
                if let Some(number) = frame::number(frame, world.vip()) {
                    record.frames.insert(number, frame.to_vec());
                }
            })?;
        }
        Ok(())
    }

    fn finish(
        &mut self,
        world: &World,
        scenario: &Scenario,
        records: &mut [Record; 2],
    ) -> Result<()> {
        let mut listings = vec!["-Ln", "-Ln --thresholds"];
        // The kernel counts a template that it renamed, see `OUTDATED`, until its time is over.
        if !scenario.removes_a_destination() {
            listings.push("-Ln --persistent-conn");
        }
        if scenario.statistics {
            sleep(STATISTICS);
            listings.push("-Ln --stats --exact");
        }
        for (side, record) in self.sides().into_iter().zip(records) {
            record.connections = side.connections()?;
            record
                .connections
                .retain(|entry| entry.virtual_address.ip() == world.vip());
            record
                .connections
                .retain(|entry| entry.destination.port() != OUTDATED);
            record.connections.iter_mut().for_each(leave_assurance_out);
            record.connections.sort();
            for options in &listings {
                record.listing += &side.listing(options)?;
            }
        }
        Ok(())
    }

    fn clear(&mut self, world: &World, scenario: &Scenario) -> Result<()> {
        let keys = live_services(scenario)
            .into_iter()
            .map(|service| world.key(service));
        let changes: Vec<_> = keys.map(Change::DeleteService).collect();
        self.apply(&changes)
    }
}

/// The services that are there when the scenario is over.
fn live_services(scenario: &Scenario) -> Vec<u8> {
    let mut live = Vec::new();
    for edit in scenario.edits() {
        match edit {
            Edit::BeginService(of) => live.push(of.service),
            Edit::EndService(service) => live.retain(|other| other != service),
            _ => {}
        }
    }
    live
}

fn difference(
    world: &World,
    sent: &[Packet],
    [kernel, rlvs]: &[Record; 2],
    edited: bool,
) -> Option<String> {
    let mut text = String::new();
    for (number, packet) in sent.iter().enumerate() {
        let frames = [kernel, rlvs].map(|record| record.frames.get(&(number as u32)));
        if frames[0] != frames[1] {
            let [kernel, rlvs] = frames.map(|frame| frame.map(|frame| whither(frame)));
            let _ = writeln!(
                text,
                "packet {number}, {packet:?}: kernel {kernel:?}, rlvs {rlvs:?}"
            );
            break;
        }
    }
    if !text.is_empty() || !alike(&kernel.connections, &rlvs.connections, edited) {
        let _ = writeln!(text, "connections for {}:", world.vip());
        for (name, record) in [("kernel", kernel), ("rlvs", rlvs)] {
            for it in &record.connections {
                let Connection {
                    client,
                    destination,
                    state,
                    expires,
                    ..
                } = it;
                let _ = writeln!(
                    text,
                    "  {name} {client} -> {destination} {state} {expires} s"
                );
            }
        }
    }
    for (kernel, rlvs) in unlike_lines(&kernel.listing, &rlvs.listing) {
        let _ = writeln!(text, "kernel prints {kernel:?}\n  rlvs prints {rlvs:?}");
    }
    (!text.is_empty()).then_some(text)
}

fn unlike_lines<'t>(some: &'t str, others: &'t str) -> Vec<(&'t str, &'t str)> {
    let (mut some, mut others) = (some.lines(), others.lines());
    let pairs = std::iter::from_fn(|| match (some.next(), others.next()) {
        (None, None) => None,
        (one, other) => Some((one.unwrap_or("nothing"), other.unwrap_or("nothing"))),
    });
    pairs.filter(|(one, other)| one != other).collect()
}

/// The real server a frame is sent to, and what is in it.
fn whither(frame: &[u8]) -> String {
    let server = (0..SERVERS).find(|&server| frame.starts_with(&server_mac(server)));
    format!("server {server:?} {frame:02x?}")
}

fn alike(some: &[Connection], others: &[Connection], edited: bool) -> bool {
    some.len() == others.len()
        && some.iter().zip(others).all(|(one, other)| {
            // A template keeps the timeout it began with in the kernel, and in rlvs has that of
            // its service.
            let any_time = edited && one.client.port() == 0;
            let expires = other.expires;
            (any_time || one.expires.abs_diff(expires) <= CLOCKS)
                && Connection {
                    expires,
                    ..one.clone()
                } == *other
        })
}

/// The kernel remembers whether a template's connections were ever established, for a defence
/// against floods that rlvs does not have.
fn leave_assurance_out(connection: &mut Connection) {
    if connection.client.port() == 0 {
        "NONE".clone_into(&mut connection.state);
    }
}

/// The scenario in the words of ipvsadm.
pub(crate) fn describe(scenario: &Scenario) -> String {
    let world = World {
        ipv6: scenario.ipv6,
        run: 1,
    };
    let mut text = String::new();
    for step in &scenario.steps {
        match step {
            Step::Edit(edits) => {
                for edit in edits {
                    let _ = writeln!(text, "  ipvsadm {}", line(&world.change(edit)));
                }
                text += "  --\n";
            }
            Step::Send(packets) => {
                for it in packets {
                    let (client, service) = (world.client(it.client), it.service);
                    let (kind, port, to) = (it.kind, it.port, it.to);
                    let _ = writeln!(
                        text,
                        "  {kind:?} {client} port {port} to port {to} (service {service})"
                    );
                }
            }
        }
    }
    text
}

/// A service outside all scenarios that has every real server, so that rlvs knows their next hops.
pub(crate) fn anchors() -> Vec<Change> {
    let mut changes = Vec::new();
    for ipv6 in [false, true] {
        let world = World {
            ipv6,
            run: u16::MAX,
        };
        let service = crate::scenario::Virtual {
            service: 1,
            scheduler: "rr",
            flags: 0,
            persistence: None,
            one_packet: false,
        };
        changes.push(world.change(&Edit::BeginService(service)));
        for server in 0..SERVERS {
            let real = crate::scenario::Real {
                service: 1,
                server,
                weight: 1,
                upper: 0,
                lower: 0,
            };
            changes.push(world.change(&Edit::Add(real)));
        }
    }
    changes
}
