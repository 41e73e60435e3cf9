//! JA3 and JA4 by their own definitions.

use super::written::u16s;
use super::*;

/// The example of JA4's definition, with GREASE added wherever a browser puts it.
fn browser() -> Hello {
    let suites = "1a1a,1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035";
    let kinds = "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015";
    let signatures = "0403,0804,0401,0503,0805,0501,0806,0601";
    let mut extensions = vec![(0x2a2a, Vec::new())];
    extensions.extend(numbers(kinds).into_iter().map(|kind| match kind {
        13 => (kind, u16s(&numbers(signatures))),
        16 => (kind, written::vec16(b"\x02h2\x08http/1.1")),
        43 => (kind, vec![6, 0x3a, 0x3a, 3, 4, 3, 3]),
        _ => (kind, Vec::new()),
    }));
    Hello { cipher_suites: numbers(suites), extensions, ..Hello::default() }
}

fn ja4(hello: &Hello) -> String {
    client_hello(&hello.records()).ja4.expect("it is well-formed")
}

fn numbers(list: &str) -> Vec<u16> {
    list.split(',').map(|n| u16::from_str_radix(n, 16).expect("hexadecimal")).collect()
}

#[test]
fn ja4_of_the_definitions_example_is_the_one_given_there() {
    let ja4 = ja4(&browser());
    assert_eq!(ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

#[test]
fn real_hellos_have_the_fingerprints_that_others_find() {
    for (bytes, ja3, ja4) in [
        (TLS13_CLIENT, "5a1edc7f170af1014fc65c994878e63c", "t13d3111h2_e8f1e7e78f70_1f22a2ca17c4"),
        (TLS12_CLIENT, "22558766122974704364c9c75c5cce0a", "t12d2808h2_d943125447b4_e7e480e5a997"),
        (
            RESUMED13_CLIENT,
            "5d70a188544fb769122c0d9b2509a405",
            "t13d041100_16476d049b0b_6775ac8fe30b",
        ),
    ] {
        let hello = client_hello(bytes);
        assert_eq!((hello.ja3.as_deref(), hello.ja4.as_deref()), (Some(ja3), Some(ja4)));
    }
    let ja3s = server_hello(TLS13_SERVER).ja3s;
    assert_eq!(ja3s.as_deref(), Some("15af977ce25de452b96affa2addb1036"));
}

#[test]
fn ja4_shows_what_is_not_there_as_zeros() {
    let none = Hello { cipher_suites: vec![0x0a0a], has_extensions: false, ..Hello::default() };
    assert_eq!(ja4(&none), "t12i000000_000000000000_000000000000");
}

#[test]
fn ja4_has_no_underscore_where_there_are_no_signature_algorithms() {
    let kinds = "0005,000a,000b,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01";
    let extensions: Vec<_> = numbers(kinds).into_iter().map(|kind| (kind, Vec::new())).collect();
    let ja4 = ja4(&Hello { extensions, ..Hello::default() });
    // printf 002f | sha256sum; printf 0005,000a,...,ff01 | sha256sum
    assert_eq!(ja4, "t12i011300_ba72b8082249_bebfbbe173b2");
}

#[test]
fn ja4_counts_up_to_99() {
    let cipher_suites = (1..=120).collect();
    let ja4 = ja4(&Hello { cipher_suites, ..Hello::default() });
    assert!(ja4.starts_with("t12i990000_"), "{ja4}");
}

#[test]
fn ja4_shows_the_ends_of_the_first_protocol() {
    for (protocol, shown) in [
        (b"h2".as_slice(), "h2"),
        (b"http/1.1", "h1"),
        (b"x", "xx"),
        (b"", "00"),
        (b"\xab", "ab"),
        (b"\xab\xcd", "ad"),
        (b"0\xab", "3b"),
        (b"01\xab\xcd", "3d"),
        (b"0\xab\xcd1", "01"),
        (b"h2-", "6d"),
    ] {
        let len = u8::try_from(protocol.len()).expect("short");
        let list = written::vec16(&[&[len], protocol].concat());
        let hello = Hello { extensions: vec![(16, list)], ..Hello::default() };
        let ja4 = ja4(&hello);
        assert!(ja4.starts_with(&format!("t12i0101{shown}_")), "{protocol:?}: {ja4}");
    }
}

#[test]
fn ja4_names_the_highest_version_offered() {
    for (legacy, offered, shown) in [
        (0x0303, vec![0x0303_u16, 0x0304], "13"),
        (0x0303, vec![0xfafa, 0x0303], "12"),
        (0x0303, vec![0x7f1c, 0x0304], "00"),
        (0x0302, vec![], "11"),
        (0x0301, vec![], "10"),
        (0x0300, vec![], "s3"),
        (0x0002, vec![], "s2"),
    ] {
        let mut list = vec![u8::try_from(2 * offered.len()).expect("short")];
        list.extend(offered.iter().flat_map(|version| version.to_be_bytes()));
        let extensions = if offered.is_empty() { vec![] } else { vec![(43, list)] };
        let hello = Hello { legacy_version: legacy, extensions, ..Hello::default() };
        let ja4 = ja4(&hello);
        assert!(ja4.starts_with(&format!("t{shown}i")), "{offered:?}: {ja4}");
    }
}

#[test]
fn ja3_is_the_md5_of_lists_in_wire_order() {
    let extensions =
        vec![(0x0a0a, vec![]), (10, u16s(&[0x1a1a, 29, 23])), (11, vec![2, 0, 1]), (0, vec![])];
    let hello = Hello { cipher_suites: vec![0x8a8a, 5, 4], extensions, ..Hello::default() };
    // printf 771,5-4,10-11-0,29-23,0-1 | md5sum
    assert_eq!(
        client_hello(&hello.records()).ja3.as_deref(),
        Some("66d9a956ee5dad1b35c8c5015c7369b9")
    );
}
