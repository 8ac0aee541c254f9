"""What holds for every answer: headers, the form of errors, bounded bodies, the page's files."""

from __future__ import annotations

import gzip
import http.client
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.inside import Inside, inside
from gemel.api import page
from gemel.api.app import ROUTES
from gemel.api.openapi import document
from gemel.core import errors

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("app") / "data") as found:
        found.pumps("pump-1")
        yield found


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built page of known files, with secrets around it."""
    root = tmp_path / "_web"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text("INDEX")
    (root / "favicon.svg").write_text("<svg/>")
    (root / "assets" / "main.js").write_text("SCRIPT")
    (root / "assets" / "main.js.gz").write_bytes(gzip.compress(b"SCRIPT"))
    (tmp_path / "secret.txt").write_text("SECRET")
    (tmp_path / "_web-other").mkdir()
    (tmp_path / "_web-other" / "secret.txt").write_text("SECRET")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setattr(page, "web_folder", lambda: root)
    return root


def raw(server: Inside, method: str, target: str) -> tuple[int, bytes]:
    """A request whose target no client library tidies up."""
    found = urlsplit(server.url)
    connection = http.client.HTTPConnection(found.hostname, found.port, timeout=60)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/app/overview"),
        ("GET", "/docs"),
        ("GET", "/none"),
        ("PUT", "/health"),
        ("GET", "/me"),
        ("GET", "/login"),
        ("GET", "/"),
        ("HEAD", "/health"),
        ("OPTIONS", "/twins"),
    ],
)
def test_every_answer_is_safe_to_show(method: str, path: str, server: Inside) -> None:
    with server.client() as client:
        found = client.request(method, path).headers
    for name, value in HEADERS.items():
        assert found[name] == value
    policy = dict(
        part.strip().partition(" ")[::2] for part in found["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert not re.search(r"unsafe|\*|https?:", found["content-security-policy"])
    assert "access-control-allow-origin" not in found
    assert "server" not in found
    assert found["cache-control"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/twins/none", 404, "DigitalTwinNotFound"),
        ("GET", "/none", 404, "NotFound"),
        ("GET", "/twins/", 404, "NotFound"),
        ("PUT", "/twins", 405, "MethodNotAllowed"),
        ("GET", "/twins?status=odd", 400, "InvalidArgument"),
        ("GET", "/twins?limit=0", 400, "InvalidArgument"),
        ("GET", "/twins?limit=nan", 400, "InvalidArgument"),
        ("GET", "/alarms/none", 404, "NotFound"),
        ("GET", "/alarms?state=odd", 400, "InvalidArgument"),
        ("GET", "/commands/none", 404, "NotFound"),
        ("DELETE", "/rules/none", 404, "NotFound"),
        ("DELETE", "/tokens/none", 404, "NotFound"),
        ("GET", "/twins/none/changes", 404, "DigitalTwinNotFound"),
    ],
)
def test_errors_have_one_form(
    method: str, path: str, status: int, code: str, server: Inside
) -> None:
    answer = server.http.request(method, path, headers={"x-ms-client-request-id": "abc"})
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code)
    found = answer.json()["error"]
    assert set(found) <= {"code", "message", "hint", "details"}
    assert found["code"] == code
    assert found["message"]
    if status == 405:
        assert "GET" in answer.headers["allow"]
    elif answer.headers["x-ms-error-code"] != "NotFound" or "nothing at" not in found["message"]:
        assert answer.headers["x-ms-client-request-id"] == "abc"


def test_every_error_has_a_status() -> None:
    from gemel.api.errors import STATUS

    found = {kind for kind, _ in STATUS}
    for kind in errors.GemelError.__subclasses__():
        if kind.__module__ == errors.__name__:
            assert kind in found


def test_what_fails_inside_tells_nothing(server: Inside, monkeypatch) -> None:
    def broken() -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(server.platform, "status", broken)
    answer = server.http.get("/status")
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (500, "Internal")
    assert "swordfish" not in answer.text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no body"),
        (b"{", "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": 1e999}', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'"\\ud800"', "not JSON"),
        (b"[" * 40 + b"]" * 40, "nested deeper"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested deeper"),
        (b"[1]", "must be a JSON object"),
        (b"5", "must be a JSON object"),
        (b'{"twin": "a"}', "lacks 'command'"),
        (b'{"twin": "a", "command": "b", "x": 1}', "unknown field 'x'"),
    ],
)
def test_a_body_that_is_none_is_refused_in_words(body: bytes, said: str, server: Inside) -> None:
    answer = server.http.post("/commands", content=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_bodies_are_bounded_also_when_they_are_packed(server: Inside) -> None:
    large = b" " * ((1 << 20) + 1)
    for body, headers in (
        (large, {}),
        (gzip.compress(large, mtime=0), {"content-encoding": "gzip"}),
        (gzip.compress(large[: 1 << 19], mtime=0) * 3, {"content-encoding": "gzip"}),
        (iter([large[:1000]] * 1100), {}),
    ):
        answer = server.http.post("/commands", content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "BodyTooLarge")


def test_a_bomb_is_not_unpacked(server: Inside) -> None:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    bomb = b"".join(packer.compress(zeros) for _ in range(80)) + packer.flush()
    assert len(bomb) < 200_000
    answer = server.http.post("/ingest", content=bomb, headers={"content-encoding": "gzip"})
    assert answer.json()["error"]["code"] == "BodyTooLarge"


@pytest.mark.parametrize(
    ("body", "encoding", "said"),
    [
        (b"no gzip", "gzip", "not valid gzip"),
        (gzip.compress(b'{"a":1}', mtime=0)[:-4], "gzip", "ends too early"),
        (gzip.compress(b'{"a":1}', mtime=0) + b"rest", "gzip", "not valid gzip"),
        (gzip.compress(b"", mtime=0) * 20_000, "gzip", "members"),
        (b"{}", "br", "'br' is not known"),
    ],
)
def test_an_encoding_that_cannot_be_undone(
    body: bytes, encoding: str, said: str, server: Inside
) -> None:
    answer = server.http.post("/ingest", content=body, headers={"content-encoding": encoding})
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


# ---- the page --------------------------------------------------------------------------------

OUTSIDE = [
    "/app/../secret.txt",
    "/app/%2e%2e/secret.txt",
    "/app/..%2fsecret.txt",
    "/app/%2e%2e%2fsecret.txt",
    "/app/assets/../../secret.txt",
    "/app/assets/%2e%2e/%2e%2e/secret.txt",
    "/app/..\\secret.txt",
    "/app/....//secret.txt",
    "/app/.%00./secret.txt",
    "/app/..%252fsecret.txt",
    "/app/%c0%ae%c0%ae/secret.txt",
    "/app/../_web-other/secret.txt",
    "/app/link.txt",
    "/app//etc/resolv.conf",
    "/app/%2fetc%2fresolv.conf",
    "/app/%00.js",
    "/app/" + "a" * 300 + ".js",
    "/app/" + "a/" * 3_000 + "x.js",
    "/app/assets/%00",
]


@pytest.mark.parametrize("target", OUTSIDE)
def test_no_path_leaves_the_folder_of_the_page(target: str, web: Path, server: Inside) -> None:
    (web.parent / "resolv.conf").write_text("SECRET")
    status, body = raw(server, "GET", target)
    assert (status, body) in ((404, b"no such file"), (200, b"INDEX")) or status == 404
    assert b"SECRET" not in body
    assert b"nameserver" not in body


def test_whether_a_file_exists_elsewhere_is_not_told(web: Path, server: Inside) -> None:
    there, missing = (raw(server, "GET", f"/app//etc/{n}") for n in ("passwd.x", "hosts.x"))
    assert raw(server, "GET", "/app//etc/resolv.conf") == there == missing


def test_the_page_and_its_files(web: Path, server: Inside) -> None:
    with server.client() as client:
        assert client.get("/app/twins/pump-1").text == "INDEX"
        assert client.get("/app/twins/pump-1.2").text == "INDEX"
        assert client.get("/app/").headers["cache-control"] == "no-cache"
        found = client.get("/app/assets/main.js")
        assert (found.text, found.headers["content-encoding"]) == ("SCRIPT", "gzip")
        assert "immutable" in found.headers["cache-control"]
        assert found.headers["content-type"].startswith("text/javascript")
        plain = client.get("/app/assets/main.js", headers={"accept-encoding": "identity"})
        assert (plain.text, "content-encoding" in plain.headers) == ("SCRIPT", False)
        again = client.get("/app/assets/main.js", headers={"if-none-match": found.headers["etag"]})
        assert (again.status_code, again.text) == (304, "")
        assert client.get("/app/assets/none.js").status_code == 404
        assert client.get("/favicon.ico").text == "<svg/>"
        assert client.get("/").headers["location"] == "/app/overview"


def test_a_short_address_leads_to_its_twin_and_nowhere_else(server: Inside) -> None:
    with server.client() as client:
        for twin, place in {
            "pump-1": "/app/twins/pump-1",
            "a%3Fb": "/app/twins/a%3Fb",
            "%23x": "/app/twins/%23x",
            "%5C%5Cevil.example": "/app/twins/%5C%5Cevil.example",
            "%0d%0aX-Bad:1": "/app/twins/%0D%0AX-Bad%3A1",
        }.items():
            answer = client.get(f"/t/{twin}", headers={"Host": "evil.example"})
            assert answer.headers["location"] == place
            assert "x-bad" not in answer.headers


def test_without_a_built_page_it_says_how_to_build_it(
    tmp_path: Path, server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "web_folder", lambda: tmp_path)
    with server.client() as client:
        answer = client.get("/app/overview")
        assert answer.status_code == 503
        assert "./scripts/page" in answer.text
        assert client.get("/favicon.ico").status_code == 204


# ---- the description of the API --------------------------------------------------------------


def test_the_openapi_document_lists_every_route_and_is_whole(server: Inside) -> None:
    with server.client() as client:
        found = client.get("/openapi.json").json()
        assert client.get("/docs").text.count("<tr>") == len(ROUTES) + 1
    assert found == document(ROUTES)
    assert found["openapi"].startswith("3.1")
    operations = {
        (method, path): operation
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    }
    expected = {(r.method.lower(), r.path.replace(":path}", "}")) for r in ROUTES}
    assert set(operations) == expected
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(set(ids)) == len(ids)
    for (_, path), operation in operations.items():
        declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))
        assert all(re.fullmatch(r"\d{3}|default", code) for code in operation["responses"])
        assert operation["summary"]
        names = [(p["in"], p["name"]) for p in operation["parameters"]]
        assert len(set(names)) == len(names)


def test_the_files_of_a_page_are_named_with_the_shell(server: Inside, web: Path) -> None:
    assert "link" not in server.http.get("/app/alarms").headers
    (web / "pages.json").write_text('{"alarms": ["assets/a.js", "assets/a.css"]}')
    found = server.http.get("/app/alarms/a-1?x=1").headers["link"]
    assert found == (
        "</app/assets/a.js>; rel=modulepreload, "
        "</app/assets/a.css>; rel=preload; as=style; crossorigin"
    )
    assert "link" not in server.http.get("/app/value").headers
    assert "link" not in server.http.get("/app/favicon.svg").headers
    (web / "pages.json").write_text("[")
    assert server.http.get("/app/alarms").status_code == 200
