"""Node's `ws`, undici's WebSocket and node's own as clients of `serve`. The checks themselves are in node/client.mjs."""

import subprocess

import pytest
from conftest import DEFLATE

COMMON = [
    "text", "binary", "thousand messages in order", "close code and reason", "close without a code", "subprotocol",
    "fifty at once", *(["compression"] if DEFLATE else []),
]
ONLY_WS = [
    "ping and pong", "fragments", "64 MiB pass and one byte more is 1009", "text that is not UTF-8 is 1007", "refusal",
    *(["compression, context takeover true", "compression, context takeover false"] if DEFLATE else []),
]


def node_has_its_own():
    probe = subprocess.run(["node", "-p", "typeof WebSocket"], capture_output=True, text=True)
    return probe.stdout.strip() == "function"


@pytest.mark.parametrize(
    "library, name",
    [("ws", name) for name in COMMON + ONLY_WS]
    + [("undici", name) for name in COMMON]
    + [("node", name) for name in COMMON if node_has_its_own()],
)
def test_client(node_results, serve, serve_with_subprotocols, library, name):
    result = node_results(library, name, serve, serve_with_subprotocols)
    assert result["ok"], result.get("detail")


@pytest.mark.skipif(not DEFLATE, reason="without permessage-deflate")
@pytest.mark.parametrize("library, name", [("ws", name) for name in COMMON + ONLY_WS] + [("undici", "compression")])
def test_client_of_serve_with_context(node_results, serve_with_context, serve_with_subprotocols, library, name):
    result = node_results(library, name, serve_with_context, serve_with_subprotocols)
    assert result["ok"], result.get("detail")
