//! Service parameters of SVCB and HTTPS records (RFC 9460 section 2, appendix A).

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::BASE64;

use super::Error;
use super::rdata::NEVER_FAILS;
use super::reader::Reader;
use super::text::push_bare;

/// Appends the parameters; their keys are in strictly rising order.
pub(super) fn push_parameters(text: &mut String, data: &mut Reader<'_>) -> Result<(), Error> {
    let mut previous = None;
    while data.left() > 0 {
        let key = data.u16()?;
        let len = data.u16()?;
        let mut value = data.part(len.into())?;
        if let Some(previous) = previous {
            if key <= previous {
                return Err(Error::Malformed);
            }
            text.push(' ');
        }
        previous = Some(key);
        push_key(text, key);
        push_value(text, key, &mut value)?;
        if value.left() > 0 {
            return Err(Error::Malformed);
        }
    }
    Ok(())
}

fn push_key(text: &mut String, key: u16) {
    text.push_str(match key {
        0 => "mandatory",
        1 => "alpn",
        2 => "no-default-alpn",
        3 => "port",
        4 => "ipv4hint",
        5 => "ech",
        6 => "ipv6hint",
        7 => "dohpath",
        8 => "ohttp",
        _ => return write!(text, "key{key}").expect(NEVER_FAILS),
    });
}

fn push_value(text: &mut String, key: u16, value: &mut Reader<'_>) -> Result<(), Error> {
    if value.left() > 0 {
        text.push('=');
    }
    match key {
        0 => push_list(text, value, |text, value| {
            push_key(text, value.u16()?);
            Ok(())
        }),
        1 => push_list(text, value, |text, value| push_protocol(text, value.string()?)),
        2 | 8 => Ok(()), // no value: what is left tells
        3 => {
            write!(text, "{}", value.u16()?).expect(NEVER_FAILS);
            Ok(())
        }
        4 => push_list(text, value, |text, value| {
            write!(text, "{}", Ipv4Addr::from(value.array::<4>()?)).expect(NEVER_FAILS);
            Ok(())
        }),
        5 => {
            BASE64.encode_append(value.rest(), text);
            Ok(())
        }
        6 => push_list(text, value, |text, value| {
            write!(text, "{}", Ipv6Addr::from(value.array::<16>()?)).expect(NEVER_FAILS);
            Ok(())
        }),
        _ => {
            push_bare(text, value.rest());
            Ok(())
        }
    }
}

/// A list that is not empty, with commas.
fn push_list<'a>(
    text: &mut String,
    value: &mut Reader<'a>,
    mut push: impl FnMut(&mut String, &mut Reader<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    push(text, value)?;
    while value.left() > 0 {
        text.push(',');
        push(text, value)?;
    }
    Ok(())
}

/// A comma or a backslash in an ALPN id is escaped in the list, and that escape once more in the
/// character-string (RFC 9460 section 7.1.1).
fn push_protocol(text: &mut String, id: &[u8]) -> Result<(), Error> {
    if id.is_empty() {
        return Err(Error::Malformed);
    }
    for byte in id {
        if matches!(byte, b',' | b'\\') {
            push_bare(text, b"\\");
        }
        push_bare(text, &[*byte]);
    }
    Ok(())
}
