//! Capture files, from bytes to records.
//!
//! An input is a control byte, and a file as it is or, with bit 0, a link type and a series of
//! frames, each behind the time since the one before and its length, which are made a file. Checked:
//! nothing panics or hangs; every packet, and everything that was told of, is in the account.

#![no_main]

use std::io::Cursor;
use std::sync::Arc;

use headertap::correlate::{Correlator, Found};
use headertap::event::Event;
use headertap::host::Host;
use headertap::export::text::Text;
use headertap::export::{Encoder, Item};
use headertap::flow::Timestamp;
use headertap::packet::LinkType;
use headertap::policy::Policy;
use headertap::replay::{Replay, Sink};
use headertap::stats::{Account, Outcome, Unit};
use libfuzzer_sys::fuzz_target;

const SECOND_NS: u64 = 1_000_000_000;

/// The stages behind a file, as the pipeline has them.
struct Stages {
    correlator: Correlator,
    found: Vec<Found>,
    policy: Policy,
    encoder: Encoder,
    text: Text,
    account: Arc<Account>,
    now: Timestamp,
}

impl Sink for Stages {
    fn event(&mut self, event: Event<'_>) -> bool {
        let at = match &event {
            Event::Segment(segment) => segment.at,
            Event::Datagram(datagram) => datagram.at,
            Event::Socket(_) => panic!("there are none in files"),
        };
        if at.since(self.now) > SECOND_NS {
            self.now = at;
            self.correlator.expire(at, &mut self.found);
        }
        match event {
            Event::Segment(segment) => {
                assert!(segment.payload.len() <= segment.len as usize);
                self.correlator.segment(&segment, at, &mut self.found);
            }
            Event::Datagram(datagram) => {
                assert!(datagram.payload.len() <= datagram.len as usize);
                self.correlator.datagram(&datagram, None, at, &mut self.found);
            }
            Event::Socket(_) => {}
        }
        self.give();
        true
    }

    fn idle(&mut self) -> bool {
        true
    }

    fn unread(&mut self, _: LinkType) {}
}

impl Stages {
    fn give(&mut self) {
        for found in std::mem::take(&mut self.found) {
            match found {
                Found::Verdict(..) => panic!("there is no kernel side"),
                Found::Connection(connection) => self.tell(Item::Connection(&connection)),
                Found::Lookup(lookup) => match self.policy.lookup(*lookup) {
                    Some(lookup) => self.tell(Item::Lookup(&lookup)),
                    None => self.account.settle(Unit::Dns, Outcome::Filtered, 1),
                },
                Found::Handshake(handshake) => match self.policy.handshake(*handshake) {
                    Some(handshake) => self.tell(Item::Handshake(&handshake)),
                    None => self.account.settle(Unit::Tls, Outcome::Filtered, 1),
                },
                Found::Exchange(exchange) => match self.policy.apply(*exchange) {
                    Some(exchange) => self.tell(Item::Exchange(&exchange)),
                    None => self.account.settle(Unit::Http, Outcome::Filtered, 1),
                },
            }
        }
    }

    fn tell(&mut self, item: Item<'_>) {
        let account = &self.account;
        assert!(self.text.lines(item).is_none_or(|lines| !lines.contains('\u{1b}')));
        self.encoder.encode(item, |record| {
            account.seen(Unit::LogRecords, record.tally.log_records);
            account.seen(Unit::Spans, record.tally.spans);
            account.settle_all(record.tally, Outcome::Exported);
        });
    }
}

/// A pcap file of frames.
fn pcap(link: u8, mut frames: &[u8]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, link, 0, 0, 0]);
    let mut seconds = 1_400_000_000_u32;
    while let [later, len, more, rest @ ..] = frames {
        let len = usize::from(*len) | usize::from(*more & 7) << 8;
        let (frame, rest) = rest.split_at(len.min(rest.len()));
        frames = rest;
        seconds = seconds.wrapping_add(u32::from(*later));
        let cut = frame.len() as u32 + u32::from(*more >> 3);
        for word in [seconds, 0, frame.len() as u32, cut] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

fuzz_target!(|data: &[u8]| {
    let [control, data @ ..] = data else { return };
    let file = match (control & 1, data) {
        (1, [link, frames @ ..]) => pcap(*link, frames),
        _ => data.to_vec(),
    };
    let account = Arc::new(Account::default());
    let mut stages = Stages {
        correlator: Correlator::new([0; 16], 1, Arc::clone(&account)),
        found: Vec::new(),
        policy: if control & 2 == 0 { Policy::safe() } else { Policy::all() },
        encoder: Encoder::new(&Host::default()),
        text: Text { headers: true, colour: false },
        account: Arc::clone(&account),
        now: Timestamp(0),
    };
    let mut replay = Replay::new(Arc::clone(&account));
    drop(replay.file(Box::new(Cursor::new(file)), &mut stages));
    replay.finish();
    stages.correlator.finish(stages.now, &mut stages.found);
    stages.give();
    for (name, row) in account.rows() {
        // Who takes events counts them.
        let is_events = ["segments", "datagrams"].contains(&name);
        assert!(is_events || row.pending() == 0, "{name}: {row:?}");
    }
});
