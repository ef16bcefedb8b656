"""What the tests share: the programs under test, and the peers in other languages."""

import json
import os
import pathlib
import queue
import re
import subprocess
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT = 120  # seconds; far above what anything here takes
DEFLATE = os.environ.get("PEERS_DEFLATE") == "1"  # permessage-deflate is tested, too


class Program:
    """A child process whose lines are read as they come; ended by its own process id."""

    def __init__(self, command, **options):
        self.child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )
        self.lines = queue.Queue()
        self.errors = []
        self.threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for thread in self.threads:
            thread.start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.put(line.decode("utf-8", "replace").rstrip("\n"))
        self.lines.put(None)

    def _read_errors(self):
        for line in self.child.stderr:
            self.errors.append(line.decode("utf-8", "replace"))

    def line(self):
        """The next line; None at the end of the output."""
        try:
            return self.lines.get(timeout=TIMEOUT)
        except queue.Empty:
            raise AssertionError(f"no line came; errors so far: {''.join(self.errors)[-2000:]}") from None

    def write(self, text):
        self.child.stdin.write(text.encode())
        self.child.stdin.flush()

    def end_input(self):
        self.child.stdin.close()

    def finish(self):
        """The exit code and all remaining lines."""
        rest = []
        while (line := self.line()) is not None:
            rest.append(line)
        return self.child.wait(TIMEOUT), rest

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        for thread in self.threads:
            thread.join()
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass


def start_serve(*arguments):
    deflate = [] if DEFLATE else ["--no-deflate"]
    program = Program([os.environ["PEERS_SERVE"], "127.0.0.1:0", *deflate, *arguments])
    while (line := program.line()) is not None:
        found = re.search(r"(?:http|ws)://(127\.0\.0\.1):(\d+)/", line)
        if found:
            return program, (found[1], int(found[2]))
    program.stop()
    raise AssertionError(f"serve printed no URL: {''.join(program.errors)}")


@pytest.fixture(scope="session")
def serve():
    """The address of a running `serve`."""
    program, address = start_serve()
    yield address
    assert program.child.poll() is None, f"serve ended during the tests: {''.join(program.errors)[-2000:]}"
    program.stop()


@pytest.fixture(scope="session")
def serve_with_subprotocols():
    """The address of a `serve` that knows the subprotocols `first` and `second`."""
    program, address = start_serve("--subprotocol", "first", "--subprotocol", "second")
    yield address
    assert program.child.poll() is None, f"serve ended during the tests: {''.join(program.errors)[-2000:]}"
    program.stop()


@pytest.fixture(scope="session")
def serve_with_context():
    """The address of a `serve` that lets compressed messages refer to earlier ones."""
    program, address = start_serve("--context-takeover")
    yield address
    assert program.child.poll() is None, f"serve ended during the tests: {''.join(program.errors)[-2000:]}"
    program.stop()


@pytest.fixture
def client():
    """Starts the command-line `client`; what still runs at the end of the test is stopped."""
    started = []

    def start(*arguments):
        started.append(Program([os.environ["PEERS_CLIENT"], *arguments]))
        return started[-1]

    yield start
    for program in started:
        program.stop()


def node(script, *arguments):
    """A script of this folder in Node.js, with the packages that `run` installed."""
    modules = pathlib.Path(os.environ["PEERS_NODE_MODULES"])
    return Program(["node", HERE / "node" / script, modules, *arguments])


@pytest.fixture(scope="session")
def node_server():
    """The port of a server made with node's `ws`."""
    program = node("server.mjs")
    yield int(program.line())
    program.stop()


class NodeResults:
    """The results of a run of the client checks in node, by the name of the check; one for each library and server."""

    def __init__(self):
        self.known = {}

    def __call__(self, library, name, *addresses):
        key = library, addresses
        if key not in self.known:
            program = node("client.mjs", library, *(f"ws://{host}:{port}/" for host, port in addresses))
            results = {}
            while (line := program.line()) is not None:
                result = json.loads(line)
                results[result["name"]] = result
            program.stop()
            self.known[key] = results, "".join(program.errors)
        results, errors = self.known[key]
        assert name in results, f"node said nothing about it: {errors[-2000:]}"
        return results[name]


@pytest.fixture(scope="session")
def node_results():
    return NodeResults()


def pytest_unconfigure(config):
    """The last line of all: how many passed and failed, an error in a fixture being a failure."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    count = {kind: len(reporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    reporter.write_line(f"{count['passed']} passed, {count['failed'] + count['error']} failed{skipped}")
