"""Runs aas-test-engines: `check_file FILE FORMAT` or `check_server URL TOKEN SUITE`.

Prints one JSON object: whether it passed, what failed, what was only warned of, how many checks
there were. The package's own client forgets the headers it is given, so this one sends them.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import requests
from aas_test_engines import api, config, file, http
from aas_test_engines.result import Level


class Client(http.HttpClient):
    def descend(self, prefix: str) -> Client:
        made = Client(self.host, self.verify, self.remove_path_prefix, self.additional_headers)
        made.prefixes.append(prefix)
        return made

    def send(self, request: Any) -> Any:
        url = self.host + "".join(self.prefixes) + request.make_url()
        headers = {**request.headers, **self.additional_headers}
        return requests.request(request.method, url, headers=headers, timeout=120)


def walk(result: Any, path: str, found: dict[str, Any]) -> None:
    place = f"{path} / {result.message}" if path else result.message
    if not result.sub_results:
        found["checks"] += 1
        if result.level == Level.WARNING:
            found["warnings"].append(place[-300:])
        elif result.level != Level.INFO:
            found["failures"].append(place[-500:])
    for inner in result.sub_results:
        walk(inner, place, found)


def main() -> None:
    kind, *words = sys.argv[1:]
    if kind == "check_file":
        with open(words[0], "rb") as opened:
            check = {
                "json": file.check_json_file,
                "xml": file.check_xml_file,
                "aasx": file.check_aasx_file,
            }[words[1]]
            result = check(opened)
    else:
        url, token, suite = words
        client = Client(url, additional_headers={"Authorization": f"Bearer {token}"})
        result, _ = api.execute_tests(client, config.CheckApiConfig(suite=suite))
    found: dict[str, Any] = {"ok": result.ok(), "checks": 0, "failures": [], "warnings": []}
    walk(result, "", found)
    print(json.dumps(found))


main()
