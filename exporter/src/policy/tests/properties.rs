//! What holds for every exchange under the safe policy.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, proptest,
};

use super::{Fields, MessageEnd, Policy, exchange, lines, request_lines, response, response_lines};
use crate::exchange::Exchange;

const SECRET: &str = "s3cr3tV4lu3";

/// Names that are always masked, without their case.
fn masked_name() -> impl Strategy<Value = String> {
    let core = "auth|credential|cookie|token|api-key|apikey|secret|password|session";
    let name = format!("(x-|my-|proxy-)?({core})(orization|-id|s|-v2)?|x-csrf(-[a-z]{{1,4}})?");
    any_case(prop::string::string_regex(&name).expect("the expression is valid"))
}

/// Parameter names whose values are secret, some letters percent-encoded, in any case.
fn secret_parameter() -> impl Strategy<Value = String> {
    let name = "token|access_token|id_token|refresh_token|key|api_key|apikey|password|passwd|pwd\
                |secret|client_secret|code|sid|jwt|auth|session|X-Amz-Signature|X-Amz-Credential\
                |X-Amz-Security-Token|AWSAccessKeyId|Signature|sig|X-Goog-Signature";
    let name = any_case(prop::string::string_regex(name).expect("the expression is valid"));
    (name, any::<u32>()).prop_map(|(name, encoded)| {
        let letter = |(at, c): (usize, char)| match encoded >> (at % 32) & 1 {
            0 => c.to_string(),
            _ => format!("%{:02X}", u32::from(c)),
        };
        name.chars().enumerate().map(letter).collect()
    })
}

fn any_case(name: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (name, any::<u64>()).prop_map(|(name, upper)| {
        let case = |(at, c): (usize, char)| match upper >> (at % 64) & 1 {
            0 => c.to_ascii_lowercase(),
            _ => c.to_ascii_uppercase(),
        };
        name.chars().enumerate().map(case).collect()
    })
}

/// A URL with the secret as userinfo and as the value of a parameter somewhere.
fn secret_url() -> impl Strategy<Value = String> {
    let start = prop::sample::select(vec!["", "http://h", "https://u:s3cr3tV4lu3@h:8443"]);
    let before = prop::sample::select(vec!["?", "?a=1&", "#", "?a=1#", ";", "?a=1;", "?a=b?"]);
    let after = prop::sample::select(vec!["", "&b=2", "#f", ";c=3", "s3cr3tV4lu3"]);
    (start, "/[a-z]{0,5}", before, secret_parameter(), after).prop_map(
        |(start, path, before, name, after)| format!("{start}{path}{before}{name}={SECRET}{after}"),
    )
}

fn secret_exchange() -> impl Strategy<Value = Exchange> {
    let url_field = prop::sample::select(vec!["X-Forwarded-Uri", "x-forwarded-url"]);
    let text_field = prop::sample::select(vec!["Via", "ETag", "User-Agent"]);
    let queried_url = secret_url().prop_filter("has a query", |url| url.contains(['?', '#']));
    let secret = (masked_name(), Just(format!("Bearer {SECRET}")));
    let line = proptest::prop_oneof![
        3 => secret,
        1 => (url_field, secret_url()).prop_map(|(name, url)| (name.to_owned(), url)),
        1 => (text_field, queried_url).prop_map(|(name, url)| (name.to_owned(), url)),
        1 => ("x-[a-f]{1,9}", Just(SECRET.to_owned())),
        1 => (Just("Accept".to_owned()), "[a-z/]{0,8}"),
    ];
    let section = prop::collection::vec(line, 0..40);
    (secret_url(), prop::array::uniform5(section)).prop_map(|(target, sections)| {
        let [request, request_end, answer, response_end, interim] =
            sections.map(|section| section.into_iter().collect::<Fields>());
        let end = |trailers| Some(MessageEnd { trailers, ..MessageEnd::default() });
        let mut exchange = exchange(&target, &[], &[]);
        if let Some(head) = &mut exchange.request {
            head.fields = request;
        }
        if let Some(head) = &mut exchange.response {
            head.fields = answer;
        }
        (exchange.request_end, exchange.response_end) = (end(request_end), end(response_end));
        exchange.interim = vec![response(103, &[])];
        exchange.interim.iter_mut().for_each(|head| head.fields = interim.clone());
        exchange
    })
}

/// Everything of an exchange that came from the wire, as text.
fn everything(exchange: &Exchange) -> String {
    let target = exchange.request.as_ref().map(|request| request.target.as_slice());
    let trailers = [&exchange.request_end, &exchange.response_end].into_iter().flatten();
    let mut all = vec![String::from_utf8_lossy(target.unwrap_or_default()).into_owned()];
    all.extend(request_lines(exchange));
    all.extend(response_lines(exchange));
    all.extend(trailers.flat_map(|end| lines(&end.trailers)));
    all.extend(exchange.interim.iter().flat_map(|head| lines(&head.fields)));
    all.join("\n")
}

fn line_count(exchange: &Exchange) -> usize {
    everything(exchange).lines().count() - 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_byte_of_a_secret_survives(before in secret_exchange()) {
        let after = Policy::safe().apply(before).expect("nothing is excluded");
        let text = everything(&after);
        prop_assert!(!text.contains(SECRET), "{text}");
    }

    #[test]
    fn every_line_is_exported_or_counted(before in secret_exchange()) {
        let sent = line_count(&before);
        let after = Policy::safe().apply(before).expect("nothing is excluded");
        let dropped = (after.dropped.request + after.dropped.response) as usize;
        prop_assert_eq!(line_count(&after) + dropped, sent);
        prop_assert!(line_count(&after) <= 64);
    }

    #[test]
    fn every_duplicate_of_a_masked_name_is_masked(name in masked_name(), n in 1_usize..9) {
        let before = exchange("/", &vec![(name.as_str(), SECRET); n], &[]);
        let after = Policy::safe().apply(before).expect("nothing is excluded");
        prop_assert_eq!(request_lines(&after), vec![format!("{name}: REDACTED"); n]);
    }

    #[test]
    fn once_more_makes_no_difference(before in secret_exchange(), pad in 0_usize..2100) {
        let policy = Policy::safe();
        let mut before = before;
        if let Some(request) = &mut before.request {
            request.target.splice(0..0, b"/".iter().copied().chain(vec![b'x'; pad]));
        }
        let once = policy.apply(before).expect("nothing is excluded");
        let twice = policy.apply(once.clone()).expect("nothing is excluded");
        prop_assert_eq!(everything(&once), everything(&twice));
        prop_assert_eq!(once.dropped, twice.dropped);
    }
}
