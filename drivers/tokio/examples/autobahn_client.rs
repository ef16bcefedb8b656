//! The client that Autobahn's test suite talks to: `autobahn_client ws://127.0.0.1:PORT NAME`. It
//! asks for the number of cases, echoes what comes in each of them, and has the reports written.

use sockless_tokio::{Error, Message, Options, connect_with, deflate::DeflateConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(suite), Some(name)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: autobahn_client URI NAME");
        std::process::exit(2);
    };
    let options = Options::new().compression(DeflateConfig::DEFAULT);
    let mut ws = connect_with(&format!("{suite}/getCaseCount"), &options).await?;
    let mut count = 0;
    while let Some(message) = ws.next().await {
        count = message?.as_text().and_then(|text| text.parse().ok()).unwrap_or(count);
    }
    for case in 1..=count {
        // A connection that ends otherwise than by a Close is the suite's to judge.
        let uri = format!("{suite}/runCase?case={case}&agent={name}");
        if let Err(error) = echo(&uri, &options).await {
            eprintln!("case {case}: {error}");
        }
    }
    let mut ws = connect_with(&format!("{suite}/updateReports?agent={name}"), &options).await?;
    while let Some(message) = ws.next().await {
        message?;
    }
    Ok(())
}

async fn echo(uri: &str, options: &Options) -> Result<(), Error> {
    let mut ws = connect_with(uri, options).await?;
    let mut failed = Ok(());
    while let Some(message) = ws.next().await {
        match message {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => ws.send(message).await?,
            Ok(_) => {}
            // The loop goes on to the end of the stream, as the Close of a failure needs it.
            Err(error) => failed = Err(error),
        }
    }
    failed
}
