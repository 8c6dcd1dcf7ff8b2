//! One scenario on both directors, and what differs.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use rlvs_control::Change;

use crate::frame;
use crate::kernel::Kernel;
use crate::record::{Record, difference};
use crate::rlvs::Rlvs;
use crate::scenario::{Edit, Packet, SERVERS, Scenario, Step, World};
use crate::side::{Connection, Side};

/// The kernel ends a connection whose port is used again by a timer, on its next tick.
const NEXT_TICKS: Duration = Duration::from_millis(20);
/// The kernel sums up what it shows of its counters every two seconds.
pub(crate) const STATISTICS: Duration = Duration::from_millis(2200);
/// Waits aside, a scenario that takes no longer meets no connection's end by chance.
const IN_TIME: Duration = Duration::from_millis(2500);
const ATTEMPTS: u32 = 10;
/// The kernel renames a template whose destination is gone, and leaves it to its time.
const OUTDATED: u16 = 65_535;

/// Both directors.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) kernel: Kernel,
    pub(crate) rlvs: Rlvs,
    runs: u16,
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
            let world = self.next_world(scenario.ipv6);
            let begun = Instant::now();
            difference = self.run(&world, scenario)?;
            let waits = Duration::from_secs(scenario.waits());
            if difference.is_none() || begun.elapsed() < IN_TIME + waits {
                break;
            }
        }
        Ok(difference)
    }

    pub(crate) fn next_world(&mut self, ipv6: bool) -> World {
        self.runs += 1;
        World {
            ipv6,
            run: self.runs,
        }
    }

    fn run(&mut self, world: &World, scenario: &Scenario) -> Result<Option<String>> {
        let mut records = [Record::default(), Record::default()];
        let mut sent = Vec::new();
        for it in &scenario.settings {
            self.set(it.name, it.value)?;
        }
        self.steps(world, scenario, &mut sent, &mut records)?;
        self.finish(world, scenario, &mut records)?;
        self.clear(world, scenario)?;
        let edited = scenario.edits_a_service() || scenario.deletes_a_service();
        Ok(difference(world, &sent, &records, edited))
    }

    pub(crate) fn steps(
        &mut self,
        world: &World,
        scenario: &Scenario,
        sent: &mut Vec<Packet>,
        records: &mut [Record; 2],
    ) -> Result<()> {
        for step in &scenario.steps {
            match step {
                Step::Edit(edits) => {
                    let changes: Vec<_> = edits.iter().map(|edit| world.change(edit)).collect();
                    self.apply(&changes)?;
                }
                Step::Send(packets) => self.send(world, packets, sent, records)?,
                Step::Wait(seconds) => sleep(Duration::from_secs(*seconds)),
            }
        }
        Ok(())
    }

    pub(crate) fn sides(&mut self) -> [&mut dyn Side; 2] {
        [&mut self.kernel, &mut self.rlvs]
    }

    pub(crate) fn apply(&mut self, changes: &[Change]) -> Result<()> {
        self.sides()
            .into_iter()
            .try_for_each(|side| side.apply(changes))
    }

    fn set(&mut self, name: &str, value: u8) -> Result<()> {
        let mut sides = self.sides().into_iter();
        sides.try_for_each(|side| side.set(name, &value.to_string()))
    }

    pub(crate) fn send(
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
                record.frames.extend(frame::forwarded(frame, world));
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
        // The kernel counts a template that it renamed, see `OUTDATED`, until its time is over; also
        // those of an earlier scenario, where the service is the same.
        if !scenario.removes_a_destination() && !scenario.has_mark() {
            listings.push("-Ln --persistent-conn");
        }
        for (side, record) in self.sides().into_iter().zip(&mut *records) {
            record.connections = connections(side, world, scenario)?;
            for options in &listings {
                record.listing += &side.listing(options)?;
            }
        }
        records[0].later = connections(&mut self.kernel, world, scenario)?;
        self.statistics(scenario, records)
    }

    fn statistics(&mut self, scenario: &Scenario, records: &mut [Record; 2]) -> Result<()> {
        // In the kernel a destination's counters outlive its service, in rlvs they begin anew; and a
        // service's are not its destinations' where its clients are sent to another's.
        if scenario.deletes_a_service() || scenario.shares_templates() {
            return Ok(());
        }
        sleep(STATISTICS);
        for (side, record) in self.sides().into_iter().zip(records) {
            record.listing += &side.listing("-Ln --stats --exact")?;
        }
        Ok(())
    }

    pub(crate) fn clear(&mut self, world: &World, scenario: &Scenario) -> Result<()> {
        let keys = live_services(scenario)
            .into_iter()
            .map(|service| world.key(service));
        let changes: Vec<_> = keys.map(Change::DeleteService).collect();
        self.apply(&changes)?;
        let mut settings = scenario.settings.iter();
        settings.try_for_each(|it| self.set(it.name, it.default))
    }
}

/// Those of this run, in order.
fn connections(side: &mut dyn Side, world: &World, scenario: &Scenario) -> Result<Vec<Connection>> {
    let mut connections = side.connections()?;
    // In the kernel connections keep the template of a removed destination beyond its time.
    let may_be_kept = scenario.removes_a_destination() && scenario.waits() > 0;
    connections.retain(|entry| entry.client.port() != 0 || !may_be_kept);
    connections.retain(|entry| world.has(entry.virtual_address.ip()));
    connections.retain(|entry| entry.destination.port() != OUTDATED);
    connections.iter_mut().for_each(leave_assurance_out);
    connections.sort();
    Ok(connections)
}

/// That a template has had an established connection the kernel notes at once, rlvs when that
/// connection ends.
fn leave_assurance_out(connection: &mut Connection) {
    if connection.client.port() == 0 {
        "NONE".clone_into(&mut connection.state);
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

/// A service outside all scenarios that has every real server, so that rlvs knows their next hops.
pub(crate) fn anchors() -> Vec<Change> {
    let mut changes = Vec::new();
    for ipv6 in [false, true] {
        let world = World {
            ipv6,
            run: u16::MAX,
        };
        let service = crate::scenario::Virtual::plain(1, "rr");
        changes.push(world.change(&Edit::BeginService(service)));
        for server in 0..SERVERS {
            let real = crate::scenario::Real::plain(1, server);
            changes.push(world.change(&Edit::Add(real)));
        }
    }
    changes
}
