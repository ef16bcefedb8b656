//! Copies the README's server into the build, so that the measured code is the printed code.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let readme = root.join("README.md");
    println!("cargo::rerun-if-changed={}", readme.display());
    let text = fs::read_to_string(&readme).expect("README.md is readable");
    let block = text.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    let block = block.expect("README.md has a block of Rust");
    assert!(block.contains("fn serve("), "README.md's first block of Rust is the server");
    let block = block.replace("fn serve(", "pub fn serve(");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("readme.rs");
    fs::write(out, block).expect("OUT_DIR is writable");
}
