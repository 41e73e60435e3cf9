//! RDATA: what a record says, in the presentation form of the RFC that defines its type.
//!
//! A type is a row of fields; data that does not consist of exactly these fields is malformed and
//! is written as if its type were not known (RFC 3597 section 5), so that nothing is guessed.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE32HEX_NOPAD, BASE64, HEXUPPER};

use crate::dns::registry::type_name;

use super::Error;
use super::reader::Reader;
use super::svcb::push_parameters;
use super::text::{push_bare, push_quoted};

/// Why writing into a `String` is not checked further.
pub(super) const NEVER_FAILS: &str = "a String takes everything";

const CLASS_CH: u16 = 3;
/// In an update, data of these classes may lack (RFC 2136 section 2.4).
const CLASSES_OF_UPDATE: std::ops::RangeInclusive<u16> = 254..=255;

/// A part of RDATA.
#[derive(Debug, Clone, Copy)]
enum Field {
    U8,
    U16,
    U32,
    /// Seconds since 1970, as a date (RFC 4034 section 3.2).
    Time,
    V4,
    V6,
    Name,
    /// A type's name.
    Type,
    /// A character-string.
    String,
    /// Character-strings to the end, at least one.
    Strings,
    /// Octets to the end, in quotation marks.
    Quoted,
    /// A length octet and as many octets, as they are (RFC 8659 section 4.1).
    Tag,
    /// Octets to the end.
    Hex,
    Base64,
    /// Octets to the end, with a hyphen between any two (RFC 7043 section 3.2).
    Hyphens,
    /// A length octet and as many octets; a hyphen for none (RFC 5155 section 3.3).
    Salt,
    Hash,
    /// The types in a bitmap (RFC 4034 section 4.1.2).
    Types,
    /// Service parameters (RFC 9460 section 2.2).
    Parameters,
}

/// What RDATA of a type consists of.
fn fields(rtype: u16) -> Option<&'static [Field]> {
    use Field::{
        Base64, Hash, Hex, Hyphens, Name, Parameters, Quoted, Salt, String, Strings, Tag, Time,
        Type, Types, U8, U16, U32, V4, V6,
    };
    Some(match rtype {
        1 => &[V4],
        28 => &[V6],
        2..=5 | 7..=9 | 12 | 23 | 39 => &[Name], // NS MD MF CNAME MB MG MR PTR NSAP-PTR DNAME
        6 => &[Name, Name, U32, U32, U32, U32, U32], // SOA
        14 | 17 => &[Name, Name],                // MINFO RP
        15 | 18 | 21 | 36 | 107 => &[U16, Name], // MX AFSDB RT KX LP
        13 => &[String, String],                 // HINFO
        16 | 19 | 20 | 56 | 99 | 258 | 261 | 262 => &[Strings], // TXT X25 ISDN NINFO SPF AVC ...
        24 | 46 => &[Type, U8, U8, U32, Time, Time, U16, Name, Base64], // SIG RRSIG
        25 | 48 | 57 | 60 => &[U16, U8, U8, Base64], // KEY DNSKEY RKEY CDNSKEY
        26 => &[U16, Name, Name],                // PX
        33 => &[U16, U16, U16, Name],            // SRV
        35 => &[U16, U16, String, String, String, Name], // NAPTR
        37 => &[U16, U16, U8, Base64],           // CERT
        43 | 59 | 32768 | 32769 => &[U16, U8, U8, Hex], // DS CDS TA DLV
        44 => &[U8, U8, Hex],                    // SSHFP
        47 => &[Name, Types],                    // NSEC
        49 | 61 => &[Base64],                    // DHCID OPENPGPKEY
        50 => &[U8, U8, U16, Salt, Hash, Types], // NSEC3
        51 => &[U8, U8, U16, Salt],              // NSEC3PARAM
        52 | 53 => &[U8, U8, U8, Hex],           // TLSA SMIMEA
        62 => &[U32, U16, Types],                // CSYNC
        63 => &[U32, U8, U8, Hex],               // ZONEMD
        64 | 65 => &[U16, Name, Parameters],     // SVCB HTTPS
        108 | 109 => &[Hyphens],                 // EUI48 EUI64
        256 => &[U16, U16, Quoted],              // URI
        257 => &[U8, Tag, Quoted],               // CAA
        _ => return None,
    })
}

/// Appends what `data` says, in presentation form.
///
/// # Errors
/// If it does not say what its type demands; what is appended is then the generic form.
pub(super) fn push(
    text: &mut String,
    rtype: u16,
    class: u16,
    data: &Reader<'_>,
) -> Result<(), Error> {
    if data.left() == 0 && CLASSES_OF_UPDATE.contains(&class) {
        return Ok(());
    }
    // Addresses of CHAOS are other than those of the Internet (RFC 1035 section 3.4.1).
    let is_foreign = class == CLASS_CH && matches!(rtype, 1 | 28);
    let Some(fields) = fields(rtype).filter(|_| !is_foreign) else {
        push_generic(text, data.clone().rest());
        return Ok(());
    };
    let start = text.len();
    let mut reader = data.clone();
    let result = push_fields(text, fields, &mut reader);
    if result.is_ok() && reader.left() == 0 {
        return Ok(());
    }
    text.truncate(start);
    push_generic(text, data.clone().rest());
    Err(Error::Malformed)
}

/// The form of a type that is not known (RFC 3597 section 5).
fn push_generic(text: &mut String, data: &[u8]) {
    write!(text, "\\# {}", data.len()).expect(NEVER_FAILS);
    if !data.is_empty() {
        text.push(' ');
        HEXUPPER.encode_append(data, text);
    }
}

fn push_fields(text: &mut String, fields: &[Field], data: &mut Reader<'_>) -> Result<(), Error> {
    for (index, field) in fields.iter().enumerate() {
        let may_lack = !matches!(field, Field::Quoted | Field::Strings);
        if index > 0 && !(may_lack && data.left() == 0) {
            text.push(' ');
        }
        push_field(text, *field, data)?;
    }
    Ok(())
}

fn push_field(text: &mut String, field: Field, data: &mut Reader<'_>) -> Result<(), Error> {
    match field {
        Field::U8 => push_number(text, data.u8()?.into()),
        Field::U16 => push_number(text, data.u16()?.into()),
        Field::U32 => push_number(text, data.u32()?),
        Field::Time => push_time(text, data.u32()?),
        Field::V4 => {
            write!(text, "{}", Ipv4Addr::from(data.array::<4>()?)).expect(NEVER_FAILS);
        }
        Field::V6 => {
            write!(text, "{}", Ipv6Addr::from(data.array::<16>()?)).expect(NEVER_FAILS);
        }
        Field::Name => data.name(text)?,
        Field::Type => text.push_str(&type_name(data.u16()?)),
        Field::String => push_quoted(text, data.string()?),
        Field::Strings => push_strings(text, data)?,
        Field::Quoted => push_quoted(text, data.rest()),
        Field::Tag => push_bare(text, data.string()?),
        Field::Hex => HEXUPPER.encode_append(data.rest(), text),
        Field::Base64 => BASE64.encode_append(data.rest(), text),
        Field::Hyphens => push_hyphens(text, data.rest()),
        Field::Salt => push_salt(text, data.string()?),
        Field::Hash => BASE32HEX_NOPAD.encode_append(data.string()?, text),
        Field::Types => push_types(text, data)?,
        Field::Parameters => push_parameters(text, data)?,
    }
    Ok(())
}

fn push_number(text: &mut String, number: u32) {
    write!(text, "{number}").expect(NEVER_FAILS);
}

fn push_strings(text: &mut String, data: &mut Reader<'_>) -> Result<(), Error> {
    push_quoted(text, data.string()?);
    while data.left() > 0 {
        text.push(' ');
        push_quoted(text, data.string()?);
    }
    Ok(())
}

fn push_hyphens(text: &mut String, octets: &[u8]) {
    for (index, octet) in octets.iter().enumerate() {
        let hyphen = if index > 0 { "-" } else { "" };
        write!(text, "{hyphen}{octet:02x}").expect(NEVER_FAILS);
    }
}

fn push_salt(text: &mut String, salt: &[u8]) {
    if salt.is_empty() {
        text.push('-');
    }
    HEXUPPER.encode_append(salt, text);
}

/// Windows of 256 types in rising order, each with a bitmap of 1 to 32 octets.
fn push_types(text: &mut String, data: &mut Reader<'_>) -> Result<(), Error> {
    let mut previous = None;
    let mut between = "";
    while data.left() > 0 {
        let window = data.u8()?;
        let bitmap = data.string()?;
        if previous.is_some_and(|previous| window <= previous) || !(1..=32).contains(&bitmap.len())
        {
            return Err(Error::Malformed);
        }
        previous = Some(window);
        for low in 0..=u8::MAX {
            let octet = bitmap.get(usize::from(low / 8)).copied().unwrap_or(0);
            if octet & 0x80 >> (low % 8) != 0 {
                text.push_str(between);
                text.push_str(&type_name(u16::from_be_bytes([window, low])));
                between = " ";
            }
        }
    }
    Ok(())
}

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// `YYYYMMDDHHmmSS` in UTC (RFC 4034 section 3.2), of the 136 years from 1970 on.
fn push_time(text: &mut String, seconds: u32) {
    let (mut year, mut day) = (1970, seconds / DAY);
    while day >= days_of_year(year) {
        day -= days_of_year(year);
        year += 1;
    }
    let mut month = 1;
    while day >= days_of_month(year, month) {
        day -= days_of_month(year, month);
        month += 1;
    }
    let (hour, minute) = (seconds % DAY / HOUR, seconds % HOUR / MINUTE);
    write!(text, "{year:04}{month:02}{:02}{hour:02}{minute:02}{:02}", day + 1, seconds % MINUTE)
        .expect(NEVER_FAILS);
}

/// Every fourth year is a leap year from 1970 to 2106, but for 2100.
fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && year != 2100
}

fn days_of_year(year: u32) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
