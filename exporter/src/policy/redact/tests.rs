//! What is hidden in URLs, and what is not.

use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};

use super::{ELLIPSIS, Shape, redact};

/// Texts full of what a URL is made of.
const URLISH: &str = "[/?#&;=@:%.a-zA-Z0-9]{0,40}(token|sig|%3D|%26|://|u:p@|=REDACTED){0,4}\
                      [a-z=&;/?#@%0-9]{0,20}";

fn target(text: &str) -> String {
    let redacted = redact(Shape::Target, text.as_bytes());
    let shown = redacted.as_deref().unwrap_or(text.as_bytes());
    String::from_utf8(shown.to_vec()).expect("the text is UTF-8")
}

#[test]
fn the_values_of_secret_parameters_are_hidden_and_their_names_kept() {
    for (text, shown) in [
        ("/a?token=x&b=1", "/a?token=REDACTED&b=1"),
        ("/a?b=1&API%5FKey=x", "/a?b=1&API%5FKey=REDACTED"),
        ("http://h/a?sig=x%26y#f", "http://h/a?sig=REDACTED"),
        ("/a?b=1;pwd=x;c=2&d=3", "/a?b=1;pwd=REDACTED&d=3"),
        ("/a;jsessionid=x;v=1/b;w=2?c=3", "/a;jsessionid=REDACTED/b;w=2?c=3"),
        ("/cb#access_token=x&state=1", "/cb#access_token=REDACTED&state=1"),
        ("/a?user[password]=x", "/a?user[password]=REDACTED"),
        ("/a?filter=token=x", "/a?filter=token=REDACTED"),
        ("/a?next=/b?token=x", "/a?next=/b?token=REDACTED"),
    ] {
        assert_eq!(target(text), shown, "{text}");
    }
}

#[test]
fn a_secret_in_an_encoded_url_hides_the_value_it_is_in() {
    for (text, shown) in [
        ("/a?next=%2Fb%3Ftoken%3Dx&c=1", "/a?next=REDACTED&c=1"),
        ("/a?next=%252Fb%253Ftoken%253Dx", "/a?next=REDACTED"),
        ("/a?next=https%3A%2F%2Fu%3Ap%40h%2F", "/a?next=REDACTED"),
        ("/a?token%3Dx", "/a?REDACTED"),
        ("/a?token%3Dx=y", "/a?REDACTED"),
        ("/a?b=%25252525252525", "/a?b=REDACTED"),
        ("/a?next=%2Fb%3Fpage%3D2", "/a?next=%2Fb%3Fpage%3D2"),
    ] {
        assert_eq!(target(text), shown, "{text}");
    }
}

#[test]
fn userinfo_is_hidden() {
    for (text, shown) in [
        ("http://u:p@h:1/a", "http://REDACTED:REDACTED@h:1/a"),
        ("http://u@p@h/a", "http://REDACTED:REDACTED@h/a"),
        ("//u:p@h/a", "//REDACTED:REDACTED@h/a"),
        ("u:p@h:443", "REDACTED:REDACTED@h:443"),
        ("/go?to=ftp://u:p@h", "/go?to=ftp://REDACTED:REDACTED@h"),
        ("/go?to=http://h&token=a@b&c=1", "/go?to=http://h&token=REDACTED&c=1"),
        ("http://u:key=p&q@h/", "http://REDACTED/"),
        ("http://u:p@h?token=x", "http://REDACTED:REDACTED@h?token=REDACTED"),
    ] {
        assert_eq!(target(text), shown, "{text}");
    }
}

#[test]
fn what_is_not_secret_stays_as_it_is() {
    for text in [
        "",
        "*",
        "/",
        "h:443",
        "/a/b%20c?q=x%3Dy&page=2#top",
        "/@user/a=b",
        "/a?mail=u@h",
        "/a?token=",
        "/a?token",
        "http://h/a@b",
        "/a?token=REDACTED",
        "=",
        "?=&=;=#",
    ] {
        assert_eq!(redact(Shape::Target, text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_url_in_any_field_is_found_and_ordinary_text_is_not_changed() {
    let in_text = redact(Shape::Text, b"<http://u:p@h/a?key=x>").expect("it has secrets");
    assert_eq!(in_text, b"<http://REDACTED:REDACTED@h/a?key=REDACTED");
    for text in ["text/html;q=0.9", "max-age=60", "bot (+http://h; me@h)", "key=value"] {
        assert_eq!(redact(Shape::Text, text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_field_that_holds_urls_is_known_by_its_name() {
    for name in
        ["location", "referer", "x-original-url", "x-forwarded-uri", "x-envoy-original-path"]
    {
        assert_eq!(Shape::of_field(name.as_bytes()), Shape::Reference, "{name}");
    }
    assert_eq!(Shape::of_field(b"host"), Shape::Target);
    assert_eq!(Shape::of_field(b"accept"), Shape::Text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_bytes_make_it_panic_and_once_more_changes_nothing(
        text in prop::collection::vec(any::<u8>(), 0..64),
        urlish in URLISH,
    ) {
        for text in [&text[..], urlish.as_bytes()] {
            for shape in [Shape::Target, Shape::Reference, Shape::Text] {
                let Some(once) = redact(shape, text) else { continue };
                prop_assert_eq!(redact(shape, &once), None, "{:?}", String::from_utf8_lossy(&once));
            }
        }
    }

    #[test]
    fn a_redacted_url_may_be_cut_anywhere(urlish in URLISH) {
        let shown = redact(Shape::Target, urlish.as_bytes()).unwrap_or(urlish.into_bytes());
        for end in 0..shown.len() {
            let short = [shown.get(..end).unwrap_or_default(), ELLIPSIS].concat();
            let again = redact(Shape::Target, &short);
            prop_assert!(again.is_none(), "{:?}", String::from_utf8_lossy(&short));
        }
    }
}
