//! Tests `ws:` and `wss:` addresses (RFC 6455 section 3; RFC 3986), and the parts of a request made
//! from them.
#![cfg(feature = "handshake")]

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use sockless::handshake::{Uri, UriError};

fn error(uri: &str) -> Option<UriError> {
    Uri::parse(uri).err()
}

/// Address, host, port, value of the Host header, resource name.
const GOOD: &str = "
ws://example.com | example.com | 80 | example.com | /
wss://example.com | example.com | 443 | example.com | /
ws://example.com/ | example.com | 80 | example.com | /
WS://example.com/ | example.com | 80 | example.com | /
wSs://Example.COM/Chat | Example.COM | 443 | Example.COM | /Chat
ws://example.com:80/ | example.com | 80 | example.com | /
ws://example.com:443/ | example.com | 443 | example.com:443 | /
wss://example.com:443/ | example.com | 443 | example.com | /
wss://example.com:80/ | example.com | 80 | example.com:80 | /
ws://example.com:/x | example.com | 80 | example.com | /x
wss://example.com:?x | example.com | 443 | example.com | /?x
ws://example.com:0080 | example.com | 80 | example.com | /
ws://example.com:0008080 | example.com | 8080 | example.com:8080 | /
ws://example.com:65535 | example.com | 65535 | example.com:65535 | /
ws://example.com:1 | example.com | 1 | example.com:1 | /
ws://h? | h | 80 | h | /?
ws://h?a=b/c?d | h | 80 | h | /?a=b/c?d
ws://h/?a=b | h | 80 | h | /?a=b
ws://h/a/b;c=1/d%20e?f=%23&g=?/ | h | 80 | h | /a/b;c=1/d%20e?f=%23&g=?/
ws://h//a// | h | 80 | h | //a//
ws://h/a@b:c | h | 80 | h | /a@b:c
ws://h?user@host | h | 80 | h | /?user@host
ws://h/../a/./b | h | 80 | h | /../a/./b
ws://127.0.0.1:8001/ | 127.0.0.1 | 8001 | 127.0.0.1:8001 | /
ws://255.255.255.255 | 255.255.255.255 | 80 | 255.255.255.255 | /
ws://[::1] | ::1 | 80 | [::1] | /
wss://[2001:DB8::7]:8443/x | 2001:DB8::7 | 8443 | [2001:DB8::7]:8443 | /x
ws://[::ffff:192.0.2.1]:/x | ::ffff:192.0.2.1 | 80 | [::ffff:192.0.2.1] | /x
ws://localhost.:9 | localhost. | 9 | localhost.:9 | /
ws://1password.example | 1password.example | 80 | 1password.example | /
ws://1.2.3.4.example | 1.2.3.4.example | 80 | 1.2.3.4.example | /
ws://a_b-c~d!$&'()*+,;=e%2f | a_b-c~d!$&'()*+,;=e%2f | 80 | a_b-c~d!$&'()*+,;=e%2f | /
ws://xn--bcher-kva.example | xn--bcher-kva.example | 80 | xn--bcher-kva.example | /
";

#[test]
fn addresses_and_their_parts() {
    for row in GOOD.lines().skip(1) {
        let columns: Vec<&str> = row.split(" | ").collect();
        let [text, host, port, header, resource] = columns[..] else {
            panic!("{row}");
        };
        let secure = text.to_lowercase().starts_with("wss");
        let uri = Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(uri.is_secure(), secure, "{text}");
        assert_eq!(uri.host(), host, "{text}");
        assert_eq!(uri.port().to_string(), port, "{text}");
        assert_eq!(uri.host_header().to_string(), header, "{text}");
        assert_eq!(uri.host_header().parts().concat(), header, "{text}");
        assert_eq!(uri.resource_name().to_string(), resource, "{text}");
        assert_eq!(uri.resource_name().parts().concat(), resource, "{text}");
        let scheme = if secure { "wss" } else { "ws" };
        assert_eq!(uri.to_string(), format!("{scheme}://{header}{resource}"), "{text}");
        assert_eq!(Uri::try_from(text), Ok(uri));
    }
}

#[test]
fn path_and_query_are_apart() {
    let parts = |text| {
        let uri = Uri::parse(text).unwrap();
        (uri.path(), uri.query())
    };
    assert_eq!(parts("ws://h"), ("", None));
    assert_eq!(parts("ws://h/"), ("/", None));
    assert_eq!(parts("ws://h?"), ("", Some("")));
    assert_eq!(parts("ws://h/a?b?c"), ("/a", Some("b?c")));
}

/// The error, and addresses with it.
const BAD: &str = r#"
Scheme w ws ws: ws:/ ws:h wss:/h //h/ h/ http://h wsss://h https://h xws://h ws//h wss//h ws:\\h ://h /chat
Fragment ws://h# ws://h/#a ws://h/a?b#c ws://# ws://h#/ ws://u@h#x
UserInfo ws://u@h ws://u:p@h/ ws://@h ws://h:80@evil/ ws://[::1]@h ws://a@b@c
Host ws:// ws:/// ws:///x ws://?x ws://:80 ws://:80/x ws://. ws://a..b ws://.a ws://a..
Host ws://a\b ws://a"b ws://a<b ws://a|b ws://a^b ws://a`b ws://a{b} ws://a] ws://a[::1]
Host ws://% ws://a%2 ws://a%zz ws://a%g0/ ws://a%0g/
Host ws://1 ws://127.1 ws://1.2.3 ws://1.2.3.4.5 ws://1.2.3.%34.5 ws://256.1.1.1 ws://1.2.3.256 ws://a.1
Host ws://0x7f000001 ws://0X7F.0X1 ws://a.0x ws://2130706433 ws://0177.0.0.1 ws://1.2.3.04 ws://00.0.0.0
Host ws://1.2.3.4.
Host ws://[ ws://[] ws://[]:80/ ws://[::1 ws://[::1/ ws://[::1:80 ws://[1.2.3.4] ws://[h] ws://[v1.x]
Host ws://[fe80::1%25eth0] ws://[fe80::1%eth0] ws://[12345::] ws://[g::] ws://[:::1] ws://[:1] ws://[1:]
Host ws://[1:2:3:4:5:6:7] ws://[1:2:3:4:5:6:7:8:9] ws://[1:2:3:4:5:6:7::8] ws://[1::2::3] ws://[1:2:3:4:5:6:7:8::]
Host ws://[::1.2.3] ws://[::1.2.3.04] ws://[1.2.3.4::] ws://[::1.2.3.4:5] ws://[1:2:3:4:5:6:7:1.2.3.4]
Port ws://h:0 ws://h:00 ws://h:65536 ws://h:99999 ws://h:18446744073709551616 ws://h:x ws://h:8x ws://h:+80
Port ws://h:-1 ws://h:80:80 ws://h::80 ws://fe80::1 ws://h:%38 ws://[::1]x ws://[::1]80 ws://[::1]]
Port ws://[::1]:x ws://[::1].h
Resource ws://h/" ws://h/< ws://h/> ws://h/[ ws://h/] ws://h/\ ws://h/^ ws://h/` ws://h/{ ws://h/| ws://h/}
Resource ws://h?{ ws://h?a[0]=1 ws://h?a|b
Resource ws://h/% ws://h/%2 ws://h/%%20 ws://h/%g0 ws://h/%0g ws://h?% ws://h/%2?x
"#;

#[test]
fn refused_addresses_and_their_errors() {
    for line in BAD.lines().skip(1) {
        let mut words = line.split(' ');
        let expected = words.next();
        for text in words {
            let error = error(text).map(|error| format!("{error:?}"));
            assert_eq!(error.as_deref(), expected, "{text}");
        }
    }
    assert_eq!(error(""), Some(UriError::Scheme));
    // Spaces, controls and characters outside ASCII, a byte order mark among them.
    for text in [" ws://h", "ws://h ", "ws://h/a b", "ws://h/\t", "ws://h\n", "w\ns://h"] {
        assert_eq!(error(text), Some(UriError::Character), "{text:?}");
    }
    for text in ["\u{feff}ws://h", "ws://bücher", "ws://h/ü", "ws://h?€", "ws://h/\u{7f}"] {
        assert_eq!(error(text), Some(UriError::Character), "{text:?}");
    }
    for text in ["ws://h/\0", "ws://h/\u{85}", "ws://h/𐍈"] {
        assert_eq!(error(text), Some(UriError::Character), "{text:?}");
    }
}

#[test]
fn hostile_row_response_splitting_through_the_path() {
    for text in [
        "ws://h/x HTTP/1.1\r\nX: y",
        "ws://h/x\r\n\r\nGET /",
        "ws://h/?\rX",
        "ws://h/?\nX",
        "ws://h\r\nX: y/",
        "ws://h:80\r\n/",
    ] {
        assert_eq!(error(text), Some(UriError::Character), "{text:?}");
    }
    // Encoded, they are data, and stay encoded.
    let uri = Uri::parse("ws://h/%0d%0aX:%20y").unwrap();
    assert_eq!(uri.resource_name().to_string(), "/%0d%0aX:%20y");
}

/// The characters that RFC 3986 section 2 calls unreserved or sub-delims.
const UNRESERVED_AND_SUB_DELIMS: &str =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=";

#[test]
fn every_character_up_to_u_00ff_in_every_part() {
    for character in (0..=0xff_u8).map(char::from) {
        let plain = UNRESERVED_AND_SUB_DELIMS.contains(character);
        let parts = [
            ("host", format!("ws://a{character}b/"), plain || "/?:".contains(character)),
            ("path", format!("ws://a/b{character}c"), plain || ":@/?".contains(character)),
            ("query", format!("ws://a?b{character}c"), plain || ":@/?".contains(character)),
            (
                "IPv6",
                format!("ws://[::{character}]"),
                character.is_ascii_hexdigit() || character == ':',
            ),
            (
                "port",
                format!("ws://a:1{character}"),
                character.is_ascii_digit() || "/?".contains(character),
            ),
        ];
        for (part, text, expected) in parts {
            // "a:b" is a host and a bad port; "[:::]" is no address.
            let expected = expected && !(character == ':' && matches!(part, "host" | "IPv6"));
            assert_eq!(Uri::parse(&text).is_ok(), expected, "{part} {text:?}");
        }
    }
}

#[test]
fn every_pair_of_characters_after_a_percent_sign() {
    for first in '!'..='~' {
        for second in '!'..='~' {
            let expected = first.is_ascii_hexdigit() && second.is_ascii_hexdigit();
            for before in ["ws://h/", "ws://h?", "ws://h"] {
                let text = format!("{before}%{first}{second}g");
                assert_eq!(Uri::parse(&text).is_ok(), expected, "{text}");
            }
        }
    }
}

#[test]
fn every_port_number() {
    for port in 0..=70_000_u32 {
        let text = format!("ws://h:{port}/");
        match Uri::parse(&text) {
            Ok(uri) => {
                assert_eq!(u32::from(uri.port()), port);
                let header = if port == 80 { "h".to_owned() } else { format!("h:{port}") };
                assert_eq!(uri.host_header().to_string(), header);
            }
            Err(error) => {
                assert_eq!(error, UriError::Port);
                assert!(port == 0 || port > 65_535, "{port}");
            }
        }
    }
}

/// Returns all sequences of up to `longest` pieces.
fn sequences(pieces: &[&str], longest: u32, check: &mut impl FnMut(&str)) {
    for length in 1..=longest {
        for mut number in 0..pieces.len().pow(length) {
            let mut text = String::new();
            for _ in 0..length {
                text.push_str(pieces[number % pieces.len()]);
                number /= pieces.len();
            }
            check(&text);
        }
    }
}

#[test]
fn ipv6_literals_agree_with_the_standard_library() {
    let mut accepted = 0;
    let mut check = |text: &str| {
        let uri = format!("ws://[{text}]/");
        let expected = text.parse::<Ipv6Addr>().is_ok();
        assert_eq!(Uri::parse(&uri).is_ok(), expected, "{text}");
        accepted += usize::from(expected);
    };
    sequences(&["1", "aF09", ":", "::", "1.2.3.4", "12345"], 6, &mut check);

    // All numbers of groups, with and without a gap at each place, and with and without an IPv4
    // address at each place.
    for count in 0..=10 {
        for gap in 0..=count + 1 {
            for ipv4 in 0..=count {
                let groups: Vec<&str> =
                    (0..count).map(|at| if at == ipv4 { "1.2.3.4" } else { "a" }).collect();
                check(&match groups.split_at_checked(gap) {
                    Some((head, tail)) => format!("{}::{}", head.join(":"), tail.join(":")),
                    None => groups.join(":"),
                });
            }
        }
    }
    assert!(accepted > 100, "{accepted}");
}

#[test]
fn hosts_of_digits_and_dots_agree_with_the_standard_library() {
    let mut accepted = 0;
    let mut check = |host: &str| {
        let expected = host.parse::<Ipv4Addr>().is_ok();
        assert_eq!(Uri::parse(&format!("ws://{host}:1")).is_ok(), expected, "{host}");
        accepted += usize::from(expected);
    };
    sequences(&["0", "7", "25", ".", "1.2.", "256"], 6, &mut check);
    for number in 0..=1000 {
        for digits in [format!("{number}"), format!("{number:02}"), format!("{number:04}")] {
            for host in
                [format!("{digits}.0.0.1"), format!("1.{digits}.9.1"), format!("1.9.9.{digits}")]
            {
                check(&host);
            }
        }
    }
    assert!(accepted > 1000, "{accepted}");
}

#[test]
fn a_host_of_any_length() {
    let long = "a".repeat(100_000);
    let text = format!("ws://{long}/{long}?{long}");
    assert_eq!(Uri::parse(&text).unwrap().host(), long);
    let zeros = format!("ws://h:{}1", "0".repeat(100_000));
    assert_eq!(Uri::parse(&zeros).unwrap().port(), 1);
    let colons = format!("ws://[{}]", ":".repeat(100_000));
    assert_eq!(error(&colons), Some(UriError::Host));
}

#[test]
fn errors_say_what_is_wrong() {
    let errors = [
        (UriError::Scheme, "ws://"),
        (UriError::Character, "ASCII"),
        (UriError::UserInfo, "user name"),
        (UriError::Host, "host"),
        (UriError::Port, "65535"),
        (UriError::Resource, "percent-encoded"),
        (UriError::Fragment, "fragment"),
    ];
    for (error, word) in errors {
        let error: &dyn std::error::Error = &error;
        assert!(error.to_string().contains(word), "{error}");
    }
}

const PIECES: &str =
    "ws://|WSS://|http://|h|a.b|1.2.3.4|[::1]|[|]|:|80|443|0|/|?|#|@|%|%41| |\r\n|é|::|.|x=y|\\";

/// Text that resembles an address.
fn near_address() -> impl Strategy<Value = String> {
    let pieces: Vec<&str> = PIECES.split('|').collect();
    proptest::collection::vec(proptest::sample::select(pieces), 0..8)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn whatever_is_accepted_is_safe_to_write_and_reads_back(
        text in prop_oneof![
            any::<String>(),
            near_address(),
            (near_address(), any::<String>()).prop_map(|(start, end)| format!("ws://h{start}{end}")),
            "wss?://[a-f0-9:.]{1,12}(:[0-9]{0,6})?[/?]?[!-~]{0,8}",
        ],
    ) {
        if let Ok(uri) = Uri::parse(&text) {
            let header = uri.host_header().to_string();
            let resource = uri.resource_name().to_string();
            prop_assert!(resource.starts_with('/'));
            prop_assert!(!header.is_empty());
            let written = uri.to_string();
            prop_assert!(written.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(!written.contains('#') && !header.contains(['/', '?', '@']));

            let again = Uri::parse(&written).unwrap();
            prop_assert_eq!(again.is_secure(), uri.is_secure());
            prop_assert_eq!(again.host(), uri.host());
            prop_assert_eq!(again.port(), uri.port());
            prop_assert_eq!(again.host_header(), uri.host_header());
            prop_assert_eq!(again.resource_name(), uri.resource_name());
            prop_assert_eq!(again.to_string(), written);
        }
    }
}
