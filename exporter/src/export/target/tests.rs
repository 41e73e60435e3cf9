//! Targets in every form, with and without the fields that speak of them.

use super::Target;
use crate::exchange::Role;
use crate::export::samples;

/// The target of a request with this method, target and fields, as `(scheme, host, port, path,
/// query)`.
fn parts(
    role: Role,
    line: (&str, &str),
    fields: &[(&str, &str)],
) -> (String, String, u16, Option<String>, Option<String>) {
    let mut exchange = samples::exchange(role);
    let request = exchange.request.as_mut().expect("the sample has a request");
    request.method = line.0.into();
    request.target = line.1.into();
    request.fields = samples::fields(fields);
    let target = Target::of(&exchange, role);
    let text = |part: Option<std::borrow::Cow<'_, str>>| part.map(std::borrow::Cow::into_owned);
    let (path, query) = (text(target.path), text(target.query));
    (target.scheme.into_owned(), target.host.into_owned(), target.port, path, query)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn is(
    found: (String, String, u16, Option<String>, Option<String>),
    scheme: &str,
    host: &str,
    port: u16,
    path: Option<&str>,
    query: Option<&str>,
) {
    let expected = (scheme.into(), host.into(), port, path.and_then(some), query.and_then(some));
    assert_eq!(found, expected);
}

#[test]
fn the_origin_form_takes_its_host_from_the_host_field() {
    let found = parts(Role::Client, ("GET", "/a/b?c=d?e"), &[("hOST", "shop:81")]);
    is(found, "http", "shop", 81, Some("/a/b"), Some("c=d?e"));
}

#[test]
fn the_absolute_form_wins_over_the_host_field_and_hides_its_user() {
    let found = parts(Role::Client, ("GET", "https://u:p@shop/x"), &[("Host", "other")]);
    is(found, "https", "shop", 443, Some("/x"), None);
    let found = parts(Role::Client, ("GET", "http://[2001:db8::1]:8080?q"), &[]);
    is(found, "http", "2001:db8::1", 8080, Some(""), Some("q"));
}

#[test]
fn the_authority_form_has_no_path() {
    let found = parts(Role::Client, ("CONNECT", "shop.example:443"), &[("Host", "proxy")]);
    is(found, "http", "shop.example", 443, None, None);
}

#[test]
fn the_asterisk_form_keeps_its_asterisk() {
    let found = parts(Role::Server, ("OPTIONS", "*"), &[("Host", "shop")]);
    is(found, "http", "shop", 80, Some("*"), None);
}

#[test]
fn a_request_without_a_host_goes_to_the_endpoint() {
    let found = parts(Role::Client, ("GET", "/"), &[("Host", "")]);
    is(found, "http", "10.1.0.9", 8080, Some("/"), None);
}

#[test]
fn a_server_believes_the_first_hop_of_forwarded_and_a_client_does_not() {
    let fields = [
        ("Host", "inner:1"),
        ("X-Forwarded-Host", "wrong"),
        (
            "Forwarded",
            "For=\"[2001:db8::7]:47\" ;host=\"shop:8443\";proto=https, for=10.0.0.1;host=x",
        ),
    ];
    is(parts(Role::Server, ("GET", "/"), &fields), "https", "shop", 8443, Some("/"), None);
    is(parts(Role::Client, ("GET", "/"), &fields), "http", "inner", 1, Some("/"), None);
}

#[test]
fn a_server_takes_x_forwarded_where_forwarded_says_nothing() {
    let fields = [
        ("Forwarded", "for=unknown"),
        ("X-Forwarded-Host", "shop, inner"),
        ("X-Forwarded-Proto", "https,http"),
    ];
    is(parts(Role::Server, ("GET", "/"), &fields), "https", "shop", 443, Some("/"), None);
}

#[test]
fn only_an_address_is_a_client() {
    let client = |name: &str, value: &str| {
        let mut exchange = samples::exchange(Role::Server);
        let request = exchange.request.as_mut().expect("the sample has a request");
        request.fields = samples::fields(&[(name, value)]);
        let client = Target::of(&exchange, Role::Server).forwarded_for;
        client.map(|(address, port)| format!("{address} {port:?}"))
    };
    let cases = [
        ("X-Forwarded-For", "192.0.2.1, 10.0.0.1", some("192.0.2.1 None")),
        ("X-Forwarded-For", "192.0.2.1:4711", some("192.0.2.1 Some(4711)")),
        ("X-Forwarded-For", "2001:db8::1", some("2001:db8::1 None")),
        ("X-Forwarded-For", "[2001:db8::1]:4711", some("2001:db8::1 Some(4711)")),
        ("X-Forwarded-For", "REDACTED", None),
        ("Forwarded", "by=10.0.0.1;for=_hidden", None),
        ("Forwarded", "by=10.0.0.1; for=192.0.2.43", some("192.0.2.43 None")),
        ("Forwarded", "for=", None),
        ("Forwarded", "for=\"192.0.2.1", some("192.0.2.1 None")),
    ];
    for (name, value, expected) in cases {
        assert_eq!(client(name, value), expected, "{name}: {value}");
    }
}
