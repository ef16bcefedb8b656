#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless_fuzz::lists;

// The first line is an address. Every line is a header and a list of extensions.
fuzz_target!(|input: &[u8]| {
    let lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').collect();
    if let Some(Ok(first)) = lines.first().map(|line| std::str::from_utf8(line)) {
        lists::uri(first);
    }
    lists::extension_list(&lines);
    lists::headers(&lines);
});
