//! Helpers of several tests.
#![allow(dead_code)]

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use sockless_tokio::{Options, Role, WebSocketStream};
use tokio::io::DuplexStream;

/// Two ends of an open connection through a pipe of `size` bytes.
pub fn pair(
    size: usize,
    options: &Options,
    compressed: bool,
) -> (WebSocketStream<DuplexStream>, WebSocketStream<DuplexStream>) {
    use sockless::deflate::DeflateConfig;
    let (a, b) = tokio::io::duplex(size);
    let config = DeflateConfig::DEFAULT;
    let agreement = compressed.then(|| {
        let offer = config.offer();
        let offers = sockless::extensions::parse([offer.as_bytes()]);
        config.negotiate(offers).unwrap().unwrap().agreement
    });
    (
        WebSocketStream::from_upgraded(a, Role::Server, agreement, b"", options),
        WebSocketStream::from_upgraded(b, Role::Client, agreement, b"", options),
    )
}

/// A small generator of pseudorandom numbers.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Polls a future at most so many times, then drops it.
pub struct Polls<F> {
    future: Pin<Box<F>>,
    left: u64,
}

impl<F: Future> Future for Polls<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        if let Poll::Ready(output) = self.future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        self.left -= 1;
        if self.left == 0 { Poll::Ready(None) } else { Poll::Pending }
    }
}

/// Polls `future` at most `times` times; `None` if it was dropped before it was ready.
pub async fn cancelled<F: Future>(times: u64, future: F) -> Option<F::Output> {
    Polls { future: Box::pin(future), left: times.max(1) }.await
}

/// Polls once.
pub fn once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(std::task::Waker::noop()))
}

/// Polls once within a task whose budget is used up.
pub async fn once_without_budget<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
        Poll::Ready(future.as_mut().poll(cx))
    })
    .await
}

/// A message whose content tells its number.
pub fn numbered(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    let mut random = Random(number + 1);
    while bytes.len() < len.max(8) {
        bytes.extend(std::iter::repeat_n(random.next() as u8, 1 + random.below(9) as usize));
    }
    bytes
}
