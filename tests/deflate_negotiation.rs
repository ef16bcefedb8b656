//! Tests negotiation (RFC 7692 sections 5 and 7.1): which offers and responses are accepted, and
//! the response to each offer. Rules 42 to 44.
#![cfg(feature = "deflate")]

use sockless::deflate::{
    Context, DeflateConfig, DeflateParams, HeaderValue, Negotiated, NegotiationError, OfferShape,
    WindowBits,
};
use sockless::extensions;

const FULL: DeflateConfig = DeflateConfig::DEFAULT;
const PER_MESSAGE: DeflateConfig =
    FULL.with_send(Context::PER_MESSAGE).with_receive(Context::PER_MESSAGE);

fn context(bits: u8, takeover: bool) -> Context {
    let window_bits = WindowBits::new(bits).unwrap();
    Context { window_bits, takeover }
}

fn windows(send: u8, receive: u8) -> DeflateConfig {
    FULL.with_send(context(send, true)).with_receive(context(receive, true))
}

fn choose(config: &DeflateConfig, offer: &str) -> Option<Negotiated> {
    config.negotiate(extensions::parse([offer.as_bytes()])).expect("well-formed")
}

/// Returns the header of the response and its meaning, or an empty string for a declined offer.
fn answer(config: &DeflateConfig, offer: &str) -> String {
    choose(config, offer).map_or(String::new(), |answer| answer.header.as_str().to_owned())
}

fn conclude(
    config: &DeflateConfig,
    response: &str,
) -> Result<Option<DeflateParams>, NegotiationError> {
    config.accept_response(extensions::parse([response.as_bytes()]))
}

fn agreed(send: (u8, bool), receive: (u8, bool)) -> DeflateParams {
    DeflateParams { send: context(send.0, send.1), receive: context(receive.0, receive.1) }
}

#[test]
fn window_bits_are_8_to_15() {
    for bits in 0..=255 {
        assert_eq!(
            WindowBits::new(bits).map(WindowBits::bits),
            (8..=15).contains(&bits).then_some(bits)
        );
    }
}

/// Section 7.1.2, rule 43: window bits are decimal, 8 to 15, without leading zeros. The server's
/// parameter needs a value, and flags have none.
#[test]
fn rule_42_and_43_invalid_parameters_decline_the_offer() {
    for parameters in [
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=0",
        "server_max_window_bits=1",
        "server_max_window_bits=010",
        "server_max_window_bits=08",
        "server_max_window_bits=+9",
        "server_max_window_bits=9.0",
        "server_max_window_bits=100",
        "server_max_window_bits=18",
        "server_max_window_bits=a",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=010",
        "client_max_window_bits=\"016\"",
        "server_no_context_takeover=1",
        "server_no_context_takeover=true",
        "client_no_context_takeover=\"x\"",
        "unknown",
        "Server_no_context_takeover",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits; client_max_window_bits=10",
    ] {
        let offer = format!("permessage-deflate; {parameters}");
        assert_eq!(answer(&FULL, &offer), "", "{offer}");
        // The server considers the next offer, on this line or the next.
        assert_eq!(answer(&FULL, &format!("{offer}, permessage-deflate")), "permessage-deflate");
        let lines = [offer.as_bytes(), b"permessage-deflate"];
        assert!(FULL.negotiate(extensions::parse(lines)).unwrap().is_some());
        // A client fails on such a response (section 7.1).
        assert_eq!(conclude(&FULL, &offer), Err(NegotiationError::Parameter), "{offer}");
    }
    for bits in 8..=15 {
        for value in [format!("{bits}"), format!("\"{bits}\"")] {
            let offer = format!("permessage-deflate; server_max_window_bits={value}");
            assert_eq!(choose(&FULL, &offer).unwrap().agreement.send, context(bits, true));
        }
    }
}

#[test]
fn other_extensions_are_passed_over() {
    for offer in [
        "",
        "permessage-bzip2",
        "x-webkit-deflate-frame",
        "Permessage-Deflate",
        "permessage-deflate-x",
    ] {
        assert_eq!(answer(&FULL, offer), "");
    }
    assert_eq!(
        answer(&FULL, "x-webkit-deflate-frame, mux, permessage-deflate"),
        "permessage-deflate"
    );
}

#[test]
fn offers_are_taken_in_order() {
    // The example of section 5.1: a client with a preference and a fallback.
    let preference = "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
                      permessage-deflate; client_max_window_bits";
    assert_eq!(answer(&FULL, preference), "permessage-deflate; server_max_window_bits=10");
    assert_eq!(
        answer(&windows(15, 12), "permessage-deflate, permessage-deflate; client_max_window_bits"),
        "permessage-deflate; client_max_window_bits=12"
    );
}

#[test]
fn a_malformed_list_is_an_error_wherever_it_breaks() {
    for list in ["permessage-deflate; =", "permessage-deflate, a b", "a;, permessage-deflate"] {
        assert!(FULL.negotiate(extensions::parse([list.as_bytes()])).is_err());
        assert_eq!(conclude(&FULL, list), Err(NegotiationError::Syntax));
    }
}

/// Offers of browsers and libraries, with the response that they get.
#[test]
fn offers_seen_on_the_wire() {
    for (offer, expected) in [
        ("permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        (
            "permessage-deflate; client_max_window_bits=15; server_max_window_bits=15",
            "permessage-deflate; server_max_window_bits=15",
        ),
        (
            "permessage-deflate;client_no_context_takeover;server_max_window_bits=8;client_max_window_bits=8",
            "permessage-deflate; client_no_context_takeover; server_max_window_bits=8; client_max_window_bits=8",
        ),
    ] {
        assert_eq!(answer(&FULL, offer), expected);
    }
}

#[test]
fn the_configuration_is_a_ceiling() {
    for (config, offer, expected) in [
        // The server promises and demands the end of context takeover unasked.
        (
            PER_MESSAGE,
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        // Our window appears in the response only if the offer asks, and is never larger than the
        // offer or our configuration.
        (windows(10, 15), "permessage-deflate", "permessage-deflate"),
        (
            windows(10, 15),
            "permessage-deflate; server_max_window_bits=12",
            "permessage-deflate; server_max_window_bits=10",
        ),
        (
            windows(13, 15),
            "permessage-deflate; server_max_window_bits=12",
            "permessage-deflate; server_max_window_bits=12",
        ),
        // The client's window may be in the response only if it was offered. Otherwise the offer
        // cannot be met.
        (windows(15, 10), "permessage-deflate", ""),
        (
            windows(15, 10),
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=10",
        ),
        (
            windows(15, 10),
            "permessage-deflate; client_max_window_bits=12",
            "permessage-deflate; client_max_window_bits=10",
        ),
        (
            windows(15, 10),
            "permessage-deflate; client_max_window_bits=9",
            "permessage-deflate; client_max_window_bits=9",
        ),
    ] {
        assert_eq!(answer(&config, offer), expected, "{offer}");
    }
    let small = choose(&windows(10, 15), "permessage-deflate").unwrap().agreement;
    assert_eq!(small, agreed((10, true), (15, true)), "smaller than agreed is always allowed");
}

#[test]
fn offers_say_what_the_configuration_demands() {
    for (config, offer) in [
        (FULL, "permessage-deflate; client_max_window_bits"),
        (
            PER_MESSAGE,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        ),
        (windows(9, 12), "permessage-deflate; server_max_window_bits=12; client_max_window_bits=9"),
    ] {
        assert_eq!(config.offer().as_str(), offer);
    }
}

#[test]
fn answers_are_judged_by_the_offer() {
    use NegotiationError::{NotMet, NotOffered, Parameter, Repeated};
    let deflate = |parameters: &str| format!("permessage-deflate{parameters}");
    for (config, response, expected) in [
        (FULL, "", Ok(agreed((15, true), (15, true)))),
        // The server may promise and demand these unasked (sections 7.1.1.1, 7.1.1.2, 7.1.2.1).
        (FULL, "; server_no_context_takeover", Ok(agreed((15, true), (15, false)))),
        (FULL, "; client_no_context_takeover", Ok(agreed((15, false), (15, true)))),
        (FULL, "; server_max_window_bits=9", Ok(agreed((15, true), (9, true)))),
        (FULL, "; client_max_window_bits=8", Ok(agreed((8, true), (15, true)))),
        // In a response the parameter needs a value (section 7.1.2.2).
        (FULL, "; client_max_window_bits", Err(Parameter)),
        // The response must meet our demands.
        (PER_MESSAGE, "", Err(NotMet)),
        (PER_MESSAGE, "; client_no_context_takeover", Err(NotMet)),
        (PER_MESSAGE, "; server_no_context_takeover", Ok(agreed((15, false), (15, false)))),
        (windows(15, 12), "", Err(NotMet)),
        (windows(15, 12), "; server_max_window_bits=13", Err(NotMet)),
        (windows(15, 12), "; server_max_window_bits=12", Ok(agreed((15, true), (12, true)))),
        (windows(15, 12), "; server_max_window_bits=10", Ok(agreed((15, true), (10, true)))),
        // A response never exceeds the offer.
        (windows(12, 15), "; client_max_window_bits=13", Err(NotMet)),
        (windows(12, 15), "; client_max_window_bits=12", Ok(agreed((12, true), (15, true)))),
        (windows(12, 15), "", Ok(agreed((12, true), (15, true)))),
        (FULL, ", permessage-deflate", Err(Repeated)),
        (FULL, ", mux", Err(NotOffered)),
    ] {
        assert_eq!(conclude(&config, &deflate(response)), expected.map(Some), "{response}");
    }
    assert_eq!(conclude(&FULL, ""), Ok(None));
    assert_eq!(conclude(&FULL, "mux"), Err(NotOffered));
}

/// Checks every pair of configurations: our client accepts the response of our server, both agree
/// on the parameters, and neither exceeds its configuration.
#[test]
fn both_ends_agree() {
    let mut configs = Vec::new();
    for send in [8, 9, 12, 15] {
        for receive in [8, 10, 15] {
            for takeover in 0..4 {
                configs.push(
                    FULL.with_send(context(send, takeover & 1 == 0))
                        .with_receive(context(receive, takeover & 2 == 0)),
                );
            }
        }
    }
    for client in &configs {
        for server in &configs {
            let answer = choose(server, client.offer().as_str())
                .expect("an offer of ours can always be met");
            let ours = conclude(client, answer.header.as_str()).unwrap().unwrap();
            let theirs = answer.agreement;
            // Neither end sends with a larger window than the other expects. A server need not
            // announce its smaller window.
            assert!(theirs.send.window_bits <= ours.receive.window_bits);
            assert!(ours.send.window_bits <= theirs.receive.window_bits);
            assert_eq!(theirs.send.takeover, ours.receive.takeover);
            assert_eq!(theirs.receive.takeover, ours.send.takeover);
            for (end, config) in [(ours, client), (theirs, server)] {
                for (have, most) in [(end.send, config.send()), (end.receive, config.receive())] {
                    assert!(have.window_bits <= most.window_bits && have.takeover <= most.takeover);
                }
            }
        }
    }
}

#[test]
fn the_longest_header_value_fits() {
    let config = DeflateConfig::DEFAULT
        .with_send(Context { window_bits: WindowBits::new(14).unwrap(), takeover: false })
        .with_receive(Context { window_bits: WindowBits::new(14).unwrap(), takeover: false });
    let longest = config.shaped_offer(OfferShape::WithFallback);
    assert_eq!(longest.as_str().len(), HeaderValue::MAX_LEN);
    assert!(longest.as_str().ends_with("; client_max_window_bits=14, permessage-deflate"));
}

/// Rule 60, section 7.1.3: some servers refuse or drop offers with parameters.
#[test]
fn rule_60_an_offer_has_the_configured_shape() {
    let config = windows(12, 10);
    let judge = |shape, answer: &str| {
        config.accept_shaped_response(shape, extensions::parse([answer.as_bytes()]))
    };
    let bare = "permessage-deflate";
    assert_eq!(config.shaped_offer(OfferShape::Bare).as_str(), bare);
    assert_eq!(config.shaped_offer(OfferShape::Parameters), config.offer());
    // Our own limit for sending applies. The peer may do everything that a bare offer does not
    // restrict.
    let free = DeflateParams {
        send: Context { window_bits: config.send().window_bits, takeover: true },
        receive: Context::FULL,
    };
    assert_eq!(judge(OfferShape::Bare, bare), Ok(Some(free)));
    assert_eq!(judge(OfferShape::WithFallback, bare), Ok(Some(free)));
    assert_eq!(judge(OfferShape::Parameters, bare), Err(NegotiationError::NotMet));
    for shape in [OfferShape::Bare, OfferShape::WithFallback] {
        let smaller =
            judge(shape, "permessage-deflate; server_max_window_bits=9").unwrap().unwrap();
        assert_eq!(smaller.receive.window_bits, WindowBits::new(9).unwrap());
        assert_eq!(judge(shape, ""), Ok(None));
        assert!(judge(shape, "permessage-deflate, permessage-deflate").is_err());
    }
    // Section 7.1.2.2: the parameter may be in the response only if it was in the offer.
    let with_client = "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9";
    assert!(judge(OfferShape::Bare, with_client).is_err());
    assert!(judge(OfferShape::WithFallback, with_client).is_ok());
}

/// Section 7.1.2: each window is offered and answered as its own number.
#[test]
fn every_window_goes_over_the_wire() {
    for bits in 8..=15 {
        let config = windows(bits, bits);
        let offer = format!(
            "permessage-deflate; server_max_window_bits={bits}; client_max_window_bits={bits}"
        );
        // The largest window of the client need not be written.
        let answered = offer.strip_suffix("; client_max_window_bits=15").unwrap_or(&offer);
        assert_eq!(answer(&windows(15, 15), &offer), answered);
        let offered = config.offer();
        let asked = if bits == 15 {
            "permessage-deflate; client_max_window_bits".to_string()
        } else {
            offer
        };
        assert_eq!(offered.as_str(), asked);
        assert_eq!((offered.as_bytes(), offered.as_ref()), (asked.as_bytes(), asked.as_bytes()));
    }
}

/// Checks the documented defaults.
#[test]
fn defaults_are_the_largest() {
    assert_eq!(WindowBits::default(), WindowBits::MAX);
    assert_eq!(Context::default(), Context::FULL);
    assert_eq!(DeflateConfig::default(), DeflateConfig::DEFAULT);
}
