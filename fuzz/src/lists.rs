//! Checks addresses and header lists, the small grammars of the handshake.

use sockless::extensions::{self, Extension};
use sockless::handshake::{Accept, ConnectRequest, Key, Upgrade, Uri, accept_key, subprotocols};

/// Checks that a valid address is safe to write into a head, and does not change when it is written
/// and parsed again.
pub fn uri(text: &str) {
    let Ok(uri) = Uri::parse(text) else { return };
    let written = uri.to_string();
    let again = Uri::parse(&written).expect("what was accepted is an address");
    assert_eq!(again.to_string(), written);
    assert_eq!((again.host(), again.port()), (uri.host(), uri.port()));
    assert_eq!((again.is_secure(), again.query()), (uri.is_secure(), uri.query()));
    assert_eq!(again.resource_name().to_string(), uri.resource_name().to_string());
    assert_ne!(uri.port(), 0);
    assert!(uri.resource_name().to_string().starts_with('/'));
    for part in [uri.host_header().to_string(), uri.resource_name().to_string()] {
        assert!(part.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    if uri.host().contains(':') {
        assert!(uri.host().parse::<std::net::Ipv6Addr>().is_ok(), "{}", uri.host());
    }
}

/// Checks that a list of extensions does not change when it is written and parsed again, and that
/// its iterator ends.
pub fn extension_list(lines: &[&[u8]]) {
    let mut text = Vec::new();
    let mut list = extensions::parse(lines.iter().copied());
    for extension in list.by_ref() {
        let Ok(extension) = extension else { break };
        assert!(!extension.name().is_empty());
        text.push(element(&extension));
    }
    assert!(list.next().is_none());
    let joined = text.join(", ");
    let again = extensions::parse([joined.as_bytes()]);
    assert!(again.map(|extension| element(&extension.expect("we wrote it"))).eq(text));
}

/// Writes an element of a list, without quotes.
fn element(extension: &Extension<'_>) -> String {
    let mut element = extension.name().to_string();
    for parameter in extension.parameters() {
        assert!(!parameter.name().is_empty());
        element += &format!("; {}", parameter.name());
        if let Some(value) = parameter.value() {
            assert!(value.chars().count() > 0);
            assert!(value == *value.to_string());
            element += &format!("={value}");
        }
    }
    element
}

/// Checks headers from any source. Each line of the input is one `name: value`.
pub fn headers(lines: &[&[u8]]) {
    let headers: Vec<(&[u8], &[u8])> = lines
        .iter()
        .map(|line| match line.iter().position(|&byte| byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (*line, &[][..]),
        })
        .collect();
    let names: Vec<&str> = subprotocols(headers.iter().copied()).collect();
    if let Ok(Some(upgrade)) = Upgrade::from_request("GET", headers.iter().copied()) {
        let posted = Upgrade::from_request("POST", headers.iter().copied());
        assert!(!matches!(posted, Ok(Some(_))));
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
        let key = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"Sec-WebSocket-Key"));
        let key = key.expect("it has one").1.trim_ascii();
        assert_eq!(upgrade.key().expect("an upgrade has a key").accept(), accept_key(key));
        assert!(upgrade.subprotocols().eq(names.iter().copied()));
        for chosen in [None, Some("unoffered"), names.first().copied()] {
            let accept = chosen.map_or(Accept::new(), |name| Accept::new().with_subprotocol(name));
            let accepted = upgrade.accept(accept);
            let is_offered = chosen.is_none_or(|name| names.contains(&name));
            assert_eq!(accepted.is_ok(), is_offered);
            if let Ok(accepted) = accepted {
                assert_eq!((accepted.status(), accepted.agreed().subprotocol()), (101, chosen));
            }
        }
    }
    let uri = Uri::parse("ws://example.com").expect("a good address");
    let key = Key::from_nonce(b"the sample nonce");
    let request = ConnectRequest::new(&uri).with_subprotocols(&names);
    if let Ok(agreed) = request.check_response(Some(&key), 101, headers.iter().copied()) {
        let chosen = agreed.subprotocol();
        assert!(chosen.is_none_or(|chosen| names.contains(&chosen)));
        let accept =
            headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"Sec-WebSocket-Accept"));
        let values: Vec<_> = accept.map(|(_, value)| value.trim_ascii()).collect();
        assert_eq!(values, [b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
    }
}
