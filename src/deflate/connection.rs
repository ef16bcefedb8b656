//! Adds compression to an open connection and to its halves.

use alloc::boxed::Box;

use super::deflation::Deflation;
use super::inflation::Inflation;
use super::pool::Pool;
use super::totals::CompressionStats;
use super::{DeflateConfig, DeflateParams};
use crate::role::Role;
use crate::{Receiver, Sender, WebSocket};

impl Receiver {
    /// Enables the agreed compression. Only [`receive`](Self::receive) and
    /// [`receive_chunks`](Self::receive_chunks) inflate, because inflating needs a read buffer.
    #[must_use]
    pub fn with_deflate(mut self, agreement: DeflateParams, config: &DeflateConfig) -> Receiver {
        self.begin_inflating(agreement, config);
        self
    }

    pub(super) fn begin_inflating(&mut self, agreement: DeflateParams, config: &DeflateConfig) {
        self.allow_rsv1();
        self.inflation = Some(Box::new(Inflation::new(agreement, config)));
    }

    /// Returns the bytes received as compressed messages.
    #[must_use]
    pub fn inflate_stats(&self) -> CompressionStats {
        self.inflation.as_ref().map_or(CompressionStats::default(), |inflation| inflation.totals)
    }

    /// Borrows a decompressor from the pool, if the receiver has none.
    pub fn borrow_codec_from(&mut self, pool: &mut Pool) {
        if let Some(inflation) = &mut self.inflation {
            inflation.inflater.borrow_from(pool);
        }
    }

    /// Returns the decompressor to the pool between messages, unless the context is kept.
    pub fn return_codec_to(&mut self, pool: &mut Pool) {
        if let Some(inflation) = &mut self.inflation {
            inflation.inflater.return_to(pool);
        }
    }
}

impl<R: Role> Sender<R> {
    /// Enables the agreed compression.
    #[must_use]
    pub fn with_deflate(mut self, agreement: DeflateParams, config: &DeflateConfig) -> Sender<R> {
        self.deflation = Some(Box::new(Deflation::agreed(agreement, config)));
        self
    }

    /// Returns the agreed compression, or `None`.
    #[must_use]
    pub fn deflate_params(&self) -> Option<DeflateParams> {
        self.deflation.as_ref().map(|deflation| deflation.agreement)
    }

    /// Turns compression on or off for messages that start after this call. The default is on. Has
    /// no effect before compression is agreed.
    ///
    /// Send data that does not compress, such as pictures, with compression off.
    pub fn set_compress(&mut self, compress: bool) {
        if let Some(deflation) = &mut self.deflation {
            deflation.on = compress;
        }
    }

    /// Returns the bytes sent as compressed messages.
    #[must_use]
    pub fn deflate_stats(&self) -> CompressionStats {
        self.deflation.as_ref().map_or(CompressionStats::default(), |deflation| deflation.totals)
    }

    /// Borrows a compressor from the pool, if the sender has none and the pool has a matching one.
    pub fn borrow_codec_from(&mut self, pool: &mut Pool) {
        if let Some(deflation) = &mut self.deflation {
            deflation.deflater.borrow_from(pool);
        }
    }

    /// Returns the compressor to the pool between messages, unless the context is kept.
    pub fn return_codec_to(&mut self, pool: &mut Pool) {
        if let Some(deflation) = &mut self.deflation {
            deflation.deflater.return_to(pool);
        }
    }
}

impl<R: Role> WebSocket<R> {
    /// Enables compression that was agreed elsewhere: by [`DeflateConfig::negotiate`] on a request
    /// that an HTTP library received, or by [`DeflateConfig::accept_response`] on a response.
    ///
    /// ```
    /// use sockless::deflate::DeflateConfig;
    /// use sockless::{Config, Server, WebSocket, extensions};
    ///
    /// let config = DeflateConfig::DEFAULT;
    /// // The values of Sec-WebSocket-Extensions:
    /// let offers: [&[u8]; 1] = [b"permessage-deflate; client_max_window_bits"];
    /// let mut ws = WebSocket::from_upgraded(Server, Config::default());
    /// if let Some(answer) = config.negotiate(extensions::parse(offers))? {
    ///     assert_eq!(answer.header.as_str(), "permessage-deflate"); // for the response
    ///     ws = ws.with_deflate(answer.agreement, &config);
    /// }
    /// assert!(ws.deflate_params().is_some());
    /// # Ok::<(), extensions::ExtensionSyntaxError>(())
    /// ```
    #[must_use]
    pub fn with_deflate(
        mut self,
        agreement: DeflateParams,
        config: &DeflateConfig,
    ) -> WebSocket<R> {
        self.begin_deflate(agreement, config);
        self
    }

    pub(crate) fn begin_deflate(&mut self, agreement: DeflateParams, config: &DeflateConfig) {
        self.receiver.begin_inflating(agreement, config);
        self.sender.deflation = Some(Box::new(Deflation::agreed(agreement, config)));
    }

    /// Returns the agreed compression, or `None`.
    #[must_use]
    pub fn deflate_params(&self) -> Option<DeflateParams> {
        self.sender.deflate_params()
    }

    /// Turns compression on or off for messages that start after this call; see
    /// [`Sender::set_compress`].
    pub fn set_compress(&mut self, compress: bool) {
        self.sender.set_compress(compress);
    }

    /// Returns the bytes received as compressed messages.
    #[must_use]
    pub fn inflate_stats(&self) -> CompressionStats {
        self.receiver.inflate_stats()
    }

    /// Returns the bytes sent as compressed messages.
    #[must_use]
    pub fn deflate_stats(&self) -> CompressionStats {
        self.sender.deflate_stats()
    }

    /// Borrows memory for compression from the pool. Call it before the connection processes bytes.
    pub fn borrow_codec_from(&mut self, pool: &mut Pool) {
        self.receiver.borrow_codec_from(pool);
        self.sender.borrow_codec_from(pool);
    }

    /// Returns memory for compression to the pool, unless it has a context or a part of a message.
    /// Call it when the connection has no bytes to process.
    pub fn return_codec_to(&mut self, pool: &mut Pool) {
        self.receiver.return_codec_to(pool);
        self.sender.return_codec_to(pool);
    }
}
