//! Tests the sources of masking keys and handshake keys.

use sockless::{Client, Config, Entropy, EntropyError, FnEntropy, OsEntropy, Sender, WriteBuffer};

/// Returns keys of 4 bytes, drawn one after the other.
fn keys(source: &mut impl Entropy, count: usize) -> Vec<[u8; 4]> {
    let mut key = || {
        let mut key = [0; 4];
        source.fill(&mut key).map(|()| key)
    };
    (0..count).map(|_| key().unwrap()).collect()
}

fn assert_unlike(keys: &[[u8; 4]]) {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    // Of 1,000 random keys, two are equal once in 8,600 runs, and five pairs practically never.
    assert!(sorted.len() + 4 >= keys.len(), "{} of {}", sorted.len(), keys.len());
    // An erased byte is 0. A key that was drawn twice, or never, would be zeros.
    assert!(keys.iter().filter(|&&key| key == [0; 4]).count() < 2);
}

/// Checks that no key is drawn twice, for any size of the block.
#[test]
fn keys_from_the_operating_system_are_drawn_once() {
    assert_unlike(&keys(&mut OsEntropy::new(), 1000));
    assert_unlike(&keys(&mut OsEntropy::<0>::with_block(), 1000));
    assert_unlike(&keys(&mut OsEntropy::<3>::with_block(), 1000));
    assert_unlike(&keys(&mut OsEntropy::<4>::with_block(), 1000));
    assert_unlike(&keys(&mut OsEntropy::<30>::with_block(), 1000));
    let (mut one, mut two) = (OsEntropy::new(), OsEntropy::new());
    assert_unlike(&[keys(&mut one, 64), keys(&mut two, 64)].concat());
}

/// Checks that a request may exceed the block, and that unused bytes stay in the block.
#[test]
fn any_number_of_bytes_can_be_drawn() {
    let mut source = OsEntropy::<16>::with_block();
    for len in [0, 1, 15, 16, 17, 64, 1, 16] {
        let mut bytes = vec![0; len];
        source.fill(&mut bytes).unwrap();
        assert!(len < 15 || bytes.iter().filter(|&&byte| byte == 0).count() < len / 2);
    }
}

/// `Debug` shows neither keys nor closures.
#[test]
fn a_source_does_not_print_its_keys() {
    let mut source = OsEntropy::new();
    keys(&mut source, 1);
    assert_eq!(format!("{source:?}"), "OsEntropy");
    assert_eq!(format!("{:?}", FnEntropy::new(|_: &mut [u8]| Ok(()))), "FnEntropy");
}

fn sevens(bytes: &mut [u8]) -> Result<(), EntropyError> {
    bytes.fill(7);
    Ok(())
}

/// References, boxes, trait objects and functions are sources.
#[test]
fn a_source_can_be_lent_and_boxed() {
    fn masked_by(source: impl Entropy) -> Vec<u8> {
        let mut tx = WriteBuffer::new([0; 512]);
        Sender::client(source).binary(b"x", &mut tx).unwrap();
        tx.bytes().to_vec()
    }
    let expected = [0x82, 0x81, 7, 7, 7, 7, b'x' ^ 7];
    let mut source = FnEntropy::new(sevens);
    assert_eq!(masked_by(&mut source), expected);
    assert_eq!(masked_by(Box::new(source)), expected);
    assert_eq!(masked_by(&mut source as &mut dyn Entropy), expected);
    assert_eq!(masked_by(Box::new(source) as Box<dyn Entropy>), expected);
    assert_eq!(masked_by(sevens as fn(&mut [u8]) -> _), expected);
    let _ = sockless::WebSocket::from_upgraded(Client::new(OsEntropy::new()), Config::default());
}
