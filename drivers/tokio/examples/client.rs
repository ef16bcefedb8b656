//! A client: `cargo run --example client URI TEXT...` sends each text and prints what comes back.

use sockless_tokio::{CloseCode, Error, connect};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let uri = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:9001".into());
    let mut ws = connect(&uri).await?;
    for text in arguments {
        ws.send(text).await?;
        if let Some(message) = ws.next().await {
            println!("{}", message?.as_text().unwrap_or("(not a text)"));
        }
    }
    ws.close(CloseCode::NORMAL, "").await
}
