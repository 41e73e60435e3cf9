//! A name always tells its number.

use std::collections::HashSet;

use super::{ALERTS, EXTENSIONS, GROUPS, SIGNATURE_SCHEMES, VERSIONS};
use super::{alert, cipher_suite, cipher_suites::CIPHER_SUITES, extension, group, version};

#[test]
fn tables_are_in_order_and_no_name_stands_for_two_numbers() {
    for table in [CIPHER_SUITES, EXTENSIONS, GROUPS, SIGNATURE_SCHEMES, VERSIONS] {
        assert!(table.is_sorted_by(|(a, _), (b, _)| a < b), "{table:?}");
        let names: HashSet<&str> = table.iter().map(|(_, name)| *name).collect();
        assert_eq!(names.len(), table.len(), "{table:?}");
        assert!(names.iter().all(|name| !name.starts_with("0x")));
    }
    assert!(ALERTS.is_sorted_by(|(a, _), (b, _)| a < b));
}

#[test]
fn numbers_have_the_names_that_iana_gives_them() {
    assert_eq!(cipher_suite(0x1301), "TLS_AES_128_GCM_SHA256");
    assert_eq!(cipher_suite(0xc02f), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    assert_eq!(cipher_suite(0x00ff), "TLS_EMPTY_RENEGOTIATION_INFO_SCSV");
    assert_eq!(group(4588), "X25519MLKEM768");
    assert_eq!(extension(0xfe0d), "encrypted_client_hello");
    assert_eq!(version(0x0304), "TLSv1.3");
    assert_eq!((alert(40).as_ref(), alert(5).as_ref()), ("handshake_failure", "5"));
}

#[test]
fn a_number_without_a_name_is_hexadecimal() {
    assert_eq!(cipher_suite(0x0a0a), "0x0A0A");
    assert_eq!(group(0xfafa), "0xFAFA");
    assert_eq!(version(0x7f1c), "0x7F1C");
}
