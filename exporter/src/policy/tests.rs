//! What a policy lets out of whole exchanges.

mod lookups;
mod properties;
mod tls;

use std::sync::Arc;

use super::Policy;
use crate::config::Config;
use crate::exchange::{Dropped, Exchange, Role, SpanContext, View};
use crate::fields::Fields;
use crate::flow::{Endpoint, Timestamp};
use crate::http::{HeadTiming, MessageEnd, Oddities, Request, Response, Version};
use crate::process::Process;

type Lines<'a> = &'a [(&'a str, &'a str)];

fn fields(lines: Lines<'_>) -> Fields {
    lines.iter().copied().collect()
}

fn response(status: u16, lines: Lines<'_>) -> Response {
    Response {
        status,
        reason: None,
        version: Version::Http11,
        fields: fields(lines),
        head_size: 0,
        timing: HeadTiming::default(),
        oddities: Oddities::default(),
    }
}

fn exchange(target: &str, request: Lines<'_>, answer: Lines<'_>) -> Exchange {
    let endpoint = Endpoint { address: [0; 16], port: 80 };
    let view = View {
        role: Role::Observer,
        process: Arc::new(Process::default()),
        span: SpanContext::default(),
        socket_cookie: 0,
        netns_inode: 0,
        connection_id: 0,
    };
    Exchange {
        client: endpoint,
        server: endpoint,
        index: 0,
        stream_id: None,
        request: Some(Request {
            method: b"GET".to_vec(),
            target: target.into(),
            version: Version::Http11,
            fields: fields(request),
            head_size: 0,
            timing: HeadTiming::default(),
            oddities: Oddities::default(),
        }),
        request_end: None,
        response: Some(response(200, answer)),
        response_end: None,
        interim: Vec::new(),
        failure: None,
        duplicate_traceparent: false,
        truncated_start: false,
        observed: Timestamp(0),
        dropped: Dropped::default(),
        views: vec![view],
    }
}

/// The lines of a section as text, `name: value`.
fn lines(fields: &Fields) -> Vec<String> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect()
}

fn request_lines(exchange: &Exchange) -> Vec<String> {
    lines(&exchange.request.as_ref().expect("the exchange has a request").fields)
}

fn response_lines(exchange: &Exchange) -> Vec<String> {
    lines(&exchange.response.as_ref().expect("the exchange has a response").fields)
}

fn applied(policy: &Policy, exchange: Exchange) -> Exchange {
    policy.apply(exchange).expect("the policy excludes nothing")
}

fn with_rules(toml: &str) -> Policy {
    let config = Config::parse(toml, "rules".as_ref()).expect("the rules are valid");
    Policy::from_config(&config.policy).expect("the key can be read")
}

#[test]
fn by_default_listed_fields_are_kept_secrets_masked_and_the_rest_dropped_and_counted() {
    let before = exchange(
        "http://u:p@shop/a?token=x",
        &[("Host", "shop"), ("X-Foo", "1"), ("Cookie", "a"), ("cookie", "b"), ("Accept", "*/*")],
        &[("Server", "nginx"), ("Set-Cookie", "a=b"), ("X-Bar", "2"), ("X-Baz", "3")],
    );
    let after = applied(&Policy::safe(), before);
    let request = after.request.as_ref().expect("the exchange has a request");
    assert_eq!(request.target, b"http://REDACTED:REDACTED@shop/a?token=REDACTED");
    assert_eq!(
        request_lines(&after),
        ["Host: shop", "Cookie: REDACTED", "cookie: REDACTED", "Accept: */*"]
    );
    assert_eq!(response_lines(&after), ["Server: nginx", "Set-Cookie: REDACTED"]);
    assert_eq!(after.dropped, Dropped { request: 1, response: 2 });
}

#[test]
fn everything_is_exported_as_it_is_by_the_policy_all() {
    let value = "v".repeat(5000);
    let secrets: Vec<_> = (0..100).map(|_| ("Cookie", value.as_str())).collect();
    let before = exchange("/?token=x", &secrets, &[("Set-Cookie", "a")]);
    for policy in [Policy::all(), with_rules("policy.mode = \"all\"")] {
        let after = applied(&policy, before.clone());
        assert_eq!(after.request, before.request);
        assert_eq!(after.response, before.response);
        assert_eq!(after.dropped, Dropped::default());
    }
}

#[test]
fn trailers_and_interim_responses_are_thinned_too() {
    let secret = fields(&[("X-Token", "x"), ("X-Foo", "y"), ("Grpc-Status", "0")]);
    let end = MessageEnd { trailers: secret, ..MessageEnd::default() };
    let mut before = exchange("/", &[], &[]);
    before.request_end = Some(end.clone());
    before.response_end = Some(end);
    before.interim = vec![response(103, &[("Link", "a"), ("Set-Cookie", "b")])];
    let after = applied(&Policy::safe(), before);
    let ends = [&after.request_end, &after.response_end];
    for trailers in ends.map(|end| &end.as_ref().expect("the ends stay").trailers) {
        assert_eq!(lines(trailers), ["X-Token: REDACTED", "Grpc-Status: 0"]);
    }
    let interim = after.interim.first().expect("interim responses stay");
    assert_eq!(lines(&interim.fields), ["Set-Cookie: REDACTED"]);
    assert_eq!(after.dropped, Dropped { request: 1, response: 2 });
}

#[test]
fn the_first_rule_that_applies_wins() {
    let policy = with_rules(
        r#"
        [[policy.rules]]
        action = "drop"
        scope = "response"
        names = ["server"]
        [[policy.rules]]
        action = "mask"
        names = ["x-app-id"]
        [[policy.rules]]
        action = "keep"
        names = ["x-app-*", "server"]
        "#,
    );
    let both = [("Server", "s"), ("X-App-Id", "1"), ("X-App-Name", "n")];
    let after = applied(&policy, exchange("/", &both, &both));
    assert_eq!(request_lines(&after), ["Server: s", "X-App-Id: REDACTED", "X-App-Name: n"]);
    assert_eq!(response_lines(&after), ["X-App-Id: REDACTED", "X-App-Name: n"]);
}

#[test]
fn a_masked_name_is_uncovered_only_by_a_rule_that_names_it_in_full() {
    let rule = |names: &str| {
        let policy = with_rules(&format!("[[policy.rules]]\naction = \"keep\"\nnames = [{names}]"));
        request_lines(&applied(&policy, exchange("/", &[("X-Auth-Kind", "basic")], &[])))
    };
    assert_eq!(rule("\"*\""), ["X-Auth-Kind: REDACTED"]);
    assert_eq!(rule("\"x-auth-*\""), ["X-Auth-Kind: REDACTED"]);
    assert_eq!(rule("\"x-auth-KIND\""), ["X-Auth-Kind: basic"]);
    assert_eq!(rule("\"x-*\", \"x-auth-kind\""), ["X-Auth-Kind: basic"]);
}

#[test]
fn conditions_are_asked_about_the_exchange_as_it_was() {
    let policy = with_rules(
        r#"
        [[policy.rules]]
        action = "drop"
        names = ["host"]
        [[policy.rules]]
        action = "keep"
        names = ["x-foo"]
        when = { host = ["*.SHOP"], path = ["/api/*"], method = ["get"], status = ["2xx"] }
        "#,
    );
    let seen = |host: &str, target: &str| {
        let after = applied(&policy, exchange(target, &[("Host", host), ("X-Foo", "1")], &[]));
        !request_lines(&after).is_empty()
    };
    assert!(seen("a.shop:8080", "/api/x?y"));
    assert!(seen("other", "http://u@a.shop:1/api/x"));
    assert!(!seen("shop", "/api/x"));
    assert!(!seen("a.shop", "/API/x"));
}

#[test]
fn what_is_not_known_lets_nothing_out() {
    let policy = with_rules(
        r#"
        [[policy.rules]]
        action = "mask"
        names = ["server"]
        when = { path = ["/private/*"] }
        [[policy.rules]]
        action = "keep"
        names = ["x-foo"]
        when = { path = ["/public/*"] }
        [[policy.exclude]]
        path = ["/healthz"]
        "#,
    );
    let mut response_only = exchange("/", &[], &[("Server", "s"), ("X-Foo", "1")]);
    response_only.request = None;
    let after = applied(&policy, response_only);
    assert_eq!(response_lines(&after), ["Server: REDACTED"]);
}

#[test]
fn what_hpack_leaves_unknown_lets_nothing_out() {
    let policy = with_rules(
        r#"
        [[policy.rules]]
        action = "keep"
        names = ["x-foo"]
        when = { path = ["*"], method = ["*"], status = ["2xx", "1xx"], host = ["shop"] }
        "#,
    );
    let known = exchange("/", &[(":authority", "shop")], &[("x-foo", "1")]);
    assert_eq!(response_lines(&applied(&policy, known.clone())), ["x-foo: 1"]);
    let without: [fn(&mut Request, &mut Response); 4] = [
        |request, _| request.target.clear(),
        |request, _| request.method.clear(),
        |_, response| response.status = 0,
        |request, _| {
            request.fields = fields(&[("host", "shop")]);
            request.fields.push_unknown();
        },
    ];
    for clear in without {
        let mut unknown = known.clone();
        let request = unknown.request.as_mut().expect("it has a request");
        clear(request, unknown.response.as_mut().expect("it has a response"));
        assert_eq!(response_lines(&applied(&policy, unknown)), [""; 0]);
    }
}

#[test]
fn an_interim_response_is_asked_for_its_own_status() {
    let policy = with_rules(
        "[[policy.rules]]\naction = \"keep\"\nnames = [\"link\"]\nwhen = { status = [\"103\"] }",
    );
    let mut before = exchange("/", &[], &[("Link", "final")]);
    before.interim = vec![response(103, &[("Link", "early")])];
    let after = applied(&policy, before);
    assert_eq!(response_lines(&after), [""; 0]);
    let interim = after.interim.first().expect("interim responses stay");
    assert_eq!(lines(&interim.fields), ["Link: early"]);
}

#[test]
fn only_excluded_exchanges_are_filtered() {
    let policy = with_rules("[[policy.exclude]]\npath = [\"/healthz\"]\nstatus = [\"200\"]");
    assert!(policy.apply(exchange("/healthz?a", &[], &[])).is_none());
    assert!(policy.apply(exchange("/", &[], &[])).is_some());
    let mut failing = exchange("/healthz", &[], &[]);
    failing.response = Some(response(503, &[]));
    assert!(policy.apply(failing).is_some());
}

#[test]
fn a_hash_is_the_same_for_the_same_value_and_shows_nothing_of_it() {
    let policy =
        with_rules("[[policy.rules]]\naction = \"hash\"\nnames = [\"cookie\", \"x-user\"]");
    let sent = [("Cookie", "secret"), ("X-User", "secret"), ("X-User", "other")];
    let after = applied(&policy, exchange("/", &sent, &[]));
    let shown = request_lines(&after);
    let values: Vec<_> = shown.iter().filter_map(|line| line.split(": ").nth(1)).collect();
    let [cookie, user, other] = values[..] else { panic!("three lines stay: {shown:?}") };
    assert!(cookie.len() == 16 && cookie.bytes().all(|b| b.is_ascii_hexdigit()), "{cookie}");
    assert_eq!(cookie, user);
    assert_ne!(user, other);
}

#[test]
fn long_values_are_cut_and_long_names_dropped() {
    let (name, value) = (format!("x-forwarded-{}", "n".repeat(256)), "v".repeat(3000));
    let mut before = exchange(&format!("/{value}"), &[("Via", &value), (&name, "1")], &[]);
    if let Some(request) = &mut before.request {
        request.method = value.clone().into();
    }
    let after = applied(&Policy::safe(), before);
    let request = after.request.as_ref().expect("the exchange has a request");
    assert_eq!((request.target.len(), request.method.len()), (2048, 64));
    assert!(request.target.ends_with("…".as_bytes()));
    assert_eq!(request_lines(&after), [format!("Via: {}…", "v".repeat(2045))]);
    assert_eq!(after.dropped.request, 1);
}

#[test]
fn sixty_four_lines_are_exported_and_each_side_has_room_for_half() {
    let many = |n| vec![("Via", "x"); n];
    for (request, response, left) in [(60, 4, (60, 4)), (99, 4, (60, 4)), (99, 99, (32, 32))] {
        let after = applied(&Policy::safe(), exchange("/", &many(request), &many(response)));
        let lines = (request_lines(&after).len(), response_lines(&after).len());
        assert_eq!(lines, left, "{request} and {response}");
        let dropped = (after.dropped.request as usize, after.dropped.response as usize);
        assert_eq!(dropped, (request - lines.0, response - lines.1));
    }
}

#[test]
fn an_exchange_takes_no_more_than_32_kib() {
    let value = "v".repeat(2000);
    let many = vec![("Via", value.as_str()); 30];
    let before = exchange("/", &many, &many);
    let after = applied(&Policy::safe(), before);
    let both = [request_lines(&after), response_lines(&after)].concat();
    assert!(both.concat().len() <= 32 << 10);
    assert_eq!(both.len(), 16);
    assert_eq!(after.dropped, Dropped { request: 22, response: 22 });
}
