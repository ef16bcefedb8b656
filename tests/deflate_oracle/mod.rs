//! A plain inflater, written to be obviously correct. It also returns the distance of the farthest
//! reference and the number of blocks, which libraries do not.

/// The structure of a payload with its tail restored.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inflated {
    pub bytes: Vec<u8>,
    /// The largest distance of a reference, or 0 without references.
    pub farthest: usize,
    /// The number of blocks, including the restored empty block.
    pub blocks: usize,
    /// `true` if the inflater stopped at a BFINAL block.
    pub stopped: bool,
}

struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<usize> {
        let byte = *self.bytes.get(self.position / 8)?;
        let bit = byte >> (self.position % 8) & 1;
        self.position += 1;
        Some(usize::from(bit))
    }

    fn number(&mut self, bits: usize) -> Option<usize> {
        (0..bits).try_fold(0, |number, place| Some(number | self.bit()? << place))
    }

    fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }
}

/// Canonical Huffman codes as (length, code) for each symbol.
fn codes(lengths: &[usize]) -> Vec<(usize, usize)> {
    let mut code = 0;
    let mut codes = vec![(0, 0); lengths.len()];
    for length in 1..=15 {
        for (symbol, _) in lengths.iter().enumerate().filter(|(_, have)| **have == length) {
            codes[symbol] = (length, code);
            code += 1;
        }
        code <<= 1;
    }
    codes
}

fn symbol(bits: &mut Bits, codes: &[(usize, usize)]) -> Option<usize> {
    let mut code = 0;
    for length in 1..=15 {
        code = code << 1 | bits.bit()?;
        if let Some(symbol) = codes.iter().position(|have| *have == (length, code)) {
            return Some(symbol);
        }
    }
    None
}

fn dynamic(bits: &mut Bits) -> Option<(Vec<usize>, Vec<usize>)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.number(5)? + 257, bits.number(5)? + 1);
    let mut meta = [0; 19];
    for place in ORDER.into_iter().take(bits.number(4)? + 4) {
        meta[place] = bits.number(3)?;
    }
    let meta = codes(&meta);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match symbol(bits, &meta)? {
            16 => (*lengths.last()?, 3 + bits.number(2)?),
            17 => (0, 3 + bits.number(3)?),
            18 => (0, 11 + bits.number(7)?),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    let rest = lengths.split_off(literals);
    Some((lengths, rest))
}

/// Inflates one payload after `history`. Returns `None` if the payload is invalid: the tail must
/// complete an empty stored block (RFC 7692 section 7.2.1 step 2). Stops at a BFINAL block.
pub fn inflate(history: &[u8], payload: &[u8]) -> Option<Inflated> {
    let bytes = [payload, &[0x00, 0x00, 0xff, 0xff]].concat();
    let mut bits = Bits { bytes: &bytes, position: 0 };
    let mut inflated = Inflated::default();
    let mut window = history.to_vec();
    let mut empty_stored_block = false;
    while bits.position < bytes.len() * 8 {
        inflated.blocks += 1;
        if bits.bit()? == 1 {
            inflated.stopped = true;
            return Some(inflated);
        }
        let (literals, distances) = match bits.number(2)? {
            0 => {
                bits.align();
                let (length, check) = (bits.number(16)?, bits.number(16)?);
                if length ^ check != 0xffff {
                    return None;
                }
                empty_stored_block = length == 0;
                for _ in 0..length {
                    window.push(u8::try_from(bits.number(8)?).ok()?);
                }
                continue;
            }
            1 => ([[8; 144].as_slice(), &[9; 112], &[7; 24], &[8; 8]].concat(), vec![5; 30]),
            2 => dynamic(&mut bits)?,
            _ => return None,
        };
        let (literals, distances) = (codes(&literals), codes(&distances));
        empty_stored_block = false;
        loop {
            let length = match symbol(&mut bits, &literals)? {
                256 => break,
                literal @ 0..256 => {
                    window.push(u8::try_from(literal).ok()?);
                    continue;
                }
                short @ 257..265 => short - 254,
                285 => 258,
                286.. => return None,
                long => {
                    let extra = (long - 261) / 4;
                    3 + ((4 + (long - 261) % 4) << extra) + bits.number(extra)?
                }
            };
            let distance = match symbol(&mut bits, &distances)? {
                near @ 0..2 => near + 1,
                far => {
                    let extra = far / 2 - 1;
                    1 + ((2 + far % 2) << extra) + bits.number(extra)?
                }
            };
            inflated.farthest = inflated.farthest.max(distance);
            for _ in 0..length {
                window.push(*window.get(window.len().checked_sub(distance)?)?);
            }
        }
    }
    inflated.bytes = window.split_off(history.len());
    empty_stored_block.then_some(inflated)
}
