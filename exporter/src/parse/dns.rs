//! DNS messages (RFC 1035 section 4): the bytes of one message in, one [`Message`] out.
//!
//! Owns the header, questions, the answers' presentation form and EDNS. Authority and additional
//! records are walked over, for their lengths must be true as well. Does not own which port or
//! transport a message came by.
//!
//! Two measures, as for HTTP: [`message`] takes what a resolver's port brings and says how much of
//! it could be read; [`strict_message`] is for bytes that may be anything, and takes only what is
//! DNS beyond doubt.

mod frames;
mod rdata;
mod reader;
mod svcb;
mod text;

use crate::dns::registry::is_known_type;
use crate::dns::{Edns, Extent, Flags, Message, Question, Record};

use reader::Reader;

pub use frames::{Frames, begins_message, first_bytes};

/// Questions that are kept of a message; more than one are multicast DNS, or nobody's.
const QUESTIONS_MAX: usize = 64;
/// Answers that are kept of a message.
const ANSWERS_MAX: usize = 128;
/// Text of names and data that is kept of a message.
const TEXT_MAX_BYTES: usize = 32 * 1024;
/// EDNS options that are kept of a message.
const OPTIONS_MAX: usize = 32;

const TYPE_OPT: u16 = 41;
const OPTION_EXTENDED_ERROR: u16 = 15;
/// The top bit of a class in multicast DNS (RFC 6762 sections 5.4 and 10.2).
const CLASS_TOP_BIT: u16 = 0x8000;

/// Why the next part of a message was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Error {
    /// It ends behind the bytes there are.
    Short,
    /// It breaks the rules.
    Malformed,
}

/// A message whose header and questions, or whose first record, cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The rest of it was not captured.
    #[error("too little of the message was captured")]
    NotCaptured,
    /// It breaks the rules, so it may be no DNS.
    #[error("it is no DNS message")]
    Malformed,
}

/// Where a message came from, as far as that changes how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// How many bytes the message has, captured or not.
    pub len: u32,
    /// Classes have a bit of multicast DNS.
    pub is_multicast: bool,
}

/// Reads a message that came by a port of DNS.
///
/// # Errors
/// If not even what is asked could be read.
pub fn message(captured: &[u8], source: Source) -> Result<Message, Unreadable> {
    let (message, reader) = read(captured, source)?;
    // A header alone says something only where nothing is behind it.
    let says_nothing = message.counts == [0; 4] && reader.left() > 0;
    if says_nothing { Err(Unreadable::Malformed) } else { Ok(message) }
}

/// Reads a message that came by any port; `None` if it may be something else.
#[must_use]
pub fn strict_message(bytes: &[u8]) -> Option<Message> {
    let len = u32::try_from(bytes.len()).ok()?;
    let (message, reader) = read(bytes, Source { len, is_multicast: false }).ok()?;
    let is_whole = message.extent == Extent::Whole && reader.left() == 0;
    (is_whole && is_plausible(&message)).then_some(message)
}

/// Whether a header may begin a message, whatever follows: cheap, and wrong for few messages.
#[must_use]
pub fn may_begin(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let Ok(header) = read_header(&mut reader) else { return false };
    has_plausible_header(&header)
}

fn has_plausible_header(message: &Message) -> bool {
    let Message { flags, counts: [questions, answers, authority, additional], .. } = *message;
    let is_used = matches!(flags.opcode(), 0 | 4 | 5) && flags.0 & Flags::Z == 0;
    // Bits that only a response sets: AA, RA and the code.
    let asks = flags.0 & 0x0480 == 0 && flags.rcode() == 0;
    let asks_only = flags.opcode() != 0 || answers == 0 && authority <= 1 && additional <= 2;
    is_used && questions == 1 && (flags.is_response() || asks && asks_only)
}

fn is_plausible(message: &Message) -> bool {
    let is_asked = |question: &Question| {
        is_known_type(question.rtype) && matches!(question.class, 1 | 3 | 4 | 254 | 255)
    };
    has_plausible_header(message) && message.questions.iter().all(is_asked)
}

/// The message, and the reader behind it.
fn read(captured: &[u8], source: Source) -> Result<(Message, Reader<'_>), Unreadable> {
    let is_cut = u32::try_from(captured.len()).is_ok_and(|len| len < source.len);
    let unreadable = |error| match error {
        Error::Short if is_cut => Unreadable::NotCaptured,
        Error::Short | Error::Malformed => Unreadable::Malformed,
    };
    let mut reader = Reader::new(captured);
    let mut message = read_header(&mut reader).map_err(unreadable)?;
    message.size = source.len;
    let mut sections =
        Sections { message, left: TEXT_MAX_BYTES, is_multicast: source.is_multicast };
    sections.questions(&mut reader).map_err(unreadable)?;
    let records = sections.records(&mut reader);
    let mut message = sections.message;
    if let Err(error) = records {
        if message.questions.is_empty() && message.answers.is_empty() {
            return Err(unreadable(error));
        }
        message.extent = match unreadable(error) {
            Unreadable::NotCaptured => Extent::Captured,
            Unreadable::Malformed => Extent::Malformed,
        };
    }
    Ok((message, reader))
}

fn read_header(reader: &mut Reader<'_>) -> Result<Message, Error> {
    let id = reader.u16()?;
    let flags = Flags(reader.u16()?);
    let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    Ok(Message { id, flags, counts, ..Message::default() })
}

/// What follows the header, on its way into the message.
struct Sections {
    message: Message,
    /// How much more text may be kept.
    left: usize,
    is_multicast: bool,
}

/// What all records begin with.
struct Head {
    name: String,
    rtype: u16,
    class: u16,
    ttl: u32,
}

impl Sections {
    fn questions(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let [count, ..] = self.message.counts;
        for _ in 0..count {
            let mut name = String::new();
            reader.name(&mut name)?;
            let rtype = reader.u16()?;
            let (class, wants_unicast) = self.class(reader.u16()?);
            if self.message.questions.len() < QUESTIONS_MAX && self.fits(name.len()) {
                self.message.questions.push(Question { name, rtype, class, wants_unicast });
            }
        }
        Ok(())
    }

    fn records(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let [_, answers, authority, additional] = self.message.counts;
        let mut result = Ok(());
        for _ in 0..answers {
            let (head, data) = read_record(reader)?;
            result = result.and(self.answer(head, &data));
        }
        for _ in 0..authority {
            read_record(reader)?;
        }
        for _ in 0..additional {
            let (head, data) = read_record(reader)?;
            if head.rtype == TYPE_OPT {
                result = result.and(self.options(&head, data));
            }
        }
        result
    }

    /// Keeps the answer if all before it were kept.
    fn answer(&mut self, head: Head, data: &Reader<'_>) -> Result<(), Error> {
        let (class, flushes_cache) = self.class(head.class);
        let Head { name, rtype, ttl, .. } = head;
        if self.message.answers.len() == ANSWERS_MAX || self.left == 0 {
            return Ok(());
        }
        let mut text = String::new();
        let result = rdata::push(&mut text, rtype, class, data);
        if self.fits(name.len() + text.len()) {
            let record = Record { name, rtype, class, flushes_cache, ttl, data: text };
            self.message.answers.push(record);
        }
        result
    }

    /// Whether that much text fits; from the first that does not, none does.
    fn fits(&mut self, len: usize) -> bool {
        let left = self.left.checked_sub(len);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    fn class(&self, class: u16) -> (u16, bool) {
        if self.is_multicast {
            (class & !CLASS_TOP_BIT, class & CLASS_TOP_BIT != 0)
        } else {
            (class, false)
        }
    }

    /// The OPT record (RFC 6891 section 6.1): there is one at most, and its name is the root.
    fn options(&mut self, head: &Head, mut data: Reader<'_>) -> Result<(), Error> {
        if head.name != "." || self.message.edns.is_some() {
            return Err(Error::Malformed);
        }
        let [extended_rcode, version, flags, _] = head.ttl.to_be_bytes();
        let edns = self.message.edns.insert(Edns {
            udp_size: head.class,
            extended_rcode,
            version,
            dnssec_ok: flags & 0x80 != 0,
            ..Edns::default()
        });
        while data.left() > 0 {
            let code = data.u16().map_err(|_| Error::Malformed)?;
            let len = data.u16().map_err(|_| Error::Malformed)?;
            let mut value = data.part(len.into()).map_err(|_| Error::Malformed)?;
            if edns.options.len() < OPTIONS_MAX {
                edns.options.push(code);
                edns.errors.extend(value.u16().ok().filter(|_| code == OPTION_EXTENDED_ERROR));
            }
        }
        Ok(())
    }
}

fn read_record<'a>(reader: &mut Reader<'a>) -> Result<(Head, Reader<'a>), Error> {
    let mut name = String::new();
    reader.name(&mut name)?;
    let head = Head { name, rtype: reader.u16()?, class: reader.u16()?, ttl: reader.u32()? };
    let len = reader.u16()?;
    let data = reader.part(len.into())?;
    Ok((head, data))
}

#[cfg(test)]
mod tests;
