//! Upgrades of requests that hyper has read, and what is built on hyper: axum, warp, tonic's stack.
//!
//! [`upgrade`] serves both an HTTP/1.1 upgrade and an extended CONNECT of HTTP/2 (RFC 8441), which
//! a server has to turn on (`enable_connect_protocol` of hyper's HTTP/2 builder).

use std::future::Future;
use std::pin::Pin;

use http::Version;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sockless::handshake::{Accept, HandshakeError, HttpResponse, Upgrade, Uri};

use crate::handshake::{borrowed, connect_request, own};
use crate::stream::{Agreed, WebSocketStream};
use crate::{Error, Options, Role};

/// The transport of an upgraded request.
pub type UpgradedIo = TokioIo<Upgraded>;

/// The stream to come of an accepted request. It does not depend on the type of the request's body.
pub type Upgrading =
    Pin<Box<dyn Future<Output = Result<WebSocketStream<UpgradedIo>, Error>> + Send>>;

/// Judges a request to open a WebSocket. Returns the response that accepts it, and a future of the
/// stream, which is ready once that response was sent. Of the subprotocols that the client offers,
/// the first of [`Options::subprotocols`] is chosen.
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use sockless_tokio::{Options, http::upgrade};
///
/// fn serve<B>(mut request: Request<B>) -> Response<String> {
///     match upgrade(&mut request, &Options::new()) {
///         Ok((response, stream)) => {
///             tokio::spawn(async move {
///                 let mut ws = stream.await?;
///                 ws.send("Hello").await
///             });
///             response.map(|()| String::new())
///         }
///         Err(refusal) => refusal,
///     }
/// }
/// # let response = serve(Request::get("/").header("host", "a").body(()).unwrap());
/// # assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
/// ```
///
/// # Errors
/// Returns the response that refuses the request, with the reason as its body.
///
/// | request | status |
/// |---|---|
/// | HTTP/1.1, for something else than a WebSocket | 426 with `Upgrade`, or 405 unless the method is GET |
/// | HTTP/1.0 or earlier | 505 |
/// | HTTP/2 or 3, a CONNECT for another protocol | 501 (RFC 9220 section 3) |
/// | HTTP/2 or 3, for something else, such as a page | 400 |
/// | for a WebSocket, but not valid | that of the broken rule, such as 400 |
#[allow(clippy::result_large_err)]
pub fn upgrade<B>(
    request: &mut http::Request<B>,
    options: &Options,
) -> Result<(http::Response<()>, Upgrading), http::Response<String>> {
    let (response, agreed) = judge(request, options)?;
    let upgraded = hyper::upgrade::on(request);
    let options = options.clone();
    let stream = async move {
        let io = upgraded.await.map_err(|error| Error::Io(std::io::Error::other(error)))?;
        Ok(wrap(io, Role::Server, agreed, &options))
    };
    Ok((response, Box::pin(stream)))
}

/// Creates the request of a client that opens a WebSocket by extended CONNECT over HTTP/2 (RFC
/// 8441). Send it by hyper's HTTP/2 client, and give the response to [`connected`].
///
/// # Errors
/// [`Error::Uri`]; [`Error::Misuse`] for what cannot be asked for.
pub fn extended_connect(uri: &str, options: &Options) -> Result<http::Request<()>, Error> {
    let parsed = Uri::parse(uri)?;
    let names: Vec<&str> = options.subprotocols.iter().map(String::as_str).collect();
    let headers = borrowed(&options.headers);
    let connect = connect_request(&parsed, options, &names, &headers);
    let scheme = if parsed.is_secure() { "https" } else { "http" };
    let target = format!("{scheme}://{}{}", parsed.host_header(), parsed.resource_name());
    let mut request = http::Request::connect(target).extension(Protocol::from_static("websocket"));
    for (name, value) in connect.fields(None).map_err(Error::Misuse)? {
        request = request.header(name, value.to_string());
    }
    request.body(()).map_err(|_| Error::Misuse(sockless::Misuse::InvalidHeader))
}

/// Makes the stream of a response to [`extended_connect`], with the same URI and options.
///
/// # Errors
/// [`Error::Refused`] without the body if the status is not 2xx; [`Error::Handshake`] if the
/// response is not valid; [`Error::Io`].
pub async fn connected<B>(
    response: http::Response<B>,
    uri: &str,
    options: &Options,
) -> Result<WebSocketStream<UpgradedIo>, Error> {
    let parsed = Uri::parse(uri)?;
    if !response.status().is_success() {
        let headers = response.headers().iter();
        return Err(Error::Refused(Box::new(crate::Refused {
            status: response.status().as_u16(),
            headers: headers
                .map(|(name, value)| (name.as_str().into(), value.as_bytes().into()))
                .collect(),
            body: Vec::new(),
        })));
    }
    let agreed = {
        let names: Vec<&str> = options.subprotocols.iter().map(String::as_str).collect();
        let connect = connect_request(&parsed, options, &names, &[]);
        let status = response.status().as_u16();
        own(&connect.check_response(None, status, response.headers()).map_err(Error::Handshake)?)
    };
    let io = hyper::upgrade::on(response)
        .await
        .map_err(|error| Error::Io(std::io::Error::other(error)))?;
    Ok(wrap(io, Role::Client, agreed, options))
}

/// The body of a refusal over HTTP/2 and HTTP/3 of a request for something else.
const OTHER: &[u8] = b"this is a WebSocket server";

/// The response to a request, and what was agreed.
#[allow(clippy::result_large_err)]
fn judge<B>(
    request: &http::Request<B>,
    options: &Options,
) -> Result<(http::Response<()>, Agreed), http::Response<String>> {
    let method = request.method().as_str();
    let headers = request.headers();
    let protocol = request.extensions().get::<Protocol>();
    // Each version has its response to a request for something else.
    let (judged, other) = match (request.version(), protocol) {
        // RFC 9220 section 3: a server responds to a protocol that it does not know with a 501.
        (_, Some(protocol)) => (
            Upgrade::from_connect(method, protocol.as_str(), headers)
                .map_err(|error| error.connect_response()),
            HttpResponse::new(501).with_body(OTHER),
        ),
        // RFC 9113 section 8.2.2: HTTP/2 has no `Upgrade`, which a 426 needs.
        (Version::HTTP_2 | Version::HTTP_3, None) => {
            (Ok(None), HttpResponse::new(400).with_body(OTHER))
        }
        (Version::HTTP_11, None) => (
            Upgrade::from_request(method, headers).map_err(|error| error.response()),
            HttpResponse::for_other_request(method),
        ),
        // RFC 9110 section 7.8: a server ignores `Upgrade` in HTTP/1.0.
        _ => return Err(refusal(&HandshakeError::HttpVersion.response())),
    };
    let upgrade = match judged {
        Ok(Some(upgrade)) => upgrade,
        Ok(None) => return Err(refusal(&other)),
        Err(response) => return Err(refusal(&response)),
    };
    let mut accept = Accept::new();
    let known = |name: &&String| upgrade.subprotocols().any(|offered| offered == *name);
    if let Some(name) = options.subprotocols.iter().find(known) {
        accept = accept.with_subprotocol(name);
    }
    if let Some(config) = options.deflate {
        accept = accept.with_deflate(config);
    }
    let internal = |_| refusal(&HttpResponse::new(500));
    let accepted = upgrade.accept(accept).map_err(internal)?;
    let mut response = http::Response::builder().status(accepted.status());
    for (name, value) in accepted.fields() {
        response = response.header(name, value.to_string());
    }
    let response = response.body(()).map_err(|_| refusal(&HttpResponse::new(500)))?;
    Ok((response, own(&accepted.agreed())))
}

fn refusal(response: &HttpResponse<'_>) -> http::Response<String> {
    let body = String::from_utf8_lossy(response.body()).into_owned();
    let mut refusal = http::Response::new(body);
    *refusal.status_mut() =
        http::StatusCode::from_u16(response.status()).unwrap_or(http::StatusCode::BAD_REQUEST);
    for (name, value) in response.headers() {
        if let (Ok(name), Ok(value)) =
            (http::HeaderName::try_from(*name), http::HeaderValue::try_from(*value))
        {
            refusal.headers_mut().append(name, value);
        }
    }
    refusal
}

fn wrap(
    io: Upgraded,
    role: Role,
    agreed: Agreed,
    options: &Options,
) -> WebSocketStream<UpgradedIo> {
    let rx = sockless::ReadBuffer::new(crate::pool::Pooled::new(options.read_limit()));
    WebSocketStream::from_handshake(TokioIo::new(io), role, agreed, rx, options)
}
