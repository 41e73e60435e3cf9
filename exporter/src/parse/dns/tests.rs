//! What messages say, and that nothing else is read into them.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, proptest};

use super::reader::Reader;
use super::{Error, Message, Source, Unreadable, message, rdata, strict_message};
use crate::dns::registry::type_name;
use crate::dns::{Extent, Record};

mod messages;

/// Type, RDATA and presentation form, as BIND's named-rrchecker 9.18 translates them; names are
/// written without their final dot.
const RDATA: &[(&str, u16, &str, &str)] = &[
    ("A", 1, "C0000201", "192.0.2.1"),
    ("AAAA", 28, "20010DB8000000000000000000000001", "2001:db8::1"),
    ("CNAME", 5, "03777777076578616D706C6503636F6D00", "www.example.com"),
    ("NS", 2, "036E7331076578616D706C6503636F6D00", "ns1.example.com"),
    ("PTR", 12, "04686F7374076578616D706C6500", "host.example"),
    ("DNAME", 39, "056F74686572076578616D706C6500", "other.example"),
    ("MX", 15, "000A046D61696C076578616D706C6503636F6D00", "10 mail.example.com"),
    (
        "SOA",
        6,
        "036E7331076578616D706C6503636F6D000A686F73746D6173746572076578616D706C6503636F6D0078C275F500001C2000000E10001275000000012C",
        "ns1.example.com hostmaster.example.com 2026010101 7200 3600 1209600 300",
    ),
    (
        "TXT",
        16,
        "0B763D73706631202D616C6C1161202271756F74656422205C2070617274",
        "\"v=spf1 -all\" \"a \\\"quoted\\\" \\\\ part\"",
    ),
    ("SRV", 33, "0000000513C403736970076578616D706C6503636F6D00", "0 5 5060 sip.example.com"),
    (
        "NAPTR",
        35,
        "0064000A0175074532552B7369701B215E2E2A24217369703A696E666F406578616D706C652E636F6D2100",
        "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .",
    ),
    ("HINFO", 13, "025043054C696E7578", "\"PC\" \"Linux\""),
    (
        "RP",
        17,
        "0561646D696E076578616D706C650003747874076578616D706C6500",
        "admin.example txt.example",
    ),
    ("AFSDB", 18, "000103616673076578616D706C6500", "1 afs.example"),
    ("KX", 36, "000A026B78076578616D706C6500", "10 kx.example"),
    ("CERT", 37, "000130390801020304", "1 12345 8 AQIDBA=="),
    (
        "DS",
        43,
        "EC4505012BB183AF5F22588179A53B0A98631FAD1A292118",
        "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
    ),
    ("CDS", 59, "0000000000", "0 0 0 00"),
    (
        "SSHFP",
        44,
        "04020123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
        "4 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
    ),
    (
        "RRSIG",
        46,
        "0001050300015180714646D7711EB9D70A52076578616D706C6503636F6D00A090755BA58D1AFFA576F4375831B4310920E481218D18A9",
        "A 5 3 86400 20300322173103 20300220173103 2642 example.com oJB1W6WNGv+ldvQ3WDG0MQkg5IEhjRip",
    ),
    (
        "NSEC",
        47,
        "04686F7374076578616D706C6503636F6D000006400100000003041B000000000000000000000000000000000000000000000000000020",
        "host.example.com A MX RRSIG NSEC TYPE1234",
    ),
    (
        "DNSKEY",
        48,
        "010003050103D22A6CA77F35B893206FD35E4C506D8378843709B97E",
        "256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3Cbl+",
    ),
    ("CDNSKEY", 60, "0000030000", "0 3 0 AA=="),
    (
        "DHCID",
        49,
        "000201636FC0B8271C82825BB1AC5C41CF5351AA69B4FEBD94E8F17CDB95000DA48C40",
        "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
    ),
    (
        "NSEC3",
        50,
        "0101000C04AABBCCDD14174EB2409FE28BCB4887A1836F957F0A8425E27B000722010000000290",
        "1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS SOA MX RRSIG DNSKEY NSEC3PARAM",
    ),
    ("NSEC3PARAM", 51, "0100000C00", "1 0 12 -"),
    (
        "TLSA",
        52,
        "030101D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971",
        "3 1 1 D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971",
    ),
    (
        "SMIMEA",
        53,
        "030101D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971",
        "3 1 1 D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971",
    ),
    ("OPENPGPKEY", 61, "01020304", "AQIDBA=="),
    ("CSYNC", 62, "000000420003000460000008", "66 3 A NS AAAA"),
    (
        "ZONEMD",
        63,
        "7848B78C0101FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE7EB1A7B641A47BA7FED2DD5B97AE499FAFA4F22C6BD647DE",
        "2018031500 1 1 FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE7EB1A7B641A47BA7FED2DD5B97AE499FAFA4F22C6BD647DE",
    ),
    (
        "SVCB",
        64,
        "001003666F6F076578616D706C6503636F6D000000000400010004000100090268320568332D313900040004C0000201",
        "16 foo.example.com mandatory=alpn,ipv4hint alpn=h2,h3-19 ipv4hint=192.0.2.1",
    ),
    (
        "HTTPS",
        65,
        "000100000100060268330268320003000220FB00040008C0000201C0000202000500060045FE0D00410006001020010DB8000000000000000000000001",
        "1 . alpn=h3,h2 port=8443 ipv4hint=192.0.2.1,192.0.2.2 ech=AEX+DQBB ipv6hint=2001:db8::1",
    ),
    ("HTTPS", 65, "000005616C696173076578616D706C6500", "0 alias.example"),
    ("EUI48", 108, "00005E00532A", "00-00-5e-00-53-2a"),
    ("EUI64", 109, "00005EEF1000002A", "00-00-5e-ef-10-00-00-2a"),
    (
        "URI",
        256,
        "000A00016674703A2F2F667470312E6578616D706C652E636F6D2F7075626C6963",
        "10 1 \"ftp://ftp1.example.com/public\"",
    ),
    (
        "CAA",
        257,
        "8005697373756563612E6578616D706C652E6E65743B206163636F756E743D323330313233",
        "128 issue \"ca.example.net; account=230123\"",
    ),
    ("PX", 26, "000A0161076578616D706C65000162076578616D706C6500", "10 a.example b.example"),
    ("LP", 107, "000A036C3634076578616D706C6500", "10 l64.example"),
    ("SPF", 99, "0B763D73706631202D616C6C", "\"v=spf1 -all\""),
];

fn octets(hexadecimal: &str) -> Vec<u8> {
    data_encoding::HEXUPPER.decode(hexadecimal.as_bytes()).expect("the test has hexadecimal digits")
}

fn presented(rtype: u16, class: u16, data: &[u8]) -> (String, bool) {
    let mut text = String::new();
    let result = rdata::push(&mut text, rtype, class, &Reader::new(data));
    (text, result.is_ok())
}

#[test]
fn data_is_written_as_its_type_is_written() {
    for (name, rtype, data, text) in RDATA {
        assert_eq!(type_name(*rtype), *name);
        assert_eq!(presented(*rtype, 1, &octets(data)), ((*text).to_owned(), true), "{name}");
    }
}

/// Neither a shorter nor a longer piece is what the type says, but where the last field goes to
/// the end or ends of itself.
#[test]
fn data_cut_short_is_written_as_data_or_says_less() {
    for (name, rtype, data, _) in RDATA {
        let data = octets(data);
        for cut in 0..data.len() {
            let (text, is_ok) = presented(*rtype, 1, &data[..cut]);
            assert_eq!(is_ok, !text.starts_with("\\#"), "{name} cut at {cut}: {text}");
        }
    }
}

#[test]
fn data_of_a_type_that_is_not_known_is_written_as_octets() {
    assert_eq!(presented(65280, 1, &[1, 0xab]), ("\\# 2 01AB".to_owned(), true));
    assert_eq!(presented(65280, 1, &[]), ("\\# 0".to_owned(), true));
}

#[test]
fn data_that_is_not_as_its_type_says_is_written_as_octets() {
    for (rtype, data) in [
        (1, "C00002"),                              // three octets of four
        (1, "C000020101"),                          // five
        (16, "05616263"),                           // a string longer than the data
        (47, "00000241"),                           // a bitmap that lacks
        (47, "0000000000"),                         // a bitmap of no octet
        (47, "00010140000140"),                     // windows out of order
        (64, "00010000030002"),                     // a parameter without its value
        (64, "0001000003000201BB0001000302683200"), // keys out of order
        (15, "000A03616263"),                       // a name without its end
    ] {
        let (text, is_ok) = presented(rtype, 1, &octets(data));
        assert_eq!(text, format!("\\# {} {data}", data.len() / 2), "type {rtype}");
        assert!(!is_ok, "type {rtype}");
    }
}

#[test]
fn an_update_may_name_records_without_data() {
    assert_eq!(presented(1, 255, &[]), (String::new(), true));
    assert_eq!(presented(1, 1, &[]), ("\\# 0".to_owned(), false));
}

#[test]
fn an_address_of_chaos_is_none_of_the_internet() {
    assert_eq!(presented(1, 3, &[192, 0, 2, 1]), ("\\# 4 C0000201".to_owned(), true));
}

/// 106 years of days, against a calendar that counts otherwise.
#[test]
fn every_day_of_a_signature_has_its_date() {
    let mut day = 0_u32;
    for year in 1970..2106 {
        for month in 1..=12 {
            let days = match month {
                4 | 6 | 9 | 11 => 30,
                2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
                2 => 28,
                _ => 31,
            };
            for day_of_month in 1..=days {
                let mut data = octets("0001050300015180");
                data.extend((day * 86_400 + 86_399).to_be_bytes());
                data.extend([0; 6]);
                data.extend([0, 1]); // the root signs, with one octet
                let (text, _) = presented(46, 1, &data);
                let date = format!("{year}{month:02}{day_of_month:02}235959");
                assert_eq!(text.split(' ').nth(4), Some(date.as_str()), "day {day}");
                day += 1;
            }
        }
    }
}

/// Else a message that was captured in part would tell other names than the whole.
#[test]
fn a_pointer_leads_to_a_name_that_ends_before_the_one_it_is_part_of() {
    let message = [&[0; 12], b"\x02ab\xc0\x0c".as_slice()].concat();
    let mut reader = Reader::new(&message);
    reader.take(15).expect("the name begins there");
    assert_eq!(reader.name(&mut String::new()), Err(Error::Malformed));
}
