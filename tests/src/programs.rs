//! BPF programs without a network: a packet in by BPF_PROG_TEST_RUN, records and counters out.
//!
//! The object is the one that headertap carries, loaded once for each test with maps of its own.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headertap::capture::{self, OBJECT};
use libbpf_rs::{
    MapCore, MapFlags, MapImpl, Object, ObjectBuilder, ProgramInput as Input, ProgramMut,
    RingBufferBuilder,
};

/// What the kernel side's ring holds by default.
pub const RING_BYTES: u32 = 16 * 1024 * 1024;
/// Offset and size of `struct __sk_buff` (`linux/bpf.h`), as far as a test run reads it.
const CONTEXT_BYTES: usize = 192;
const CONTEXT_IFINDEX: usize = 40;

/// What a program made of a packet.
#[derive(Debug)]
pub struct Outcome {
    /// The verdict on the packet.
    pub verdict: i32,
    /// The packet afterwards.
    pub packet: Vec<u8>,
    /// The mean time of one run.
    pub duration: Duration,
}

/// The loaded object.
#[derive(Debug)]
pub struct Programs {
    object: Object,
}

impl Programs {
    /// Loads the TC programs of headertap's object with a ring of `ring_bytes`.
    ///
    /// # Errors
    /// If the kernel refuses a program or a map: the test needs root.
    pub fn load(ring_bytes: u32) -> Result<Self> {
        let mut open = ObjectBuilder::default().open_memory(OBJECT)?;
        for mut map in open.maps_mut() {
            if map.name() == "events" {
                map.set_max_entries(ring_bytes)?;
            }
        }
        for mut program in open.progs_mut() {
            let is_tc = program.name().as_encoded_bytes().starts_with(b"tc_");
            program.set_autoload(is_tc);
        }
        let object = open.load().context("the kernel refuses the BPF programs (needs root)")?;
        Ok(Self { object })
    }

    /// The program of this name.
    ///
    /// # Panics
    /// If the object has none.
    #[must_use]
    pub fn program(&self, name: &str) -> ProgramMut<'_> {
        self.object.progs_mut().find(|program| program.name() == name).expect("the object has it")
    }

    /// The map of this name.
    ///
    /// # Panics
    /// If the object has none.
    #[must_use]
    pub fn map(&self, name: &str) -> MapImpl<'_> {
        self.object.maps().find(|map| map.name() == name).expect("the object has it")
    }

    /// Gives `frame` to a TC program as a packet of the interface `ifindex` (0: the loopback).
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn run(&self, name: &str, frame: &[u8], ifindex: u32) -> Result<Outcome> {
        run(&self.program(name), frame, ifindex, 1)
    }

    /// Takes every record that is in the ring.
    ///
    /// # Errors
    /// If the ring cannot be read.
    pub fn records(&self) -> Result<Vec<Vec<u8>>> {
        let records = RefCell::new(Vec::new());
        let mut builder = RingBufferBuilder::new();
        let events = self.map("events");
        builder.add(&events, |record| {
            records.borrow_mut().push(record.to_vec());
            0
        })?;
        builder.build()?.consume()?;
        Ok(records.take())
    }

    /// Writes what both directions of the flows with this index are known by.
    ///
    /// # Errors
    /// If the map cannot be written.
    pub fn set_flow(&self, index: u32, cells: &[u8]) -> Result<()> {
        Ok(self.map("flows").update(&index.to_ne_bytes(), cells, MapFlags::ANY)?)
    }

    /// The kernel side's own counters.
    ///
    /// # Errors
    /// If the map cannot be read.
    pub fn counters(&self) -> Result<capture::Counters> {
        capture::Counters::read(&self.map("counters"))
    }
}

/// Runs a TC program `repeat` times on one packet.
///
/// # Errors
/// If the kernel does not run it.
pub fn run(program: &ProgramMut<'_>, frame: &[u8], ifindex: u32, repeat: u32) -> Result<Outcome> {
    let mut context = [0; CONTEXT_BYTES];
    context[CONTEXT_IFINDEX..CONTEXT_IFINDEX + 4].copy_from_slice(&ifindex.to_ne_bytes());
    let mut after = vec![0; frame.len() + 256];
    let output = program.test_run(Input {
        context_in: Some(&mut context),
        data_in: Some(frame),
        data_out: Some(&mut after),
        repeat,
        ..Default::default()
    })?;
    let (verdict, duration) = (output.return_value.cast_signed(), output.duration);
    let length = output.data.map_or(0, |data| data.len());
    ensure!(length <= after.len(), "the packet has grown to {length} bytes");
    after.truncate(length);
    Ok(Outcome { verdict, packet: after, duration })
}

/// Loads an object of a single program, and gives it.
///
/// # Errors
/// If the kernel refuses it.
pub fn load_other(object: &[u8]) -> Result<Object> {
    Ok(ObjectBuilder::default().open_memory(object)?.load()?)
}
