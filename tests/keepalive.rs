//! Tests the timers on a virtual clock: by examples, against an oracle over every short history,
//! and with misbehaving clocks.

use proptest::prelude::*;
use sockless::keepalive::{Action, Keepalive, Timeout, Timers};

const HANDSHAKE: Option<Action> = Some(Action::TimedOut(Timeout::Handshake));
const PONG: Option<Action> = Some(Action::TimedOut(Timeout::Pong));
const IDLE: Option<Action> = Some(Action::TimedOut(Timeout::Idle));
const CLOSE: Option<Action> = Some(Action::TimedOut(Timeout::Close));
const PING: Option<Action> = Some(Action::Ping);

const TIMERS: Timers = Timers::OFF
    .with_handshake_within(Some(10))
    .with_ping_after(Some(30))
    .with_pong_within(Some(7))
    .with_idle_within(None)
    .with_close_within(Some(5));

fn open(timers: Timers, now: u64) -> Keepalive {
    let mut keepalive = Keepalive::new(timers, now);
    keepalive.opened(now);
    keepalive
}

#[test]
fn fits_into_64_bytes() {
    assert!(size_of::<Keepalive>() <= 64);
}

#[test]
fn a_slow_handshake_times_out_even_if_bytes_drip_in() {
    let mut keepalive = Keepalive::new(TIMERS, 100);
    for now in 100..110 {
        keepalive.received(now);
        assert_eq!(keepalive.poll(now), None);
        assert_eq!(keepalive.deadline(), Some(110));
    }
    assert_eq!(keepalive.poll(110), HANDSHAKE);
    // The state is final, whatever the caller reports.
    keepalive.opened(111);
    keepalive.received(111);
    keepalive.closing(111);
    assert_eq!(keepalive.deadline(), None);
    assert_eq!(keepalive.poll(u64::MAX), None);
}

#[test]
fn a_ping_is_asked_for_once_and_any_byte_answers_it() {
    let mut keepalive = open(TIMERS, 100);
    keepalive.received(105);
    assert_eq!(keepalive.deadline(), Some(135));
    assert_eq!(keepalive.poll(134), None);
    assert_eq!(keepalive.poll(135), PING);
    assert_eq!(keepalive.poll(135), None);
    assert_eq!(keepalive.deadline(), Some(142));
    assert_eq!(keepalive.poll(141), None);
    keepalive.received(141);
    assert_eq!(keepalive.poll(142), None);
    assert_eq!(keepalive.deadline(), Some(171));
    assert_eq!(keepalive.poll(171), PING);
    assert_eq!(keepalive.poll(178), PONG);
    assert_eq!(keepalive.poll(178), None);
    assert_eq!(keepalive.deadline(), None);
}

#[test]
fn a_late_loop_pings_before_it_gives_up() {
    let mut keepalive = open(TIMERS, 0);
    assert_eq!(keepalive.poll(1_000_000), PING);
    assert_eq!(keepalive.poll(1_000_000), None);
    assert_eq!(keepalive.deadline(), Some(1_000_007));
}

#[test]
fn without_a_limit_for_the_pong_pings_go_on_at_intervals() {
    let mut keepalive = open(TIMERS.with_pong_within(None), 0);
    for now in [30, 60, 95, 125] {
        assert_eq!(keepalive.poll(now - 1), None, "{now}");
        assert_eq!(keepalive.poll(now), PING, "{now}");
        assert_eq!(keepalive.poll(now), None, "{now}");
        if now == 60 {
            keepalive.received(65);
        }
    }
}

#[test]
fn with_a_long_limit_for_the_pong_one_ping_is_enough() {
    let mut keepalive = open(TIMERS.with_pong_within(Some(100)), 0);
    assert_eq!(keepalive.poll(30), PING);
    for now in 31..130 {
        assert_eq!(keepalive.poll(now), None, "{now}");
    }
    assert_eq!(keepalive.poll(130), PONG);
}

#[test]
fn with_the_longest_limit_for_the_pong_one_ping_is_enough() {
    let mut keepalive = open(TIMERS.with_pong_within(Some(u64::MAX)), 0);
    assert_eq!(keepalive.poll(30), PING);
    assert_eq!(keepalive.poll(60), None);
}

#[test]
fn an_idle_limit_works_alone_and_beside_pings() {
    let mut alone = open(Timers::OFF.with_idle_within(Some(50)), 0);
    alone.received(20);
    assert_eq!(alone.deadline(), Some(70));
    assert_eq!(alone.poll(69), None);
    assert_eq!(alone.poll(70), IDLE);
    assert_eq!(alone.poll(70), None);

    // A Ping does not end the silence, which began at the last byte.
    let mut beside = open(TIMERS.with_idle_within(Some(35)).with_pong_within(Some(20)), 0);
    assert_eq!(beside.poll(30), PING);
    assert_eq!(beside.deadline(), Some(35));
    assert_eq!(beside.poll(35), IDLE);

    // If both are due, another Ping would be useless.
    let mut late = open(TIMERS.with_idle_within(Some(35)), 0);
    assert_eq!(late.poll(40), IDLE);
    assert_eq!(late.poll(40), None);
}

#[test]
fn rule_37_a_peer_that_does_not_end_the_connection_times_out_even_if_it_keeps_sending() {
    let mut keepalive = open(TIMERS, 0);
    keepalive.closing(12);
    assert_eq!(keepalive.deadline(), Some(17));
    for now in 12..17 {
        keepalive.received(now);
        keepalive.closing(now);
        keepalive.opened(now);
        assert_eq!(keepalive.poll(now), None);
    }
    assert_eq!(keepalive.poll(17), CLOSE);
    assert_eq!(keepalive.poll(17), None);
    keepalive.closing(18);
    assert_eq!(keepalive.deadline(), None);
}

#[test]
fn a_refused_handshake_closes_too() {
    let mut keepalive = Keepalive::new(TIMERS, 0);
    keepalive.closing(9);
    assert_eq!(keepalive.poll(10), None);
    assert_eq!(keepalive.poll(14), CLOSE);
}

#[test]
fn a_silent_peer_may_be_sent_a_close_with_a_limit_of_its_own() {
    let mut keepalive = open(TIMERS.with_idle_within(Some(9)), 0);
    assert_eq!(keepalive.poll(9), IDLE);
    keepalive.received(9);
    keepalive.opened(9);
    assert_eq!(keepalive.deadline(), None);
    keepalive.closing(9);
    assert_eq!(keepalive.deadline(), Some(14));
    assert_eq!(keepalive.poll(14), CLOSE);
}

#[test]
fn nothing_is_due_when_all_is_off() {
    for timers in [Timers::OFF, Timers::default()] {
        let mut keepalive = Keepalive::new(timers, 0);
        assert_eq!((keepalive.deadline(), keepalive.poll(u64::MAX)), (None, None));
        keepalive.opened(0);
        assert_eq!((keepalive.deadline(), keepalive.poll(u64::MAX)), (None, None));
        keepalive.closing(0);
        assert_eq!((keepalive.deadline(), keepalive.poll(u64::MAX)), (None, None));
    }
}

#[test]
fn a_timer_of_zero_is_one_tick_and_never_spins() {
    let zero = Timers::OFF
        .with_handshake_within(Some(0))
        .with_ping_after(Some(0))
        .with_pong_within(None)
        .with_idle_within(None)
        .with_close_within(Some(0));
    let mut keepalive = Keepalive::new(zero, 5);
    assert_eq!((keepalive.poll(5), keepalive.deadline()), (None, Some(6)));
    keepalive.opened(5);
    for now in 6..20 {
        assert_eq!(keepalive.poll(now), PING);
        assert_eq!(keepalive.poll(now), None);
    }
    keepalive.closing(20);
    assert_eq!((keepalive.poll(20), keepalive.poll(21)), (None, CLOSE));

    let mut keepalive = open(zero.with_pong_within(Some(0)).with_idle_within(None), 0);
    assert_eq!((keepalive.poll(1), keepalive.poll(1), keepalive.poll(2)), (PING, None, PONG));
    let mut keepalive = open(Timers::OFF.with_idle_within(Some(0)), 0);
    assert_eq!((keepalive.poll(0), keepalive.poll(1)), (None, IDLE));
}

#[test]
fn a_clock_at_its_end_does_not_overflow() {
    let mut keepalive = open(TIMERS, u64::MAX - 3);
    assert_eq!(keepalive.deadline(), None);
    assert_eq!(keepalive.poll(u64::MAX), None);
    // Set the clock back to zero, like a counter that wraps. Running timers restart.
    assert_eq!(keepalive.poll(2), None);
    assert_eq!(keepalive.deadline(), Some(32));
    assert_eq!(keepalive.poll(32), PING);
}

/// Checks that each timer restarts when the clock is set back: the silence, and the answer to a
/// Ping.
#[test]
fn a_clock_that_is_set_back_restarts_what_runs() {
    let mut keepalive = open(Timers::OFF.with_idle_within(Some(10)), 100);
    assert_eq!(keepalive.poll(5), None);
    assert_eq!((keepalive.poll(14), keepalive.poll(15)), (None, IDLE));

    let timers = Timers::OFF.with_ping_after(Some(10)).with_pong_within(Some(4));
    let mut keepalive = open(timers, 100);
    assert_eq!(keepalive.poll(110), PING);
    assert_eq!(keepalive.poll(5), None);
    assert_eq!((keepalive.poll(8), keepalive.poll(9)), (None, PONG));
}

/// The events that the caller reports in one tick, before it polls.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Nothing,
    Received,
    Opened,
    Closing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Entry {
    Told(Told),
    Did(Action),
}

/// Returns the action that must be due at `now`, from the whole history and without state: the
/// documented rules in another form.
fn oracle(timers: &Timers, history: &[(u64, Entry)], now: u64) -> Option<Action> {
    let time_of =
        |wanted: &dyn Fn(Entry) -> bool| history.iter().find(|(_, e)| wanted(*e)).map(|(t, _)| *t);
    let has = |timeout| time_of(&|e| e == Entry::Did(Action::TimedOut(timeout))).is_some();
    let passed = |start: u64, limit: Option<u64>| limit.is_some_and(|limit| now >= start + limit);

    if has(Timeout::Handshake) || has(Timeout::Close) {
        return None;
    }
    if let Some(closing) = time_of(&|e| e == Entry::Told(Told::Closing)) {
        return CLOSE.filter(|_| passed(closing, timers.close_within()));
    }
    let Some(opened) = time_of(&|e| e == Entry::Told(Told::Opened)) else {
        return HANDSHAKE.filter(|_| passed(0, timers.handshake_within()));
    };
    if has(Timeout::Idle) || has(Timeout::Pong) {
        return None;
    }
    // Bytes before the end of the handshake change nothing.
    let heard = history.iter().rev().find(|(_, e)| *e == Entry::Told(Told::Received));
    let heard = heard.map_or(opened, |(time, _)| opened.max(*time));
    // A Ping is polled after the caller's events, so a Ping of an equal tick is newer.
    let pinged = history.iter().rev().find(|(t, e)| *e == Entry::Did(Action::Ping) && *t >= heard);
    if passed(heard, timers.idle_within()) {
        return IDLE;
    }
    match (pinged, timers.pong_within()) {
        (Some((at, _)), Some(_)) => PONG.filter(|_| passed(*at, timers.pong_within())),
        (Some((at, _)), None) => PING.filter(|_| passed(*at, timers.ping_after())),
        (None, _) => PING.filter(|_| passed(heard, timers.ping_after())),
    }
}

/// Runs every sequence of events in the ticks up to `last`, in every order.
fn walk(
    timers: &Timers,
    keepalive: &Keepalive,
    history: &mut Vec<(u64, Entry)>,
    now: u64,
    last: u64,
) -> u64 {
    if now > last {
        return 1;
    }
    let mut histories = 0;
    for told in [Told::Nothing, Told::Received, Told::Opened, Told::Closing] {
        let mut keepalive = keepalive.clone();
        let before = history.len();
        match told {
            Told::Nothing => {}
            Told::Received => keepalive.received(now),
            Told::Opened => keepalive.opened(now),
            Told::Closing => keepalive.closing(now),
        }
        history.push((now, Entry::Told(told)));

        let expected = oracle(timers, history, now);
        let is_due = keepalive.deadline().is_some_and(|deadline| deadline <= now);
        assert_eq!(is_due, expected.is_some(), "{timers:?} {history:?} at {now}");
        let left = keepalive.deadline().map(|deadline| deadline.saturating_sub(now));
        assert_eq!(keepalive.wait(now), left, "{timers:?} {history:?} at {now}");
        assert_eq!(keepalive.poll(now), expected, "{timers:?} {history:?} at {now}");
        if let Some(action) = expected {
            history.push((now, Entry::Did(action)));
        }
        assert_eq!(keepalive.poll(now), None, "asked twice: {timers:?} {history:?} at {now}");

        // The deadline is exact: nothing is due before it, something is due at it, and without a
        // deadline nothing is ever due.
        match keepalive.deadline() {
            Some(deadline) => {
                assert!(deadline > now, "{timers:?} {history:?}");
                assert_eq!(keepalive.clone().poll(deadline - 1), None, "{timers:?} {history:?}");
                assert!(keepalive.clone().poll(deadline).is_some(), "{timers:?} {history:?}");
            }
            None => assert_eq!(keepalive.clone().poll(u64::MAX), None, "{timers:?} {history:?}"),
        }
        histories += walk(timers, &keepalive, history, now + 1, last);
        history.truncate(before);
    }
    histories
}

#[test]
fn every_history_of_six_ticks_agrees_with_the_oracle() {
    let mut histories = 0;
    for handshake_within in [None, Some(2)] {
        for ping_after in [None, Some(1), Some(2)] {
            for pong_within in [None, Some(1), Some(2)] {
                for idle_within in [None, Some(2), Some(4)] {
                    for close_within in [None, Some(2)] {
                        let timers = Timers::OFF
                            .with_handshake_within(handshake_within)
                            .with_ping_after(ping_after)
                            .with_pong_within(pong_within)
                            .with_idle_within(idle_within)
                            .with_close_within(close_within);
                        let keepalive = Keepalive::new(timers, 0);
                        histories += walk(&timers, &keepalive, &mut Vec::new(), 0, 5);
                    }
                }
            }
        }
    }
    assert_eq!(histories, 108 * 4_u64.pow(6));
}

fn short_timer() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), (0_u64..20).prop_map(Some)]
}

fn any_timer() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![short_timer(), any::<u64>().prop_map(Some), Just(Some(u64::MAX))]
}

fn timers(timer: impl Fn() -> BoxedStrategy<Option<u64>>) -> impl Strategy<Value = Timers> {
    (timer(), timer(), timer(), timer(), timer()).prop_map(
        |(handshake_within, ping_after, pong_within, idle_within, close_within)| {
            Timers::OFF
                .with_handshake_within(handshake_within)
                .with_ping_after(ping_after)
                .with_pong_within(pong_within)
                .with_idle_within(idle_within)
                .with_close_within(close_within)
        },
    )
}

fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..100, any::<u64>(), u64::MAX - 30..=u64::MAX]
}

proptest! {
    #[test]
    fn no_clock_makes_it_panic_or_spin(
        timers in timers(|| any_timer().boxed()),
        steps in proptest::collection::vec((0_u8..4, any_time()), 0..40),
    ) {
        let mut keepalive = Keepalive::new(timers, 50);
        let mut timed_out = 0;
        for (step, now) in steps {
            match step {
                0 => keepalive.received(now),
                1 => keepalive.opened(now),
                2 => keepalive.closing(now),
                _ => {}
            }
            if let Some(Action::TimedOut(_)) = keepalive.poll(now) {
                timed_out += 1;
            }
            prop_assert_eq!(keepalive.poll(now), None);
        }
        // Silence is reported at most once, and so is the closing handshake.
        prop_assert!(timed_out <= 2);
    }

    #[test]
    fn a_clock_set_back_delays_a_timer_by_at_most_its_length(
        timers in timers(|| short_timer().boxed()),
        steps in proptest::collection::vec((0_u8..4, any_time()), 0..10),
        now in 0_u64..1_000_000,
    ) {
        let mut keepalive = Keepalive::new(timers, 50);
        for (step, now) in steps {
            match step {
                0 => keepalive.received(now),
                1 => keepalive.opened(now),
                2 => keepalive.closing(now),
                _ => { keepalive.poll(now); }
            }
        }
        keepalive.poll(now);
        if let Some(deadline) = keepalive.deadline() {
            prop_assert!(deadline > now && deadline <= now + 20);
        }
    }
}

/// Checks that a clock that is set back makes no wait longer than its timer.
#[test]
fn wait_is_never_longer_than_its_timer() {
    let mut keepalive = Keepalive::new(Timers::OFF.with_ping_after(Some(100)), 1000);
    keepalive.opened(1000);
    for now in [10, 999, 1000] {
        assert_eq!(keepalive.wait(now), Some(100), "{now}");
    }
    assert_eq!(keepalive.wait(1100), Some(0));
    assert_eq!(keepalive.deadline(), Some(1100), "wait changes nothing");
}
