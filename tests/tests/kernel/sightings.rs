//! The same packet on several interfaces is one record; whoever sees new bytes first goes on.

use anyhow::Result;
use e2e::packets::{ACK, FIN, Packet, SYN};

use super::wire::Wire;
use super::{ANSWER, COPY_WINDOW, HEAD, Kernel, head, payload};

/// Two interfaces, and the programs on the one or the other.
struct Two {
    kernel: Kernel,
    one: u32,
    other: u32,
}

impl Two {
    fn on<T>(&mut self, ifindex: u32, work: impl FnOnce(&Kernel) -> T) -> T {
        self.kernel.ifindex = ifindex;
        work(&self.kernel)
    }

    fn one(&mut self, packet: &Packet) -> Result<usize> {
        let ifindex = self.one;
        self.on(ifindex, |kernel| Ok(kernel.packet(packet)?.len()))
    }

    fn other(&mut self, packet: &Packet) -> Result<usize> {
        let ifindex = self.other;
        self.on(ifindex, |kernel| Ok(kernel.packet(packet)?.len()))
    }
}

/// Runs a test on two real interfaces: a test run takes no other index.
fn between_two(test: impl FnOnce(&mut Two) -> Result<()> + Send) -> Result<()> {
    Wire::with(|wire| test(&mut Two { kernel: Kernel::new()?, one: wire.near, other: wire.far }))
}

#[test]
fn a_packet_on_a_second_interface_is_not_sent_again() -> Result<()> {
    between_two(|two| {
        let syn = Packet { flags: SYN, seq: 999, ..head().answer(b"").answer(b"") };
        for packet in [syn, head(), head().next(&payload(700)), head().answer(ANSWER)] {
            assert_eq!(two.one(&packet)?, 1, "the first sighting of {packet:?}");
            assert_eq!(two.other(&packet)?, 0, "the second sighting of {packet:?}");
        }
        Ok(())
    })
}

#[test]
fn a_second_sighting_after_the_first_has_moved_on_is_not_sent_again() -> Result<()> {
    between_two(|two| {
        let (first, second) = (head(), head().next(HEAD));
        assert_eq!(two.one(&first)? + two.one(&second)?, 2);
        assert_eq!(two.other(&first)? + two.other(&second)?, 0);
        Ok(())
    })
}

#[test]
fn the_other_hook_of_the_same_interface_is_a_second_sighting() -> Result<()> {
    between_two(|two| {
        assert_eq!(two.one(&head())?, 1);
        two.kernel.program = "tc_ingress";
        assert_eq!(two.one(&head())?, 0);
        Ok(())
    })
}

#[test]
fn new_bytes_on_a_second_interface_take_the_direction_over() -> Result<()> {
    between_two(|two| {
        let (first, second) = (head(), head().next(HEAD));
        let third = second.next(HEAD);
        assert_eq!(two.one(&first)?, 1);
        assert_eq!(two.other(&second)?, 1, "the route has changed");
        assert_eq!(two.one(&second)?, 0, "the old interface sees it second");
        assert_eq!(two.other(&third)?, 1);
        assert_eq!(two.other(&Packet { flags: FIN | ACK, ..third.next(b"") })?, 1);
        Ok(())
    })
}

#[test]
fn a_retransmit_on_the_owning_interface_is_sent_again() -> Result<()> {
    between_two(|two| {
        assert_eq!(two.one(&head())? + two.one(&head())?, 2);
        Ok(())
    })
}

/// While a direction is closed nobody keeps count of its bytes, which may be more than 2 GiB.
#[test]
fn a_change_of_route_after_3_gib_unseen_is_followed() -> Result<()> {
    between_two(|two| {
        let request = head();
        let answer = request.answer(ANSWER);
        two.one(&request)?;
        two.one(&answer)?;
        let closing = Packet { seq: answer.seq + COPY_WINDOW, ..answer.clone() };
        assert_eq!(two.one(&closing)?, 0, "the window has ended");
        let ack = answer.end().wrapping_add(3 << 30);
        let second = Packet { ack, seq: request.end(), ..head() };
        assert_eq!(two.one(&second)?, 1);
        assert_eq!(two.other(&second.answer(ANSWER))?, 1);
        Ok(())
    })
}
