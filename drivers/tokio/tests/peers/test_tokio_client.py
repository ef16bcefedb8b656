"""The example `client` of sockless-tokio against servers in Python and JavaScript.

Run by `tests/peers/run`, which installs the peers, with the program in $PEERS_CLIENT.
"""

import os
import pathlib
import subprocess
import sys

import pytest

PEERS = pathlib.Path(__file__).resolve().parents[4] / "tests" / "peers"
sys.path.insert(0, str(PEERS))

import servers  # noqa: E402
from conftest import TIMEOUT, Program  # noqa: E402

# A text of each length encoding. An argument of a program is at most 128 KiB long.
TEXTS = ["hello", "", "Größe 漢字 🎉", "a" * 125, "a" * 126, "é" * 40_000]


@pytest.fixture
def python_server():
    port, _, close = servers.with_websockets()
    yield port
    close()


@pytest.fixture
def node_server():
    modules = os.environ["PEERS_NODE_MODULES"]
    program = Program(["node", PEERS / "node" / "server.mjs", modules])
    yield int(program.line())
    program.end_input()
    program.finish()
    program.stop()


def run(port, path, *texts):
    uri = f"ws://127.0.0.1:{port}{path}"
    return subprocess.run(
        [os.environ["PEERS_CLIENT"], uri, *texts], capture_output=True, text=True, timeout=TIMEOUT
    )


@pytest.mark.parametrize("peer", ["python_server", "node_server"])
def test_echo(peer, request):
    done = run(request.getfixturevalue(peer), "/echo", *TEXTS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(f"{text}\n" for text in TEXTS)


@pytest.mark.parametrize("peer", ["python_server", "node_server"])
def test_closes_in_order_without_a_message(peer, request):
    assert run(request.getfixturevalue(peer), "/echo").returncode == 0


def test_a_message_in_fragments(python_server):
    assert run(python_server, "/fragments", "go").stdout == "Größe 漢字 🎉\n"


def test_a_refusal(node_server):
    done = run(node_server, "/nothing")
    assert done.returncode != 0
    assert "403" in done.stderr
