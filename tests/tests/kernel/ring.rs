//! A full ring: what is lost is counted exactly, and what is not lost is whole.

use anyhow::Result;
use e2e::packets::Packet;
use e2e::programs::run;

use super::{HEAD, Kernel, head, payload};

const SMALL_RING_BYTES: u32 = 64 * 1024;
const ROUNDS: u32 = 1000;

#[test]
fn a_full_ring_counts_exactly_what_it_lost() -> Result<()> {
    let kernel = Kernel::with_ring(SMALL_RING_BYTES)?;
    for (round, len) in (1..).zip([30, 400, 1000, 1900]) {
        let packet = Packet { payload: payload(len), ..head() };
        let before = kernel.programs.counters()?;
        run(&kernel.programs.program("tc_egress"), &packet.frame(), 0, ROUNDS)?;
        let counters = kernel.programs.counters()?;
        let captured = kernel.captured()?;
        assert_eq!(counters.segments_seen, round * u64::from(ROUNDS), "{len} bytes");
        let lost = counters.segments_ringbuf_full - before.segments_ringbuf_full;
        assert!(lost > 0, "{len} bytes fill the ring");
        assert_eq!(captured.len() as u64 + lost, u64::from(ROUNDS), "{len} bytes");
        assert!(captured.iter().all(|segment| segment.payload == packet.payload), "{len} bytes");
        assert_eq!(counters.segments_not_loaded, 0);
    }
    assert_eq!(kernel.bytes(&head())?, HEAD.len(), "an emptied ring takes records again");
    Ok(())
}
