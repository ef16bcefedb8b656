//! Limits the lines of glue in each example, without blank lines, comments and `use`. If an example
//! grows, embedding has become more work.

fn check(name: &str, source: &str, most: usize) {
    let lines = source.lines().map(str::trim);
    let glue = lines.filter(|line| {
        let import = line.starts_with("use ") && line.ends_with(';');
        !line.is_empty() && !line.starts_with("//") && !import
    });
    let count = glue.count();
    assert!(count <= most, "{name} has {count} lines of glue, at most {most} are allowed");
}

#[test]
fn examples_are_short() {
    check("tokio_echo", include_str!("../examples/tokio_echo.rs"), 90);
    check("hyper_upgrade", include_str!("../src/hyper_upgrade.rs"), 50);
    check("h2_connect", include_str!("../src/h2_connect.rs"), 90);
    check("wss_client", include_str!("../src/wss_client.rs"), 60);
    check("push_threads", include_str!("../src/push_threads.rs"), 110);
    check("proxy", include_str!("../src/proxy.rs"), 80);
}
