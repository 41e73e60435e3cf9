//! What the numbers of DNS are called (IANA, Domain Name System Parameters).
//!
//! A number without a name is written so that the number can be read back: `TYPE65280`,
//! `CLASS32` (RFC 3597 section 5), `OPCODE3`, `RCODE12`, `OPTION65001`.

use std::borrow::Cow;

/// The name of a resource record's type.
#[must_use]
pub fn type_name(rtype: u16) -> Cow<'static, str> {
    named(known_type(rtype), "TYPE", rtype)
}

/// The name of a class.
#[must_use]
pub fn class_name(class: u16) -> Cow<'static, str> {
    let name = match class {
        1 => Some("IN"),
        3 => Some("CH"),
        4 => Some("HS"),
        254 => Some("NONE"),
        255 => Some("ANY"),
        _ => None,
    };
    named(name, "CLASS", class)
}

/// The name of a kind of query.
#[must_use]
pub fn opcode_name(opcode: u8) -> Cow<'static, str> {
    let name = match opcode {
        0 => Some("QUERY"),
        1 => Some("IQUERY"),
        2 => Some("STATUS"),
        4 => Some("NOTIFY"),
        5 => Some("UPDATE"),
        6 => Some("DSO"),
        _ => None,
    };
    named(name, "OPCODE", u16::from(opcode))
}

/// The name of a response code.
#[must_use]
pub fn rcode_name(rcode: u16) -> Cow<'static, str> {
    let name = match rcode {
        0 => Some("NOERROR"),
        1 => Some("FORMERR"),
        2 => Some("SERVFAIL"),
        3 => Some("NXDOMAIN"),
        4 => Some("NOTIMP"),
        5 => Some("REFUSED"),
        6 => Some("YXDOMAIN"),
        7 => Some("YXRRSET"),
        8 => Some("NXRRSET"),
        9 => Some("NOTAUTH"),
        10 => Some("NOTZONE"),
        11 => Some("DSOTYPENI"),
        16 => Some("BADVERS"),
        17 => Some("BADKEY"),
        18 => Some("BADTIME"),
        19 => Some("BADMODE"),
        20 => Some("BADNAME"),
        21 => Some("BADALG"),
        22 => Some("BADTRUNC"),
        23 => Some("BADCOOKIE"),
        _ => None,
    };
    named(name, "RCODE", rcode)
}

/// The name of an EDNS option.
#[must_use]
pub fn option_name(option: u16) -> Cow<'static, str> {
    let name = match option {
        1 => Some("LLQ"),
        2 => Some("UPDATE-LEASE"),
        3 => Some("NSID"),
        5 => Some("DAU"),
        6 => Some("DHU"),
        7 => Some("N3U"),
        8 => Some("CLIENT-SUBNET"),
        9 => Some("EXPIRE"),
        10 => Some("COOKIE"),
        11 => Some("TCP-KEEPALIVE"),
        12 => Some("PADDING"),
        13 => Some("CHAIN"),
        14 => Some("KEY-TAG"),
        15 => Some("EXTENDED-ERROR"),
        18 => Some("REPORT-CHANNEL"),
        19 => Some("ZONEVERSION"),
        _ => None,
    };
    named(name, "OPTION", option)
}

/// Whether the type has a name.
#[must_use]
pub fn is_known_type(rtype: u16) -> bool {
    known_type(rtype).is_some()
}

fn named(name: Option<&'static str>, prefix: &str, number: u16) -> Cow<'static, str> {
    name.map_or_else(|| Cow::Owned(format!("{prefix}{number}")), Cow::Borrowed)
}

/// From 0 on; an empty name is none.
const LOW_TYPES: [&str; 69] = [
    "",
    "A",
    "NS",
    "MD",
    "MF",
    "CNAME",
    "SOA",
    "MB",
    "MG",
    "MR",
    "NULL",
    "WKS",
    "PTR",
    "HINFO",
    "MINFO",
    "MX",
    "TXT",
    "RP",
    "AFSDB",
    "X25",
    "ISDN",
    "RT",
    "NSAP",
    "NSAP-PTR",
    "SIG",
    "KEY",
    "PX",
    "GPOS",
    "AAAA",
    "LOC",
    "NXT",
    "EID",
    "NIMLOC",
    "SRV",
    "ATMA",
    "NAPTR",
    "KX",
    "CERT",
    "A6",
    "DNAME",
    "SINK",
    "OPT",
    "APL",
    "DS",
    "SSHFP",
    "IPSECKEY",
    "RRSIG",
    "NSEC",
    "DNSKEY",
    "DHCID",
    "NSEC3",
    "NSEC3PARAM",
    "TLSA",
    "SMIMEA",
    "",
    "HIP",
    "NINFO",
    "RKEY",
    "TALINK",
    "CDS",
    "CDNSKEY",
    "OPENPGPKEY",
    "CSYNC",
    "ZONEMD",
    "SVCB",
    "HTTPS",
    "DSYNC",
    "HHIT",
    "BRID",
];

fn known_type(rtype: u16) -> Option<&'static str> {
    if let Some(name) = LOW_TYPES.get(usize::from(rtype)) {
        return (!name.is_empty()).then_some(*name);
    }
    Some(match rtype {
        99 => "SPF",
        100 => "UINFO",
        101 => "UID",
        102 => "GID",
        103 => "UNSPEC",
        104 => "NID",
        105 => "L32",
        106 => "L64",
        107 => "LP",
        108 => "EUI48",
        109 => "EUI64",
        128 => "NXNAME",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        253 => "MAILB",
        254 => "MAILA",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        258 => "AVC",
        259 => "DOI",
        260 => "AMTRELAY",
        261 => "RESINFO",
        262 => "WALLET",
        263 => "CLA",
        264 => "IPN",
        32768 => "TA",
        32769 => "DLV",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{class_name, opcode_name, option_name, rcode_name, type_name};

    #[test]
    fn a_number_without_a_name_can_be_read_back() {
        assert_eq!(type_name(0), "TYPE0");
        assert_eq!(type_name(54), "TYPE54");
        assert_eq!(type_name(65280), "TYPE65280");
        assert_eq!(class_name(32), "CLASS32");
        assert_eq!(opcode_name(15), "OPCODE15");
        assert_eq!(rcode_name(12), "RCODE12");
        assert_eq!(option_name(65001), "OPTION65001");
    }

    #[test]
    fn no_two_types_have_one_name() {
        let mut names: Vec<_> = (0..=u16::MAX).map(type_name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn names_stand_at_their_numbers() {
        for (number, name) in [
            (1, "A"),
            (12, "PTR"),
            (28, "AAAA"),
            (33, "SRV"),
            (46, "RRSIG"),
            (51, "NSEC3PARAM"),
            (55, "HIP"),
            (65, "HTTPS"),
            (255, "ANY"),
            (257, "CAA"),
        ] {
            assert_eq!(type_name(number), name);
        }
    }
}
