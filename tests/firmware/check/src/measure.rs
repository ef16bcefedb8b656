//! Measures an image by its ELF file.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// The sizes of an image, in bytes.
pub struct Image {
    pub text: u64,
    pub rodata: u64,
    pub data: u64,
    pub bss: u64,
    /// Bytes of flash by origin: the crate that defines a function or a named constant. An inlined
    /// function counts for its caller.
    pub origins: BTreeMap<Origin, u64>,
    /// Functions outside of `core` that can panic, each with the panicking function that it calls.
    pub panics: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// This crate, the scenario and its link, including constants without a name.
    Ours,
    Sha1,
    Base64,
    /// `core` and helpers of the compiler, for example `memcpy`.
    Core,
    /// Start-up code.
    Board,
}

impl Image {
    pub fn flash(&self) -> u64 {
        self.text + self.rodata
    }

    pub fn origin(&self, origin: Origin) -> u64 {
        self.origins.get(&origin).copied().unwrap_or(0)
    }

    pub fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let elf = object::File::parse(&*bytes)?;
        let size = |name| elf.section_by_name(name).map_or(0, |section| section.size());
        let (text, rodata) = (size(".text"), size(".rodata"));

        // Aliases share an address. Each byte counts once, for the first name of its address.
        let mut symbols: BTreeMap<u64, (u64, SymbolKind, String)> = BTreeMap::new();
        for symbol in elf.symbols().filter(|symbol| symbol.size() > 0) {
            let section = symbol.section_index().and_then(|index| elf.section_by_index(index).ok());
            if section.is_some_and(|section| matches!(section.name(), Ok(".text" | ".rodata"))) {
                let name = format!("{:#}", rustc_demangle::demangle(symbol.name()?));
                // The lowest bit of a function's address only marks Thumb code.
                symbols.entry(symbol.address() & !1).or_insert((
                    symbol.size(),
                    symbol.kind(),
                    name,
                ));
            }
        }
        let mut origins = BTreeMap::new();
        for (size, _, name) in symbols.values() {
            *origins.entry(Origin::of(name)).or_insert(0) += size;
        }
        let named: u64 = origins.values().sum();
        *origins.entry(Origin::Ours).or_insert(0) += (text + rodata).saturating_sub(named);

        let code = elf.section_by_name(".text").ok_or("no .text")?;
        let panics = panic_calls(code.address(), code.data()?, &symbols);
        Ok(Self { text, rodata, data: size(".data"), bss: size(".bss"), origins, panics })
    }
}

impl Origin {
    fn of(name: &str) -> Self {
        let first = name.split(|c: char| !(c.is_alphanumeric() || c == '_')).find(|word| {
            // Skips the words before the name of the crate, for example in `<[u8; 128] as
            // core::ops::Index>`.
            !word.starts_with(|c: char| c.is_ascii_digit())
                && !word.is_empty()
                && !matches!(*word, "as" | "mut" | "dyn" | "impl" | "u8" | "usize" | "str")
        });
        match first.unwrap_or("") {
            "sha1_smol" => Self::Sha1,
            "base64" => Self::Base64,
            word if word == "core"
                || word == "compiler_builtins"
                || word.starts_with("__aeabi") =>
            {
                Self::Core
            }
            "memcpy" | "memmove" | "memset" | "memcmp" | "bcmp" => Self::Core,
            "Reset" | "HardFault" | "_HardFault" | "DefaultHandler_" | "DefaultPreInit"
            | "main" => Self::Board,
            // The scenario, its link, and constants without a name.
            _ => Self::Ours,
        }
    }
}

/// Returns each function outside of `core` that calls or jumps to a panicking function. A call by
/// way of functions of `core` counts too.
fn panic_calls(
    base: u64,
    code: &[u8],
    symbols: &BTreeMap<u64, (u64, SymbolKind, String)>,
) -> Vec<(String, String)> {
    let mut calls = Vec::new();
    for (&address, (size, kind, name)) in symbols {
        if *kind != SymbolKind::Text {
            continue;
        }
        for at in (address..address + size).step_by(2) {
            let offset = at.wrapping_sub(base) as usize;
            let Some(&[a, b, c, d]) = code.get(offset..offset + 4) else { continue };
            let distance = branch(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
            let target =
                distance.and_then(|distance| symbols.get(&((at as i64 + 4 + distance) as u64)));
            if let Some((_, _, callee)) = target {
                calls.push((name, callee));
            }
        }
    }
    let mut panicking: BTreeSet<&String> =
        calls.iter().map(|&(_, callee)| callee).filter(|name| is_panic(name)).collect();
    loop {
        let more = |&&(caller, callee): &&(&String, &String)| {
            panicking.contains(callee)
                && Origin::of(caller) == Origin::Core
                && !panicking.contains(caller)
        };
        let found: Vec<&String> = calls.iter().filter(more).map(|&(caller, _)| caller).collect();
        if found.is_empty() {
            break;
        }
        panicking.extend(found);
    }
    let mut found: Vec<(String, String)> = calls
        .iter()
        .filter(|(caller, callee)| panicking.contains(callee) && !panicking.contains(caller))
        .map(|&(caller, callee)| (caller.clone(), callee.clone()))
        .collect();
    found.sort();
    found.dedup();
    found
}

fn is_panic(name: &str) -> bool {
    let name = name.trim_start_matches('<');
    name.starts_with("core::") && (name.contains("panicking::") || name.contains("_fail"))
}

/// Returns `true` for a function of a dependency. Also returns `true` for our functions that only
/// call a dependency, since the dependency may be inlined.
pub fn is_dependency(name: &str) -> bool {
    const CALLS: [&str; 2] =
        ["sockless::handshake::key::digest", "sockless::handshake::key::encode_digest"];
    CALLS.contains(&name) || matches!(Origin::of(name), Origin::Sha1 | Origin::Base64)
}

/// Returns the distance of a Thumb-2 `BL` or `B.W` (encodings T1 and T4 of the ARMv7-M manual).
fn branch(high: u16, low: u16) -> Option<i64> {
    if high & 0xF800 != 0xF000 || low & 0x9000 != 0x9000 {
        return None;
    }
    let bit = |word: u16, at: u32| i64::from(word >> at & 1);
    let sign = bit(high, 10);
    let (i1, i2) = (1 - (bit(low, 13) ^ sign), 1 - (bit(low, 11) ^ sign));
    let distance =
        i1 << 23 | i2 << 22 | i64::from(high & 0x3FF) << 12 | i64::from(low & 0x7FF) << 1;
    Some(distance - (sign << 24))
}

#[cfg(test)]
mod tests {
    use super::{Origin, branch};

    #[test]
    fn origins_by_the_first_crate_named() {
        for (name, origin) in [
            ("<[u8; 128] as core::ops::index::IndexMut<usize>>::index_mut", Origin::Core),
            ("<sockless::receiver::Receiver>::step_any", Origin::Ours),
            ("<sha1_smol::simd::u32x4 as core::ops::bit::BitXor>::bitxor", Origin::Sha1),
            ("__aeabi_memcpy", Origin::Core),
            (".Lanon.1234.5", Origin::Ours),
            ("Reset", Origin::Board),
        ] {
            assert!(Origin::of(name) == origin, "{name}");
        }
    }

    #[test]
    fn branches_forward_and_back() {
        assert_eq!(branch(0xF000, 0xF800), Some(0)); // bl .+4
        assert_eq!(branch(0xF7FF, 0xFFFE), Some(-4)); // bl .
        assert_eq!(branch(0xF7FF, 0xBFFE), Some(-4)); // b.w .
        assert_eq!(branch(0xF000, 0xF880), Some(0x100));
        assert_eq!(branch(0xB510, 0x4604), None); // push {r4, lr}; mov r4, r0
    }
}
