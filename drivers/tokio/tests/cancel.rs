//! Every future is dropped after any number of polls; each message arrives once, in order.

mod common;

use common::{Random, cancelled, numbered, pair};
use sockless_tokio::{CloseCode, Event, Message, Options};

const MESSAGES: u64 = 12;

fn len_of(random: &mut Random) -> usize {
    [8, 30, 125, 126, 1000, 5000, 20_000][random.below(7) as usize]
}

async fn run(seed: u64, size: usize, compressed: bool) {
    let options = Options::new().high_water(1 + (seed as usize * 37) % 3000);
    let (mut a, mut b) = pair(size, &options, compressed);
    let sending = async {
        let mut random = Random(seed * 2 + 1);
        for number in 0..MESSAGES {
            let message = Message::binary(numbered(number, len_of(&mut random)));
            // A feed that was dropped has queued nothing.
            loop {
                match cancelled(1 + random.below(3), a.feed(message.clone())).await {
                    Some(done) => break done.unwrap(),
                    None => tokio::task::yield_now().await,
                }
            }
            while random.below(2) == 0 {
                cancelled(1, a.flush()).await.transpose().unwrap();
            }
            if random.below(4) == 0 {
                cancelled(1, a.next()).await;
            }
        }
        while cancelled(1 + random.below(2), a.flush()).await.transpose().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        loop {
            let closing = cancelled(1 + random.below(3), a.close(CloseCode::NORMAL, "end")).await;
            match closing {
                Some(done) => break done.unwrap(),
                None => tokio::task::yield_now().await,
            }
        }
    };
    let receiving = async {
        let mut random = Random(seed * 2 + 2);
        let mut lens = Random(seed * 2 + 1);
        let mut received = 0;
        loop {
            match cancelled(1 + random.below(3), b.next()).await {
                Some(Some(Ok(Message::Binary(bytes)))) => {
                    assert_eq!(bytes[..8], u64::to_be_bytes(received));
                    assert_eq!(bytes, numbered(received, bytes.len()));
                    received += 1;
                }
                Some(Some(Ok(Message::Close(Some(close))))) => {
                    assert_eq!(close.code, CloseCode::NORMAL);
                    assert_eq!(close.reason, "end");
                }
                Some(Some(other)) => panic!("{other:?}"),
                Some(None) => break,
                None => tokio::task::yield_now().await,
            }
            let _ = lens.next();
        }
        assert_eq!(received, MESSAGES);
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), async {
        tokio::join!(sending, receiving)
    })
    .await
    .unwrap_or_else(|_| panic!("seed {seed}, pipe {size}, compressed {compressed}: hangs"));
}

#[tokio::test]
async fn every_future_can_be_dropped_at_every_poll() {
    for seed in 0..1500 {
        let size = [1, 7, 64, 1000, 4096][seed as usize % 5];
        // One byte at a time is slow; it gets fewer runs.
        if size == 1 && seed % 50 != 0 {
            continue;
        }
        run(seed, size, seed % 3 == 0).await;
    }
}

/// The halves likewise.
#[tokio::test]
async fn the_halves_can_be_dropped_at_every_poll() {
    for seed in 0..500u64 {
        let size = [7, 64, 1000, 4096][seed as usize % 4];
        let options = Options::new().high_water(500);
        let (a, b) = pair(size, &options, seed % 3 == 0);
        let ((mut ar, mut aw), (mut br, mut bw)) = (a.split(), b.split());
        let send = async {
            let mut random = Random(seed + 1);
            for number in 0..MESSAGES {
                let message = Message::binary(numbered(number, len_of(&mut random)));
                while cancelled(1 + random.below(2), aw.feed(message.clone())).await.is_none() {
                    tokio::task::yield_now().await;
                }
            }
            while cancelled(1, aw.flush()).await.is_none() {
                tokio::task::yield_now().await;
            }
        };
        let echo = async {
            let mut random = Random(seed + 2);
            for _ in 0..MESSAGES {
                let message = loop {
                    if let Some(message) = cancelled(1 + random.below(2), br.next()).await {
                        break message.unwrap().unwrap();
                    }
                    tokio::task::yield_now().await;
                };
                while cancelled(1 + random.below(2), bw.feed(message.clone())).await.is_none() {
                    tokio::task::yield_now().await;
                }
            }
            bw.flush().await.unwrap();
        };
        let receive = async {
            for number in 0..MESSAGES {
                let message = ar.next().await.unwrap().unwrap();
                assert_eq!(message.payload(), numbered(number, message.payload().len()));
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), async {
            tokio::join!(send, echo, receive)
        })
        .await
        .unwrap_or_else(|_| panic!("seed {seed}, pipe {size}: hangs"));
    }
}

/// Each number that was sent to the end has come, once and in order; a dropped send has queued its
/// message whole or not at all. One of the peers echoes by `recv_and_queue`, and drops it likewise.
#[tokio::test]
async fn a_dropped_send_is_whole_or_not_at_all() {
    let (mut dropped, mut lost) = (0, 0);
    for seed in 0..600u64 {
        let size = [7, 64, 1000, 4096][seed as usize % 4];
        let options = Options::new().high_water(1 + (seed as usize * 37) % 3000);
        let (a, mut b) = pair(size, &options, seed % 3 == 0);
        let (mut reader, mut writer) = a.split();
        let send = async {
            let mut random = Random(seed + 1);
            let mut done = Vec::new();
            for number in 0..MESSAGES {
                let message = numbered(number, len_of(&mut random));
                match cancelled(1 + random.below(3), writer.send(message)).await {
                    Some(sent) => {
                        sent.unwrap();
                        done.push(number);
                    }
                    None => tokio::task::yield_now().await,
                }
            }
            while cancelled(1, writer.close(CloseCode::NORMAL, "")).await.is_none() {
                tokio::task::yield_now().await;
            }
            done
        };
        let echo = async {
            let mut random = Random(seed + 2);
            loop {
                match cancelled(1 + random.below(2), b.recv_and_queue()).await {
                    Some(Some(Ok((Event::Binary(bytes), mut queue)))) => {
                        queue.binary(bytes).unwrap();
                    }
                    Some(Some(Ok(_))) => {}
                    Some(Some(Err(error))) => panic!("{error:?}"),
                    Some(None) => break,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        let receive = async {
            let mut numbers = Vec::new();
            while let Some(message) = reader.next().await {
                let Message::Binary(payload) = message.unwrap() else { continue };
                let number = u64::from_be_bytes(payload[..8].try_into().unwrap());
                assert_eq!(payload, numbered(number, payload.len()), "not whole");
                numbers.push(number);
            }
            numbers
        };
        let (done, (), numbers) = tokio::time::timeout(std::time::Duration::from_secs(60), async {
            tokio::join!(send, echo, receive)
        })
        .await
        .unwrap_or_else(|_| panic!("seed {seed}, pipe {size}: hangs"));
        assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}: {numbers:?}");
        assert!(done.iter().all(|number| numbers.contains(number)), "seed {seed}: {numbers:?}");
        dropped += MESSAGES - done.len() as u64;
        lost += MESSAGES - numbers.len() as u64;
    }
    // Both cases happened.
    assert!(lost > 0 && lost < dropped, "{lost} of {dropped}");
}
