"""No feature can be made to connect to us, to our network, to a cloud's metadata (gauntlet, row 60): seen at the socket."""

import http.server
import ipaddress
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from helpdesk.lib import http as door
from helpdesk.lib import net

calls: list[object] = []
listening = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if listening and event == "socket.connect":
        calls.append(arguments[1])


sys.addaudithook(_hook)  # CPython tells it every connect there is; a hook cannot be taken away again


@pytest.fixture
def connects() -> Iterator[list[object]]:
    global listening
    calls.clear()
    listening = True
    yield calls
    listening = False


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A name server: each question takes the next answer, the last one stays."""
    known: dict[str, list[str]] = {}
    ask = socket.getaddrinfo

    def answer(host: str, port: int, *rest: object, **more: object) -> object:
        if host in known:
            host = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        return ask(host, port, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


TARGETS = """
127.0.0.1 127.1 127.255.255.254 0 0.0.0.0 2130706433 0x7f000001 0x7f.1 017700000001 localhost
10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 169.254.0.1 169.254.169.254 2852039166 168.63.129.16
192.0.0.8 198.18.0.1 192.0.2.1 203.0.113.7 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 192.88.99.1
::1 :: ::ffff:127.0.0.1 ::ffff:7f00:1 ::127.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b:1::7f00:1 2002:7f00:1::
2002:a9fe:a9fe:: 2001:0:4136:e378:8000:63bf:80ff:fffe fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1
""".split()  # noqa: SIM905


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_sent_to_an_address_that_is_not_public(target: str, connects: list[object]) -> None:
    with pytest.raises((net.Forbidden, socket.gaierror)):  # some spellings are no address to this C library: as good
        net.dial(target, 80, ports=[80])
    shown = f"[{target}]" if ":" in target else target
    for scheme in ("http", "https"):
        with pytest.raises((net.Forbidden, socket.gaierror)):
            door.request("GET", f"{scheme}://{shown}/")
    assert connects == []


def test_a_name_is_judged_by_every_address_it_has(names: dict[str, list[str]], connects: list[object]) -> None:
    names["metadata.attacker.example"] = ["169.254.169.254"]
    names["mapped.attacker.example"] = ["::ffff:10.0.0.1"]
    for host in ("metadata.attacker.example", "mapped.attacker.example"):
        with pytest.raises(net.Forbidden, match="not public"):
            net.dial(host, 80, ports=[80])
    assert connects == []


def test_a_name_that_changes_its_mind_gets_nowhere(names: dict[str, list[str]], connects: list[object]) -> None:
    """Rebinding: public when it is judged, ours when it is dialled. It is asked once, and that answer is dialled."""
    names["flip.attacker.example"] = ["8.8.8.8", "127.0.0.1"]
    with suppress(OSError):  # nothing answers there from a machine without a network
        net.dial("flip.attacker.example", 80, ports=[80], timeout=0.05)
    assert connects == [("8.8.8.8", 80)]


@pytest.mark.parametrize("host", ["", "a\0b.example", "x" * 70 + ".example", "..", "[::1]"])
def test_what_is_no_host_is_no_crash(host: str, connects: list[object]) -> None:
    with pytest.raises(OSError):
        net.dial(host, 80, ports=[80])
    assert not [one for one in connects if one != ("127.0.0.1", 80)]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://8.8.8.8/", "//8.8.8.8/", "http://", "http://user:pw@8.8.8.8/",
                                 "http://8.8.8.8:22/", "http://[::1", "http://8.8.8.8:99999/", "javascript:1"])  # fmt: skip
def test_only_the_web_and_its_ports_are_asked(url: str, connects: list[object]) -> None:
    with pytest.raises(net.Forbidden):
        door.request("GET", url)
    assert connects == []


class Site(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers['Host']}")
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/")
            self.end_headers()
            return
        if self.path == "/slow":
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    self.wfile.write(b"x")
                    if stop.wait(0.02):
                        return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 5000)

    def log_message(self, *arguments: object) -> None:
        pass


stop = threading.Event()


@pytest.fixture
def site() -> Iterator[int]:
    stop.clear()
    Site.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    stop.set()
    server.shutdown()
    server.server_close()


def test_what_the_operator_allows_is_dialled(site: int, connects: list[object]) -> None:
    for private in (["127.0.0.1"], ["127.0.0.0/8"], ["other.example", "127.0.0.1/32"]):
        net.dial("127.0.0.1", site, ports=[site], private=private).close()
    net.dial("localhost", site, ports=[site], private=["LocalHost."]).close()
    with pytest.raises(net.Forbidden):
        net.dial("127.0.0.1", site, ports=[site], private=["10.0.0.0/8", "localhost"])
    with pytest.raises(net.Forbidden):
        net.dial("127.0.0.1", site, ports=[80], private=["127.0.0.1"])


def test_a_redirect_is_told_and_not_followed(site: int, connects: list[object]) -> None:
    answer = door.request("GET", f"http://127.0.0.1:{site}/away", ports=[site], private=["127.0.0.1"])
    assert (answer.status, answer.headers["Location"]) == (302, "http://169.254.169.254/")
    assert connects == [("127.0.0.1", site)] and Site.asked == [f"/away 127.0.0.1:{site}"]


def test_an_answer_has_its_measure(site: int) -> None:
    ask = {"ports": [site], "private": ["127.0.0.1"]}
    assert door.request("GET", f"http://127.0.0.1:{site}/", most=5000, **ask).body == b"x" * 5000  # type: ignore[arg-type]
    with pytest.raises(door.TooMuch):
        door.request("GET", f"http://127.0.0.1:{site}/", most=4999, **ask)  # type: ignore[arg-type]
    with pytest.raises((OSError, http.client.HTTPException)):  # one byte now and then, for ever
        door.request("GET", f"http://127.0.0.1:{site}/slow", timeout=0.3, **ask)  # type: ignore[arg-type]


def test_public_is_public() -> None:
    for name in ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::"):
        assert net.is_public(ipaddress.ip_address(name)), name
