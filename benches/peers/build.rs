//! Finds wslay, the only candidate that is not a crate. Without wslay the table has one row less.

use std::path::Path;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(wslay)");
    println!("cargo::rerun-if-env-changed=WSLAY_LIB_DIR");
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let places = std::env::var("WSLAY_LIB_DIR").into_iter().chain([
        format!("/usr/lib/{triplet}"),
        "/usr/lib64".into(),
        "/usr/local/lib".into(),
        "/usr/lib".into(),
    ]);
    for place in places {
        if ["libwslay.so", "libwslay.a"].iter().any(|name| Path::new(&place).join(name).exists()) {
            println!("cargo::rustc-link-search=native={place}");
            println!("cargo::rustc-link-lib=wslay");
            println!("cargo::rustc-cfg=wslay");
            return;
        }
    }
}
