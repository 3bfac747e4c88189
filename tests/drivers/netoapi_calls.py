"""
Run PyPI's netoapi as it is, for test_clients.py: stdin and stdout as in neto_api.js.

settings: key and username, which this client always sends. A failure is the exception's text.
"""

import json
import sys
from typing import Any

from netoapi import NetoAPIClient, NetoAPIRequestError


def payload(action: str, value: Any) -> dict[str, Any]:
    """The whole body, which this client leaves to its user."""
    if action == "GetCustomer":
        return {"Filter": value}
    if action.endswith("CustomerLog"):
        return {"CustomerLogs": {"CustomerLog": [value]}}
    return {"Customer": [value]}


def outcome(client: NetoAPIClient, action: str, value: Any) -> dict[str, Any]:
    try:
        return {"answer": client.execute_api_call(action, payload(action, value))}
    except NetoAPIRequestError as error:
        return {"failure": str(error)}


def main() -> None:
    told = json.load(sys.stdin)
    key, username = told["settings"]["key"], told["settings"]["username"]
    client = NetoAPIClient(told["url"] + "/do/WS/NetoAPI", username, key)
    json.dump([outcome(client, action, value) for action, value in told["calls"]], sys.stdout)


if __name__ == "__main__":
    main()
